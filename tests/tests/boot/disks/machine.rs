//! The disks of a machine, each with something on it that somebody would miss.

use std::fs;
use std::path::{Path, PathBuf};

use super::volumes;
use crate::support::{digest, own, run};

struct Disk {
    path: PathBuf,
    /// As `--disk` of `media-builder try` takes them.
    properties: String,
    before: String,
}

/// Its disks, in the order in which they hang on it.
pub(super) struct Machine(Vec<Disk>);

impl Machine {
    /// With disks of that size and those properties.
    pub(super) fn with(disks: &[&str]) -> Self {
        Self(disks.iter().map(|disk| Disk::new(disk)).collect())
    }

    /// How `media-builder try` is told of them.
    pub(super) fn arguments(&self, firmware: &str) -> Vec<&str> {
        let disks = self.0.iter();
        let firmware = match firmware {
            "bios" => "--firmware=bios",
            _ => "--firmware=uefi",
        };
        let disks = disks.flat_map(|disk| ["--disk", disk.properties.as_str()]);
        [firmware].into_iter().chain(disks).collect()
    }

    /// From now on they hang on it the other way around.
    pub(super) fn reverse(&mut self) {
        self.0.reverse();
    }

    pub(super) fn path(&self, number: usize) -> &Path {
        &self.0[number].path
    }

    pub(super) fn assert_unchanged(&self) {
        for disk in &self.0 {
            assert_eq!(digest(&disk.path), disk.before, "{} was changed", disk.properties);
        }
    }

    /// That one was changed, and no other.
    pub(super) fn assert_only_changed(&self, number: usize) {
        let changed = |disk: &Disk| digest(&disk.path) != disk.before;
        let changed: Vec<usize> = (0..self.0.len())
            .filter(|index| changed(&self.0[*index]))
            .collect();
        assert_eq!(changed, [number]);
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for disk in &self.0 {
            drop(fs::remove_file(&disk.path));
        }
    }
}

impl Disk {
    fn new(text: &str) -> Self {
        let (size, properties) = text.split_once(',').expect("a size and properties");
        let sector_size = if text.contains("sectors=4096") { 4096 } else { 512 };
        let path = own("disk", "raw");
        let shown = path.display().to_string();
        run("truncate", &["--size", size, &shown]);
        let said = volumes::fdisk(&path, sector_size, "g\nn\n\n\n\nw\n");
        assert!(said.contains("has been altered"), "{said}");
        put_volume(&path, sector_size, text);
        Self {
            properties: format!("{shown},{properties}"),
            before: digest(&path),
            path,
        }
    }
}

/// A FAT volume with a file, at the place of the disk's partition.
fn put_volume(disk: &Path, sector_size: u64, text: &str) {
    let (volume, file) = (own("volume", "raw"), own("photo", "txt"));
    fs::write(&file, format!("on {text}")).expect("writing a file");
    let (shown, photo) = (volume.display().to_string(), file.display().to_string());
    run("truncate", &["--size=300M", &shown]);
    let bytes = sector_size.to_string();
    run("mkfs.fat", &["-F", "32", "-S", &bytes, "-n", "PHOTOS", &shown]);
    run("mcopy", &["-i", &shown, &photo, "::/photo.txt"]);
    let (from, to) = (format!("if={shown}"), format!("of={}", disk.display()));
    // Where fdisk begins the first one.
    run(
        "dd",
        &[
            &from,
            &to,
            "bs=1M",
            "seek=1",
            "conv=notrunc,sparse",
            "status=none",
        ],
    );
    fs::remove_file(volume).expect("removing the volume");
    fs::remove_file(file).expect("removing the file");
}
