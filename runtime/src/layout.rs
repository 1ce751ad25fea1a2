//! The partitions of a disk: from the step's settings to numbers, places and identifiers. Pure.

use task_sequence::steps::{FileSystem, FormatAndPartitionDisk, Partition, PartitionKind, PartitionStyle};
use task_sequence::{Extent, Size};
use thiserror::Error;

use crate::platform::{Disk, Firmware, NewPartition, NewTable, Role};

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
    /// An MBR has four entries.
    #[error(
        "an MBR holds four partitions and the step asks for {0} (the run adds a small one of its own); use GPT"
    )]
    TooMany(usize),
    /// A kind that the style does not have.
    #[error("a partition of kind {kind} is not possible on {style}")]
    Kind {
        /// The kind.
        kind: &'static str,
        /// GPT or MBR.
        style: &'static str,
    },
    /// A disk over the limit of an MBR.
    #[error("the disk is larger than the 2 TiB that an MBR can address; use GPT")]
    TooLargeForMbr,
    /// A BIOS starts from sectors of 512 bytes only.
    #[error(
        "the disk has sectors of {0} bytes and a BIOS starts from sectors of 512 bytes only; start the machine with UEFI"
    )]
    SectorSize(u32),
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
    let wanted = complete(options, gpt, input);
    check(&wanted, gpt, input)?;
    let sizes = sizes(&wanted, input.disk.size)?;
    let mut planned = Planned {
        table: NewTable {
            gpt,
            id: table_id(input.table_id, gpt),
            partitions: Vec::new(),
        },
        settings: Vec::new(),
    };
    let mut start = ALIGN;
    for (index, (wish, size)) in wanted.into_iter().zip(sizes).enumerate() {
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let guid = if gpt {
            (input.guids)()
        } else {
            format!("{}-{number:02x}", planned.table.id)
        };
        planned
            .table
            .partitions
            .push(partition(&wish, number, start, size, guid));
        planned.settings.push((number, wish.setting));
        start += size;
    }
    Ok(planned)
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
        PartitionKind::Primary | PartitionKind::Logical | PartitionKind::Hidden => {
            match setting.file_system.get() {
                Some(FileSystem::Ntfs | FileSystem::Exfat | FileSystem::Fat32) => Role::Data,
                Some(FileSystem::Swap) => Role::Swap,
                None if windows => Role::Data,
                _ => Role::Linux,
            }
        }
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
        (Role::Extended, _) => Some("extended"),
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
    if !gpt && wishes.len() > 4 {
        return Err(LayoutError::TooMany(wishes.len()));
    }
    if !gpt && disk.size / u64::from(disk.sector_size) > u64::from(u32::MAX) {
        return Err(LayoutError::TooLargeForMbr);
    }
    Ok(())
}

/// Fixed sizes first, then the shares of what is left, then the rest in equal parts.
fn sizes(wishes: &[Wish], disk: u64) -> Result<Vec<u64>, LayoutError> {
    let available = disk.saturating_sub(ALIGN + TAIL) / ALIGN * ALIGN;
    let fixed = |wish: &Wish| match wish.size {
        Extent::Bytes(size) => Some(size.bytes().next_multiple_of(ALIGN)),
        Extent::Percent(_) | Extent::Rest => None,
    };
    let taken: u64 = wishes.iter().filter_map(fixed).sum();
    let flexible = wishes.iter().filter(|wish| fixed(wish).is_none()).count() as u64;
    let needed = taken + flexible * ALIGN;
    if needed > available {
        return Err(LayoutError::TooSmall {
            needed: needed + ALIGN + TAIL,
            available: disk,
        });
    }
    let left = available - taken;
    let share = |percent: u8| left / 100 * u64::from(percent) / ALIGN * ALIGN;
    let shares: u64 = wishes
        .iter()
        .filter_map(|w| {
            if let Extent::Percent(p) = w.size {
                Some(share(p))
            } else {
                None
            }
        })
        .sum();
    if shares > left {
        return Err(LayoutError::TooSmall {
            needed: taken + shares + ALIGN + TAIL,
            available: disk,
        });
    }
    let rests = wishes
        .iter()
        .filter(|wish| wish.size == Extent::Rest)
        .count()
        .max(1) as u64;
    let rest = (left - shares) / rests / ALIGN * ALIGN;
    Ok(wishes
        .iter()
        .map(|wish| match wish.size {
            Extent::Bytes(size) => size.bytes().next_multiple_of(ALIGN),
            Extent::Percent(percent) => share(percent).max(ALIGN),
            Extent::Rest => rest,
        })
        .collect())
}

