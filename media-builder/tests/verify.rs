//! `verify` and `inspect` on built media: good media is good, and damage in any region that counts is found.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;

use std::fs;
use std::path::Path;

use common::Fixture;
use disk_image::read::{Image, Volume};

/// Where a file's first byte lies in the image of a volume that starts at `base`.
fn place(volume: &dyn Volume, base: u64, path: &str) -> usize {
    let runs = volume.runs(&volume.find(path).unwrap()).unwrap();
    usize::try_from(base + runs[0].offset.unwrap()).unwrap()
}

/// Every damage makes `verify` fail with a word that names it.
fn assert_found(fixture: &Fixture, image: &str, damages: &[(usize, &str)]) {
    let good = fs::read(fixture.path(image)).unwrap();
    for (at, word) in damages {
        let mut bytes = good.clone();
        bytes[*at] ^= 1;
        fs::write(fixture.path("damaged"), &bytes).unwrap();
        let said = fixture.fail(&["verify", "damaged"]);
        assert!(said.contains(word), "byte {at}: expected {word:?} in: {said}");
    }
}

fn assert_good(fixture: &Fixture, image: &str) {
    assert!(fixture.succeed(&["verify", image]).starts_with("good: "));
    let report: serde_json::Value =
        serde_json::from_str(&fixture.succeed(&["verify", image, "--json"])).unwrap();
    assert_eq!(report["problems"].as_array().map(Vec::len), Some(0));
    assert!(report["files"].as_u64().unwrap() > 300);
}

#[test]
fn damage_anywhere_on_an_iso_is_found() {
    let fixture = Fixture::new();
    fixture.succeed(&["build", "-o", "media.iso"]);
    assert_good(&fixture, "media.iso");
    let image = Image::open(&fixture.path("media.iso")).unwrap();
    let iso = image.boot().unwrap();
    let sector = 2048;
    let folder = place(iso, 0, "packages");
    let bytes = fs::read(fixture.path("media.iso")).unwrap();
    let name = bytes[folder..folder + sector]
        .windows(4)
        .position(|word| word == b"tool")
        .unwrap();
    let end = fs::metadata(fixture.path("media.iso")).unwrap().len() as usize;
    let entries = image.iso().unwrap().boot_entries();
    let boot = |platform| {
        let mut entries = entries.iter().filter(|entry| entry.platform == platform);
        entries.next().unwrap().offset as usize
    };
    assert_found(
        &fixture,
        "media.iso",
        &[
            (16 * sector + 81, "primary volume descriptor"),
            (512 + 60, "partition table"),
            (end - 512 + 60, "partition table"),
            (
                place(iso, 0, "packages/tool/hello.sh"),
                "hello.sh: its content has changed",
            ),
            (
                place(iso, 0, "packages/tool/large.bin") + 4_999_999,
                "large.bin: its content has changed",
            ),
            (folder + name, "not named by the manifest"),
            (
                place(iso, 0, "media-runtime/boot/initrd.img"),
                "initrd.img: its content has changed",
            ),
            (place(iso, 0, "media-runtime/media.json"), "manifest"),
            (100, "which are in no file"),
            (446 + 4, "which are in no file"),
            (boot(0) + 30_000, "which are in no file"),
            (boot(0xef) + 3, "which are in no file"),
            (boot(0xef) + 200_000, "which are in no file"),
            (17 * sector, "which are in no file"),
            (folder + 5, "which are in no file"),
        ],
    );
}

