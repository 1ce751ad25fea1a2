//! MBR: four primary partitions, or three and any number of logical ones in an extended partition.

use super::{Error, check_sector_size, sectors};
use crate::extent::{Extent, Layout};

/// Bytes of code in sector 0.
pub(super) const BOOT_CODE_LENGTH: usize = 440;

/// Type of the extended partition, addressed by LBA.
const EXTENDED: u8 = 0x0F;

/// Types that mean "empty" or "extended": not for partitions with content.
const RESERVED_TYPES: [u8; 4] = [0x00, 0x05, 0x0F, 0x85];

/// Room before a logical partition, for its table: what keeps it aligned.
const GAP: u64 = 1 << 20;

/// A disk with an MBR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MbrParams {
    /// Bytes of the disk.
    pub disk_size: u64,
    /// 512 or 4096.
    pub sector_size: u32,
    /// The number by which Windows knows the disk.
    pub disk_signature: u32,
    /// Code for BIOS firmware.
    pub boot_code: Option<[u8; BOOT_CODE_LENGTH]>,
    /// The primary partitions, ascending by start.
    pub primary: Vec<MbrPartition>,
    /// Where the extended partition lies; none: as small as holds the logical ones.
    pub extended: Option<MbrExtent>,
    /// The logical partitions, ascending by start, with room before each (1 MiB is usual); they follow the
    /// primary ones or lie between them.
    pub logical: Vec<MbrPartition>,
}

/// A part of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MbrExtent {
    /// Bytes from the start of the disk.
    pub start: u64,
    /// Bytes.
    pub size: u64,
}

/// A partition of an MBR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MbrPartition {
    /// What it is for.
    pub kind: u8,
    /// Started by the BIOS.
    pub active: bool,
    /// Bytes from the start of the disk.
    pub start: u64,
    /// Bytes.
    pub size: u64,
}

/// Lays out sector 0 and the tables of the logical partitions.
///
/// # Errors
/// When the partitions overlap, leave the disk, or are too many.
pub fn plan_mbr(params: &MbrParams) -> Result<Layout, Error> {
    check_sector_size(params.sector_size)?;
    let disk = sectors(params.disk_size, params.sector_size, || "the disk".to_owned())?;
    if disk < 2 {
        return Err(Error::DiskTooSmall(params.disk_size));
    }
    let mut primary = convert(params, &params.primary, disk)?;
    let logical = convert(params, &params.logical, disk)?;
    let given = params
        .extended
        .map(|extent| extended(extent, params, disk))
        .transpose()?;
    let limit = if logical.is_empty() && given.is_none() {
        4
    } else {
        3
    };
    if primary.len() > limit {
        return Err(Error::TooMany {
            count: primary.len(),
            limit,
        });
    }
    let tables = table_places(params, &primary, given.as_ref(), &logical)?;
    primary.extend(given.or_else(|| around(&tables, &logical)));
    // Systems number the partitions by their entries: these come in the order of their places.
    primary.sort_by_key(|entry| entry.start);
    check_overlap(&primary, params.sector_size)?;
    let mut extents = match given {
        Some(empty) if logical.is_empty() => vec![table(empty.start, &[], params.sector_size)],
        _ => logical_tables(&tables, &logical, params.sector_size),
    };
    let mut first = boot_sector(params.boot_code.as_ref(), params.disk_signature, &primary);
    first.resize(params.sector_size as usize, 0);
    extents.push(Extent {
        last: true,
        ..Extent::bytes(0, first)
    });
    Ok(Layout {
        size: params.disk_size,
        extents,
    }
    .finish())
}

/// An entry of the table, in sectors.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) active: bool,
    pub(super) kind: u8,
    pub(super) start: u32,
    pub(super) count: u32,
}

impl Entry {
    fn end(&self) -> u32 {
        self.start + self.count
    }

    fn bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[0] = if self.active { 0x80 } else { 0 };
        bytes[1..4].copy_from_slice(&chs(u64::from(self.start)));
        bytes[4] = self.kind;
        bytes[5..8].copy_from_slice(&chs(u64::from(self.start) + u64::from(self.count) - 1));
        bytes[8..12].copy_from_slice(&self.start.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.count.to_le_bytes());
        bytes
    }
}

/// Cylinder, head and sector of a disk with 255 heads and 63 sectors; the largest where it ends.
fn chs(lba: u64) -> [u8; 3] {
    let (cylinder, head, sector) = match lba / (255 * 63) {
        cylinder if cylinder < 1024 => (cylinder, lba / 63 % 255, lba % 63 + 1),
        _ => (1023, 254, 63),
    };
    [head as u8, (sector | cylinder >> 2 & 0xC0) as u8, cylinder as u8]
}

/// A sector with code, signature and entries.
pub(super) fn boot_sector(
    code: Option<&[u8; BOOT_CODE_LENGTH]>,
    signature: u32,
    entries: &[Entry],
) -> Vec<u8> {
    let mut sector = code.map_or_else(|| vec![0; BOOT_CODE_LENGTH], |code| code.to_vec());
    sector.extend(signature.to_le_bytes());
    sector.extend([0, 0]);
    sector.extend(entries.iter().flat_map(Entry::bytes));
    sector.resize(510, 0);
    sector.extend([0x55, 0xAA]);
    sector
}

