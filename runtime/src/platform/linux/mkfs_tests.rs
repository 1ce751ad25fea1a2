//! The file systems that are made, on files, judged by other programs.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Output};

use super::mkfs;
use crate::platform::{NewPartition, Role};

fn run(program: &str, arguments: &[&str], file: &Path) -> Output {
    let mut command = Command::new(program);
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.args(arguments).arg(file).output().unwrap()
}

/// What blkid says of it.
fn probe(file: &Path) -> BTreeMap<String, String> {
    let output = run("blkid", &["-p", "-o", "export"], file);
    let text = String::from_utf8(output.stdout).unwrap();
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.replace('\\', "")))
        .collect()
}

/// Makes a file system on a file of so many MB.
fn made(file: &Path, kind: &str, megabytes: u64, label: &str, quick: bool) {
    let partition = NewPartition {
        number: 1,
        start: 2048 * 512,
        size: megabytes << 20,
        role: Role::Data,
        name: String::new(),
        file_system: Some(kind.into()),
        label: label.into(),
        quick,
        guid: String::new(),
    };
    let device = File::create(file).unwrap();
    device.set_len(partition.size).unwrap();
    let command = mkfs(kind, &partition, 512, file).unwrap();
    let (last, arguments) = command.arguments.split_last().unwrap();
    assert_eq!(Path::new(last), file);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = run(&command.program, &arguments, file);
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// By the kind and the size in MB: what blkid calls it, and the program that finds nothing wrong with it.
const KINDS: [(&str, u64, &str, &[&str]); 8] = [
    // The smallest that firmware reads as FAT32, and one for which the program's own choice does.
    ("fat32", 40, "vfat", &["fsck.fat", "-n"]),
    ("fat32", 1024, "vfat", &["fsck.fat", "-n"]),
    ("ext4", 64, "ext4", &["e2fsck", "-f", "-n"]),
    ("xfs", 320, "xfs", &["xfs_repair", "-n", "-f"]),
    ("btrfs", 256, "btrfs", &["btrfs", "check"]),
    ("exfat", 64, "exfat", &["fsck.exfat", "-n"]),
    ("ntfs", 64, "ntfs", &["ntfsfix", "-n"]),
    ("swap", 64, "swap", &[]),
];

#[test]
fn every_file_system_is_made_with_its_label_and_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("volume");
    for (kind, megabytes, called, judge) in KINDS {
        for label in ["", "Data 1"] {
            made(&file, kind, megabytes, label, true);
            let found = probe(&file);
            assert_eq!(found["TYPE"], called, "{found:?}");
            let expected = if kind == "fat32" {
                label.to_uppercase()
            } else {
                label.into()
            };
            let seen = found.get("LABEL").map(String::as_str).unwrap_or_default();
            assert_eq!(seen, expected, "{kind}");
            if kind == "fat32" {
                assert_eq!(found["VERSION"], "FAT32", "{megabytes} MB");
            }
            if let Some((program, arguments)) = judge.split_first() {
                let output = run(program, arguments, &file);
                assert!(output.status.success(), "{kind}: {output:?}");
            }
        }
    }
}

/// Windows' boot code finds its volume and the disk's geometry there, and what formats slowly has written every sector.
#[test]
fn the_boot_sector_of_ntfs_says_where_the_volume_begins() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("volume");
    for quick in [true, false] {
        made(&file, "ntfs", 16, "", quick);
        let sector = fs::read(&file).unwrap();
        let number = |at: usize| u16::from_le_bytes([sector[at], sector[at + 1]]);
        assert_eq!((number(11), number(24), number(26)), (512, 63, 255));
        assert_eq!((number(28), number(30)), (2048, 0));
        let written = fs::metadata(&file).unwrap().blocks() * 512;
        assert_eq!(written < 16 << 20, quick, "{written} bytes were written");
    }
}

#[test]
fn what_no_program_makes_is_an_error() {
    let partition = NewPartition {
        number: 1,
        start: 0,
        size: 0,
        role: Role::Data,
        name: String::new(),
        file_system: None,
        label: String::new(),
        quick: true,
        guid: String::new(),
    };
    let error = mkfs("zfs", &partition, 512, Path::new("/none")).unwrap_err();
    assert!(error.to_string().contains("zfs"), "{error}");
}
