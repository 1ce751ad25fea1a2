//! The readers against images that other people's tools made, and against damage.

use std::fs::{self, File};
use std::io::{Cursor, Read};
use std::path::Path;
use std::process::Command;

use super::*;

const BIG: usize = 3_000_000;

fn run(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).env("LC_ALL", "C.UTF-8").output();
    let output = output.unwrap();
    assert!(
        output.status.success(),
        "{program} {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 + at / 251) as u8).collect()
}

/// A tree with long, mixed-case and short names, an empty file and a file of many clusters.
fn sources(folder: &Path) {
    fs::create_dir_all(folder.join("Deep/er/A rather long folder name with spaces")).unwrap();
    fs::write(folder.join("SHORT.TXT"), "short").unwrap();
    fs::write(folder.join("lower.txt"), "lower").unwrap();
    fs::write(folder.join("empty"), "").unwrap();
    fs::write(
        folder.join("Deep/er/A rather long folder name with spaces/ünï 文.bin"),
        pattern(BIG),
    )
    .unwrap();
    for number in 0..200 {
        fs::write(
            folder.join(format!("Deep/many files number {number}.dat")),
            format!("{number}"),
        )
        .unwrap();
    }
}

/// Every file of the folder is on the volume with the same bytes, and nothing else.
fn assert_same(volume: &dyn Volume, folder: &Path) {
    let files: Vec<_> = volume
        .walk()
        .unwrap()
        .into_iter()
        .filter(|found| !found.node.is_folder())
        .collect();
    assert_eq!(files.len(), 204);
    for found in files {
        let mut bytes = Vec::new();
        volume
            .content(&found.node)
            .unwrap()
            .read_to_end(&mut bytes)
            .unwrap();
        assert!(
            bytes == fs::read(folder.join(&found.path)).unwrap(),
            "{} differs",
            found.path
        );
    }
}

fn fat(folder: &Path, bits: &str, size: u64) -> Device {
    let image = folder.join(format!("fat{bits}"));
    File::create(&image).unwrap().set_len(size).unwrap();
    let image = image.to_str().unwrap();
    run("mkfs.fat", &["-F", bits, "-n", "LABEL", image]);
    let sources: Vec<_> = fs::read_dir(folder.join("in"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let mut args = vec!["-s", "-i", image];
    args.extend(sources.iter().map(|path| path.to_str().unwrap()));
    args.push("::/");
    run("mcopy", &args);
    Device::new(Cursor::new(fs::read(image).unwrap())).unwrap()
}

#[test]
fn fat_of_mtools_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    sources(&folder.path().join("in"));
    for (bits, size) in [("12", 4 << 20), ("16", 32 << 20), ("32", 64 << 20)] {
        let volume = Fat::open(fat(folder.path(), bits, size)).unwrap();
        assert_eq!(volume.label(), "LABEL");
        assert_eq!(volume.check(), Vec::<String>::new(), "FAT{bits}");
        assert_same(&volume, &folder.path().join("in"));
    }
}

#[test]
fn a_fat_whose_tables_differ_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    sources(&folder.path().join("in"));
    let mut bytes = fat(folder.path(), "32", 64 << 20).bytes(0, 64 << 20).unwrap();
    let table = 512 * usize::from(u16::from_le_bytes([bytes[14], bytes[15]]));
    bytes[table + 40] ^= 1;
    bytes[6 * 512 + 100] ^= 1;
    let volume = Fat::open(Device::new(Cursor::new(bytes)).unwrap()).unwrap();
    let problems = format!("{:?}", volume.check());
    assert!(
        problems.contains("tables differ") || problems.contains("cluster"),
        "{problems}"
    );
}

fn iso(folder: &Path) -> Vec<u8> {
    let (image, sources) = (folder.join("iso"), folder.join("in"));
    let (image, sources) = (image.to_str().unwrap(), sources.to_str().unwrap());
    let args = [
        "-as",
        "mkisofs",
        "-quiet",
        "-r",
        "-J",
        "-joliet-long",
        "-V",
        "LABEL",
        "-o",
        image,
        sources,
    ];
    run("xorriso", &args);
    fs::read(image).unwrap()
}

