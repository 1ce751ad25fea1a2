//! Disks as they are found, and what is done with their file systems.

use std::path::{Path, PathBuf};

use super::{NewPartition, NewTable, Result};
use crate::target::ConfirmedTarget;

/// How a disk is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bus {
    /// SATA or IDE.
    Ata,
    /// NVM Express.
    Nvme,
    /// SCSI, SAS, RAID controllers.
    Scsi,
    /// USB.
    Usb,
    /// virtio-blk.
    Virtio,
    /// eMMC and SD cards.
    Mmc,
    /// Anything else.
    Other,
}

impl Bus {
    /// The name in a task sequence.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ata => "sata",
            Self::Nvme => "nvme",
            Self::Scsi => "scsi",
            Self::Usb => "usb",
            Self::Virtio => "virtio",
            Self::Mmc => "mmc",
            Self::Other => "other",
        }
    }
}

/// A disk as it was found, without mounting anything of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Counts the disks that can be targets, from 0, in the order of their names.
    pub number: u32,
    /// Device node.
    pub path: PathBuf,
    /// Manufacturer's model text.
    pub model: String,
    /// Serial number; may be empty.
    pub serial: String,
    /// World-wide name; may be empty.
    pub wwn: String,
    /// Bytes.
    pub size: u64,
    /// Logical sector size in bytes.
    pub sector_size: u32,
    /// How it is attached.
    pub bus: Bus,
    /// Removable or attached by USB.
    pub removable: bool,
    /// Write-protected.
    pub read_only: bool,
    /// Carries media of ours (this one or another).
    pub is_media: bool,
    /// Volume set identifier of an ISO 9660 volume that covers the disk (our media put their id there), in lower
    /// case; else empty.
    pub volume_set: String,
    /// GUID of the GPT, or the MBR's signature as 8 hexadecimal digits; empty without a table.
    pub table_id: String,
    /// Its partitions in the order of their numbers.
    pub partitions: Vec<Partition>,
    /// Has a partition table or a file system.
    pub has_content: bool,
}

impl Disk {
    /// A disk that nothing lies on and that says nothing of itself.
    pub fn empty(path: impl Into<PathBuf>, size: u64, bus: Bus) -> Self {
        Self {
            number: 0,
            path: path.into(),
            model: String::new(),
            serial: String::new(),
            wwn: String::new(),
            size,
            sector_size: 512,
            bus,
            removable: bus == Bus::Usb,
            read_only: false,
            is_media: false,
            volume_set: String::new(),
            table_id: String::new(),
            partitions: Vec::new(),
            has_content: false,
        }
    }
}

/// A partition as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Number as the system counts that runs, from 1.
    pub number: u32,
    /// Device node.
    pub path: PathBuf,
    /// What the kernel calls PARTUUID, in lower case: stays the same over restarts.
    pub id: String,
    /// GPT type GUID, or the MBR type as `0x83`.
    pub kind: String,
    /// Name in a GPT; else empty.
    pub name: String,
    /// Attributes in a GPT; else 0.
    pub attributes: u64,
    /// Active in an MBR: the one that a BIOS starts.
    pub active: bool,
    /// Bytes from the start of the disk.
    pub start: u64,
    /// Bytes.
    pub size: u64,
    /// File system by its signature: `vfat`, `exfat`, `ntfs`, `ext4`, `xfs`, `btrfs`, `iso9660`, `swap`; empty if
    /// unknown.
    pub file_system: String,
    /// Label of the file system.
    pub label: String,
    /// UUID of a Linux file system, in lower case; else empty.
    pub uuid: String,
}

/// The attribute of a GPT's partition that no system is to show (Microsoft, "PARTITION_INFORMATION_GPT").
pub(crate) const HIDDEN_ATTRIBUTE: u64 = 1 << 62;
/// The types of an MBR's partitions with FAT, NTFS and exFAT that no system is to show.
const HIDDEN_TYPES: [&str; 7] = ["0x11", "0x14", "0x16", "0x17", "0x1b", "0x1c", "0x1e"];

