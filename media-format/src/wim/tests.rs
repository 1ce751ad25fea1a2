//! Header and XML metadata: what is read, and that no bytes make the reader panic or take much memory.

use std::io::Cursor;

use proptest::prelude::*;

use super::header::{CompressionType, HEADER_SIZE, Header, HeaderError};
use super::info::{InfoError, WimInfo, parse_xml};
use super::properties;
use super::protocol::{CaptureImage, Volume};

const XML: &str = "<WIM><TOTALBYTES>9</TOTALBYTES>\
    <IMAGE INDEX=\"2\"><NAME>Data</NAME><DIRCOUNT>1</DIRCOUNT><FILECOUNT>2</FILECOUNT></IMAGE>\
    <IMAGE INDEX=\"1\"><NAME>Windows</NAME><DESCRIPTION>caf\u{e9} \u{1f600}</DESCRIPTION>\
    <TOTALBYTES>1000</TOTALBYTES><HARDLINKBYTES>400</HARDLINKBYTES>\
    <CREATIONTIME><HIGHPART>0x01DD7A8A</HIGHPART><LOWPART>0x9EFE018C</LOWPART></CREATIONTIME>\
    <WINDOWS><ARCH>9</ARCH><PRODUCTNAME>P</PRODUCTNAME><EDITIONID>Professional</EDITIONID>\
    <LANGUAGES><LANGUAGE>nl-NL</LANGUAGE><LANGUAGE>en-US</LANGUAGE><DEFAULT>nl-NL</DEFAULT></LANGUAGES>\
    <VERSION><MAJOR>10</MAJOR><MINOR>0</MINOR><BUILD>26100</BUILD><SPBUILD>1</SPBUILD></VERSION>\
    <SYSTEMROOT>WINDOWS</SYSTEMROOT></WINDOWS></IMAGE></WIM>";

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn header(images: u32, xml_size: u64) -> [u8; HEADER_SIZE] {
    let mut bytes = [0; HEADER_SIZE];
    bytes[..5].copy_from_slice(b"MSWIM");
    put(&mut bytes, 8, &208u32.to_le_bytes());
    put(&mut bytes, 12, &0x10d00u32.to_le_bytes());
    put(&mut bytes, 16, &0x4_0002u32.to_le_bytes());
    put(&mut bytes, 20, &32768u32.to_le_bytes());
    put(&mut bytes, 40, &[1, 0, 1, 0]);
    put(&mut bytes, 44, &images.to_le_bytes());
    put(&mut bytes, 72, &(xml_size | 2 << 56).to_le_bytes());
    put(&mut bytes, 80, &(HEADER_SIZE as u64).to_le_bytes());
    put(&mut bytes, 88, &xml_size.to_le_bytes());
    bytes
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

fn wim(images: u32, xml: &str) -> Vec<u8> {
    let xml = utf16(&format!("\u{feff}{xml}"));
    let mut file = header(images, xml.len() as u64).to_vec();
    file.extend(xml);
    file
}

fn read(file: &[u8]) -> Result<WimInfo, InfoError> {
    WimInfo::read(&mut Cursor::new(file))
}

#[test]
fn a_wim_is_described() {
    let info = read(&wim(2, XML)).unwrap();
    assert_eq!((info.compression, info.chunk_size), (CompressionType::Lzx, 32768));
    assert_eq!(
        (info.part, info.total_parts, info.boot_index, info.integrity),
        (1, 1, None, false)
    );
    assert_eq!(info.images[1].name, "Data");
    let image = info.image(1).unwrap();
    assert_eq!(image.description.as_deref(), Some("caf\u{e9} \u{1f600}"));
    assert_eq!(image.disk_bytes(), 600);
    // A folder, and the half empty ends of two files.
    assert_eq!(info.images[1].disk_bytes(), 4096 + 2 * 2048);
    assert_eq!(image.created, Some(0x01dd_7a8a_9efe_018c));
    let windows = image.windows.as_ref().unwrap();
    assert_eq!(windows.version.as_deref(), Some("10.0.26100.1"));
    assert_eq!(
        (windows.arch, windows.edition.as_deref()),
        (Some(9), Some("Professional"))
    );
    assert_eq!(windows.languages, ["nl-NL", "en-US"]);
    assert!(info.image(3).is_none() && info.image(0).is_none());
}

#[test]
fn contradictions_are_errors() {
    assert!(matches!(
        read(&wim(3, XML)),
        Err(InfoError::ImageCount { header: 3, xml: 2 })
    ));
    let gap = "<WIM><IMAGE INDEX=\"2\"/></WIM>";
    assert!(matches!(
        read(&wim(1, gap)),
        Err(InfoError::Index {
            found: 2,
            expected: 1
        })
    ));
    let twice = "<WIM><IMAGE INDEX=\"1\"/><IMAGE INDEX=\"1\"/></WIM>";
    assert!(matches!(
        read(&wim(2, twice)),
        Err(InfoError::Index {
            found: 1,
            expected: 2
        })
    ));
    let large = "<WIM><IMAGE INDEX=\"1\"><TOTALBYTES>99999999999999999999</TOTALBYTES></IMAGE></WIM>";
    assert!(matches!(read(&wim(1, large)), Err(InfoError::Xml(_))));
}

#[test]
fn the_xml_must_lie_in_the_file() {
    let mut file = wim(2, XML);
    put(&mut file, 80, &u64::MAX.to_le_bytes());
    assert!(matches!(read(&file), Err(InfoError::XmlPlace(_))));
    let mut file = wim(2, XML);
    put(&mut file, 72, &(u64::MAX >> 8).to_le_bytes());
    put(&mut file, 88, &(u64::MAX >> 8).to_le_bytes());
    assert!(matches!(read(&file), Err(InfoError::XmlPlace(_))));
    let file = wim(2, XML);
    assert!(matches!(
        read(&file[..file.len() - 2]),
        Err(InfoError::XmlPlace(_))
    ));
    assert!(matches!(read(&file[..100]), Err(InfoError::Read { .. })));
}

#[test]
fn entities_cannot_grow() {
    let bomb = "<!DOCTYPE WIM [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><WIM>&b;</WIM>";
    assert!(parse_xml(&utf16(bomb)).is_err());
}

#[test]
fn deep_nesting_does_not_exhaust_the_stack() {
    let deep = format!("<WIM>{}{}</WIM>", "<A>".repeat(200_000), "</A>".repeat(200_000));
    let thread = std::thread::Builder::new().stack_size(512 << 10);
    let parsed = thread
        .spawn(move || parse_xml(&utf16(&deep)).is_ok())
        .unwrap()
        .join();
    assert!(parsed.is_ok(), "the parser's thread must end");
}

#[test]
fn bad_headers_are_named() {
    let with = |at: usize, value: &[u8]| {
        let mut bytes = header(1, 0);
        put(&mut bytes, at, value);
        Header::parse(&bytes).unwrap_err()
    };
    assert_eq!(with(0, b"PK"), HeaderError::NotAWim);
    assert_eq!(with(0, b"WLPWM"), HeaderError::Pipable);
    assert_eq!(with(8, &[0]), HeaderError::Size(0));
    assert_eq!(with(12, &[1]), HeaderError::Version(0x10d01));
    assert_eq!(with(16, &[0x42]), HeaderError::WriteInProgress);
    assert!(matches!(
        with(16, &0xe_0002u32.to_le_bytes()),
        HeaderError::Compression { .. }
    ));
    assert!(matches!(
        with(20, &[1]),
        HeaderError::Compression {
            chunk_size: 32769,
            ..
        }
    ));
    assert_eq!(with(40, &[2]), HeaderError::Part { part: 2, total: 1 });
    assert_eq!(with(120, &[2]), HeaderError::BootIndex { boot: 2, images: 1 });
}

fn captured(name: &str) -> CaptureImage {
    CaptureImage::new(Volume::NtfsVolume("C:".into()), name)
}

#[test]
fn properties_are_set_and_everything_else_stays() {
    let before = wim(2, XML);
    let mut images = [captured("Windows"), captured("Data")];
    images[0].flags = Some("Professional".into());
    images[0].creator = Some("a < b & c > d \u{1f600}".into());
    images[0].description = Some("another".into());
    images[1].version = Some("2".into());
    let mut file = Cursor::new(before.clone());
    properties::set(&mut file, &images).unwrap();
    let after = file.into_inner();
    assert!(after.len() > before.len());
    assert_eq!(after[HEADER_SIZE..before.len()], before[HEADER_SIZE..]);
    let mut expected = read(&before).unwrap();
    let [windows, data] = &mut expected.images[..] else {
        panic!("two images")
    };
    windows.flags = images[0].flags.clone();
    windows.creator = images[0].creator.clone();
    windows.description = images[0].description.clone();
    data.version = images[1].version.clone();
    assert_eq!(read(&after).unwrap(), expected);
}

#[test]
fn properties_of_an_image_that_is_not_there_change_nothing() {
    let before = wim(2, XML);
    let mut images = [captured("a"), captured("b"), captured("c")];
    images[2].creator = Some("somebody".into());
    let mut file = Cursor::new(before.clone());
    let error = properties::set(&mut file, &images).unwrap_err();
    assert!(error.to_string().contains("no image 3"), "{error}");
    assert_eq!(file.into_inner(), before);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = read(&bytes);
        let _ = parse_xml(&bytes);
    }

    #[test]
    fn any_damage_is_read_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut file = wim(2, XML);
        for (at, value) in changes {
            let at = at.index(file.len());
            file[at] = value;
        }
        let _ = read(&file);
        let _ = read(&file[..cut.index(file.len())]);
    }

    #[test]
    fn any_header_is_read_or_refused(tail in prop::collection::vec(any::<u8>(), 200..=200)) {
        let mut bytes = header(1, 0);
        bytes[8..].copy_from_slice(&tail);
        put(&mut bytes, 8, &208u32.to_le_bytes());
        put(&mut bytes, 12, &0x10d00u32.to_le_bytes());
        let _ = read(&bytes);
    }

    #[test]
    fn any_text_in_a_name_comes_back(name in "[a-zA-Z0-9 \u{e0}-\u{24f}\u{4e00}-\u{4eff}._-]{0,40}") {
        let xml = format!("<WIM><IMAGE INDEX=\"1\"><NAME>{name}</NAME></IMAGE></WIM>");
        prop_assert_eq!(&read(&wim(1, &xml)).unwrap().images[0].name, name.trim());
    }
}
