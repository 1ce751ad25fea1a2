//! FAT volumes before foreign judges: fsck.fat, mtools, file.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::time::Instant;

use common::{assert_extracted, awkward, many, planned_bytes, run, source, write};
use disk_image::fat::{Error, Kind, Params, minimum_size, plan};
use disk_image::names::NameError;
use disk_image::{Content, FileTree, Layout, Node};
use proptest::prelude::*;

const MIB: u64 = 1 << 20;

fn params(kind: Kind, size: u64, sector_size: u32) -> Params {
    Params {
        kind,
        size,
        sector_size,
        serial: 0x1234_ABCD,
        label: "MEDIA-BOOT".to_owned(),
        hidden_sectors: 2048,
        timestamp: 1_700_000_001,
    }
}

/// Plans, writes, and has fsck.fat and mtools judge the volume and its content.
fn judge(tree: &FileTree, params: &Params) -> Layout {
    judge_as(tree, &tree.entries, params)
}

/// As `judge`, for names that mtools extracts under other ones.
fn judge_as(tree: &FileTree, entries: &BTreeMap<String, Node>, params: &Params) -> Layout {
    let layout = plan(tree, params).expect("a plan");
    let folder = tempfile::tempdir().expect("a folder");
    let image = folder.path().join("image");
    write(&layout, &image);
    let image = image.to_str().expect("a plain path");
    let said = run("fsck.fat", &["-n", "-v", image]);
    assert!(
        !said.contains("ifferen") && !said.contains("FATs differ"),
        "{said}"
    );
    let extracted = folder.path().join("extracted");
    std::fs::create_dir(&extracted).expect("a folder");
    if !tree.entries.is_empty() {
        run(
            "mcopy",
            &[
                "-s",
                "-n",
                "-Q",
                "-i",
                image,
                "::*",
                extracted.to_str().expect("a plain path"),
            ],
        );
    }
    assert_extracted(entries, &extracted);
    layout
}

#[test]
fn awkward_names_on_every_kind_and_sector_size() {
    for (kind, size, sector) in [
        (Kind::Fat16, 8 * MIB, 512),
        (Kind::Fat16, 64 * MIB, 4096),
        (Kind::Fat32, 40 * MIB, 512),
        (Kind::Fat32, 300 * MIB, 4096),
        (Kind::Fat32, 160 * MIB, 2048),
    ] {
        judge(&awkward(), &params(kind, size, sector));
    }
}

#[test]
fn characters_of_two_units_are_stored_as_two() {
    // mtools shows each unit of a pair as an underscore.
    let params = params(Kind::Fat32, 40 * MIB, 512);
    judge_as(
        &one("emoji 😀 here", 9),
        &one("emoji __ here", 9).entries,
        &params,
    );
}

#[test]
fn an_empty_tree_is_a_sound_volume() {
    for kind in [Kind::Fat16, Kind::Fat32] {
        let size = minimum_size(&FileTree::default(), kind);
        judge(&FileTree::default(), &params(kind, size, 512));
        judge(
            &FileTree::default(),
            &Params {
                label: String::new(),
                ..params(kind, size, 512)
            },
        );
    }
}

#[test]
fn twenty_thousand_files_in_two_hundred_folders() {
    let tree = many(200, 100);
    judge(&tree, &params(Kind::Fat32, minimum_size(&tree, Kind::Fat32), 512));
}

#[test]
fn twenty_thousand_files_in_one_folder() {
    let tree = many(1, 20_000);
    judge(&tree, &params(Kind::Fat32, minimum_size(&tree, Kind::Fat32), 512));
}

#[test]
fn sizes_from_the_minimum_to_128_gigabytes() {
    let tree = awkward();
    for size in [
        minimum_size(&tree, Kind::Fat32),
        257 * MIB,
        2 << 30,
        9 << 30,
        17 << 30,
        128 << 30,
    ] {
        let layout = judge(&tree, &params(Kind::Fat32, size, 512));
        let planned = planned_bytes(&layout);
        assert!(
            planned < 500_000,
            "a plan of {planned} bytes for a volume that is mostly free"
        );
    }
}

