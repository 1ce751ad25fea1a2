//! What is read of a WIM without libwim: header, XML metadata, and new properties in these.

use std::io::Cursor;

use media_format::wim::info::{ImageInfo, WimInfo, parse_xml};
use media_format::wim::properties;
use media_format::wim::protocol::CaptureImage;
use tests::hostile::{Case, Parser, Seeded, cuts, either, extremes, read, refused};

use super::{said, with};

const WIM: Parser = Parser {
    name: "wim",
    read: |bytes| {
        let info = WimInfo::read(&mut Cursor::new(bytes)).map_err(said)?;
        let _any_number_is_right = info.images.iter().map(ImageInfo::disk_bytes).max();
        properties::set(&mut Cursor::new(bytes.to_vec()), &[named()]).map_err(said)
    },
};
/// From text, which is more of it than from UTF-16 with an odd byte.
const XML: Parser = Parser {
    name: "wim-xml",
    read: |bytes| {
        parse_xml(&wide(&String::from_utf8_lossy(bytes)))
            .map(drop)
            .map_err(said)
    },
};

pub(crate) fn parsers() -> Vec<Seeded> {
    vec![(WIM, vec![wim(&xml(&wide(TEXT)))]), (XML, vec![TEXT.into()])]
}

pub(crate) fn check() -> usize {
    use tests::hostile::check;
    check(WIM, wims()) + check(XML, texts())
}

const TEXT: &str = "<WIM><TOTALBYTES>1</TOTALBYTES><IMAGE INDEX=\"1\"><DIRCOUNT>1</DIRCOUNT><FILECOUNT>2</FILECOUNT>\
    <TOTALBYTES>3</TOTALBYTES><HARDLINKBYTES>1</HARDLINKBYTES><CREATIONTIME><HIGHPART>0x01D</HIGHPART><LOWPART>0x1</LOWPART>\
    </CREATIONTIME><WINDOWS><ARCH>9</ARCH><LANGUAGES><LANGUAGE>nl-NL</LANGUAGE><DEFAULT>nl-NL</DEFAULT></LANGUAGES>\
    <VERSION><MAJOR>10</MAJOR><MINOR>0</MINOR></VERSION></WINDOWS><NAME>A &amp; B</NAME></IMAGE></WIM>";

