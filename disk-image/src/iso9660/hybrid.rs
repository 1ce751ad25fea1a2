//! What makes the image a disk too: boot code, protective MBR and GPT.

use std::io::{Cursor, Read, Result as IoResult, Seek, SeekFrom, Write};

use gptman::{GPT, GPTHeader, GPTPartitionEntry};
use uuid::{Uuid, uuid};

use super::{BiosImage, Error, Guids, Params, SECTOR};
use crate::extent::Extent;

/// Bytes of a disk sector.
const DISK_SECTOR: u64 = 512;
/// Bytes of the backup table: 128 entries and a header.
pub(super) const BACKUP_LENGTH: u64 = 33 * DISK_SECTOR;
/// Bytes of MBR, header and 128 entries.
const PRIMARY_LENGTH: u64 = 34 * DISK_SECTOR;
/// Where partitioning tools expect partitions to start.
pub(super) const ALIGNMENT: u64 = 1024 * 1024;
/// Bytes to which partitions end evenly: the system area, from which the first one starts.
pub(super) const GRAIN: u64 = 16 * SECTOR;
const EFI_SYSTEM: Uuid = uuid!("c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
/// Not "basic data": Windows would offer to format the partition, which only reserves the ISO's space.
const LINUX_DATA: Uuid = uuid!("0fc63daf-8483-4772-8e79-3d69d8477de4");
/// GPT attribute: read-only.
const READ_ONLY: u64 = 1 << 60;
/// Where GRUB's boot code keeps the place of its next part.
const GRUB_SECTOR_OFFSET: usize = 0x1b0;

/// What the partition table describes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Disk {
    /// Bytes.
    pub(super) size: u64,
    /// First sector (2048 bytes) of the BIOS boot image.
    pub(super) bios: Option<u32>,
    /// First sector (2048 bytes) and bytes of the EFI image.
    pub(super) efi: Option<(u32, u64)>,
}

pub(super) fn check_code(params: &Params) -> Result<(), Error> {
    match (&params.boot.hybrid_mbr, &params.boot.bios_image) {
        (Some(code), _) if code.len() as u64 != DISK_SECTOR => Err(Error::HybridSize(code.len())),
        (Some(_), None | Some(BiosImage::Program(_))) => Err(Error::HybridWithoutBios),
        _ => Ok(()),
    }
}

/// The primary table with the boot code, and the backup table.
pub(super) fn extents(disk: &Disk, params: &Params, guids: &Guids) -> Result<[Extent; 2], Error> {
    let mut primary = Window::new(0, PRIMARY_LENGTH, disk.size);
    let mut backup = Window::new(disk.size - BACKUP_LENGTH, BACKUP_LENGTH, disk.size);
    write_tables(disk, guids, &mut primary, &mut backup)
        .map_err(|error| Error::PartitionTable(error.to_string()))?;
    let mut first = primary.bytes.into_inner();
    first[..DISK_SECTOR as usize].copy_from_slice(&mbr(disk, params));
    let (mut primary, mut backup) = (
        Extent::bytes(0, first),
        Extent::bytes(backup.base, backup.bytes.into_inner()),
    );
    // Firmware falls back to the backup: neither may appear before the rest is written.
    (primary.last, backup.last) = (true, true);
    Ok([primary, backup])
}

fn write_tables(
    disk: &Disk,
    guids: &Guids,
    primary: &mut Window,
    backup: &mut Window,
) -> Result<(), gptman::Error> {
    let mut gpt = GPT::new_from(primary, DISK_SECTOR, guids.disk.to_bytes_le())?;
    let efi = disk
        .efi
        .map(|(sector, length)| (u64::from(sector) * 4, sectors(length)));
    let system_area = GRAIN / DISK_SECTOR;
    let even_end = (gpt.header.last_usable_lba + 1) / system_area * system_area;
    let data_end = efi.map_or(even_end, |(start, _)| start) - 1;
    gpt[1] = partition(LINUX_DATA, guids.data, "ISO9660", system_area, data_end);
    gpt[1].attribute_bits = READ_ONLY;
    if let Some((start, length)) = efi {
        gpt[2] = partition(EFI_SYSTEM, guids.efi, "EFI", start, start + length - 1);
    }
    let partitions: Vec<_> = gpt.iter().map(|(_, partition)| partition.clone()).collect();
    let mut copy = backup_header(&gpt.header);
    gpt.header.write_into(primary, DISK_SECTOR, &partitions)?;
    copy.write_into(backup, DISK_SECTOR, &partitions)
}

