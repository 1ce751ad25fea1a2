//! MBR: its four entries, and the chain of tables of the logical partitions.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use anyhow::bail;
use disk_image::Layout;
use disk_image::partition_table::{MbrExtent, MbrParams, MbrPartition, plan_mbr};

use super::{Entry, Table, holds_linux};
use crate::platform::{MBR_ENTRIES, NewPartition, NewTable, Result, Role};

/// A chain without end would be read for ever; no kernel knows more partitions of a disk.
const MOST_TABLES: u32 = 256;

/// What an entry begins with that a BIOS starts.
const ACTIVE: u8 = 0x80;

/// An entry as it is written.
struct Raw {
    active: bool,
    kind: u8,
    start: u64,
    count: u32,
}

impl Raw {
    fn is_extended(&self) -> bool {
        matches!(self.kind, 0x05 | 0x0F | 0x85) && self.count > 0
    }
}

/// Reads the table of a disk; nothing where there is none.
pub(super) fn read(file: &File, sector_size: u32) -> Option<Table> {
    let first = sector(file, 0)?;
    let looks_like_a_volume =
        first[3..11] == *b"NTFS    " || first[3..11] == *b"EXFAT   " || first[0x52..0x55] == *b"FAT";
    if looks_like_a_volume {
        return None;
    }
    let signature = u32::from_le_bytes(first[440..444].try_into().ok()?);
    let id = format!("{signature:08x}");
    let primary: Vec<(u32, Raw)> = (1..)
        .zip(entries(&first))
        .filter(|(_, raw)| raw.kind != 0)
        .collect();
    let extended = primary.iter().filter(|(_, raw)| raw.is_extended());
    let logical = extended.flat_map(|(_, raw)| logical(file, raw.start, sector_size));
    let logical: Vec<(u32, Raw)> = (MBR_ENTRIES + 1..).zip(logical).collect();
    let entry = |(number, raw): (u32, Raw)| Entry {
        number,
        id: format!("{id}-{number:02x}"),
        kind: format!("0x{:02x}", raw.kind),
        start: raw.start,
        name: String::new(),
        attributes: 0,
        active: raw.active,
    };
    Some(Table {
        entries: primary.into_iter().chain(logical).map(entry).collect(),
        gpt: false,
        id: id.clone(),
    })
}

/// The partitions of an extended one, as the kernel follows them (block/partitions/msdos.c): each table names a partition, relative
/// to itself, and the next table, relative to the extended partition.
fn logical(file: &File, extended: u64, sector_size: u32) -> Vec<Raw> {
    let mut found = Vec::new();
    let mut place = extended;
    for _ in 0..MOST_TABLES {
        let Some(table) = sector(file, place * u64::from(sector_size)) else {
            break;
        };
        let mut next = None;
        for raw in entries(&table) {
            if raw.is_extended() {
                next = next.or(Some(extended + raw.start));
            } else if raw.count > 0 {
                let start = place + raw.start;
                found.push(Raw { start, ..raw });
            }
        }
        let Some(next) = next else { break };
        place = next;
    }
    found
}

/// A sector with the mark of a table.
fn sector(file: &File, offset: u64) -> Option<[u8; 512]> {
    let mut sector = [0; 512];
    file.read_exact_at(&mut sector, offset).ok()?;
    (sector[510..] == [0x55, 0xAA]).then_some(sector)
}

fn entries(sector: &[u8; 512]) -> impl Iterator<Item = Raw> {
    let number = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    sector[446..510].chunks_exact(16).map(move |entry| Raw {
        active: entry[0] == ACTIVE,
        kind: entry[4],
        start: number(&entry[8..]).into(),
        count: number(&entry[12..]),
    })
}

/// What is to be written for a table.
pub(super) fn plan(size: u64, sector_size: u32, table: &NewTable) -> Result<Layout> {
    let (logical, others): (Vec<&NewPartition>, Vec<&NewPartition>) = table
        .partitions
        .iter()
        .partition(|partition| table.is_logical(partition));
    let (extended, primary): (Vec<&NewPartition>, Vec<&NewPartition>) = others
        .into_iter()
        .partition(|partition| partition.role == Role::Extended);
    let active = active(&primary);
    let made = |partition: &&NewPartition| {
        Ok(MbrPartition {
            kind: kind(partition)?,
            active: Some(partition.number) == active,
            start: partition.start,
            size: partition.size,
        })
    };
    let params = MbrParams {
        disk_size: size,
        sector_size,
        disk_signature: u32::from_str_radix(&table.id, 16)?,
        boot_code: None,
        primary: primary.iter().map(made).collect::<Result<_>>()?,
        extended: extended.first().map(|extended| MbrExtent {
            start: extended.start,
            size: extended.size,
        }),
        logical: logical.iter().map(made).collect::<Result<_>>()?,
    };
    Ok(plan_mbr(&params)?)
}

/// The number of the partition that the machine starts from. Windows' boot manager lies on that of the boot state.
fn active(primary: &[&NewPartition]) -> Option<u32> {
    let first = |role| primary.iter().find(|partition| partition.role == role);
    let found = first(Role::Linux).or_else(|| first(Role::State));
    found.map(|partition| partition.number)
}

fn kind(partition: &NewPartition) -> Result<u8> {
    Ok(match partition.role {
        Role::Efi => 0xEF,
        Role::State => 0x0C,
        Role::Linux => 0x83,
        Role::Swap => 0x82,
        Role::Data => 0x07,
        Role::Recovery => 0x27,
        // The types of a volume with 0x10 on top; a Linux has no such type, and mounts what it is told.
        Role::Hidden if holds_linux(partition) => 0x83,
        Role::Hidden if partition.file_system.as_deref() == Some("fat32") => 0x1C,
        Role::Hidden => 0x17,
        Role::BiosBoot | Role::Msr | Role::Extended => bail!("an MBR has no such partition"),
    })
}
