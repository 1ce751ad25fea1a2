//! exFAT volumes before fsck.exfat, dump.exfat, and a reader of our own.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/exfat_reader.rs"]
mod exfat_reader;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use common::{awkward, expected, many, planned_bytes, run, source, write};
use disk_image::exfat::{Error, Params, minimum_size, plan};
use disk_image::names::NameError;
use disk_image::{Content, FileTree, Layout, Node};
use exfat_reader::{Found, Volume};
use proptest::prelude::*;

const MIB: u64 = 1 << 20;

fn params(size: u64, sector_size: u32) -> Params {
    Params {
        size,
        sector_size,
        serial: 0x1234_ABCD,
        label: "MEDIA-DATA".to_owned(),
        partition_offset: 70 * MIB,
        timestamp: 1_700_000_001,
    }
}

/// Plans and writes, has fsck.exfat judge the volume, and compares every file.
fn judge(tree: &FileTree, params: &Params) -> Layout {
    let layout = plan(tree, params).expect("a plan");
    let folder = tempfile::tempdir().expect("a folder");
    let image = folder.path().join("image");
    write(&layout, &image);
    let volume = fsck(&image);
    assert_eq!(volume.label, params.label);
    assert_same(&volume, &tree.entries, &volume.root);
    layout
}

fn fsck(image: &Path) -> Volume {
    let said = run("fsck.exfat", &["-n", "-v", image.to_str().expect("a plain path")]);
    assert!(said.contains("clean"), "{said}");
    assert!(
        !said.contains("ERROR") && !said.to_lowercase().contains("corrupt"),
        "{said}"
    );
    Volume::open(image)
}

fn assert_same(volume: &Volume, wanted: &BTreeMap<String, Node>, found: &BTreeMap<String, Found>) {
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        wanted.keys().collect::<Vec<_>>()
    );
    for (name, node) in wanted {
        match (node, &found[name]) {
            (Node::Folder(wanted), Found::Folder(found)) => assert_same(volume, wanted, found),
            (Node::File { size, content }, Found::File { size: found, offset }) => {
                assert_eq!(size, found, "{name}");
                assert!(
                    volume.content(*offset, *size) == expected(*size, content),
                    "{name} differs"
                );
            }
            _ => panic!("{name} is a file in one and a folder in the other"),
        }
    }
}

fn one(path: &str, size: u64) -> FileTree {
    let mut tree = FileTree::default();
    tree.insert(path, size, source(0)).expect("a path");
    tree
}

#[test]
fn awkward_names_on_every_sector_size() {
    let mut tree = awkward();
    tree.insert("emoji 😀 outside the basic plane", 12, source(3))
        .expect("unique");
    for sector in [512, 1024, 2048, 4096] {
        judge(&tree, &params(64 * MIB, sector));
    }
}