fn backup_header(primary: &GPTHeader) -> GPTHeader {
    let mut header = primary.clone();
    header.primary_lba = primary.backup_lba;
    header.backup_lba = primary.primary_lba;
    header.partition_entry_lba = primary.last_usable_lba + 1;
    header
}

fn partition(kind: Uuid, id: Uuid, name: &str, start: u64, end: u64) -> GPTPartitionEntry {
    GPTPartitionEntry {
        partition_type_guid: kind.to_bytes_le(),
        unique_partition_guid: id.to_bytes_le(),
        starting_lba: start,
        ending_lba: end,
        attribute_bits: 0,
        partition_name: name.into(),
    }
}

/// Disk sectors of the partition for an EFI image.
fn sectors(length: u64) -> u64 {
    length.next_multiple_of(GRAIN) / DISK_SECTOR
}

fn mbr(disk: &Disk, params: &Params) -> [u8; DISK_SECTOR as usize] {
    let mut out = [0; DISK_SECTOR as usize];
    if let (Some(code), Some(bios)) = (&params.boot.hybrid_mbr, disk.bios) {
        out[..440].copy_from_slice(&code[..440]);
        // In disk sectors; the code skips cdboot.img, which fills the first four.
        let next = u64::from(bios) * 4 + 4;
        out[GRUB_SECTOR_OFFSET..GRUB_SECTOR_OFFSET + 8].copy_from_slice(&next.to_le_bytes());
        // Some BIOSes start only a disk with an active partition, while some UEFI refuse an active protective
        // one: an empty entry of no type satisfies both.
        out[462..478].copy_from_slice(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
    }
    let protected = u32::try_from(disk.size / DISK_SECTOR - 1).unwrap_or(u32::MAX);
    out[446..454].copy_from_slice(&[0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff]);
    out[454..458].copy_from_slice(&1_u32.to_le_bytes());
    out[458..462].copy_from_slice(&protected.to_le_bytes());
    out[510..].copy_from_slice(&[0x55, 0xaa]);
    out
}

/// A part of a disk in memory, for a library that seeks over the whole disk.
struct Window {
    base: u64,
    size: u64,
    bytes: Cursor<Vec<u8>>,
}

impl Window {
    fn new(base: u64, length: u64, size: u64) -> Self {
        Self {
            base,
            size,
            bytes: Cursor::new(vec![0; length as usize]),
        }
    }
}

impl Read for Window {
    fn read(&mut self, buffer: &mut [u8]) -> IoResult<usize> {
        self.bytes.read(buffer)
    }
}

impl Write for Window {
    fn write(&mut self, buffer: &[u8]) -> IoResult<usize> {
        self.bytes.write(buffer)
    }

    fn flush(&mut self) -> IoResult<()> {
        Ok(())
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> IoResult<u64> {
        let target = match to {
            SeekFrom::Start(target) => Some(target),
            SeekFrom::End(delta) => self.size.checked_add_signed(delta),
            SeekFrom::Current(delta) => (self.base + self.bytes.position()).checked_add_signed(delta),
        };
        let outside = || std::io::Error::other("seek before the start of the disk");
        let target = target.ok_or_else(outside)?;
        // The end of the disk is asked for its size only; nothing is written there.
        self.bytes.set_position(target.saturating_sub(self.base));
        Ok(target)
    }
}
