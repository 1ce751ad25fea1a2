//! The bytes of FAT folders.

use super::alias::{Alias, ShortName};
use super::geometry::ENTRY;
use crate::dos_time::DosTime;

const ATTRIBUTE_LABEL: u8 = 0x08;
const ATTRIBUTE_FOLDER: u8 = 0x10;
const ATTRIBUTE_ARCHIVE: u8 = 0x20;
const ATTRIBUTE_LONG_NAME: u8 = 0x0F;

/// UTF-16 units in one long-name entry.
const UNITS: usize = 13;

/// Where those units lie in the entry.
const UNIT_OFFSETS: [usize; UNITS] = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];

/// What an entry says beside its name.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) folder: bool,
    /// First cluster, 0 for none.
    pub(super) cluster: u32,
    /// Bytes of a file, 0 for a folder.
    pub(super) size: u32,
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

    pub(super) fn push_label(&mut self, label: &Alias) {
        self.push_short(
            label,
            ATTRIBUTE_LABEL,
            Target {
                folder: false,
                cluster: 0,
                size: 0,
            },
        );
    }

    /// The entries for the folder itself and for the one it lies in.
    pub(super) fn push_dots(&mut self, own: u32, parent: u32) {
        for (name, cluster) in [(b".          ", own), (b"..         ", parent)] {
            self.push_short(
                name,
                ATTRIBUTE_FOLDER,
                Target {
                    folder: true,
                    cluster,
                    size: 0,
                },
            );
        }
    }

    pub(super) fn push(&mut self, name: &str, short: ShortName, target: Target) {
        if short.long {
            self.push_long(name, &short.alias);
        }
        let attribute = if target.folder {
            ATTRIBUTE_FOLDER
        } else {
            ATTRIBUTE_ARCHIVE
        };
        self.push_short(&short.alias, attribute, target);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn push_short(&mut self, name: &Alias, attribute: u8, target: Target) {
        let DosTime {
            date,
            time,
            hundredths,
        } = self.time;
        let bytes = &mut self.bytes;
        bytes.extend(name);
        bytes.extend([attribute, 0, hundredths]);
        for field in [
            time,
            date,
            date,
            (target.cluster >> 16) as u16,
            time,
            date,
            target.cluster as u16,
        ] {
            bytes.extend(field.to_le_bytes());
        }
        bytes.extend(target.size.to_le_bytes());
    }

    /// The pieces of a long name, the last piece first.
    fn push_long(&mut self, name: &str, alias: &Alias) {
        let units: Vec<u16> = name.encode_utf16().collect();
        let sum = checksum(alias);
        let pieces = units.len().div_ceil(UNITS);
        for (index, piece) in units.chunks(UNITS).enumerate().rev() {
            let last = if index + 1 == pieces { 0x40 } else { 0 };
            self.bytes
                .extend(long_entry(piece, (index + 1) as u8 | last, sum));
        }
    }
}

fn long_entry(piece: &[u16], order: u8, sum: u8) -> [u8; ENTRY as usize] {
    let mut entry = [0; ENTRY as usize];
    entry[0] = order;
    entry[11] = ATTRIBUTE_LONG_NAME;
    entry[13] = sum;
    let padded = piece.iter().copied().chain([0]).chain(std::iter::repeat(0xFFFF));
    for (offset, unit) in UNIT_OFFSETS.into_iter().zip(padded) {
        entry[offset..offset + 2].copy_from_slice(&unit.to_le_bytes());
    }
    entry
}

/// Ties the pieces of a long name to its alias.
fn checksum(alias: &Alias) -> u8 {
    alias
        .iter()
        .fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte))
}

/// How many entries a name takes.
pub(super) fn entries(name: &str, short: ShortName) -> u64 {
    let long = if short.long {
        name.encode_utf16().count().div_ceil(UNITS)
    } else {
        0
    };
    long as u64 + 1
}
