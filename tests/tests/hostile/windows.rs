//! What Windows' makers and vendors sign and list: INF files, catalogs, programs, the firmware's lists; descriptors of devices.

use std::fs;
use std::path::Path;

use tests::hostile::{Case, Parser, Seeded, cuts, either, extremes, read, refused};
use uuid::Uuid;
use windows_setup::drivers::ids::collections;
use windows_setup::drivers::{Listing, catalog, index_inf};
use windows_setup::file_version;
use windows_setup::secure_boot::{About, Database, Program};

use super::{put, run, said, with};

const INF: Parser = Parser {
    name: "inf",
    read: |bytes| {
        let listing = Listing::new("p", ["a.sys".to_owned(), "x/b.inf".to_owned()]);
        let inf = index_inf(&listing, "x/a.inf", bytes, &mut |_| Some(bytes.to_vec()));
        inf.map(drop).map_err(|refused| refused.reason)
    },
};
const CATALOG: Parser = Parser {
    name: "catalog",
    read: |bytes| catalog::look_up(bytes, b"file").map(drop).map_err(said),
};
const PROGRAM: Parser = Parser {
    name: "program",
    read: |bytes| {
        let program = Program::read(bytes).map_err(said)?;
        drop(program.signers());
        Ok(())
    },
};
const SBAT: Parser = Parser {
    name: "sbat",
    read: |bytes| About::read(bytes).map(drop).map_err(said),
};
const VERSION: Parser = Parser {
    name: "file-version",
    read: |bytes| file_version(bytes).map(drop).ok_or("no version".into()),
};
const LISTS: Parser = Parser {
    name: "firmware-lists",
    read: |bytes| {
        let list = Database::read(bytes).map_err(said)?;
        drop((list.names(), list.is_understood()));
        Ok(())
    },
};
const DESCRIPTOR: Parser = Parser {
    name: "hid-descriptor",
    read: |bytes| {
        drop(collections(bytes));
        Ok(())
    },
};

pub(crate) fn parsers() -> Vec<Seeded> {
    let signed = Signed::new();
    vec![
        (
            INF,
            ["vmd.inf", "nic.inf", "ext.inf", "audio.inf"].map(inf).into(),
        ),
        (CATALOG, vec![signed.message.clone()]),
        (PROGRAM, vec![signed.program.clone()]),
        (SBAT, vec![revocable("sbat,1,S\nshim,4,U\n")]),
        (VERSION, vec![library()]),
        (LISTS, vec![list(&signed.certificate)]),
        (DESCRIPTOR, vec![KEYBOARD.into()]),
    ]
}

pub(crate) fn check() -> usize {
    use tests::hostile::check;
    let signed = Signed::new();
    check(INF, infs())
        + check(CATALOG, messages(&signed.message))
        + check(PROGRAM, programs(&signed))
        + check(SBAT, revocables())
        + check(VERSION, versions())
        + check(LISTS, lists(&signed.certificate))
        + check(DESCRIPTOR, descriptors())
}

fn inf(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../windows-setup/tests/packages");
    fs::read(folder.join(name)).unwrap()
}

const HEAD: &str = "[Version]\nSignature=$Windows NT$\nClass=Net\nClassGuid={4d36e972-e325-11ce-bfc1-08002be10318}\nProvider=P\n\
    DriverVer=01/02/2023,1.2.3.4\n[Manufacturer]\nM=M,NTamd64\n[M.NTamd64]\nd=I,PCI\\VEN_1\n";

