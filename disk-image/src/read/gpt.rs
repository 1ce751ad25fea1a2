//! GUID partition tables: both copies.

use super::device::{Device, ReadError, array, u32_at, u64_at};

const HEADER: usize = 92;
const MAX_ENTRIES: u32 = 1024;

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Number of its entry, from 1.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// Type GUID in the order of its bytes on the disk.
    pub type_guid: [u8; 16],
    /// Unique GUID in the order of its bytes on the disk.
    pub unique_guid: [u8; 16],
    /// Attributes.
    pub attributes: u64,
    /// Bytes from the start of the disk.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

/// A partition table that was found valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionTable {
    /// Bytes of a logical sector.
    pub sector: u64,
    /// GUID of the disk in the order of its bytes on the disk.
    pub disk_guid: [u8; 16],
    /// The partitions that are in use.
    pub partitions: Vec<Partition>,
    /// What is wrong with the other copy, or between the two.
    pub problems: Vec<String>,
}

struct Copy {
    header: Vec<u8>,
    entries: Vec<u8>,
}

impl PartitionTable {
    /// Reads the table; the backup serves when the primary one is damaged.
    ///
    /// # Errors
    /// When neither copy is valid.
    pub fn read(device: &Device) -> Result<Self, ReadError> {
        match Self::read_in_sectors(device, 512) {
            Err(ReadError::Unknown) => Self::read_in_sectors(device, 4096),
            found => found,
        }
    }

    /// The same on a disk whose logical sectors have that size.
    ///
    /// # Errors
    /// As [`PartitionTable::read`].
    pub fn read_in_sectors(device: &Device, sector: u64) -> Result<Self, ReadError> {
        let primary = Copy::read(device, sector, 1);
        let last = (device.length() / sector.max(1)).saturating_sub(1);
        let place = primary.as_ref().map_or(last, |copy| u64_at(&copy.header, 32));
        let backup = Copy::read(device, sector, place);
        let problems = compare(&primary, &backup);
        let copy = primary.or(backup).map_err(|_| ReadError::Unknown)?;
        Ok(Self {
            sector,
            disk_guid: array(&copy.header, 56),
            partitions: copy.partitions(device, sector)?,
            problems,
        })
    }
}

impl Copy {
    fn read(device: &Device, sector: u64, lba: u64) -> Result<Self, String> {
        let at = lba.checked_mul(sector).ok_or("its place is beyond every disk")?;
        let mut header = device.bytes(at, sector).map_err(|error| error.to_string())?;
        let size = u32_at(&header, 12) as usize;
        if !header.starts_with(b"EFI PART") || !(HEADER..=sector as usize).contains(&size) {
            return Err("there is no header".into());
        }
        header.truncate(size);
        let mut covered = header.clone();
        covered[16..20].fill(0);
        if crc32(&covered) != u32_at(&header, 16) || u64_at(&header, 24) != lba {
            return Err("the checksum or the place of its header is wrong".into());
        }
        let (count, size) = (u32_at(&header, 80), u32_at(&header, 84));
        if count > MAX_ENTRIES || !(128..=4096).contains(&size) || !size.is_power_of_two() {
            return Err("the number or size of its entries is outside of the limits".into());
        }
        let at = u64_at(&header, 72)
            .checked_mul(sector)
            .ok_or("its entries are beyond every disk")?;
        let entries = device
            .bytes(at, u64::from(count) * u64::from(size))
            .map_err(|error| error.to_string())?;
        if crc32(&entries) != u32_at(&header, 88) {
            return Err("the checksum of its entries is wrong".into());
        }
        Ok(Self { header, entries })
    }

    fn partitions(&self, device: &Device, sector: u64) -> Result<Vec<Partition>, ReadError> {
        let size = u32_at(&self.header, 84) as usize;
        let used = (1..)
            .zip(self.entries.chunks_exact(size))
            .filter(|(_, entry)| entry[..16] != [0; 16]);
        used.map(|(number, entry)| {
            let (first, last) = (u64_at(entry, 32), u64_at(entry, 40));
            let offset = first.checked_mul(sector);
            let length = last
                .checked_sub(first)
                .and_then(|count| count.checked_add(1)?.checked_mul(sector));
            let ends = offset
                .zip(length)
                .and_then(|(offset, length)| offset.checked_add(length));
            let (Some(offset), Some(length), Some(_)) = (offset, length, ends) else {
                return Err(device.damaged("partition entry", 0, format!("sectors {first} to {last}")));
            };
            let units: Vec<u16> = entry[56..128]
                .chunks_exact(2)
                .map(|unit| u16::from_le_bytes(array(unit, 0)))
                .collect();
            let name = String::from_utf16_lossy(&units).trim_end_matches('\0').to_owned();
            Ok(Partition {
                number,
                name,
                type_guid: array(entry, 0),
                unique_guid: array(entry, 16),
                attributes: u64_at(entry, 48),
                offset,
                length,
            })
        })
        .collect()
    }
}

fn compare(primary: &Result<Copy, String>, backup: &Result<Copy, String>) -> Vec<String> {
    let (one, two) = match (primary, backup) {
        (Ok(one), Ok(two)) => (one, two),
        (one, two) => {
            let problem = |name: &str, copy: &Result<Copy, String>| {
                copy.as_ref()
                    .err()
                    .map(|why| format!("the {name} partition table: {why}"))
            };
            return [problem("primary", one), problem("backup", two)]
                .into_iter()
                .flatten()
                .collect();
        }
    };
    // First and last usable sector, disk GUID, number and size of the entries.
    let same = |range: std::ops::Range<usize>| one.header[range.clone()] == two.header[range];
    let places = u64_at(&one.header, 24) == u64_at(&two.header, 32);
    if one.entries == two.entries && places && same(40..72) && same(80..92) {
        return vec![];
    }
    vec!["the two partition tables differ".into()]
}

/// The CRC-32 of Ethernet, zip and GPT.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| {
        if crc & 1 == 1 {
            crc >> 1 ^ 0xedb8_8320
        } else {
            crc >> 1
        }
    };
    !bytes
        .iter()
        .fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
