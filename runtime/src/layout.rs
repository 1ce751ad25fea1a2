//! The partitions of a disk: from the step's settings to numbers, places and identifiers. Pure.

use task_sequence::steps::{
    FileSystem, FormatAndPartitionDisk, Partition, PartitionKind, PartitionStyle, misplaced_partitions,
};
use task_sequence::{Extent, Size};
use thiserror::Error;

use crate::platform::{Disk, Firmware, MBR_ENTRIES, NewPartition, NewTable, Role};

mod sizes;

const MIB: u64 = 1 << 20;
/// The ESP also holds the staged boot image while the run lasts.
const EFI_SIZE: u64 = 512 * MIB;
/// Below 260 MiB, FAT32 with the usual clusters has too few of them to be FAT32 for every firmware.
const STATE_SIZE: u64 = 512 * MIB;
const BIOS_BOOT_SIZE: u64 = MIB;
/// What Windows' own set-up makes.
const MSR_SIZE: u64 = 16 * MIB;
/// Room for Winre.wim, which Windows moves there, and for its updates.
const RECOVERY_SIZE: u64 = 1024 * MIB;
/// Every partition begins at a multiple of this.
const ALIGN: u64 = MIB;
/// Kept free at the end, for the backup of a GPT.
const TAIL: u64 = MIB;

/// Why a layout is impossible. Nothing was changed.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum LayoutError {
    /// Not enough room.
    #[error("the partitions need at least {needed} bytes and the disk has {available}")]
    TooSmall {
        /// Bytes.
        needed: u64,
        /// Bytes.
        available: u64,
    },
    /// Not enough room in the extended partition.
    #[error(
        "the logical partitions need at least {needed} bytes and the extended one has {available}; make it larger"
    )]
    ExtendedTooSmall {
        /// Bytes.
        needed: u64,
        /// Bytes.
        available: u64,
    },
    /// An MBR has four entries.
    #[error(
        "an MBR holds four partitions and the step asks for {0} (the run adds a small one of its own); use GPT, or put \
         some of them as logical ones into an extended one"
    )]
    TooMany(usize),
    /// An order of extended and logical partitions that no table has.
    #[error("{0}")]
    Misplaced(&'static str),
    /// A kind that the style does not have.
    #[error(
        "a partition of kind {kind} is not possible on {style}; write another kind, or the other `style`"
    )]
    Kind {
        /// The kind.
        kind: &'static str,
        /// GPT or MBR.
        style: &'static str,
    },
    /// A partition that the other kind of system has.
    #[error(
        "{what} is only for {system}, and the task sequence is not; leave it out of `partitions` (OSDPartitions)"
    )]
    Foreign {
        /// The file system or the kind.
        what: String,
        /// Who has it.
        system: &'static str,
    },
    /// A disk over the limit of an MBR.
    #[error("the disk is larger than the 2 TiB that an MBR can address; use GPT")]
    TooLargeForMbr,
    /// A BIOS starts from sectors of 512 bytes only.
    #[error(
        "the disk has sectors of {0} bytes and a BIOS starts from sectors of 512 bytes only; start the machine with UEFI"
    )]
    SectorSize(u32),
    /// FAT32 with fewer clusters is FAT16 for some firmware.
    #[error(
        "the partition {number} has {size} bytes, and FAT32 on sectors of {sector_size} bytes has at least {least}; make it larger"
    )]
    TooSmallForFat32 {
        /// Of the partition.
        number: u32,
        /// Its bytes.
        size: u64,
        /// Of the disk.
        sector_size: u32,
        /// Bytes.
        least: u64,
    },
    /// Windows has a boot loader for each firmware, and each knows one style.
    #[error(
        "{firmware} starts Windows from {style} disks only; leave `style` out of the step, so that it follows the firmware"
    )]
    StyleOfWindows {
        /// How the machine starts.
        firmware: &'static str,
        /// What it needs.
        style: &'static str,
    },
}

/// What the planner needs besides the settings.
pub struct Input<'a> {
    /// The disk.
    pub disk: &'a Disk,
    /// The machine's firmware.
    pub firmware: Firmware,
    /// The disk of a Windows, else of a Linux.
    pub windows: bool,
    /// GUID of the disk; its first 8 digits are the MBR's signature.
    pub table_id: &'a str,
    /// A GUID for each partition.
    pub guids: &'a mut dyn FnMut() -> String,
}