fn infs() -> Vec<Case> {
    let behind = |text: &str| format!("{HEAD}{text}");
    let long = |times: usize| "a".repeat(times);
    vec![
        read("as vendors write it", inf("nic.inf")),
        refused("nothing", ""),
        refused("zeros", vec![0; 1 << 20]),
        refused("more than 8 MiB", vec![b';'; (8 << 20) + 1]),
        refused("a text outside of all sections", "a=b\n"),
        refused("a section's name without end", behind("[I")),
        refused(
            "a section's name of 256 letters",
            behind(&format!("[{}]\n", long(256))),
        ),
        refused(
            "a value of 4096 letters",
            behind(&format!("[I]\na={}\n", long(4096))),
        ),
        refused(
            "strings that multiply",
            behind(&format!(
                "[I]\na={}\n[Strings]\nx=\"{}\"\n",
                "%x%,".repeat(10_000),
                long(4000)
            )),
        ),
        either(
            "a string that is itself",
            behind("[I]\na=%x%\n[Strings]\nx=%x%\n"),
        ),
        either(
            "a section that needs itself",
            behind("[I]\nNeeds=I\nInclude=a.inf\n[I.NT]\nNeeds=I.NT,I\n"),
        ),
        either(
            "sections that need each other",
            behind("[I]\nNeeds=J,J\n[J]\nNeeds=I,I\n"),
        ),
        either("a chain of 20,000 sections", {
            behind(
                &(0..20_000)
                    .map(|n| format!("[I{n}]\nNeeds=I{}\n", n + 1))
                    .collect::<String>()
                    .replace("[I0]", "[I]"),
            )
        }),
        either("sections that need two others each", {
            behind(
                &(0..200)
                    .map(|n| format!("[I{n}]\nNeeds=I{0},J{0}\n[J{n}]\nNeeds=I{0},J{0}\n", n + 1))
                    .collect::<String>()
                    .replace("[I0]", "[I]"),
            )
        }),
        either("300,000 devices", behind(&"d=I,PCI\\VEN_1\n".repeat(300_000))),
        either(
            "a file that leads out",
            behind("[I]\nCopyFiles=@..\\..\\..\\etc\\passwd\n[SourceDisksNames]\n1=d,,,..\\..\\..\n"),
        ),
        either(
            "a file at an absolute place",
            behind("[I]\nCopyFiles=@C:\\Windows\\a.sys,@\\\\host\\share\\a.sys,@/etc/passwd\n"),
        ),
        either(
            "a file with a zero in its name",
            behind("[I]\nCopyFiles=@a\0b.sys\n"),
        ),
        either(
            "an INF that copies itself",
            behind("[I]\nCopyINF=a.inf,x\\a.inf,..\\x\\a.inf,b.inf\n"),
        ),
        either(
            "a version of 2^64",
            HEAD.replace("1.2.3.4", "18446744073709551616.1.1.1"),
        ),
        either("a date that is none", HEAD.replace("01/02/2023", "99/99/99999")),
        either("a class that is none", HEAD.replace("{4d36e972", "{zzzz")),
        either(
            "a start type of 2^32",
            behind("[I]\n[I.Services]\nAddService=s,2,S\n[S]\nStartType=4294967296\nServiceType=-1\n"),
        ),
        either(
            "a service that is its own section",
            behind("[I]\n[I.Services]\nAddService=s,2,I.Services\n"),
        ),
        either(
            "UTF-16 with half a unit",
            [
                vec![0xFF, 0xFE],
                HEAD.encode_utf16().flat_map(u16::to_le_bytes).collect(),
                vec![0],
            ]
            .concat(),
        ),
        either(
            "a decoration of numbers without end",
            HEAD.replace("NTamd64", "NTamd64.99999999999999999999.1...1....."),
        ),
        either(
            "a thousand decorations",
            HEAD.replace("M,NTamd64", &format!("M{}", ",NTamd64".repeat(1000))),
        ),
        either("backslashes only", behind(&"\\".repeat(1 << 20))),
        either(
            "quotation marks only",
            behind(&format!("[I]\na={}", "\"".repeat(1 << 20))),
        ),
        either(
            "percent signs only",
            behind(&format!("[I]\na={}", "%".repeat(1 << 20))),
        ),
        refused(
            "the end of a DOS text behind the first letter",
            format!("\u{1A}{HEAD}"),
        ),
    ]
}

/// What openssl signs: a message, a program, and the certificate.
struct Signed {
    message: Vec<u8>,
    program: Vec<u8>,
    certificate: Vec<u8>,
}

impl Signed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let [key, pem, der, input, message, program, signed] =
            ["key", "pem", "der", "input", "message", "program", "signed"].map(path);
        fs::write(&input, "list").unwrap();
        fs::write(&program, image()).unwrap();
        let request = [
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/O=O/CN=Signer",
            "-days",
            "9",
        ];
        run(
            "openssl",
            &[&request[..], &["-keyout", &key, "-out", &pem]].concat(),
        );
        run("openssl", &["x509", "-in", &pem, "-outform", "DER", "-out", &der]);
        let sign = [
            "cms",
            "-sign",
            "-binary",
            "-nodetach",
            "-outform",
            "DER",
            "-md",
            "sha256",
            "-signer",
            &pem,
        ];
        run(
            "openssl",
            &[&sign[..], &["-inkey", &key, "-in", &input, "-out", &message]].concat(),
        );
        run(
            "sbsign",
            &["--key", &key, "--cert", &pem, "--output", &signed, &program],
        );
        let [message, program, certificate] = [message, signed, der].map(|file| fs::read(file).unwrap());
        Self {
            message,
            program,
            certificate,
        }
    }
}

