//! Partition tables: GPT with its protective MBR, and MBR with logical partitions.

mod gpt;
mod mbr;

pub use gpt::{GptParams, GptPartition, plan_gpt};
pub use mbr::{MbrExtent, MbrParams, MbrPartition, plan_mbr};

/// Why a partition table cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The sector size is none of those that exist.
    #[error("making a partition table: sectors of {0} bytes are not supported: take 512 or 4096")]
    SectorSize(u32),
    /// A place or size is no whole number of sectors.
    #[error("making a partition table: {what} is {bytes} bytes, which is no multiple of the sector size")]
    Unaligned {
        /// What it belongs to.
        what: String,
        /// The number.
        bytes: u64,
    },
    /// The disk has no room for the table.
    #[error("making a partition table: a disk of {0} bytes is too small for one")]
    DiskTooSmall(u64),
    /// MBR counts sectors with 32 bits.
    #[error("making a partition table: {what} ends beyond what an MBR can describe: take GPT")]
    BeyondMbr {
        /// The partition.
        what: String,
    },
    /// A partition leaves the usable part of the disk.
    #[error("making a partition table: {what} lies outside the usable bytes {first} to {end} of the disk")]
    Outside {
        /// The partition.
        what: String,
        /// First usable byte.
        first: u64,
        /// The byte after the last usable one.
        end: u64,
    },
    /// Two partitions share sectors, or a logical one leaves no room before it or lies outside the extended one.
    #[error(
        "making a partition table: {what} overlaps the partition before it, leaves no room for its own table, or lies \
         outside the extended partition"
    )]
    Overlap {
        /// The later partition.
        what: String,
    },
    /// More partitions than the table has entries.
    #[error("making a partition table: {count} partitions are too many: at most {limit} are possible")]
    TooMany {
        /// Partitions wanted.
        count: usize,
        /// Entries.
        limit: usize,
    },
    /// A partition name is too long.
    #[error(
        "making a partition table: the partition name \"{0}\" is longer than 36 UTF-16 units: shorten it"
    )]
    NameTooLong(String),
    /// Two partitions, or one and the disk, have one identifier.
    #[error("making a partition table: the identifier {0} is nil or used twice")]
    Identifier(uuid::Uuid),
    /// A partition type that MBR reserves.
    #[error("making a partition table: partition type {0:#04x} is no type for a partition with content")]
    Type(u8),
    /// Serializing failed.
    #[error("making a partition table: {0}")]
    Gpt(String),
}

/// Bytes as sectors.
fn sectors(bytes: u64, sector_size: u32, what: impl Fn() -> String) -> Result<u64, Error> {
    let sector = u64::from(sector_size);
    if bytes.is_multiple_of(sector) {
        Ok(bytes / sector)
    } else {
        Err(Error::Unaligned { what: what(), bytes })
    }
}

fn check_sector_size(sector_size: u32) -> Result<(), Error> {
    if [512, 4096].contains(&sector_size) {
        Ok(())
    } else {
        Err(Error::SectorSize(sector_size))
    }
}
