//! Boot images: tar archives with a description as their first member.

use media_builder::boot_image;
use tests::hostile::{Case, Parser, Seeded, cuts, either, read, refused};

use super::{put, said};

const ARCHIVE: Parser = Parser {
    name: "boot-image",
    read: |bytes| {
        let file = tempfile::NamedTempFile::new().map_err(said)?;
        std::fs::write(file.path(), bytes).map_err(said)?;
        boot_image::inspect(file.path()).map_err(said)?;
        boot_image::verify(file.path()).map(drop).map_err(said)
    },
};

pub(crate) fn parsers() -> Vec<Seeded> {
    vec![(ARCHIVE, vec![good()])]
}

pub(crate) fn check() -> usize {
    tests::hostile::check(ARCHIVE, cases())
}

/// A member: name, kind, and what its header says of its length.
fn header(name: &str, kind: u8, size: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 512];
    put(&mut header, 0, name.as_bytes());
    put(&mut header, 100, b"0000644\x000000000\x000000000\0");
    put(&mut header, 124, size);
    put(&mut header, 136, b"00000000001\0        ");
    header[156] = kind;
    put(&mut header, 257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    put(&mut header, 148, format!("{sum:06o}\0 ").as_bytes());
    header
}

fn octal(number: usize) -> Vec<u8> {
    format!("{number:011o}\0").into_bytes()
}

fn member(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
    let mut member = header(name, kind, &octal(content.len()));
    member.extend(content);
    member.resize(member.len().next_multiple_of(512), 0);
    member
}

fn file(name: &str, content: &[u8]) -> Vec<u8> {
    member(name, b'0', content)
}