/// Something in DER of that tag and length.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len() as u32;
    [&[tag, 0x84], &length.to_be_bytes()[..], content].concat()
}

fn messages(good: &[u8]) -> Vec<Case> {
    let nested = (0..20_000).fold(vec![], |inner, _| {
        if inner.len() > 1 << 20 {
            inner
        } else {
            der(0x30, &inner)
        }
    });
    let mut cases = vec![
        // What is signed is in octets, and a catalog's list is not, so it is not taken for a catalog's.
        either("as openssl makes it", good),
        refused("nothing", ""),
        refused("zeros", vec![0; 1 << 16]),
        refused("ones", vec![0xFF; 1 << 16]),
        refused(
            "a length of 2^32 - 1",
            with(good, 0, &[0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF]),
        ),
        refused(
            "a length of 2^64 - 1",
            [&[0x30, 0x88][..], &[0xFF; 8], good].concat(),
        ),
        refused("a length without end", with(good, 0, &[0x30, 0x80])),
        refused("thousands of sequences in one another", nested),
        refused("a tag without end", [&[0x3F][..], &[0xFF; 1000]].concat()),
        refused("an identifier without end", der(0x30, &der(6, &[0xFF; 1000]))),
        refused(
            "another kind of message",
            der(
                0x30,
                &[
                    &der(6, &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 7, 1])[..],
                    &der(0xA0, &[4, 0]),
                ]
                .concat(),
            ),
        ),
    ];
    let places = (0..good.len()).step_by(good.len() / 20);
    cases.extend(cuts(good, places));
    let places = (0..good.len()).step_by(good.len() / 20);
    cases.extend(places.map(|at| either(format!("ones at {at}"), with(good, at, &[0xFF]))));
    cases
}

/// The smallest program of UEFI: headers and a section.
fn image() -> Vec<u8> {
    let mut file = vec![0; 0x400];
    put(&mut file, 0, b"MZ");
    put(&mut file, 0x3C, &[0x40]);
    put(&mut file, 0x40, b"PE\0\0\x64\x86\x01\0");
    put(&mut file, 0x54, &[240, 0, 0x22, 0]);
    let numbers = [
        (0, 0x20B),
        (4, 0x200),
        (16, 0x1000),
        (20, 0x1000),
        (32, 0x1000),
        (36, 0x200),
        (56, 0x2000),
        (60, 0x200),
        (68, 10),
        (108, 16),
    ];
    let section = [
        (240 + 8, 0x200_u32),
        (240 + 12, 0x1000),
        (240 + 16, 0x200),
        (240 + 20, 0x200),
        (240 + 36, 0x6000_0020),
    ];
    for (at, number) in numbers.into_iter().chain(section) {
        put(&mut file, OPTIONAL + at, &u32::to_le_bytes(number));
    }
    put(&mut file, OPTIONAL + 240, b".text");
    file
}

/// The optional header of [`image`] and of what is made from it.
const OPTIONAL: usize = 0x58;
/// The entry of the table of certificates.
const TABLE: usize = OPTIONAL + 112 + 4 * 8;

const HEADERS: [(&str, usize, usize); 12] = [
    ("place of the header", 0x3C, 4),
    ("machine", 0x44, 2),
    ("sections", 0x46, 2),
    ("place of the symbols", 0x4C, 4),
    ("symbols", 0x50, 4),
    ("length of the optional header", 0x54, 2),
    ("kind of program", OPTIONAL, 2),
    ("alignment of sections", OPTIONAL + 32, 4),
    ("alignment in the file", OPTIONAL + 36, 4),
    ("folders", OPTIONAL + 108, 4),
    ("place of the certificates", TABLE, 4),
    ("bytes of the certificates", TABLE + 4, 4),
];