/// A planned layout: the table, and beside each partition the setting that asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// What to write.
    pub table: NewTable,
    /// The settings, by partition number; none for those that the run adds.
    pub settings: Vec<(u32, Option<Partition>)>,
}

/// Plans the layout of a disk.
///
/// # Errors
/// When the partitions do not fit or the style does not allow them.
pub fn plan(options: &FormatAndPartitionDisk, input: &mut Input<'_>) -> Result<Planned, LayoutError> {
    let gpt = match options.style.unwrap_or(PartitionStyle::ByFirmware) {
        PartitionStyle::Gpt => true,
        PartitionStyle::Mbr => false,
        PartitionStyle::ByFirmware => input.firmware == Firmware::Uefi,
    };
    options
        .partitions
        .iter()
        .try_for_each(|partition| check_system(partition, input.windows))?;
    let wanted = complete(options, gpt, input);
    check(&wanted, gpt, input)?;
    misplaced_partitions(&options.partitions).map_or(Ok(()), |why| Err(LayoutError::Misplaced(why)))?;
    let places = places(&wanted, input.disk.size)?;
    let mut planned = Planned {
        table: NewTable {
            gpt,
            id: table_id(input.table_id, gpt),
            partitions: Vec::new(),
        },
        settings: Vec::new(),
    };
    for (wish, place) in wanted.into_iter().zip(places) {
        let guid = if gpt {
            (input.guids)()
        } else {
            format!("{}-{:02x}", planned.table.id, place.number)
        };
        let settings = (place.number, wish.setting.clone());
        planned
            .table
            .partitions
            .push(partition(wish, place, guid, input.windows));
        planned.settings.push(settings);
    }
    check_fat32(&planned.table, input.disk.sector_size)?;
    Ok(planned)
}

/// A cluster has a sector or more.
fn check_fat32(table: &NewTable, sector_size: u32) -> Result<(), LayoutError> {
    let least = least_fat32(sector_size);
    let is_fat32 = |partition: &&NewPartition| partition.file_system.as_deref() == Some("fat32");
    let mut volumes = table.partitions.iter().filter(is_fat32);
    match volumes.find(|partition| partition.size < least) {
        None => Ok(()),
        Some(partition) => Err(LayoutError::TooSmallForFat32 {
            number: partition.number,
            size: partition.size,
            sector_size,
            least,
        }),
    }
}

/// Reserved sectors, two tables and the clusters of the smallest FAT32 ("FAT: General Overview of On-Disk Format", 3.5).
fn least_fat32(sector_size: u32) -> u64 {
    const CLUSTERS: u64 = 65_525;
    const RESERVED: u64 = 32;
    let sector_size = u64::from(sector_size);
    let table = ((CLUSTERS + 2) * 4).div_ceil(sector_size);
    let least = (RESERVED + 2 * table + CLUSTERS) * sector_size;
    // The program that makes it begins the clusters at a track, and partitions have whole ones of these.
    least.next_multiple_of(MIB)
}

/// Where a partition lies, and its number.
struct Position {
    number: u32,
    start: u64,
    size: u64,
}

/// One behind the other; those in the extended partition each behind a table of their own. The kernel counts these from 5, however
/// many entries of the MBR are in use.
fn places(wishes: &[Wish], disk: u64) -> Result<Vec<Position>, LayoutError> {
    let (mut number, mut logical) = (0, MBR_ENTRIES);
    let (mut start, mut inside) = (ALIGN, ALIGN);
    let place = |(wish, size): (&Wish, u64)| {
        if wish.is_logical() {
            logical += 1;
            inside += size;
            return Position {
                number: logical,
                start: inside - size + sizes::LOGICAL_TABLE,
                size: size - sizes::LOGICAL_TABLE,
            };
        }
        if wish.role == Role::Extended {
            inside = start;
        }
        number += 1;
        start += size;
        Position {
            number,
            start: start - size,
            size,
        }
    };
    let sizes = sizes::of(wishes, disk)?;
    Ok(wishes.iter().zip(sizes).map(place).collect())
}

