//! The partition table of an MBR: the four entries of sector 0. Media have no logical partitions.

use super::device::{Device, ReadError, u32_at};

const SECTOR: u64 = 512;
const ENTRIES: std::ops::Range<usize> = 446..510;
const SIGNATURE: [u8; 2] = [0x55, 0xAA];
/// A first byte other than these is none of an entry's: what lies there is code or text of a boot sector.
const STATUS: [u8; 2] = [0, ACTIVE];
const ACTIVE: u8 = 0x80;
/// The type of the entry that only protects a GPT.
const PROTECTIVE: u8 = 0xEE;

/// An entry that is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MbrPartition {
    /// Its number, from 1.
    pub(super) number: u32,
    /// What it is for.
    pub(super) kind: u8,
    /// Started by the BIOS.
    pub(super) active: bool,
    /// Bytes from the start of the disk.
    pub(super) offset: u64,
    /// Bytes.
    pub(super) length: u64,
}

/// The entries that are in use.
///
/// # Errors
/// When there is no such table, or that of a GPT.
pub(super) fn read(device: &Device) -> Result<Vec<MbrPartition>, ReadError> {
    let sector = device.bytes(0, SECTOR).map_err(|_| ReadError::Unknown)?;
    let entries = || sector[ENTRIES].chunks_exact(16);
    let is_table = sector.ends_with(&SIGNATURE)
        && entries().all(|entry| STATUS.contains(&entry[0]) && entry[4] != PROTECTIVE);
    let used: Vec<MbrPartition> = (1..)
        .zip(entries())
        .filter(|(_, entry)| entry[4] != 0)
        .map(|(number, entry)| MbrPartition {
            number,
            kind: entry[4],
            active: entry[0] == ACTIVE,
            offset: u64::from(u32_at(entry, 8)) * SECTOR,
            length: u64::from(u32_at(entry, 12)) * SECTOR,
        })
        .collect();
    if is_table && !used.is_empty() {
        Ok(used)
    } else {
        Err(ReadError::Unknown)
    }
}

/// What keeps a machine from starting by the table: a BIOS starts the one partition that is active.
pub(super) fn problems(partitions: &[MbrPartition]) -> Vec<String> {
    match partitions.iter().filter(|partition| partition.active).count() {
        1 => vec![],
        count => vec![format!("the MBR has {count} active partitions instead of one")],
    }
}
