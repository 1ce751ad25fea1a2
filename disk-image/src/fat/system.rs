//! The system area of a FAT volume: boot sector, FSInfo, the FAT itself.

use super::geometry::{FATS, Geometry};
use super::{Kind, Params};

/// Where FAT32 keeps FSInfo and the copy of the boot sector, in sectors.
const INFO_SECTOR: u64 = 1;
const BACKUP_SECTOR: u64 = 6;

/// Asks the firmware to go on with the next device, should anything ever start this sector.
const BOOT_CODE: [u8; 4] = [0xCD, 0x18, 0xEB, 0xFE];

/// The reserved sectors, up to the last that holds something.
pub(super) fn reserved_area(geometry: &Geometry, params: &Params, label: &[u8; 11], used: u64) -> Vec<u8> {
    let sector = geometry.sector as usize;
    let boot = boot_sector(geometry, params, label);
    if geometry.kind == Kind::Fat16 {
        return padded(&boot, sector);
    }
    let info = info_sector(geometry, used);
    let mut area = vec![0; (BACKUP_SECTOR + INFO_SECTOR + 1) as usize * sector];
    for base in [0, BACKUP_SECTOR as usize * sector] {
        area[base..base + 512].copy_from_slice(&boot);
        area[base + sector..base + sector + 512].copy_from_slice(&info);
    }
    area
}

fn padded(bytes: &[u8], length: usize) -> Vec<u8> {
    let mut padded = bytes.to_vec();
    padded.resize(length, 0);
    padded
}

fn boot_sector(geometry: &Geometry, params: &Params, label: &[u8; 11]) -> [u8; 512] {
    let mut boot = [0; 512];
    put(&mut boot, 3, b"MSWIN4.1");
    put(&mut boot, 11, &(geometry.sector as u16).to_le_bytes());
    boot[13] = (geometry.cluster / geometry.sector) as u8;
    put(&mut boot, 14, &(geometry.reserved as u16).to_le_bytes());
    boot[16] = FATS as u8;
    put(&mut boot, 17, &(geometry.root_entries as u16).to_le_bytes());
    boot[21] = 0xF8;
    put(&mut boot, 24, &63_u16.to_le_bytes());
    put(&mut boot, 26, &255_u16.to_le_bytes());
    put(&mut boot, 28, &params.hidden_sectors.to_le_bytes());
    match u16::try_from(geometry.sectors) {
        Ok(small) if geometry.kind == Kind::Fat16 => put(&mut boot, 19, &small.to_le_bytes()),
        _ => put(&mut boot, 32, &(geometry.sectors as u32).to_le_bytes()),
    }
    let extended = match geometry.kind {
        Kind::Fat16 => {
            put(&mut boot, 22, &(geometry.fat as u16).to_le_bytes());
            36
        }
        Kind::Fat32 => {
            put(&mut boot, 36, &(geometry.fat as u32).to_le_bytes());
            put(&mut boot, 44, &2_u32.to_le_bytes());
            put(&mut boot, 48, &(INFO_SECTOR as u16).to_le_bytes());
            put(&mut boot, 50, &(BACKUP_SECTOR as u16).to_le_bytes());
            64
        }
    };
    put_extended(&mut boot, extended, params.serial, label, geometry.kind);
    boot
}

/// The part that FAT16 and FAT32 have at different places, and the jump over it.
fn put_extended(boot: &mut [u8; 512], at: usize, serial: u32, label: &[u8; 11], kind: Kind) {
    boot[at] = 0x80;
    boot[at + 2] = 0x29;
    put(boot, at + 3, &serial.to_le_bytes());
    put(boot, at + 7, label);
    put(
        boot,
        at + 18,
        if kind == Kind::Fat16 {
            b"FAT16   "
        } else {
            b"FAT32   "
        },
    );
    put(boot, at + 26, &BOOT_CODE);
    put(boot, 0, &[0xEB, (at + 24) as u8, 0x90]);
    put(boot, 510, &[0x55, 0xAA]);
}

/// How many clusters are free, and where the first is.
fn info_sector(geometry: &Geometry, used: u64) -> [u8; 512] {
    let free = geometry.clusters - used;
    let next = if free == 0 { u32::MAX } else { used as u32 + 2 };
    let mut info = [0; 512];
    put(&mut info, 0, b"RRaA");
    put(&mut info, 484, b"rrAa");
    put(&mut info, 488, &(free as u32).to_le_bytes());
    put(&mut info, 492, &next.to_le_bytes());
    put(&mut info, 508, &[0, 0, 0x55, 0xAA]);
    info
}

fn put(sector: &mut [u8; 512], at: usize, bytes: &[u8]) {
    sector[at..at + bytes.len()].copy_from_slice(bytes);
}

/// The used part of a FAT: chains of consecutive clusters, of these lengths, from cluster 2 on. The first two
/// entries say: hard disk, cleanly unmounted, no errors.
pub(super) fn fat(geometry: &Geometry, chains: impl Iterator<Item = u64>) -> Vec<u8> {
    let end = 0x0FFF_FFFF_u32;
    let mut entries = vec![0x0FFF_FFF8, end];
    for length in chains.filter(|length| *length > 0) {
        let first = entries.len() as u32;
        entries.extend(first + 1..first + length as u32);
        entries.push(end);
    }
    match geometry.kind {
        Kind::Fat32 => entries.iter().flat_map(|entry| entry.to_le_bytes()).collect(),
        Kind::Fat16 => entries
            .iter()
            .flat_map(|entry| (*entry as u16).to_le_bytes())
            .collect(),
    }
}
