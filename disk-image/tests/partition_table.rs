//! Partition tables before foreign judges: sgdisk, sfdisk, file.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::PathBuf;

use common::{run, write};
use disk_image::partition_table::{
    Error, GptParams, GptPartition, MbrExtent, MbrParams, MbrPartition, plan_gpt, plan_mbr,
};
use disk_image::read::Image;
use disk_image::{Content, Layout};
use uuid::Uuid;

const MIB: u64 = 1 << 20;
const EFI_SYSTEM: Uuid = uuid::uuid!("C12A7328-F81F-11D2-BA4B-00A0C93EC93B");
const BIOS_BOOT: Uuid = uuid::uuid!("21686148-6449-6E6F-744E-656564454649");
const BASIC_DATA: Uuid = uuid::uuid!("EBD0A0A2-B9E5-4433-87C0-68B6B72699C7");

fn partition(type_guid: Uuid, number: u128, start: u64, size: u64) -> GptPartition {
    let name = format!("Partition {number}");
    GptPartition {
        type_guid,
        unique_guid: Uuid::from_u128(number),
        name,
        start,
        size,
        attributes: 4,
    }
}

fn gpt(sector_size: u32) -> GptParams {
    GptParams {
        disk_guid: uuid::uuid!("01234567-89AB-CDEF-0123-456789ABCDEF"),
        disk_size: 256 * MIB,
        sector_size,
        boot_code: Some([0x5A; 440]),
        partitions: vec![
            partition(BIOS_BOOT, 1, MIB, MIB),
            partition(EFI_SYSTEM, 2, 2 * MIB, 64 * MIB),
            partition(BASIC_DATA, 3, 66 * MIB, 189 * MIB),
        ],
    }
}

fn image(layout: &Layout) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("disk");
    write(layout, &path);
    (folder, path)
}

#[test]
fn sgdisk_and_sfdisk_accept_the_gpt() {
    let (_folder, path) = image(&plan_gpt(&gpt(512)).expect("a table"));
    let path = path.to_str().expect("a plain path");
    let said = run("sgdisk", &["--verify", path]);
    assert!(said.contains("No problems found"), "{said}");
    let said = run("sfdisk", &["--verify", path]);
    assert!(said.contains("No errors detected"), "{said}");
    let dump = run("sfdisk", &["--dump", path]);
    for line in [
        "label-id: 01234567-89AB-CDEF-0123-456789ABCDEF",
        "start=        2048, size=        2048, type=21686148-6449-6E6F-744E-656564454649",
        "start=        4096, size=      131072, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
        "uuid=00000000-0000-0000-0000-000000000003, name=\"Partition 3\", attrs=\"LegacyBIOSBootable\"",
    ] {
        assert!(dump.contains(line), "{line} is not in:\n{dump}");
    }
    assert!(run("file", &[path]).contains("partition 1 : ID=0xee"));
}

#[test]
fn sfdisk_accepts_the_gpt_of_a_disk_with_large_sectors() {
    let (_folder, path) = image(&plan_gpt(&gpt(4096)).expect("a table"));
    let path = path.to_str().expect("a plain path");
    let said = run("fdisk", &["-b", "4096", "-l", path]);
    for line in [
        "Disklabel type: gpt",
        "512 16895   16384   64M EFI System",
        "16896 65279   48384  189M Microsoft basic data",
    ] {
        assert!(said.contains(line), "{line} is not in:\n{said}");
    }
    assert!(!said.contains("corrupt"), "{said}");
}

#[test]
fn the_backup_is_enough_to_restore_the_table() {
    let mut layout = plan_gpt(&gpt(512)).expect("a table");
    layout.extents.retain(|extent| extent.offset != 512);
    let (_folder, path) = image(&layout);
    let said = run("sfdisk", &["--dump", path.to_str().expect("a plain path")]);
    assert!(
        said.contains("The backup GPT table is OK") || said.contains("type=EBD0A0A2"),
        "{said}"
    );
}

#[test]
fn only_sector_0_is_written_last() {
    for layout in [
        plan_gpt(&gpt(512)).expect("a table"),
        plan_mbr(&mbr()).expect("a table"),
    ] {
        let last: Vec<u64> = layout
            .extents
            .iter()
            .filter(|extent| extent.last)
            .map(|extent| extent.offset)
            .collect();
        assert_eq!(last, [0]);
        let Content::Bytes(bytes) = &layout.extents[0].content else {
            panic!("no bytes")
        };
        assert_eq!(bytes[..440], [0x5A; 440]);
    }
}