#[test]
fn an_iso_of_xorriso_comes_back_with_its_names_and_links() {
    let folder = tempfile::tempdir().unwrap();
    sources(&folder.path().join("in"));
    let device = || Device::new(Cursor::new(iso(folder.path()))).unwrap();
    let volume = Iso::open(device()).unwrap();
    assert_eq!((volume.label(), volume.check()), ("LABEL", vec![]));
    assert_same(&volume, &folder.path().join("in"));
    assert_same(&volume.joliet().unwrap(), &folder.path().join("in"));

    std::os::unix::fs::symlink("../in/SHORT.TXT", folder.path().join("in/link")).unwrap();
    let link = Iso::open(device()).unwrap().find("link").unwrap();
    assert_eq!(link.kind, Kind::Link("../in/SHORT.TXT".into()));
}

fn disk(folder: &Path) -> Vec<u8> {
    let image = folder.join("disk");
    File::create(&image).unwrap().set_len(80 << 20).unwrap();
    let image = image.to_str().unwrap();
    run(
        "sgdisk",
        &[
            "-n",
            "1:2048:+34M",
            "-t",
            "1:ef00",
            "-c",
            "1:boot",
            "-n",
            "2:0:0",
            "-t",
            "2:0700",
            image,
        ],
    );
    let mut bytes = fs::read(image).unwrap();
    let part = fat(folder, "16", 32 << 20);
    bytes[1 << 20..33 << 20].copy_from_slice(&part.bytes(0, 32 << 20).unwrap());
    let data = folder.join("exfat");
    File::create(&data).unwrap().set_len(40 << 20).unwrap();
    run("mkfs.exfat", &["-L", "DATA", data.to_str().unwrap()]);
    bytes[35 << 20..75 << 20].copy_from_slice(&fs::read(data).unwrap());
    bytes
}

fn open(bytes: Vec<u8>) -> Result<Image, ReadError> {
    Image::new(Device::new(Cursor::new(bytes))?)
}

#[test]
fn a_disk_shows_its_volumes_and_damage_to_either_table() {
    let folder = tempfile::tempdir().unwrap();
    sources(&folder.path().join("in"));
    let bytes = disk(folder.path());
    let image = open(bytes.clone()).unwrap();
    assert_eq!(image.check(), Vec::<String>::new());
    assert_same(image.boot().unwrap(), &folder.path().join("in"));
    assert_eq!(image.data().unwrap().label(), "DATA");
    for place in [
        512,
        512 + 60,
        1024 + 32,
        bytes.len() - 512 + 60,
        bytes.len() - 33 * 512 + 40,
    ] {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1;
        assert!(!open(damaged).unwrap().check().is_empty(), "byte {place}");
    }
}

#[test]
fn an_empty_exfat_of_mkfs_is_clean_and_damage_is_not() {
    let folder = tempfile::tempdir().unwrap();
    sources(&folder.path().join("in"));
    let bytes = disk(folder.path());
    let start = 35 << 20;
    let number =
        |at: usize| u32::from_le_bytes(bytes[start + at..start + at + 4].try_into().unwrap()) as usize;
    let heap = start + number(88) * 512;
    for place in [
        start + 200,
        start + 5 * 512,
        start + 13 * 512 + 7,
        start + 11 * 512,
        heap,
    ] {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1;
        assert!(!open(damaged).unwrap().check().is_empty(), "byte {place}");
    }
}

/// No input may panic or run for ever, however the numbers in it lie.
#[test]
fn damage_anywhere_never_panics() {
    let folder = tempfile::tempdir().unwrap();
    sources(&folder.path().join("in"));
    let inputs = [disk(folder.path()), iso(folder.path())];
    for bytes in inputs {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..60 {
            let mut damaged = Damaged {
                bytes: Cursor::new(bytes.clone()),
            };
            for _ in 0..200 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                damaged.set(state);
            }
            if let Ok(image) = Device::new(damaged.bytes).and_then(Image::new) {
                let _ = image.check();
                image.volumes().for_each(|volume| drop(volume.walk()));
            }
        }
        for length in [0, 1, 511, 512, 1000, 32768, 34816, 40000, 1 << 20] {
            drop(open(bytes[..length.min(bytes.len())].to_vec()));
        }
    }
}

struct Damaged {
    bytes: Cursor<Vec<u8>>,
}

impl Damaged {
    /// Damages one of the places where structures lie.
    fn set(&mut self, random: u64) {
        let bytes = self.bytes.get_mut();
        let regions = [
            16 << 11,
            18 << 11,
            24 << 11,
            1 << 20,
            (1 << 20) + 65536,
            35 << 20,
            37 << 20,
        ];
        let start = regions[random as usize % regions.len()];
        let at = (start + (random >> 8) as usize % 8192) % bytes.len();
        bytes[at] = (random >> 56) as u8;
    }
}