fn programs(signed: &Signed) -> Vec<Case> {
    let good = &signed.program;
    let table = u32::from_le_bytes(good[TABLE..TABLE + 4].try_into().unwrap()) as usize;
    let mut fields = HEADERS.to_vec();
    fields.extend([
        ("bytes of a certificate", table, 4),
        ("kind of a certificate", table + 4, 4),
    ]);
    let mut cases = extremes(good, &fields, |_| ());
    let small = [8_u32.to_le_bytes(), [0, 2, 2, 0]].concat();
    cases.extend([
        read("as sbsign makes it", good.clone()),
        read("not signed", image()),
        refused("nothing", ""),
        refused("a script", "#!/bin/sh\n"),
        refused(
            "a table of certificates that leads out",
            with(good, TABLE + 4, &[0, 0, 0, 1]),
        ),
        refused("a certificate of no bytes", with(good, table, &[0; 4])),
        refused("a certificate of 7 bytes", with(good, table, &[7, 0, 0, 0])),
        refused("a certificate of 2^32 - 1 bytes", with(good, table, &[0xFF; 4])),
        either("100,000 certificates of nothing", {
            let mut file = image();
            file.extend(small.repeat(100_000));
            with(&file, TABLE, &[0x400_u32, 800_000].map(u32::to_le_bytes).concat())
        }),
        either("10,000 times the same signature", {
            let one = good[table..].to_vec();
            let times = 1000;
            let mut file = good[..table].to_vec();
            file.extend(one.repeat(times));
            with(&file, TABLE + 4, &((one.len() * times) as u32).to_le_bytes())
        }),
    ]);
    cases.extend(cuts(good, [0, 1, 2, 63, 64, 0x58, 0x100, 0x148, 0x3FF]));
    cases
}

/// A program with that section `.sbat`.
fn revocable(text: &str) -> Vec<u8> {
    let mut file = image();
    put(&mut file, OPTIONAL + 240, b".sbat");
    file.truncate(0x200);
    file.resize(0x200 + text.len().max(0x200), 0);
    put(&mut file, 0x200, text.as_bytes());
    let length = (text.len() as u32).to_le_bytes();
    put(&mut file, OPTIONAL + 240 + 8, &length);
    put(&mut file, OPTIONAL + 240 + 16, &length);
    file
}

fn revocables() -> Vec<Case> {
    let good = revocable("sbat,1,S\nshim,4,U\n");
    let section = OPTIONAL + 240;
    let fields = [
        ("sections", 0x46, 2),
        ("length of the optional header", 0x54, 2),
        ("subsystem", OPTIONAL + 68, 2),
        ("bytes in memory", section + 8, 4),
        ("bytes in the file", section + 16, 4),
        ("place in the file", section + 20, 4),
    ];
    let mut cases = extremes(&good, &fields, |_| ());
    cases.extend([
        read("as shim has it", good.clone()),
        read("no text", revocable("")),
        read("commas only", revocable(&",".repeat(60_000))),
        read("lines only", revocable(&"\n".repeat(60_000))),
        read("a line without end", revocable("shim")),
        refused(
            "behind the end of the file",
            with(&good, section + 20, &[0, 0, 0, 1]),
        ),
        refused("more than 64 KiB", revocable(&"a,1\n".repeat(20_000))),
    ]);
    cases.extend(cuts(&good, [0x147, 0x148, 0x158, 0x170, 0x201]));
    cases
}

/// A library with a version in its resources.
fn library() -> Vec<u8> {
    let mut file = image();
    put(
        &mut file,
        OPTIONAL + 112 + 16,
        &[0x1000_u32, 0x200].map(u32::to_le_bytes).concat(),
    );
    for (at, id, to) in [(0, 16, 1 << 31 | 24), (24, 1, 1 << 31 | 48), (48, 1033, 72_u32)] {
        put(&mut file, RESOURCES + at + 14, &[1, 0]);
        put(
            &mut file,
            RESOURCES + at + 16,
            &[id, to].map(u32::to_le_bytes).concat(),
        );
    }
    put(
        &mut file,
        RESOURCES + 72,
        &[0x1000_u32 + 88, 92].map(u32::to_le_bytes).concat(),
    );
    let numbers = [0xFEEF_04BD_u32, 0x1_0000, 10 << 16, 19041 << 16 | 1];
    put(
        &mut file,
        RESOURCES + 88 + 40,
        &numbers.map(u32::to_le_bytes).concat(),
    );
    file
}

const RESOURCES: usize = 0x200;