fn partition(wish: &Wish, number: u32, start: u64, size: u64, guid: String) -> NewPartition {
    let setting = wish.setting.as_ref();
    let file_system = setting
        .and_then(|s| s.file_system.get().copied())
        .or(match wish.role {
            Role::Efi | Role::State => Some(FileSystem::Fat32),
            Role::Linux => Some(FileSystem::Ext4),
            Role::Swap => Some(FileSystem::Swap),
            Role::Data | Role::Recovery => Some(FileSystem::Ntfs),
            Role::BiosBoot | Role::Msr | Role::Extended => None,
        });
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
        Role::Extended => ("", ""),
    };
    NewPartition {
        number,
        start,
        size,
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
mod tests {
    use super::*;
    use crate::platform::Bus;
    use task_sequence::Setting;

    fn disk(size: u64) -> Disk {
        Disk::empty("/dev/vda", size, Bus::Virtio)
    }

    fn planned(
        options: &FormatAndPartitionDisk,
        size: u64,
        firmware: Firmware,
    ) -> Result<Planned, LayoutError> {
        planned_for(options, size, firmware, false)
    }

    fn planned_for(
        options: &FormatAndPartitionDisk,
        size: u64,
        firmware: Firmware,
        windows: bool,
    ) -> Result<Planned, LayoutError> {
        let mut count = 0;
        let mut guids = || {
            count += 1;
            format!("guid-{count}")
        };
        let disk = disk(size);
        let table_id = "0badcafe-0000-4000-8000-000000000000";
        plan(
            options,
            &mut Input {
                disk: &disk,
                firmware,
                windows,
                table_id,
                guids: &mut guids,
            },
        )
    }

    fn roles(planned: &Planned) -> Vec<Role> {
        planned
            .table
            .partitions
            .iter()
            .map(|partition| partition.role)
            .collect()
    }

    #[test]
    fn the_default_layout_follows_the_firmware() {
        let options = FormatAndPartitionDisk::default();
        let uefi = planned(&options, 8 << 30, Firmware::Uefi).unwrap();
        assert!(uefi.table.gpt);
        assert_eq!(roles(&uefi), [Role::Efi, Role::Linux]);
        let bios = planned(&options, 8 << 30, Firmware::Bios).unwrap();
        assert!(!bios.table.gpt);
        assert_eq!(roles(&bios), [Role::State, Role::Linux]);
        assert_eq!(bios.table.id, "0badcafe");
        assert_eq!(bios.table.partitions[1].guid, "0badcafe-02");
        assert_eq!(mount_points(&bios), [(1, String::new()), (2, "/".into())]);
    }

    #[test]
    fn windows_gets_what_its_own_set_up_makes() {
        let options = FormatAndPartitionDisk::default();
        let default = planned_for(&options, 64 << 30, Firmware::Uefi, true).unwrap();
        assert_eq!(
            roles(&default),
            [Role::Efi, Role::Msr, Role::Data, Role::Recovery]
        );
        let [_, msr, windows, recovery] = &default.table.partitions[..] else {
            panic!("four partitions")
        };
        assert_eq!((msr.size, msr.file_system.as_deref()), (16 * MIB, None));
        assert_eq!(windows.file_system.as_deref(), Some("ntfs"));
        assert_eq!((windows.label.as_str(), recovery.size), ("Windows", 1 << 30));
        assert_eq!(recovery.start, windows.start + windows.size);
        let given = FormatAndPartitionDisk {
            partitions: vec![
                Partition::new(PartitionKind::Msr, Extent::Bytes(Size(128 * MIB))),
                Partition::new(PartitionKind::Primary, Extent::Rest),
            ],
            ..Default::default()
        };
        let given = planned_for(&given, 64 << 30, Firmware::Uefi, true).unwrap();
        assert_eq!(roles(&given), [Role::Efi, Role::Msr, Role::Data]);
        assert_eq!(given.table.partitions[1].size, 128 * MIB);
        let bios = planned_for(&options, 64 << 30, Firmware::Bios, true).unwrap();
        assert_eq!(roles(&bios), [Role::State, Role::Data, Role::Recovery]);
        assert!(!bios.table.gpt);
    }

    #[test]
    fn a_style_from_which_windows_does_not_start_is_refused() {
        for (style, firmware) in [
            (PartitionStyle::Gpt, Firmware::Bios),
            (PartitionStyle::Mbr, Firmware::Uefi),
        ] {
            let options = FormatAndPartitionDisk {
                style: Setting::Value(style),
                ..Default::default()
            };
            let refused = planned_for(&options, 64 << 30, firmware, true);
            assert!(
                matches!(refused, Err(LayoutError::StyleOfWindows { .. })),
                "{refused:?}"
            );
            assert!(planned_for(&options, 64 << 30, firmware, false).is_ok());
        }
    }

    #[test]
    fn bios_on_gpt_gets_a_place_for_grub() {
        let options = FormatAndPartitionDisk {
            style: Setting::Value(PartitionStyle::Gpt),
            ..Default::default()
        };
        let planned = planned(&options, 8 << 30, Firmware::Bios).unwrap();
        assert_eq!(roles(&planned), [Role::BiosBoot, Role::State, Role::Linux]);
    }

    #[test]
    fn shares_are_of_what_the_fixed_sizes_leave_and_nothing_overlaps() {
        let part = |kind, size| Partition::new(kind, size);
        let options = FormatAndPartitionDisk {
            partitions: vec![
                part(PartitionKind::Primary, Extent::Percent(50)),
                part(PartitionKind::Primary, Extent::Bytes(Size(1 << 30))),
                part(PartitionKind::Primary, Extent::Rest),
            ],
            ..Default::default()
        };
        let planned = planned(&options, 10 << 30, Firmware::Uefi).unwrap();
        let partitions = &planned.table.partitions;
        assert_eq!(partitions[2].size, 1 << 30);
        assert!(
            partitions[1].size.abs_diff(partitions[3].size) <= 2 * MIB,
            "{partitions:?}"
        );
        for pair in partitions.windows(2) {
            assert!(pair[0].start + pair[0].size <= pair[1].start);
        }
        let end = partitions[3].start + partitions[3].size;
        assert!(end <= (10 << 30) - TAIL && end > (10 << 30) - TAIL - 3 * MIB);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let options = FormatAndPartitionDisk::default();
        assert!(matches!(
            planned(&options, 256 * MIB, Firmware::Uefi),
            Err(LayoutError::TooSmall { .. })
        ));
        let many = FormatAndPartitionDisk {
            partitions: vec![Partition::new(PartitionKind::Primary, Extent::Bytes(Size(MIB))); 4],
            ..Default::default()
        };
        assert_eq!(
            planned(&many, 8 << 30, Firmware::Bios),
            Err(LayoutError::TooMany(5))
        );
        assert_eq!(
            planned(&options, 3 << 40, Firmware::Bios),
            Err(LayoutError::TooLargeForMbr)
        );
    }
}
