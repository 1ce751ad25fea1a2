//! What a machine wrote to a disk, and the states in which a power cut could have left that disk.
//!
//! A log is what QEMU's `blklogwrites` writes, in the format of the kernel's dm-log-writes: a sector that says how many entries
//! follow, and for each of them a sector, with the place, the length and the kind, before the data.

use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

const MAGIC: u64 = 0x006a_7366_7773_6872;
const SECTOR: u64 = 512;
const FLUSH: u64 = 1;
/// Of the writes between two flushes so many random parts are looked at, ...
const RANDOM: usize = 8;
/// ... and so many single ones, when there are more.
const SINGLE: usize = 60;

/// Bytes that were written to that place of the disk.
struct Write {
    at: u64,
    bytes: Vec<u8>,
}

impl Write {
    fn overlaps(&self, other: &Self) -> bool {
        self.at < other.at + other.bytes.len() as u64 && other.at < self.at + self.bytes.len() as u64
    }
}

/// What the content of the disk is at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// All that was written is on the disk.
    Flushed,
    /// A power cut has left some of what was written since the last flush.
    Cut,
}

/// The disk of a recorded run.
pub(crate) struct Recording {
    logs: Vec<PathBuf>,
}

impl Recording {
    /// What was written to a drive, in the logs of all starts of the machine.
    pub(crate) fn of(drive: &str, folder: &Path) -> Self {
        let mut logs: Vec<PathBuf> = fs::read_dir(folder)
            .expect("the recording")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.file_stem().is_some_and(|stem| stem == drive))
            .collect();
        logs.sort();
        assert!(
            !logs.is_empty(),
            "nothing was recorded of {drive} in {}",
            folder.display()
        );
        Self { logs }
    }

    /// Writes to the disk what was written to that part of it. Whenever the machine has flushed it calls `judge`, and before, for
    /// each of the states in which a power cut could have left the disk.
    pub(crate) fn replay(&self, disk: &File, part: &Range<u64>, mut judge: impl FnMut(Moment)) {
        let (mut unflushed, mut random) = (Vec::new(), Random(1));
        for log in &self.logs {
            read(log, part, |write| match write {
                Some(write) => unflushed.push(write),
                None if unflushed.is_empty() => {}
                None => {
                    let group = Group::new(disk, std::mem::take(&mut unflushed));
                    group.cut(&mut random, || judge(Moment::Cut));
                    group.put_all();
                    judge(Moment::Flushed);
                }
            });
        }
        Group::new(disk, unflushed).put_all();
    }
}

/// Gives each write to that part of the disk, and each flush as nothing.
fn read(log: &Path, part: &Range<u64>, mut each: impl FnMut(Option<Write>)) {
    let file = File::open(log).expect("a log");
    let numbers = |at: u64| -> [u64; 3] {
        let mut bytes = [0; 24];
        file.read_exact_at(&mut bytes, at).expect("a sector of the log");
        std::array::from_fn(|index| {
            u64::from_le_bytes(bytes[index * 8..][..8].try_into().expect("eight bytes"))
        })
    };
    // Nothing at all, where the machine wrote nothing.
    if file.metadata().expect("a log").len() == 0 {
        return;
    }
    let [magic, version, entries] = numbers(0);
    assert_eq!((magic, version), (MAGIC, 1), "{}", log.display());
    let mut at = SECTOR;
    for _ in 0..entries {
        let [sector, sectors, kind] = numbers(at);
        assert!(kind <= FLUSH, "an entry of kind {kind} in {}", log.display());
        let (start, end) = (sector * SECTOR, (sector + sectors) * SECTOR);
        let (from, to) = (start.max(part.start), end.min(part.end));
        if from < to {
            let mut bytes = vec![0; (to - from) as usize];
            file.read_exact_at(&mut bytes, at + SECTOR + from - start)
                .expect("the data of the log");
            each(Some(Write { at: from, bytes }));
        }
        if kind == FLUSH {
            each(None);
        }
        at += SECTOR + sectors * SECTOR;
    }
}

/// What was written between two flushes, with what was there before.
struct Group<'a> {
    disk: &'a File,
    writes: Vec<Write>,
    before: Vec<Write>,
}

impl<'a> Group<'a> {
    fn new(disk: &'a File, writes: Vec<Write>) -> Self {
        let before = writes.iter().map(|write| {
            let mut bytes = vec![0; write.bytes.len()];
            disk.read_exact_at(&mut bytes, write.at)
                .expect("reading the disk");
            Write { at: write.at, bytes }
        });
        let before = before.collect();
        Self { disk, writes, before }
    }

    fn put(&self, write: &Write, bytes: Range<usize>) {
        let at = write.at + bytes.start as u64;
        self.disk
            .write_all_at(&write.bytes[bytes], at)
            .expect("writing the disk");
    }

    fn put_whole(&self, write: &Write) {
        self.put(write, 0..write.bytes.len());
    }

    fn put_all(&self) {
        self.writes.iter().for_each(|write| self.put_whole(write));
    }

    fn take_back_all(&self) {
        self.before.iter().for_each(|write| self.put_whole(write));
    }

    /// All that came before a moment, with the last write torn; all but one; one of them alone; and any sectors of any of them.
    fn cut(&self, random: &mut Random, mut judge: impl FnMut()) {
        let chosen = |index: &usize| index.is_multiple_of(self.writes.len().div_ceil(SINGLE));
        for (index, write) in self.writes.iter().enumerate() {
            if chosen(&index) {
                self.put(write, 0..sectors(write.bytes.len() / 2));
                judge();
            }
            self.put_whole(write);
            if chosen(&index) {
                judge();
            }
        }
        for index in (0..self.writes.len()).filter(chosen) {
            self.put_whole(&self.before[index]);
            judge();
            let later = self.writes[index..]
                .iter()
                .filter(|later| later.overlaps(&self.writes[index]));
            later.for_each(|write| self.put_whole(write));
        }
        self.take_back_all();
        for index in (0..self.writes.len()).filter(chosen) {
            self.put_whole(&self.writes[index]);
            judge();
            self.put_whole(&self.before[index]);
        }
        for _ in 0..RANDOM {
            for write in &self.writes {
                let start = sectors(random.below(write.bytes.len()));
                let end = start + sectors(random.below(write.bytes.len() + 1 - start) + SECTOR as usize - 1);
                self.put(write, start..end);
            }
            judge();
            self.take_back_all();
        }
    }
}

/// Bytes of whole sectors among so many: a disk writes a sector or does not.
fn sectors(bytes: usize) -> usize {
    bytes / SECTOR as usize * SECTOR as usize
}

/// The same numbers in every run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}