#[test]
fn refuses_partitions_that_overlap_or_leave_the_disk() {
    let good = gpt(512);
    let refuse = |start: u64, size: u64| {
        let mut params = good.clone();
        params.partitions[2] = partition(BASIC_DATA, 3, start, size);
        plan_gpt(&params).expect_err("no such table")
    };
    assert!(matches!(refuse(65 * MIB, MIB), Error::Overlap { .. }));
    assert!(matches!(refuse(66 * MIB, 190 * MIB), Error::Outside { .. }));
    assert!(matches!(refuse(66 * MIB, 0), Error::Outside { .. }));
    assert!(matches!(refuse(u64::MAX - 511, 512), Error::Outside { .. }));
    assert!(matches!(refuse(66 * MIB, u64::MAX - 511), Error::Outside { .. }));
    assert!(matches!(refuse(66 * MIB + 1, MIB), Error::Unaligned { .. }));
    let mut twice = good.clone();
    twice.partitions[1].unique_guid = twice.partitions[0].unique_guid;
    assert!(matches!(plan_gpt(&twice), Err(Error::Identifier(_))));
    let mut long = good.clone();
    long.partitions[1].name = "x".repeat(37);
    assert!(matches!(plan_gpt(&long), Err(Error::NameTooLong(_))));
    assert_eq!(
        plan_gpt(&GptParams {
            sector_size: 513,
            ..good.clone()
        }),
        Err(Error::SectorSize(513))
    );
    for disk_size in [0, 512, 67 * 512] {
        let small = GptParams {
            disk_size,
            partitions: Vec::new(),
            ..good.clone()
        };
        assert_eq!(plan_gpt(&small), Err(Error::DiskTooSmall(disk_size)));
    }
}

fn mbr() -> MbrParams {
    let part = |kind, active, start, size| MbrPartition {
        kind,
        active,
        start: start * MIB,
        size: size * MIB,
    };
    MbrParams {
        disk_size: 256 * MIB,
        sector_size: 512,
        disk_signature: 0xDEAD_BEEF,
        boot_code: Some([0x5A; 440]),
        primary: vec![part(0x0C, true, 1, 63), part(0x83, false, 64, 16)],
        extended: None,
        logical: vec![
            part(0x83, false, 81, 31),
            part(0x07, false, 113, 50),
            part(0x83, false, 200, 56),
        ],
    }
}

#[test]
fn sfdisk_accepts_the_mbr_with_logical_partitions() {
    let (_folder, path) = image(&plan_mbr(&mbr()).expect("a table"));
    let path = path.to_str().expect("a plain path");
    let said = run("sfdisk", &["--verify", path]);
    assert!(said.contains("No errors detected"), "{said}");
    let dump = run("sfdisk", &["--dump", path]);
    for line in [
        "label-id: 0xdeadbeef",
        "start=        2048, size=      129024, type=c, bootable",
        "start=      131072, size=       32768, type=83",
        "start=      163840, size=      360448, type=f",
        "start=      165888, size=       63488, type=83",
        "start=      231424, size=      102400, type=7",
        "start=      409600, size=      114688, type=83",
    ] {
        assert!(dump.contains(line), "{line} is not in:\n{dump}");
    }
}

/// An extended partition of 100 MiB between two primary ones.
#[test]
fn the_reader_lists_the_entries_of_an_mbr_and_says_which_keep_a_bios_from_starting() {
    let mut two = mbr();
    two.logical.clear();
    let (_folder, path) = image(&plan_mbr(&two).expect("a table"));
    let opened = Image::open(&path).expect("a disk");
    let places = opened.partitions().iter();
    let places: Vec<_> = places
        .map(|place| (place.name.as_str(), place.offset, place.length))
        .collect();
    assert_eq!(
        places,
        [
            ("1 (type 0x0c, active)", MIB, 63 * MIB),
            ("2 (type 0x83)", 64 * MIB, 16 * MIB)
        ]
    );
    assert!(!opened.has_gpt() && opened.check().is_empty());
    two.primary[1].active = true;
    let (_folder, path) = image(&plan_mbr(&two).expect("a table"));
    let problems = Image::open(&path).expect("a disk").check();
    assert_eq!(problems, ["the MBR has 2 active partitions instead of one"]);
}

