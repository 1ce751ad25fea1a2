//! The bytes of exFAT folders: sets of 32-byte entries.

use crate::dos_time::DosTime;
use crate::names::upcase;

/// Bytes of an entry.
pub(super) const ENTRY: u64 = 32;

/// UTF-16 units in one name entry.
const UNITS: usize = 15;

const BITMAP: u8 = 0x81;
const UPCASE: u8 = 0x82;
const LABEL: u8 = 0x83;
const FILE: u8 = 0x85;
const STREAM: u8 = 0xC0;
const NAME: u8 = 0xC1;

const ATTRIBUTE_FOLDER: u16 = 0x10;
const ATTRIBUTE_ARCHIVE: u16 = 0x20;

/// The entry may have clusters; they are one run, which the FAT does not describe.
const ALLOCATION_POSSIBLE: u8 = 1;
const NO_FAT_CHAIN: u8 = 2;

/// "This time's distance from UTC is known, and it is 0."
const UTC: u8 = 0x80;

/// Where the content of something lies.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) folder: bool,
    /// First cluster, 0 for none.
    pub(super) cluster: u32,
    /// Bytes; whole clusters for a folder.
    pub(super) size: u64,
}

/// A folder that is being filled.
pub(super) struct FolderBytes {
    bytes: Vec<u8>,
    time: DosTime,
}

impl FolderBytes {
    pub(super) fn new(time: DosTime, capacity: u64) -> Self {
        Self {
            bytes: Vec::with_capacity(capacity as usize),
            time,
        }
    }

    pub(super) fn push_label(&mut self, label: &[u16]) {
        let mut entry = [0; ENTRY as usize];
        (entry[0], entry[1]) = (LABEL, label.len() as u8);
        put_units(&mut entry, label);
        self.bytes.extend(entry);
    }

    pub(super) fn push_bitmap(&mut self, target: Target) {
        self.bytes.extend(system_entry(BITMAP, 0, target));
    }

    pub(super) fn push_upcase(&mut self, target: Target, checksum: u32) {
        self.bytes.extend(system_entry(UPCASE, checksum, target));
    }

    /// The entries of a file or folder, tied together by a checksum.
    pub(super) fn push(&mut self, name: &str, target: Target) {
        let units: Vec<u16> = name.encode_utf16().collect();
        let start = self.bytes.len();
        self.bytes
            .extend(file_entry(target.folder, units.len(), self.time));
        self.bytes.extend(stream_entry(name, units.len(), target));
        for piece in units.chunks(UNITS) {
            let mut entry = [0; ENTRY as usize];
            entry[0] = NAME;
            put_units(&mut entry, piece);
            self.bytes.extend(entry);
        }
        let sum = set_checksum(&self.bytes[start..]);
        self.bytes[start + 2..start + 4].copy_from_slice(&sum.to_le_bytes());
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// How many entries a name takes.
pub(super) fn entries(name: &str) -> u64 {
    2 + name.encode_utf16().count().div_ceil(UNITS) as u64
}

fn put_units(entry: &mut [u8; ENTRY as usize], units: &[u16]) {
    for (place, unit) in entry[2..].chunks_exact_mut(2).zip(units) {
        place.copy_from_slice(&unit.to_le_bytes());
    }
}

fn system_entry(kind: u8, checksum: u32, target: Target) -> [u8; ENTRY as usize] {
    let mut entry = [0; ENTRY as usize];
    entry[0] = kind;
    entry[4..8].copy_from_slice(&checksum.to_le_bytes());
    put_target(&mut entry, target);
    entry
}

fn put_target(entry: &mut [u8; ENTRY as usize], target: Target) {
    entry[20..24].copy_from_slice(&target.cluster.to_le_bytes());
    entry[24..32].copy_from_slice(&target.size.to_le_bytes());
}

fn file_entry(folder: bool, units: usize, time: DosTime) -> [u8; ENTRY as usize] {
    let attribute = if folder {
        ATTRIBUTE_FOLDER
    } else {
        ATTRIBUTE_ARCHIVE
    };
    let stamp = (u32::from(time.date) << 16 | u32::from(time.time)).to_le_bytes();
    let mut entry = [0; ENTRY as usize];
    entry[0] = FILE;
    entry[1] = 1 + units.div_ceil(UNITS) as u8;
    entry[4..6].copy_from_slice(&attribute.to_le_bytes());
    for place in [8, 12, 16] {
        entry[place..place + 4].copy_from_slice(&stamp);
    }
    entry[20..25].copy_from_slice(&[time.hundredths, time.hundredths, UTC, UTC, UTC]);
    entry
}

fn stream_entry(name: &str, units: usize, target: Target) -> [u8; ENTRY as usize] {
    let mut entry = [0; ENTRY as usize];
    entry[0] = STREAM;
    entry[1] = if target.size == 0 {
        ALLOCATION_POSSIBLE
    } else {
        ALLOCATION_POSSIBLE | NO_FAT_CHAIN
    };
    entry[3] = units as u8;
    entry[4..6].copy_from_slice(&name_hash(name).to_le_bytes());
    entry[8..16].copy_from_slice(&target.size.to_le_bytes());
    put_target(&mut entry, target);
    entry
}

/// Lets a driver skip most names when it looks for one.
fn name_hash(name: &str) -> u16 {
    let mut buffer = [0; 2];
    let upper = name.chars().map(upcase);
    upper.fold(0, |hash, c| {
        c.encode_utf16(&mut buffer)
            .iter()
            .fold(hash, |hash, unit| add(add(hash, *unit as u8), (unit >> 8) as u8))
    })
}

/// Over all bytes of the set, except those of the checksum itself.
fn set_checksum(set: &[u8]) -> u16 {
    set.iter()
        .enumerate()
        .filter(|(at, _)| ![2, 3].contains(at))
        .fold(0, |sum, (_, byte)| add(sum, *byte))
}

fn add(sum: u16, byte: u8) -> u16 {
    sum.rotate_right(1).wrapping_add(u16::from(byte))
}