#[test]
fn around_the_border_between_fat16_and_fat32() {
    let tree = FileTree::default();
    for sectors in (65_525..69_000_u64).step_by(350) {
        for kind in [Kind::Fat16, Kind::Fat32] {
            let params = params(kind, sectors * 512, 512);
            match plan(&tree, &params) {
                Ok(_) => {
                    judge(&tree, &params);
                }
                Err(Error::TooSmall { needed, .. }) => {
                    assert_eq!(kind, Kind::Fat32);
                    judge(
                        &tree,
                        &Params {
                            size: needed,
                            ..params
                        },
                    );
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}

#[test]
fn boot_sector_says_what_was_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let image = folder.path().join("image");
    for kind in [Kind::Fat16, Kind::Fat32] {
        let size = minimum_size(&awkward(), kind);
        write(
            &plan(&awkward(), &params(kind, size, 512)).expect("a plan"),
            &image,
        );
        let path = image.to_str().expect("a plain path");
        let said = run("minfo", &["-i", path, "::"]);
        for line in [
            "hidden sectors: 2048",
            "serial number: 1234ABCD",
            "media descriptor byte: 0xf8",
        ] {
            assert!(said.contains(line), "{line} is not in:\n{said}");
        }
        assert!(run("mlabel", &["-s", "-i", path, "::"]).contains("MEDIA-BOOT"));
        let times = run("mdir", &["-i", path, "::bytes.bin"]);
        assert!(times.contains("2023-11-14  22:13"), "{times}");
        let kind = if kind == Kind::Fat16 {
            "FAT (16 bit)"
        } else {
            "FAT (32 bit)"
        };
        assert!(run("file", &[path]).contains(kind));
    }
}

#[test]
fn every_file_is_one_extent_with_its_source_kept() {
    let layout = plan(&awkward(), &params(Kind::Fat32, 64 * MIB, 512)).expect("a plan");
    let part = Content::Source {
        source: disk_image::SourceId(99),
        offset: 4097,
    };
    let found: Vec<u64> = layout
        .extents
        .iter()
        .filter(|extent| extent.content == part)
        .map(|extent| extent.length)
        .collect();
    assert_eq!(found, [70_000]);
}

fn one(path: &str, size: u64) -> FileTree {
    let mut tree = FileTree::default();
    tree.insert(path, size, source(0)).expect("a path");
    tree
}

#[test]
fn refuses_what_the_volume_cannot_carry() {
    let params = params(Kind::Fat32, 64 * MIB, 512);
    let refuse = |tree: &FileTree| plan(tree, &params).expect_err("no such volume");
    assert!(matches!(
        refuse(&one("a/b:c", 1)),
        Error::Name(NameError::Forbidden { .. })
    ));
    assert!(matches!(
        refuse(&one("nul.txt", 1)),
        Error::Name(NameError::Reserved { .. })
    ));
    let mut tree = one("Readme", 1);
    tree.insert("README", 1, source(1)).expect("another path");
    assert!(matches!(refuse(&tree), Error::Name(NameError::Collision { .. })));
    let large = refuse(&one("images/install.wim", 1 << 32));
    assert!(
        large.to_string().contains("put it on the data partition"),
        "{large}"
    );
    assert!(matches!(refuse(&one("a", u64::MAX)), Error::FileTooLarge { .. }));
    let Error::TooSmall { needed, .. } = refuse(&one("a", 100 * MIB)) else {
        panic!("it fits?")
    };
    assert!((100 * MIB..104 * MIB).contains(&needed));
    assert!(
        plan(
            &one("a", 100 * MIB),
            &Params {
                size: needed,
                ..params.clone()
            }
        )
        .is_ok()
    );
}

#[test]
fn refuses_folders_with_too_many_entries() {
    let mut tree = FileTree::default();
    for number in 0..22_000 {
        tree.insert(&format!("f/a rather long name {number}"), 0, source(0))
            .expect("unique");
    }
    let error = plan(&tree, &params(Kind::Fat32, 64 * MIB, 512)).expect_err("too many entries");
    assert_eq!(
        error,
        Error::FolderTooLarge {
            path: "f".to_owned(),
            entries: 66_002,
            limit: 65_536
        }
    );
}

#[test]
fn refuses_impossible_parameters() {
    let good = params(Kind::Fat32, 64 * MIB, 512);
    let refuse = |params: Params| plan(&FileTree::default(), &params).expect_err("no such volume");
    for label in ["twelve chars", "LOWERcase", "A.B", "ÄB", " A", "B "] {
        assert!(matches!(
            refuse(Params {
                label: label.to_owned(),
                ..good.clone()
            }),
            Error::Label { .. }
        ));
    }
    assert_eq!(
        refuse(Params {
            sector_size: 520,
            ..good.clone()
        }),
        Error::SectorSize(520)
    );
    assert!(matches!(
        refuse(Params {
            size: 64 * MIB + 1,
            ..good.clone()
        }),
        Error::Unaligned { .. }
    ));
    assert!(matches!(
        refuse(Params {
            size: 0,
            ..good.clone()
        }),
        Error::TooSmall { .. }
    ));
    assert!(matches!(
        refuse(Params {
            size: 3 << 40,
            ..good.clone()
        }),
        Error::TooLarge { .. }
    ));
    assert!(matches!(
        refuse(Params {
            kind: Kind::Fat16,
            size: 4 << 30,
            ..good
        }),
        Error::TooLarge { .. }
    ));
}

#[test]
fn planning_does_not_grow_with_the_square_of_a_folder() {
    let tree = many(1, 20_000);
    let params = params(Kind::Fat32, minimum_size(&tree, Kind::Fat32), 512);
    let start = Instant::now();
    let first = plan(&tree, &params).expect("a plan");
    let elapsed = start.elapsed();
    assert_eq!(first, plan(&tree, &params).expect("the same plan"));
    let limit = if cfg!(debug_assertions) { 5000 } else { 500 };
    assert!(elapsed.as_millis() < limit, "planning took {elapsed:?}");
}

prop_compose! {
    fn trees()(files in prop::collection::vec(("[a-zA-Z]{1,3}(/[a-z .é]{0,18}[a-zA-Z0-9]{1,3}){0,3}", 0..9000_u64), 0..40)) -> FileTree {
        let mut tree = FileTree::default();
        for (number, (path, size)) in files.into_iter().enumerate() {
            // Paths that lead through a file are left out.
            let _ = tree.insert(&path, size, source(number));
        }
        tree
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_tree_is_refused_for_its_names_or_sound(tree in trees(), small in any::<bool>()) {
        let kind = if small { Kind::Fat16 } else { Kind::Fat32 };
        let params = params(kind, minimum_size(&tree, kind), 512);
        match plan(&tree, &params) {
            Ok(_) => { judge(&tree, &params); }
            Err(error) => prop_assert!(matches!(error, Error::Name(_)), "{error}"),
        }
    }
}