impl Partition {
    /// Whether the table says that no system is to show its volume.
    pub fn is_hidden(&self) -> bool {
        let kind = self.kind.to_ascii_lowercase();
        self.attributes & HIDDEN_ATTRIBUTE != 0 || HIDDEN_TYPES.contains(&kind.as_str())
    }

    /// The number that steps know it by, whatever the boot image is: that of its entry, those of logical ones from 5. Windows
    /// counts without the extended one; in an MBR the entry is the end of the id (`0badf00d-05`).
    pub fn entry(&self) -> u32 {
        const SIGNATURE: usize = 8;
        let of_mbr = self
            .id
            .split_once('-')
            .filter(|(table, entry)| table.len() == SIGNATURE && entry.len() == 2);
        let entry = of_mbr.and_then(|(_, entry)| u32::from_str_radix(entry, 16).ok());
        entry.unwrap_or(self.number)
    }
}

/// Disks, file systems, mounts.
pub trait Disks {
    /// All disks.
    fn disks(&self) -> Result<Vec<Disk>>;
    /// Whether the table and its file systems can be made here, before anything is changed.
    fn check_table(&self, _table: &NewTable) -> Result<()> {
        Ok(())
    }
    /// Writes a disk's table; what was there is lost. Gives it as it is now: some systems choose numbers and identifiers of the
    /// partitions themselves.
    fn write_table(&self, target: &ConfirmedTarget, table: &NewTable) -> Result<NewTable>;
    /// Makes a file system; what was there is lost.
    fn make_file_system(&self, target: &ConfirmedTarget, partition: &NewPartition) -> Result<()>;
    /// Content of a small file on an unmounted FAT volume, if it is there. Nothing is mounted to look at it.
    fn peek(&self, partition: &Path, file: &str) -> Result<Option<Vec<u8>>>;
    /// The paths of files and folders of a FAT volume that are read-only, hidden or of the system, where images that are captured here
    /// do not keep that.
    fn files_losing_attributes(&self, _partition: &Path) -> Result<Vec<String>> {
        Ok(vec![])
    }
    /// Mounts a volume by its device node and gives the folder; mounting it again gives the same folder. A mount that
    /// is not writable changes nothing of the volume: no journal is replayed.
    fn mount(&self, device: &Path, writable: bool) -> Result<PathBuf>;
    /// Unmounts what [`Disks::mount`] mounted, after a flush.
    fn unmount(&self, device: &Path) -> Result<()>;
    /// Makes a volume that the run has made writable again after a power cut; nothing where that needs no help.
    fn recover(&self, device: &Path) -> Result<()>;
    /// Why the volume's content is not complete without a replay of its journal; nothing for one that was unmounted
    /// as it should be.
    fn unclean(&self, device: &Path) -> Result<Option<String>>;
    /// Shows a mounted volume, or the view of one, at a folder inside another one; the folder is made. Doing it again
    /// changes nothing.
    fn mount_inside(&self, folder: &Path, at: &Path) -> Result<()>;
    /// Takes it out again; nothing happens where nothing is shown.
    fn unmount_inside(&self, at: &Path) -> Result<()>;
    /// The name by which the user's commands find the root of the system that the run builds, without a separator at its end:
    /// it leads to this folder from now on.
    fn lead_to_system(&self, root: &Path) -> Result<String>;
    /// A view of the folder in which changes stay in memory: the disk keeps what it has.
    fn overlay(&self, folder: &Path) -> Result<PathBuf>;
    /// Takes such a view away.
    fn remove_overlay(&self, view: &Path) -> Result<()>;
    /// Waits until everything that anybody has written, programs included, is on the disks.
    fn flush(&self) -> Result<()>;
    /// Bytes that are free and bytes that are used on the volume of that folder.
    fn space(&self, folder: &Path) -> Result<Space>;
}

/// Room on a volume, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Free for us.
    pub free: u64,
    /// Used by content.
    pub used: u64,
    /// The largest file that the file system can hold, where that is a limit.
    pub largest_file: Option<u64>,
}