/// Bytes of a cluster, as the boot sector says.
fn cluster(layout: &Layout) -> u32 {
    match &layout.extents[0].content {
        Content::Bytes(bytes) => 1 << (bytes[108] + bytes[109]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn many_small_files_do_not_waste_a_large_volume() {
    let mut tree = FileTree::default();
    for number in 0..10_000 {
        let path = format!("{}/{number}.deb", number % 100);
        tree.insert(&path, 4096, source(number)).expect("unique");
    }
    let size = minimum_size(&tree);
    assert!(size < 50 * MIB, "{size}");
    assert_eq!(cluster(&plan(&tree, &params(1024 * MIB, 512)).unwrap()), 4096);
    let roomy = judge(&tree, &params(4096 * MIB, 512));
    assert_eq!(cluster(&roomy), 8192);
    let few = plan(&one("image.wim", 700 * MIB), &params(1024 * MIB, 512)).unwrap();
    assert_eq!(cluster(&few), 32 * 1024);
}

#[test]
fn an_empty_tree_is_a_sound_volume() {
    let size = minimum_size(&FileTree::default());
    judge(&FileTree::default(), &params(size, 512));
    judge(
        &FileTree::default(),
        &Params {
            label: String::new(),
            ..params(size, 512)
        },
    );
    judge(
        &FileTree::default(),
        &Params {
            label: "Ünïcödé 日本".to_owned(),
            ..params(size, 512)
        },
    );
}

#[test]
fn twenty_thousand_files_in_two_hundred_folders() {
    let tree = many(200, 100);
    judge(&tree, &params(minimum_size(&tree), 512));
}

#[test]
fn twenty_thousand_files_in_one_folder() {
    let tree = many(1, 20_000);
    judge(&tree, &params(minimum_size(&tree), 512));
}

#[test]
fn planning_costs_what_is_used_whatever_the_size() {
    let tree = awkward();
    for size in [
        minimum_size(&tree),
        255 * MIB,
        256 * MIB,
        257 * MIB,
        7 << 30,
        33 << 30,
        128 << 30,
    ] {
        let layout = judge(&tree, &params(size, 512));
        let planned = planned_bytes(&layout);
        assert!(
            planned < 200_000,
            "{planned} bytes are planned for a volume of {size}"
        );
    }
}

#[test]
fn a_file_larger_than_fat_allows() {
    let tree = one("images/install.wim", 5 << 30);
    let layout = plan(&tree, &params(8 << 30, 512)).expect("a plan");
    let of_file = |extent: &&disk_image::Extent| matches!(extent.content, Content::Source { .. });
    let lengths: Vec<u64> = layout
        .extents
        .iter()
        .filter(of_file)
        .map(|extent| extent.length)
        .collect();
    assert_eq!(lengths, [5 << 30]);
    // The 5 GiB stay a hole of the image.
    let mut sparse = layout;
    sparse
        .extents
        .retain(|extent| !matches!(extent.content, Content::Source { .. }));
    let folder = tempfile::tempdir().expect("a folder");
    let image = folder.path().join("image");
    write(&sparse, &image);
    let volume = fsck(&image);
    let Some(Found::Folder(images)) = volume.root.get("images") else {
        panic!("no folder")
    };
    assert!(matches!(
        images.get("install.wim"),
        Some(Found::File {
            size: 0x1_4000_0000,
            ..
        })
    ));
}

#[test]
fn boot_sector_says_what_was_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let image = folder.path().join("image");
    write(
        &plan(&one("a", 9), &params(64 * MIB, 512)).expect("a plan"),
        &image,
    );
    let path = image.to_str().expect("a plain path");
    let said = run("dump.exfat", &[path]);
    for line in [
        "Volume Length(sectors): \t\t131072",
        "Volume Serial: \t\t\t\t0x1234abcd",
        "Sector Size Bits: \t\t\t9",
        "Sector per Cluster bits: \t\t3",
        "MEDIA-DATA",
    ] {
        assert!(said.contains(line), "{line} is not in:\n{said}");
    }
    let bytes = std::fs::read(&image).expect("the image");
    assert_eq!(bytes[64..72], (70 * MIB / 512).to_le_bytes());
}

#[test]
fn refuses_what_the_volume_cannot_carry() {
    let params = params(64 * MIB, 512);
    let refuse = |tree: &FileTree| plan(tree, &params).expect_err("no such volume");
    assert!(matches!(
        refuse(&one("a/b:c", 1)),
        Error::Name(NameError::Forbidden { .. })
    ));
    let mut tree = one("Ärger", 1);
    tree.insert("äRGER", 1, source(1)).expect("another path");
    assert!(matches!(refuse(&tree), Error::Name(NameError::Collision { .. })));
    let Error::TooSmall { needed, .. } = refuse(&one("a", 100 * MIB)) else {
        panic!("it fits?")
    };
    assert!((100 * MIB..103 * MIB).contains(&needed), "{needed}");
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
    let mut huge = one("a", u64::MAX);
    huge.insert("b", u64::MAX, source(1)).expect("another path");
    assert!(matches!(refuse(&huge), Error::TooSmall { .. }));
}

#[test]
fn refuses_impossible_parameters() {
    let good = params(64 * MIB, 512);
    let refuse = |params: Params| plan(&FileTree::default(), &params).expect_err("no such volume");
    assert!(matches!(
        refuse(Params {
            label: "twelve chars".to_owned(),
            ..good.clone()
        }),
        Error::Label(_)
    ));
    assert!(matches!(
        refuse(Params {
            label: "a\nb".to_owned(),
            ..good.clone()
        }),
        Error::Label(_)
    ));
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
            partition_offset: 1,
            ..good.clone()
        }),
        Error::Unaligned { .. }
    ));
    assert!(matches!(
        refuse(Params {
            size: 512,
            ..good.clone()
        }),
        Error::TooSmall { .. }
    ));
    assert!(matches!(
        refuse(Params {
            size: 1 << 60,
            ..good
        }),
        Error::TooLarge { .. }
    ));
}

#[test]
fn planning_twenty_thousand_files_is_quick() {
    let tree = many(1, 20_000);
    let params = params(minimum_size(&tree), 512);
    let start = Instant::now();
    let first = plan(&tree, &params).expect("a plan");
    let elapsed = start.elapsed();
    assert_eq!(first, plan(&tree, &params).expect("the same plan"));
    let limit = if cfg!(debug_assertions) { 5000 } else { 500 };
    assert!(elapsed.as_millis() < limit, "planning took {elapsed:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_tree_is_refused_for_its_names_or_sound(files in prop::collection::vec(
        ("[a-zA-Z]{1,3}(/[a-z .éÿ]{0,18}[a-zA-Z0-9]{1,3}){0,3}", 0..9000_u64), 0..40)
    ) {
        let mut tree = FileTree::default();
        for (number, (path, size)) in files.into_iter().enumerate() {
            // Paths that lead through a file are left out.
            let _ = tree.insert(&path, size, source(number));
        }
        let params = params(minimum_size(&tree), 512);
        match plan(&tree, &params) {
            Ok(_) => { judge(&tree, &params); }
            Err(error) => prop_assert!(matches!(error, Error::Name(_)), "{error}"),
        }
    }
}