fn with_extended(logical: &[(u64, u64)]) -> MbrParams {
    let part = |kind, start, size| MbrPartition {
        kind,
        active: false,
        start: start * MIB,
        size: size * MIB,
    };
    MbrParams {
        primary: vec![part(0x0C, 1, 63), part(0x83, 164, 40)],
        extended: Some(MbrExtent {
            start: 64 * MIB,
            size: 100 * MIB,
        }),
        logical: logical
            .iter()
            .map(|(start, size)| part(0x17, *start, *size))
            .collect(),
        ..mbr()
    }
}

#[test]
fn an_extended_partition_is_as_large_as_it_was_asked_for_and_numbered_by_its_place() {
    for logical in [&[][..], &[(65, 20)], &[(65, 20), (86, 78)]] {
        let (_folder, path) = image(&plan_mbr(&with_extended(logical)).expect("a table"));
        let path = path.to_str().expect("a plain path");
        let said = run("sfdisk", &["--verify", path]);
        assert!(said.contains("No errors detected"), "{said}");
        let dump = run("sfdisk", &["--dump", path]);
        let mut lines = vec![
            (1, "start=        2048, size=      129024, type=c".to_owned()),
            (2, "start=      131072, size=      204800, type=f".to_owned()),
            (3, "start=      335872, size=       81920, type=83".to_owned()),
        ];
        let inside = logical.iter().zip(5..);
        lines.extend(inside.map(|((start, size), number)| {
            let (start, size) = (start * 2048, size * 2048);
            (number, format!("start={start:>12}, size={size:>12}, type=17"))
        }));
        for (number, line) in &lines {
            assert!(
                dump.contains(&format!("{path}{number} : {line}")),
                "{number}: {line} is not in:\n{dump}"
            );
        }
        assert_eq!(dump.matches("start=").count(), lines.len(), "{dump}");
    }
}

#[test]
fn logical_partitions_lie_in_the_extended_one() {
    for (logical, good) in [
        (&[(65, 99)][..], true),
        (&[(65, 100)], false),
        (&[(64, 20)], false),
        (&[(63, 1)], false),
        (&[(65, 20), (85, 20)], false),
    ] {
        let planned = plan_mbr(&with_extended(logical));
        assert_eq!(planned.is_ok(), good, "{logical:?}: {planned:?}");
    }
    let mut four = with_extended(&[]);
    four.primary = [1, 20, 170, 200]
        .map(|start| MbrPartition {
            start: start * MIB,
            size: MIB,
            ..four.primary[0].clone()
        })
        .to_vec();
    assert!(matches!(
        plan_mbr(&four),
        Err(Error::TooMany { count: 4, limit: 3 })
    ));
}

#[test]
fn mbr_refuses_what_it_cannot_describe() {
    let refuse = |change: fn(&mut MbrParams)| {
        let mut params = mbr();
        change(&mut params);
        plan_mbr(&params).expect_err("no such table")
    };
    assert!(matches!(
        refuse(|p| p.primary[1].start = MIB),
        Error::Overlap { .. }
    ));
    assert!(matches!(
        refuse(|p| p.logical[1].start = 100 * MIB),
        Error::Overlap { .. }
    ));
    assert!(matches!(
        refuse(|p| p.logical[0].start = 80 * MIB),
        Error::Overlap { .. }
    ));
    assert!(matches!(
        refuse(|p| p.logical[2].size = 57 * MIB),
        Error::Outside { .. }
    ));
    assert!(matches!(refuse(|p| p.primary[0].kind = 5), Error::Type(5)));
    assert!(matches!(
        refuse(|p| p.primary[0].size = 1),
        Error::Unaligned { .. }
    ));
    let third = |p: &mut MbrParams| {
        p.disk_size = 3 << 40;
        p.logical[2] = MbrPartition {
            start: 1 << 40,
            size: 5 << 38,
            ..p.logical[2].clone()
        };
    };
    assert!(matches!(refuse(third), Error::BeyondMbr { .. }));
    let four = |p: &mut MbrParams| {
        p.primary = (1..5)
            .map(|n| MbrPartition {
                start: n * 16 * MIB,
                size: MIB,
                ..p.primary[1].clone()
            })
            .collect();
    };
    assert!(matches!(refuse(four), Error::TooMany { count: 4, limit: 3 }));
}