fn table_id(guid: &str, gpt: bool) -> String {
    let signature: String = guid.chars().filter(char::is_ascii_hexdigit).take(8).collect();
    if gpt { guid.to_owned() } else { signature }
}

/// A partition that somebody wants.
struct Wish {
    role: Role,
    size: Extent,
    setting: Option<Partition>,
}

impl Wish {
    fn is_logical(&self) -> bool {
        let setting = self.setting.as_ref();
        setting.is_some_and(|setting| setting.kind == PartitionKind::Logical)
    }
}

fn complete(options: &FormatAndPartitionDisk, gpt: bool, input: &Input<'_>) -> Vec<Wish> {
    let (firmware, windows) = (input.firmware, input.windows);
    // One list may serve both firmwares: each passes over what only the other one starts from.
    let useless = match firmware {
        Firmware::Uefi => PartitionKind::BiosBoot,
        Firmware::Bios => PartitionKind::Efi,
    };
    let given: Vec<&Partition> = options.partitions.iter().filter(|p| p.kind != useless).collect();
    let has = |kind| given.iter().any(|partition| partition.kind == kind);
    let mut wishes = Vec::new();
    let mut add = |role, size| {
        wishes.push(Wish {
            role,
            size: Extent::Bytes(Size(size)),
            setting: None,
        })
    };
    if firmware == Firmware::Uefi && !has(PartitionKind::Efi) {
        add(Role::Efi, EFI_SIZE);
    }
    if windows && gpt && !has(PartitionKind::Msr) {
        add(Role::Msr, MSR_SIZE);
    }
    if firmware == Firmware::Bios {
        if gpt && !has(PartitionKind::BiosBoot) {
            add(Role::BiosBoot, BIOS_BOOT_SIZE);
        }
        add(Role::State, STATE_SIZE);
    }
    if given.is_empty() {
        wishes.extend(default_volumes(windows));
    }
    wishes.extend(given.iter().map(|setting| Wish {
        role: role(setting, windows),
        size: setting.size.unwrap_or(Extent::Rest),
        setting: Some((*setting).clone()),
    }));
    wishes
}

/// The recovery partition comes behind Windows, so that an update of it can make it larger.
fn default_volumes(windows: bool) -> Vec<Wish> {
    let wish = |role, size| Wish {
        role,
        size,
        setting: None,
    };
    if windows {
        let recovery = Extent::Bytes(Size(RECOVERY_SIZE));
        vec![wish(Role::Data, Extent::Rest), wish(Role::Recovery, recovery)]
    } else {
        vec![wish(Role::Linux, Extent::Rest)]
    }
}

fn role(setting: &Partition, windows: bool) -> Role {
    match setting.kind {
        PartitionKind::Efi => Role::Efi,
        PartitionKind::BiosBoot => Role::BiosBoot,
        PartitionKind::Msr => Role::Msr,
        PartitionKind::Recovery => Role::Recovery,
        PartitionKind::Extended => Role::Extended,
        PartitionKind::Hidden => Role::Hidden,
        PartitionKind::Primary | PartitionKind::Logical => match setting.file_system.get() {
            Some(FileSystem::Ntfs | FileSystem::Exfat | FileSystem::Fat32) => Role::Data,
            Some(FileSystem::Swap) => Role::Swap,
            None if windows => Role::Data,
            _ => Role::Linux,
        },
    }
}

/// Variables of the media serve sequences for both systems: what they ask for is known only here.
fn check_system(partition: &Partition, windows: bool) -> Result<(), LayoutError> {
    use FileSystem::{Btrfs, Ext4, Swap, Xfs};
    let file_system = partition.file_system.get();
    match (partition.kind, file_system) {
        (_, Some(kind @ (Btrfs | Ext4 | Swap | Xfs))) if windows => Err(LayoutError::Foreign {
            what: format!("the file system {kind}"),
            system: "Linux",
        }),
        (kind @ (PartitionKind::Msr | PartitionKind::Recovery), _) if !windows => Err(LayoutError::Foreign {
            what: format!("a partition of kind {kind}"),
            system: "Windows",
        }),
        _ => Ok(()),
    }
}

