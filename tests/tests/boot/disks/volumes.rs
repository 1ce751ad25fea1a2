//! A partitioned disk as other tools see it, whatever the size of its sectors.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{own, run};

/// The volumes of a disk.
pub(super) struct Volumes {
    disk: PathBuf,
    /// Where each begins and how long it is, in bytes.
    places: Vec<(u64, u64)>,
}

/// What fdisk says to those commands.
pub(super) fn fdisk(disk: &Path, sector_size: u64, commands: &str) -> String {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let mut fdisk = Command::new("fdisk")
        .env("PATH", path)
        .env("LC_ALL", "C")
        .arg(format!("--sector-size={sector_size}"))
        .arg(disk)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("fdisk");
    let mut input = fdisk.stdin.take().expect("its input");
    input.write_all(commands.as_bytes()).expect("its input");
    drop(input);
    let output = fdisk.wait_with_output().expect("its end");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

impl Volumes {
    /// Those of its GPT, of which fdisk finds nothing wrong.
    pub(super) fn of(disk: &Path, sector_size: u64) -> Self {
        let verified = fdisk(disk, sector_size, "v\nq\n");
        assert!(verified.contains("No errors detected."), "{verified}");
        let size = format!("--sector-size={sector_size}");
        let shown = disk.display().to_string();
        let listed = run("fdisk", &[&size, "--list", "--output=Start,Sectors", &shown]);
        let place = |line: &str| {
            let numbers: Result<Vec<u64>, _> = line.split_whitespace().map(str::parse).collect();
            match numbers.as_deref() {
                Ok([start, sectors]) => Some((start * sector_size, sectors * sector_size)),
                _ => None,
            }
        };
        Self {
            disk: disk.to_owned(),
            places: listed.lines().filter_map(place).collect(),
        }
    }

    /// They are of these kinds, for blkid, and the programs of each kind find nothing wrong.
    pub(super) fn assert_whole(&self, kinds: &[&str]) {
        assert_eq!(self.places.len(), kinds.len(), "{:?}", self.places);
        for (number, kind) in kinds.iter().enumerate() {
            let copy = self.copy(number);
            let shown = copy.display().to_string();
            let found = run("blkid", &["-p", "-o", "value", "-s", "TYPE", &shown]);
            assert_eq!(found.trim(), *kind, "volume {number}");
            if *kind == "vfat" {
                forget_cut(&copy);
            }
            let (program, arguments): (&str, &[&str]) = match *kind {
                "vfat" => ("fsck.fat", &["-n"]),
                "ext4" => ("e2fsck", &["-f", "-n"]),
                "xfs" => ("xfs_repair", &["-n", "-f"]),
                "btrfs" => ("btrfs", &["check"]),
                "exfat" => ("fsck.exfat", &["-n"]),
                "ntfs" => ("ntfsfix", &["-n"]),
                _ => ("swaplabel", &[]),
            };
            run(program, &[arguments, &[shown.as_str()]].concat());
            std::fs::remove_file(copy).expect("removing a copy");
        }
    }

    /// A file of an ext4 volume.
    pub(super) fn text(&self, number: usize, path: &str) -> String {
        let volume = format!("{}?offset={}", self.disk.display(), self.places[number].0);
        run("debugfs", &["-R", &format!("cat {path}"), &volume])
    }

    /// A volume in a file of its own, with holes where there are zeroes.
    fn copy(&self, number: usize) -> PathBuf {
        const PIECE: u64 = 1 << 20;
        let (start, length) = self.places[number];
        let path = own("volume", "raw");
        let (mut disk, mut copy) = (
            File::open(&self.disk).expect("the disk"),
            File::create(&path).expect("a copy"),
        );
        copy.set_len(length).expect("a copy");
        disk.seek(SeekFrom::Start(start)).expect("the disk");
        let (mut piece, zeroes) = (Vec::new(), vec![0; PIECE as usize]);
        for at in (0..length).step_by(PIECE as usize) {
            piece.clear();
            let most = PIECE.min(length - at);
            (&mut disk).take(most).read_to_end(&mut piece).expect("reading");
            if piece[..] != zeroes[..piece.len()] {
                copy.seek(SeekFrom::Start(at)).expect("a copy");
                copy.write_all(&piece).expect("writing");
            }
        }
        path
    }
}

/// Linux leaves a FAT volume the mark of a power cut until somebody checks it: the lowest bit of a byte of its boot sector.
fn forget_cut(volume: &Path) {
    const STATE: u64 = 65;
    let file = File::options()
        .read(true)
        .write(true)
        .open(volume)
        .expect("a copy");
    let mut state = [0];
    file.read_exact_at(&mut state, STATE).expect("reading");
    file.write_all_at(&[state[0] & !1], STATE).expect("writing");
}
