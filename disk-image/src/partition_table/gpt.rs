//! GPT, serialized by the `gptman` crate.

use std::collections::HashSet;
use std::io::{Cursor, Result as IoResult, Seek, SeekFrom, Write};

use gptman::{GPTHeader, GPTPartitionEntry};
use uuid::Uuid;

use super::mbr::{BOOT_CODE_LENGTH, Entry, boot_sector};
use super::{Error, check_sector_size, sectors};
use crate::extent::{Extent, Layout};

const ENTRIES: usize = 128;
const ENTRY_SIZE: u64 = 128;

/// MBR type of the partition that keeps old tools off a GPT disk.
const PROTECTIVE: u8 = 0xEE;

/// A disk with a GPT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GptParams {
    /// Identifier of the disk.
    pub disk_guid: Uuid,
    /// Bytes of the disk.
    pub disk_size: u64,
    /// 512 or 4096.
    pub sector_size: u32,
    /// Code for BIOS firmware in sector 0.
    pub boot_code: Option<[u8; BOOT_CODE_LENGTH]>,
    /// The partitions, ascending by start.
    pub partitions: Vec<GptPartition>,
}

/// A partition of a GPT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GptPartition {
    /// What it is for.
    pub type_guid: Uuid,
    /// Its identifier.
    pub unique_guid: Uuid,
    /// At most 36 UTF-16 units.
    pub name: String,
    /// Bytes from the start of the disk.
    pub start: u64,
    /// Bytes.
    pub size: u64,
    /// Attribute bits.
    pub attributes: u64,
}

/// Lays out the protective MBR, the table and its backup. What is in the partitions is added by the caller.
///
/// # Errors
/// When the partitions overlap, leave the disk or have names or identifiers that are not possible.
pub fn plan_gpt(params: &GptParams) -> Result<Layout, Error> {
    let GptParams {
        disk_size,
        sector_size,
        ..
    } = *params;
    check_sector_size(sector_size)?;
    let disk = sectors(disk_size, sector_size, || "the disk".to_owned())?;
    let header = primary_header(params, disk)?;
    let entries = entries(params, &header)?;
    let table = ENTRIES as u64 * ENTRY_SIZE / u64::from(sector_size);
    let mut backup = header.clone();
    (backup.primary_lba, backup.backup_lba) = (header.backup_lba, header.primary_lba);
    backup.partition_entry_lba = header.last_usable_lba + 1;
    let sector = u64::from(sector_size);
    let protective = Entry {
        active: false,
        kind: PROTECTIVE,
        start: 1,
        count: u32::try_from(disk - 1).unwrap_or(u32::MAX),
    };
    let mut first = boot_sector(params.boot_code.as_ref(), 0, &[protective]);
    first.resize(sector_size as usize, 0);
    let extents = vec![
        Extent {
            last: true,
            ..Extent::bytes(0, first)
        },
        Extent::bytes(sector, serialize(header, &entries, sector, 1, table + 1)?),
        Extent::bytes(
            backup.partition_entry_lba * sector,
            serialize(
                backup.clone(),
                &entries,
                sector,
                backup.partition_entry_lba,
                table + 1,
            )?,
        ),
    ];
    Ok(Layout {
        size: disk_size,
        extents,
    }
    .finish())
}

fn primary_header(params: &GptParams, disk: u64) -> Result<GPTHeader, Error> {
    let table = ENTRIES as u64 * ENTRY_SIZE / u64::from(params.sector_size);
    // Sector 0, two headers, two tables, and at least one sector to use.
    if disk < 2 * table + 4 {
        return Err(Error::DiskTooSmall(params.disk_size));
    }
    Ok(GPTHeader {
        signature: *b"EFI PART",
        revision: [0, 0, 1, 0],
        header_size: 92,
        crc32_checksum: 0,
        reserved: [0; 4],
        primary_lba: 1,
        backup_lba: disk - 1,
        first_usable_lba: 2 + table,
        last_usable_lba: disk - table - 2,
        disk_guid: params.disk_guid.to_bytes_le(),
        partition_entry_lba: 2,
        number_of_partition_entries: ENTRIES as u32,
        size_of_partition_entry: ENTRY_SIZE as u32,
        partition_entry_array_crc32: 0,
    })
}