#[test]
fn damage_anywhere_on_a_stick_is_found() {
    let fixture = Fixture::new();
    fixture.succeed(&["build", "-o", "media.img"]);
    assert_good(&fixture, "media.img");
    let image = Image::open(&fixture.path("media.img")).unwrap();
    let (boot, data) = (image.boot().unwrap(), image.data().unwrap());
    let [boot_at, data_at] = partitions(&image);
    let (fat, exfat) = (boot_at as usize, data_at as usize);
    let bytes = fs::read(fixture.path("media.img")).unwrap();
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let reserved = usize::from(u16::from_le_bytes([bytes[fat + 14], bytes[fat + 15]])) * 512;
    let copy = fat + reserved + number(fat + 36) * 512;
    let cluster = usize::from(bytes[fat + 13]) * 512;
    let root_folder = copy + number(fat + 36) * 512 + (number(fat + 44) - 2) * cluster;
    // The first entry that is neither the label nor a part of a long name.
    let entry = |at: &usize| !matches!(bytes[at + 11], 0x08 | 0x0f);
    let root = (root_folder..root_folder + cluster)
        .step_by(32)
        .find(entry)
        .unwrap();
    assert_found(
        &fixture,
        "media.img",
        &[
            (100, "which are in no file"),
            (446 + 4, "protective partition"),
            (446 + 16, "protective partition"),
            (510, "boot signature"),
            ((1 << 20) + 29_000, "which are in no file"),
            (copy - number(fat + 36) * 512 + 4 * 5, "allocation tables differ"),
            (root, "is not named by the manifest"),
            (512 + 60, "partition table"),
            (bytes.len() - 512 + 60, "partition table"),
            (fat + 100, "boot sector"),
            (copy + 40, "allocation tables differ"),
            (
                place(boot, boot_at, "media-runtime/boot/initrd.img"),
                "initrd.img: its content has changed",
            ),
            (place(boot, boot_at, "media-runtime/media.json"), "manifest"),
            (exfat + 200, "boot region"),
            (exfat + 12 * 512 + 200, "boot region"),
            (exfat + number(exfat + 88) * 512, "clusters"),
            (place(data, data_at, "packages") + 40, "checksum"),
            (
                place(data, data_at, "packages/tool/large.bin") + 1234,
                "large.bin: its content has changed",
            ),
        ],
    );
}

fn partitions(image: &Image) -> [u64; 2] {
    let signature = |at: u64| image.device().bytes(at + 3, 8).unwrap();
    let mut offsets = image.partitions().iter().map(|partition| partition.offset);
    let fat = offsets
        .clone()
        .find(|at| !signature(*at).starts_with(b"EXFAT") && boots(image, *at))
        .unwrap();
    [fat, offsets.find(|at| signature(*at) == b"EXFAT   ").unwrap()]
}

/// A FAT boot sector starts with a jump and names its sector size.
fn boots(image: &Image, at: u64) -> bool {
    image.device().bytes(at, 16).unwrap()[11..13] == [0, 2]
}

#[test]
fn cut_media_and_foreign_files_are_refused() {
    let fixture = Fixture::new();
    fixture.succeed(&["build", "-o", "media.iso"]);
    let bytes = fs::read(fixture.path("media.iso")).unwrap();
    fs::write(fixture.path("cut.iso"), &bytes[..bytes.len() / 2]).unwrap();
    let said = fixture.fail(&["verify", "cut.iso"]);
    assert!(said.contains("cut"), "{said}");
    assert!(fixture.fail(&["verify", "media.toml"]).contains("neither an ISO"));
    assert!(
        fixture
            .fail(&["inspect", "no/such/file"])
            .contains("no/such/file")
    );
    assert!(fixture.fail(&["try", "media.toml"]).contains("media.toml"));
}

#[test]
fn inspect_names_sequence_packages_and_boot_chain() {
    let fixture = Fixture::new();
    for image in ["media.iso", "media.img"] {
        fixture.succeed(&["build", "-o", image]);
        let said = fixture.succeed(&["inspect", image]);
        for word in [
            "A test's media",
            "copy: Copy a tool",
            "tool",
            "UEFI",
            "BIOS",
            "packages",
        ] {
            assert!(said.contains(word), "{word} is missing in: {said}");
        }
        let json: serde_json::Value =
            serde_json::from_str(&fixture.succeed(&["inspect", image, "--json"])).unwrap();
        assert_eq!(json["manifest"]["packages"][0]["id"], "tool");
        assert_eq!(json["size"], fs::metadata(fixture.path(image)).unwrap().len());
    }
    assert!(Path::new(&fixture.path("media.iso")).exists());
}

#[test]
fn an_image_that_is_cut_off_is_named_as_such() {
    let fixture = Fixture::new();
    fixture.succeed(&["build", "-o", "media.img"]);
    let image = fs::File::options()
        .write(true)
        .open(fixture.path("media.img"))
        .unwrap();
    image
        .set_len(image.metadata().unwrap().len() - (30 << 20))
        .unwrap();
    for command in ["inspect", "verify"] {
        let said = fixture.fail(&[command, "media.img"]);
        assert!(said.contains("is not complete"), "{command}: {said}");
    }
}