fn convert(params: &MbrParams, partitions: &[MbrPartition], disk: u64) -> Result<Vec<Entry>, Error> {
    partitions
        .iter()
        .map(|partition| entry(partition, params, disk))
        .collect()
}

fn entry(partition: &MbrPartition, params: &MbrParams, disk: u64) -> Result<Entry, Error> {
    if RESERVED_TYPES.contains(&partition.kind) {
        return Err(Error::Type(partition.kind));
    }
    in_sectors(partition, params, disk)
}

/// The extended partition as it was asked for.
fn extended(extent: MbrExtent, params: &MbrParams, disk: u64) -> Result<Entry, Error> {
    let partition = MbrPartition {
        kind: EXTENDED,
        active: false,
        start: extent.start,
        size: extent.size,
    };
    in_sectors(&partition, params, disk)
}

/// The smallest extended partition with these logical ones.
fn around(tables: &[u32], logical: &[Entry]) -> Option<Entry> {
    let (first, last) = (tables.first()?, logical.last()?);
    Some(Entry {
        active: false,
        kind: EXTENDED,
        start: *first,
        count: last.end() - first,
    })
}

fn in_sectors(partition: &MbrPartition, params: &MbrParams, disk: u64) -> Result<Entry, Error> {
    let MbrPartition {
        kind,
        active,
        start,
        size,
    } = *partition;
    let what = || describe(start);
    let first = sectors(start, params.sector_size, what)?;
    let count = sectors(size, params.sector_size, what)?;
    if count == 0 || first == 0 || first >= disk || count > disk - first {
        return Err(Error::Outside {
            what: what(),
            first: u64::from(params.sector_size),
            end: params.disk_size,
        });
    }
    match (
        u32::try_from(first),
        u32::try_from(count),
        u32::try_from(first + count),
    ) {
        (Ok(start), Ok(count), Ok(_)) => Ok(Entry {
            active,
            kind,
            start,
            count,
        }),
        _ => Err(Error::BeyondMbr { what: what() }),
    }
}

fn describe(start: u64) -> String {
    format!("the partition at byte {start}")
}

fn check_overlap(entries: &[Entry], sector_size: u32) -> Result<(), Error> {
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    sorted.sort_by_key(|entry| entry.start);
    match sorted.windows(2).find(|pair| pair[1].start < pair[0].end()) {
        Some(pair) => Err(overlap(pair[1], sector_size)),
        None => Ok(()),
    }
}

fn overlap(entry: &Entry, sector_size: u32) -> Error {
    Error::Overlap {
        what: describe(u64::from(entry.start) * u64::from(sector_size)),
    }
}

/// Where each logical partition's own table lies: 1 MiB before it, or as far as there is room. That of the first one is where the
/// extended partition begins.
fn table_places(
    params: &MbrParams,
    primary: &[Entry],
    extended: Option<&Entry>,
    logical: &[Entry],
) -> Result<Vec<u32>, Error> {
    let gap = (GAP / u64::from(params.sector_size)) as u32;
    let mut places = Vec::with_capacity(logical.len());
    for (index, entry) in logical.iter().enumerate() {
        let before = primary.iter().chain(&logical[..index]).map(Entry::end);
        let free = before.filter(|end| *end <= entry.start).max().unwrap_or(1);
        let follows = index == 0 || logical[index - 1].end() <= entry.start;
        let inside =
            extended.is_none_or(|extended| extended.start < entry.start && entry.end() <= extended.end());
        if !follows || !inside || free >= entry.start {
            return Err(overlap(entry, params.sector_size));
        }
        places.push(match extended {
            Some(extended) if index == 0 => extended.start,
            _ => entry.start.saturating_sub(gap).max(free),
        });
    }
    Ok(places)
}

/// The chain of tables: each describes its partition, relative to itself, and the next table, relative to the
/// extended partition.
fn logical_tables(places: &[u32], logical: &[Entry], sector_size: u32) -> Vec<Extent> {
    let of = |(index, entry): (usize, &Entry)| {
        let own = Entry {
            start: entry.start - places[index],
            ..*entry
        };
        let next = logical.get(index + 1).map(|next| Entry {
            active: false,
            kind: 0x05,
            start: places[index + 1] - places[0],
            count: next.end() - places[index + 1],
        });
        let entries: Vec<Entry> = std::iter::once(own).chain(next).collect();
        table(places[index], &entries, sector_size)
    };
    logical.iter().enumerate().map(of).collect()
}

/// A table in the extended partition.
fn table(place: u32, entries: &[Entry], sector_size: u32) -> Extent {
    let mut sector = boot_sector(None, 0, entries);
    sector.resize(sector_size as usize, 0);
    Extent::bytes(u64::from(place) * u64::from(sector_size), sector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cylinders_end_where_the_field_does() {
        assert_eq!(chs(0), [0, 1, 0]);
        assert_eq!(chs(2048), [32, 33, 0]);
        assert_eq!(chs(1024 * 255 * 63 - 1), [254, 0xFF, 0xFF]);
        assert_eq!(chs(u64::from(u32::MAX)), [254, 0xFF, 0xFF]);
    }
}