fn check(wishes: &[Wish], gpt: bool, input: &Input<'_>) -> Result<(), LayoutError> {
    let disk = input.disk;
    if input.windows && gpt != (input.firmware == Firmware::Uefi) {
        let (firmware, style) = match input.firmware {
            Firmware::Uefi => ("UEFI", "GPT"),
            Firmware::Bios => ("a BIOS", "MBR"),
        };
        return Err(LayoutError::StyleOfWindows { firmware, style });
    }
    if input.firmware == Firmware::Bios && disk.sector_size != 512 {
        return Err(LayoutError::SectorSize(disk.sector_size));
    }
    let impossible = wishes.iter().find_map(|wish| match (wish.role, gpt) {
        (Role::Extended, true) => Some("extended"),
        (_, true) if wish.is_logical() => Some("logical"),
        (Role::Msr, false) => Some("msr"),
        (Role::BiosBoot, false) => Some("bios-boot"),
        _ => None,
    });
    if let Some(kind) = impossible {
        return Err(LayoutError::Kind {
            kind,
            style: if gpt { "GPT" } else { "MBR" },
        });
    }
    let entries = wishes.iter().filter(|wish| !wish.is_logical()).count();
    if !gpt && entries > MBR_ENTRIES as usize {
        return Err(LayoutError::TooMany(entries));
    }
    if !gpt && disk.size / u64::from(disk.sector_size) > u64::from(u32::MAX) {
        return Err(LayoutError::TooLargeForMbr);
    }
    Ok(())
}

fn partition(wish: Wish, place: Position, guid: String, windows: bool) -> NewPartition {
    let setting = wish.setting.as_ref();
    let given = setting.and_then(|s| s.file_system.get().copied());
    let file_system = match wish.role {
        Role::Extended => None,
        role => given.or(default_file_system(role, windows)),
    };
    let (name, label) = match wish.role {
        Role::Efi => ("EFI system partition", "ESP"),
        Role::BiosBoot => ("BIOS boot partition", ""),
        Role::State => ("Boot state", "BOOT-STATE"),
        Role::Swap => ("Linux swap", "swap"),
        Role::Linux => ("Linux", "root"),
        Role::Data if setting.is_none() => ("Basic data partition", "Windows"),
        Role::Data => ("Basic data partition", ""),
        Role::Msr => ("Microsoft reserved partition", ""),
        Role::Recovery => ("Recovery", "Recovery"),
        Role::Hidden => ("Hidden partition", ""),
        Role::Extended => ("", ""),
    };
    NewPartition {
        number: place.number,
        start: place.start,
        size: place.size,
        role: wish.role,
        name: name.into(),
        file_system: file_system
            .filter(|fs| *fs != FileSystem::None)
            .map(|fs| fs.as_str().to_owned()),
        label: setting
            .and_then(|s| s.label.clone())
            .unwrap_or_else(|| label.into()),
        quick: setting.is_none_or(|s| s.quick.unwrap_or(true)),
        guid,
    }
}

fn default_file_system(role: Role, windows: bool) -> Option<FileSystem> {
    match role {
        Role::Efi | Role::State => Some(FileSystem::Fat32),
        Role::Linux => Some(FileSystem::Ext4),
        Role::Hidden if !windows => Some(FileSystem::Ext4),
        Role::Swap => Some(FileSystem::Swap),
        Role::Data | Role::Recovery | Role::Hidden => Some(FileSystem::Ntfs),
        Role::BiosBoot | Role::Msr | Role::Extended => None,
    }
}

/// Where a volume belongs in an installed Linux: what the setting says, else the root for the first Linux volume.
pub fn mount_points(planned: &Planned) -> Vec<(u32, String)> {
    let mut root_taken = planned
        .settings
        .iter()
        .flat_map(|s| &s.1)
        .any(|s| s.mount_point.as_deref() == Some("/"));
    let mut points = Vec::new();
    for (partition, (number, setting)) in planned.table.partitions.iter().zip(&planned.settings) {
        let given = setting.as_ref().and_then(|setting| setting.mount_point.clone());
        let point = match (given, partition.role) {
            (_, Role::Hidden | Role::Extended) => String::new(),
            (Some(point), _) if point == "/" => point,
            (Some(point), _) => point.trim_end_matches('/').to_owned(),
            (None, Role::Linux) if !root_taken => {
                root_taken = true;
                "/".into()
            }
            _ => String::new(),
        };
        points.push((*number, point));
    }
    points
}

#[cfg(test)]
mod tests;