fn versions() -> Vec<Case> {
    let good = library();
    let section = OPTIONAL + 240;
    let mut fields = HEADERS.to_vec();
    fields.extend([
        ("place of the resources", OPTIONAL + 128, 4),
        ("bytes of the section", section + 16, 4),
        ("place of the section in memory", section + 12, 4),
        ("place of the section in the file", section + 20, 4),
        ("entries with names", RESOURCES + 12, 2),
        ("entries", RESOURCES + 14, 2),
        ("where an entry leads", RESOURCES + 20, 4),
        ("place of the version", RESOURCES + 72, 4),
    ]);
    let mut cases = extremes(&good, &fields, |_| ());
    cases.extend([
        read("as it should be", good.clone()),
        refused("nothing", ""),
        refused(
            "a folder that is itself",
            with(&good, RESOURCES + 20, &(1_u32 << 31).to_le_bytes()),
        ),
        refused("a folder that leads out", with(&good, RESOURCES + 20, &[0xFF; 4])),
        refused("a section that leads out", with(&good, section + 20, &[0xFF; 4])),
    ]);
    cases
}

/// A list with that certificate.
fn list(certificate: &[u8]) -> Vec<u8> {
    entries(
        "a5c059a1-94e4-4aa7-87b5-ab155c2bf072",
        [
            28 + 16 + certificate.len() as u32,
            0,
            16 + certificate.len() as u32,
        ],
        certificate,
    )
}

fn entries(kind: &str, numbers: [u32; 3], entry: &[u8]) -> Vec<u8> {
    let mut all = Uuid::parse_str(kind).unwrap().to_bytes_le().to_vec();
    all.extend(numbers.map(u32::to_le_bytes).concat());
    all.extend([7; 16]);
    all.extend(entry);
    all
}

fn lists(certificate: &[u8]) -> Vec<Case> {
    const DIGEST: &str = "c1c41626-504c-4092-aca9-41f936934328";
    let good = list(certificate);
    let digest = |numbers: [u32; 3]| entries(DIGEST, numbers, &[1; 32]);
    let fields = [
        ("bytes of a list", 16, 4),
        ("bytes of its header", 20, 4),
        ("bytes of an entry", 24, 4),
    ];
    let mut cases = extremes(&good, &fields, |_| ());
    cases.extend([
        read("as firmware has it", good.clone()),
        read("nothing", ""),
        refused("a list of no bytes", digest([0, 0, 48])),
        refused("a list that is shorter than its head", digest([27, 0, 48])),
        refused("a list of 2^32 - 1 bytes", digest([u32::MAX, 0, 48])),
        refused("a header that leads out of its list", digest([76, 77, 48])),
        refused("a header of 2^32 - 1 bytes", digest([76, u32::MAX, 48])),
        refused("entries of no bytes", digest([76, 0, 0])),
        refused("entries without anything but an owner", digest([76, 0, 16])),
        read(
            "entries that are longer than their list",
            digest([76, 0, u32::MAX]),
        ),
        read(
            "an unknown kind",
            entries("00000000-0000-0000-0000-000000000001", [76, 0, 48], &[1; 32]),
        ),
        read(
            "a certificate that is none",
            list(&[0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF]),
        ),
        read("10,000 lists", digest([76, 0, 48]).repeat(10_000)),
    ]);
    cases.extend(cuts(&good, [1, 15, 16, 27, 28, 60, good.len() - 1]));
    cases
}

const KEYBOARD: [u8; 14] = [5, 1, 9, 6, 0xA1, 1, 5, 7, 9, 1, 0xA1, 0, 0xC0, 0xC0];

fn descriptors() -> Vec<Case> {
    let texts: [(&str, Vec<u8>); 7] = [
        ("a keyboard", KEYBOARD.into()),
        ("nothing", vec![]),
        ("collections that do not end", [0xA1, 1].repeat(100_000)),
        ("ends without a beginning", vec![0xC0; 100_000]),
        ("a long item that is cut off", vec![0xFE, 0xFF]),
        ("long items of no bytes", [0xFE, 0, 0].repeat(100_000)),
        (
            "a usage of 2^32 - 1",
            vec![
                0x0B, 0xFF, 0xFF, 0xFF, 0xFF, 0x07, 0xFF, 0xFF, 0xFF, 0xFF, 0xA1, 1,
            ],
        ),
    ];
    texts.map(|(name, bytes)| read(name, bytes)).into()
}
