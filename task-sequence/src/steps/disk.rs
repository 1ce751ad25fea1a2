//! How a sequence names a disk, and what it puts on one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::{FillFromVariable, FromText, Setting, settings, words};
use crate::size::{Extent, Size};

words! {
    /// What a disk is attached to.
    Bus {
        /// NVM Express.
        Nvme = "nvme",
        /// SATA.
        Sata = "sata",
        /// SCSI and SAS.
        Scsi = "scsi",
        /// USB.
        Usb = "usb",
        /// A virtual disk of a hypervisor.
        Virtio = "virtio",
        /// SD cards and eMMC.
        Mmc = "mmc",
    }
}

/// Which disk is meant. Everything that is given must fit, and exactly one disk may fit: two are an error.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct DiskSelector {
    /// The only disk of the machine that is neither the media nor removable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<bool>,
    /// The number of the disk, counted from 0 in the order of the machine, which a restart may change.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub number: Setting<u32>,
    /// The name of the variable that contains the number of the disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// The serial number or WWN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The disk is at least this large.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub min_size: Setting<Size>,
    /// The disk is at most this large.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub max_size: Setting<Size>,
    /// What the disk is attached to.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub bus: Setting<Bus>,
    /// Removable disks are considered too.
    #[serde(skip_serializing_if = "Setting::is_absent")]
    pub removable: Setting<bool>,
}

settings!(DiskSelector {
    only,
    number,
    variable,
    serial,
    min_size,
    max_size,
    bus,
    removable
});

impl DiskSelector {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the sequence names no disk at all.
    pub fn is_empty(&self) -> bool {
        let only_removable = Self {
            removable: self.removable.clone(),
            ..Self::default()
        };
        *self == only_removable
    }
}

impl FillFromVariable for DiskSelector {
    fn fill(&mut self, text: &str) -> Result<(), String> {
        if self.is_empty() {
            self.number = Setting::Value(u32::from_text(text)?);
        }
        Ok(())
    }
}

words! {
    /// The kind of partition table.
    PartitionStyle {
        /// GUID partition table.
        Gpt = "gpt",
        /// Master boot record.
        Mbr = "mbr",
        /// GPT on UEFI machines, MBR on BIOS machines.
        ByFirmware = "by-firmware",
    }
}

words! {
    /// The kind of a partition.
    PartitionKind {
        /// A usual partition.
        Primary = "primary",
        /// The extended partition, which holds the logical ones that follow it in the list; MBR only.
        Extended = "extended",
        /// A logical partition; MBR only. Its size counts within the extended one, and includes 1 MiB for its own table.
        Logical = "logical",
        /// A usual partition that gets no letter and is mounted nowhere.
        Hidden = "hidden",
        /// The EFI system partition.
        Efi = "efi",
        /// Microsoft's reserved partition; GPT only.
        Msr = "msr",
        /// The partition of the recovery environment.
        Recovery = "recovery",
        /// The partition for GRUB's core on BIOS machines with GPT.
        BiosBoot = "bios-boot",
    }
}

words! {
    /// What a partition is formatted with.
    FileSystem {
        /// NTFS.
        Ntfs = "ntfs",
        /// FAT32.
        Fat32 = "fat32",
        /// exFAT.
        Exfat = "exfat",
        /// ext4.
        Ext4 = "ext4",
        /// XFS.
        Xfs = "xfs",
        /// Btrfs.
        Btrfs = "btrfs",
        /// Linux swap space.
        Swap = "swap",
        /// Nothing: the partition stays unformatted.
        None = "none",
    }
}

/// A partition to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Partition {
    /// The kind of the partition.
    pub kind: PartitionKind,
    /// Its size: fixed, a share of what the fixed sizes leave, or the rest; of the disk, or of the extended partition.
    pub size: Setting<Extent>,
    /// What it is formatted with; the default follows from the kind and the operating system.
    #[serde(default, skip_serializing_if = "Setting::is_absent")]
    pub file_system: Setting<FileSystem>,
    /// The label of the volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The name of the variable that receives the volume, as `PARTUUID=` with the partition's identifier: `mount` takes it, and so does
    /// the `destination` of an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// Whether it is formatted quickly; true by default.
    #[serde(default, skip_serializing_if = "Setting::is_absent")]
    pub quick: Setting<bool>,
    /// Whether an MBR partition is marked active; not looked at, because what the machine starts from is marked anyway.
    #[serde(default, skip_serializing_if = "Setting::is_absent")]
    pub bootable: Setting<bool>,
    /// Where the volume belongs in an installed Linux: `/`, `/home`, `/boot`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mount_point: Option<String>,
}

settings!(Partition {
    kind,
    size,
    file_system,
    label,
    variable,
    quick,
    bootable,
    mount_point
});

impl Partition {
    /// A partition of the given kind and size, all else by default.
    pub fn new(kind: PartitionKind, size: Extent) -> Self {
        Self {
            kind,
            size: Setting::Value(size),
            file_system: Setting::Absent,
            label: None,
            variable: None,
            quick: Setting::Absent,
            bootable: Setting::Absent,
            mount_point: None,
        }
    }
}