fn entries(params: &GptParams, header: &GPTHeader) -> Result<Vec<GPTPartitionEntry>, Error> {
    let count = params.partitions.len();
    if count > ENTRIES {
        return Err(Error::TooMany {
            count,
            limit: ENTRIES,
        });
    }
    let mut identifiers = HashSet::from([Uuid::nil()]);
    if !identifiers.insert(params.disk_guid) {
        return Err(Error::Identifier(params.disk_guid));
    }
    let mut entries = Vec::with_capacity(ENTRIES);
    let mut free = header.first_usable_lba;
    for partition in &params.partitions {
        if partition.type_guid.is_nil() || !identifiers.insert(partition.unique_guid) {
            return Err(Error::Identifier(partition.unique_guid));
        }
        let entry = entry(partition, params.sector_size, header)?;
        if entry.starting_lba < free {
            return Err(Error::Overlap {
                what: describe(partition),
            });
        }
        free = entry.ending_lba + 1;
        entries.push(entry);
    }
    entries.resize_with(ENTRIES, GPTPartitionEntry::empty);
    Ok(entries)
}

fn entry(partition: &GptPartition, sector_size: u32, header: &GPTHeader) -> Result<GPTPartitionEntry, Error> {
    let name = &partition.name;
    if name.encode_utf16().count() > 36 {
        return Err(Error::NameTooLong(name.clone()));
    }
    let what = || describe(partition);
    let start = sectors(partition.start, sector_size, what)?;
    let count = sectors(partition.size, sector_size, what)?;
    let (first, last) = (header.first_usable_lba, header.last_usable_lba);
    if count == 0 || start < first || start > last || count > last + 1 - start {
        let sector = u64::from(sector_size);
        return Err(Error::Outside {
            what: what(),
            first: first * sector,
            end: (last + 1) * sector,
        });
    }
    Ok(GPTPartitionEntry {
        partition_type_guid: partition.type_guid.to_bytes_le(),
        unique_partition_guid: partition.unique_guid.to_bytes_le(),
        starting_lba: start,
        ending_lba: start + count - 1,
        attribute_bits: partition.attributes,
        partition_name: name.as_str().into(),
    })
}

fn describe(partition: &GptPartition) -> String {
    format!("partition \"{}\" at byte {}", partition.name, partition.start)
}

/// The sectors from `base` on that hold one header and its table, with their checksums.
fn serialize(
    mut header: GPTHeader,
    entries: &[GPTPartitionEntry],
    sector: u64,
    base: u64,
    count: u64,
) -> Result<Vec<u8>, Error> {
    let buffer = Cursor::new(vec![0; (count * sector) as usize]);
    let mut window = Window {
        base: base * sector,
        buffer,
    };
    header
        .write_into(&mut window, sector, entries)
        .map_err(|error| Error::Gpt(error.to_string()))?;
    Ok(window.buffer.into_inner())
}

/// A piece of the disk in memory: `gptman` writes at places on the disk.
struct Window {
    base: u64,
    buffer: Cursor<Vec<u8>>,
}

impl Write for Window {
    fn write(&mut self, bytes: &[u8]) -> IoResult<usize> {
        self.buffer.write(bytes)
    }

    fn flush(&mut self) -> IoResult<()> {
        Ok(())
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> IoResult<u64> {
        let relative = match to {
            SeekFrom::Start(place) => SeekFrom::Start(place.saturating_sub(self.base)),
            other => other,
        };
        Ok(self.buffer.seek(relative)? + self.base)
    }
}