fn named() -> CaptureImage {
    serde_json::from_str(r#"{"source":{"folder":"/"},"name":"a","description":"<&>"}"#).unwrap()
}

fn wide(text: &str) -> Vec<u8> {
    let units = std::iter::once(0xFEFF).chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

/// A place: bytes, flags, offset, bytes after decompression.
fn resource(size: u64, flags: u8, offset: u64, original: u64) -> Vec<u8> {
    let packed = size | u64::from(flags) << 56;
    [packed, offset, original].map(u64::to_le_bytes).concat()
}

fn xml(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    (
        resource(bytes.len() as u64, 2, 208, bytes.len() as u64),
        bytes.to_vec(),
    )
}

/// A header of LZX with one image, and the metadata at that place.
fn wim((place, bytes): &(Vec<u8>, Vec<u8>)) -> Vec<u8> {
    let mut wim = b"MSWIM\0\0\0".to_vec();
    wim.extend([208_u32, 0x10d00, 0x4_0002, 32768].map(u32::to_le_bytes).concat());
    wim.extend([7; 16]);
    wim.extend([1, 0, 1, 0, 1, 0, 0, 0]);
    wim.extend(resource(0, 0, 0, 0));
    wim.extend(place);
    wim.resize(208, 0);
    wim.extend(bytes);
    wim
}

fn at(place: Vec<u8>) -> Vec<u8> {
    wim(&(place, wide(TEXT)))
}

fn wims() -> Vec<Case> {
    let good = wim(&xml(&wide(TEXT)));
    let length = wide(TEXT).len() as u64;
    let fields = [
        ("length of the header", 8, 4),
        ("version", 12, 4),
        ("flags", 16, 4),
        ("bytes of a chunk", 20, 4),
        ("part", 40, 2),
        ("parts", 42, 2),
        ("images", 44, 4),
        ("bytes of the metadata", 72, 7),
        ("flags of the metadata", 79, 1),
        ("place of the metadata", 80, 8),
        ("original bytes of the metadata", 88, 8),
        ("bootable image", 120, 4),
    ];
    let mut cases = extremes(&good, &fields, |_| ());
    cases.extend([
        read("as it should be", good.clone()),
        refused("a pipable one", with(&good, 0, b"WLPWM")),
        refused("metadata of 2^55 bytes", at(resource(1 << 55, 2, 208, 1 << 55))),
        refused(
            "metadata of 2^56 - 1 bytes at 2^64 - 1",
            at(resource((1 << 56) - 1, 2, u64::MAX, (1 << 56) - 1)),
        ),
        refused(
            "metadata of 16 MiB that are not there",
            at(resource(16 << 20, 2, 208, 16 << 20)),
        ),
        refused(
            "metadata whose end overflows",
            at(resource(length, 2, u64::MAX - 1, length)),
        ),
        refused(
            "compressed metadata that become 2^60 bytes",
            at(resource(length, 6, 208, 1 << 60)),
        ),
        refused("metadata in the header", at(resource(200, 2, 8, 200))),
        refused(
            "metadata of an odd length",
            at(resource(length - 1, 2, 208, length - 1)),
        ),
        refused("no metadata", at(resource(0, 2, 208, 0))),
        refused("2^32 - 1 images", with(&good, 44, &[0xFF; 4])),
        refused("one that is being written", with(&good, 16, &[0x42, 0, 4, 0])),
        refused("two compressions", with(&good, 16, &[2, 0, 6, 0])),
        refused("chunks of 2^31 bytes", with(&good, 20, &[0, 0, 0, 0x80])),
    ]);
    cases.extend(cuts(&good, [0, 1, 8, 207, 208, 209, good.len() - 1]));
    cases
}

fn image(inside: &str) -> String {
    format!("<WIM><IMAGE INDEX=\"1\">{inside}</IMAGE></WIM>")
}

fn texts() -> Vec<Case> {
    let bomb = "<!DOCTYPE WIM [<!ENTITY a \"aaaaaaaaaa\">\
        <!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\">]>";
    let nested = |times: usize| format!("{}{}", "<a>".repeat(times), "</a>".repeat(times));
    let numbered = |number: &str| image(&format!("<TOTALBYTES>{number}</TOTALBYTES>"));
    vec![
        read("as Windows writes it", TEXT),
        refused("nothing", ""),
        refused("another root", "<ESD></ESD>"),
        refused(
            "entities that multiply",
            format!("{bomb}{}", image("<NAME>&c;&c;</NAME>")),
        ),
        refused(
            "an entity that is itself",
            format!("<!DOCTYPE WIM [<!ENTITY a \"&a;\">]>{}", image("&a;")),
        ),
        refused("an entity that is a file", {
            format!(
                "<!DOCTYPE WIM [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>{}",
                image("<NAME>&a;</NAME>")
            )
        }),
        read("100,000 elements in one another", image(&nested(100_000))),
        refused(
            "more elements than anybody needs",
            image(&"<a/>".repeat(1_000_001)),
        ),
        refused("elements that do not end", "<WIM>".repeat(100_000)),
        read(
            "an attribute of 4 MB",
            format!("<WIM A=\"{}\"/>", "x".repeat(4 << 20)),
        ),
        refused(
            "20,000 attributes of one name",
            format!("<WIM {}/>", "A=\"\" ".repeat(20_000)),
        ),
        refused("20,000 attributes", {
            let all: String = (0..20_000).map(|number| format!("A{number}=\"\" ")).collect();
            format!("<WIM {all}/>")
        }),
        refused("20,000 namespaces", {
            let all: String = (0..20_000)
                .map(|number| format!("<a xmlns:a{number}=\"{number}\">"))
                .collect();
            image(&format!("{all}{}", "</a>".repeat(20_000)))
        }),
        refused("10,001 images", {
            let all: String = (1..=10_001)
                .map(|number| format!("<IMAGE INDEX=\"{number}\"/>"))
                .collect();
            format!("<WIM>{all}</WIM>")
        }),
        refused("an image without a number", "<WIM><IMAGE/></WIM>"),
        refused("image 0", "<WIM><IMAGE INDEX=\"0\"/></WIM>"),
        refused("image -1", "<WIM><IMAGE INDEX=\"-1\"/></WIM>"),
        refused("image 2^32", "<WIM><IMAGE INDEX=\"4294967296\"/></WIM>"),
        refused("image 2 without image 1", "<WIM><IMAGE INDEX=\"2\"/></WIM>"),
        refused(
            "image 1 twice",
            "<WIM><IMAGE INDEX=\"1\"/><IMAGE INDEX=\"1\"/></WIM>",
        ),
        read("2^64 - 1 bytes", numbered("18446744073709551615")),
        refused("2^64 bytes", numbered("18446744073709551616")),
        refused("-1 bytes", numbered("-1")),
        refused("many bytes", numbered("many")),
        read(
            "more bytes in hard links than in all",
            image("<HARDLINKBYTES>18446744073709551615</HARDLINKBYTES>"),
        ),
        read(
            "a time of 2^64",
            image(
                "<CREATIONTIME><HIGHPART>0xFFFFFFFF</HIGHPART><LOWPART>0xFFFFFFFF</LOWPART></CREATIONTIME>",
            ),
        ),
        read(
            "a time of 2^65",
            image("<CREATIONTIME><HIGHPART>0x1FFFFFFFF</HIGHPART><LOWPART>0</LOWPART></CREATIONTIME>"),
        ),
        refused("a zero in a name", image("<NAME>a\0b</NAME>")),
        read("zeros behind the end", format!("{}\0\0\0", image(""))),
        read("two byte-order marks", format!("\u{FEFF}{}", image(""))),
        either("a character that is none", image("<NAME>&#xD800;</NAME>")),
        refused("a character of 2^32", image("<NAME>&#4294967296;</NAME>")),
    ]
}