/// The description of files of one byte, `x`, with those names.
fn description(names: &[&str]) -> Vec<u8> {
    const DIGEST: &str = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
    let members = names
        .iter()
        .map(|name| format!(r#"{{"path":"{name}","size":1,"sha256":"{DIGEST}"}}"#));
    let members: Vec<_> = members.collect();
    format!(
        r#"{{"format":1,"kind":"linux-pe","architecture":"x86_64","members":[{}]}}"#,
        members.join(",")
    )
    .into_bytes()
}

/// An archive that describes those files, with those members.
fn archive(names: &[&str], members: &[Vec<u8>]) -> Vec<u8> {
    let mut archive = file("boot-image.json", &description(names));
    archive.extend(members.concat());
    archive.extend([0; 1024]);
    archive
}

fn good() -> Vec<u8> {
    archive(
        &["vmlinuz", "efi/a"],
        &[file("vmlinuz", b"x"), file("efi/a", b"x")],
    )
}

/// The archive whose only member says of itself that it has that length.
fn sized(size: &[u8]) -> Vec<u8> {
    archive(&["a"], &[header("a", b'0', size), vec![b'x'; 512]])
}

fn described(json: &[u8]) -> Vec<u8> {
    [file("boot-image.json", json), file("a", b"x"), vec![0; 1024]].concat()
}

fn cases() -> Vec<Case> {
    let good = good();
    let one = |member: Vec<u8>| archive(&["a"], &[member]);
    let huge = |byte: u8| {
        let mut size = vec![byte; 12];
        size[0] = 0x80;
        size
    };
    let long = |size: &[u8]| {
        [
            header("././@LongLink", b'L', size),
            vec![b'n'; 1024],
            file("a", b"x"),
        ]
        .concat()
    };
    let records = |text: &str| [member("pax", b'x', text.as_bytes()), file("a", b"x")].concat();
    let mut cases = vec![
        read("as it should be", good.clone()),
        refused("nothing", ""),
        refused("zeros", vec![0; 10_240]),
        refused("ones", vec![0xFF; 10_240]),
        refused("no description", [file("a", b"x"), vec![0; 1024]].concat()),
        refused(
            "a description that is not the first member",
            [file("a", b"x"), good.clone()].concat(),
        ),
        refused("a description of nothing", described(b"")),
        refused("a description that is no JSON", described(b"x")),
        refused("a description that is no UTF-8", described(&[0xFF; 100])),
        refused(
            "a description of 100,000 lists in one another",
            described(&[b'['; 100_000]),
        ),
        refused(
            "a description of more than 4 MiB",
            described(&vec![b' '; (4 << 20) + 1]),
        ),
        refused("a description that says it has 2^64 bytes", {
            [header("boot-image.json", b'0', &huge(0xFF)), vec![b' '; 1024]].concat()
        }),
        refused(
            "a file of another format",
            described(
                &String::from_utf8(description(&["a"]))
                    .unwrap()
                    .replace(":1,\"kind", ":2,\"kind")
                    .into_bytes(),
            ),
        ),
        refused(
            "a member that is missing",
            archive(&["a", "b"], &[file("a", b"x")]),
        ),
        refused(
            "a member that is not described",
            archive(&["a"], &[file("a", b"x"), file("b", b"x")]),
        ),
        refused(
            "a member twice",
            archive(&["a"], &[file("a", b"x"), file("a", b"x")]),
        ),
        refused("a member of another length", one(file("a", b"xy"))),
        refused("a member of other content", one(file("a", b"y"))),
        refused(
            "a member described twice",
            archive(&["a", "a"], &[file("a", b"x"), file("b", b"x")]),
        ),
        read(
            "members that differ in case",
            archive(&["a", "A"], &[file("a", b"x"), file("A", b"x")]),
        ),
        refused("a member of 2^95 bytes", sized(&huge(0xFF))),
        refused("a member of 8 GiB", sized(b"77777777777\0")),
        refused("a member of -1 bytes", sized(&[0xFF; 12])),
        refused("a member of no number of bytes", sized(b"xxxxxxxxxxx\0")),
        refused(
            "a member of 2^63 bytes",
            sized(&[0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        ),
        refused(
            "a member of 2^64 - 1 bytes",
            sized(&[0x80, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
        ),
        refused("another sum", {
            let mut archive = good.clone();
            archive[600 + 512] = 1;
            put(&mut archive, 148, b"000000\0 ");
            archive
        }),
        refused("a link out of the archive", one(header("a", b'2', &octal(0)))),
        refused(
            "a link that has the content of a file",
            one(member("a", b'2', b"x")),
        ),
        refused(
            "a device that has the content of a file",
            one(member("a", b'4', b"x")),
        ),
        refused("a hard link", one(header("a", b'1', &octal(0)))),
        refused("a character device", one(header("a", b'3', &octal(0)))),
        refused("a block device", one(header("a", b'4', &octal(0)))),
        refused("a folder", one(header("a", b'5', &octal(0)))),
        refused("a pipe", one(header("a", b'6', &octal(0)))),
        refused("a path that leads out", archive(&["../a"], &[file("../a", b"x")])),
        refused(
            "an absolute path",
            archive(&["/etc/passwd"], &[file("/etc/passwd", b"x")]),
        ),
        refused("a path of nothing", archive(&[""], &[file("", b"x")])),
        refused(
            "a path that leads out in its middle",
            archive(&["a/../../b"], &[file("a/../../b", b"x")]),
        ),
        refused("a long name of 2^64 bytes", one(long(&huge(0xFF)))),
        refused("a long name of 8 GiB", one(long(b"77777777777\0"))),
        refused(
            "long names only",
            one(member("././@LongLink", b'L', b"a\0").repeat(1000)),
        ),
        either(
            "a record that says that the member has 2^64 bytes",
            one(records("29 size=18446744073709551615\n")),
        ),
        either(
            "a record of a length of its own that is none",
            one(records("99999999999999999999 size=1\n")),
        ),
        either("a record without a length", one(records("size=1\n"))),
        either(
            "a sparse member of 2^60 bytes",
            one({
                let mut sparse = header("a", b'S', &octal(1));
                put(&mut sparse, 386, b"00000000000\x0000000000001\0");
                put(&mut sparse, 483, &[0x80, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0]);
                put(&mut sparse, 148, b"        ");
                let sum: u32 = sparse.iter().map(|byte| u32::from(*byte)).sum();
                put(&mut sparse, 148, format!("{sum:06o}\0 ").as_bytes());
                [sparse, vec![b'x'; 512]].concat()
            }),
        ),
    ];
    let first = 512 + description(&["vmlinuz", "efi/a"]).len();
    cases.extend(cuts(
        &good,
        [
            1,
            156,
            511,
            512,
            first - 1,
            first.next_multiple_of(512) + 100,
            first.next_multiple_of(512) + 512,
        ],
    ));
    cases
}
