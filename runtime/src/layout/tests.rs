//! Layouts in numbers, places and refusals.

use super::*;
use crate::platform::Bus;
use task_sequence::Setting;

fn disk(size: u64) -> Disk {
    Disk::empty("/dev/vda", size, Bus::Virtio)
}

fn planned(options: &FormatAndPartitionDisk, size: u64, firmware: Firmware) -> Result<Planned, LayoutError> {
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
fn what_only_the_other_kind_of_system_has_is_refused() {
    let refused = |partition: &Partition, windows: bool| {
        let options = FormatAndPartitionDisk {
            partitions: vec![partition.clone()],
            ..Default::default()
        };
        planned_for(&options, 64 << 30, Firmware::Uefi, windows).err()
    };
    for kind in [
        FileSystem::Ext4,
        FileSystem::Xfs,
        FileSystem::Btrfs,
        FileSystem::Swap,
    ] {
        let mut partition = Partition::new(PartitionKind::Primary, Extent::Rest);
        partition.file_system = Setting::Value(kind);
        let why = refused(&partition, true).map(|error| error.to_string());
        assert!(
            why.as_ref().is_some_and(|why| why.contains("only for Linux")),
            "{kind}: {why:?}"
        );
        assert_eq!(refused(&partition, false), None, "{kind}");
    }
    for kind in [PartitionKind::Msr, PartitionKind::Recovery] {
        let partition = Partition::new(kind, gib(1));
        let why = refused(&partition, false).map(|error| error.to_string());
        assert!(
            why.as_ref().is_some_and(|why| why.contains("only for Windows")),
            "{kind}: {why:?}"
        );
        assert_eq!(refused(&partition, true), None, "{kind}");
    }
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

const GIB: u64 = 1 << 30;

/// A layout of those partitions on a disk of 20 GiB.
fn of(
    partitions: &[(PartitionKind, Extent)],
    firmware: Firmware,
    windows: bool,
) -> Result<Planned, LayoutError> {
    let partitions = partitions.iter().map(|(kind, size)| Partition::new(*kind, *size));
    let options = FormatAndPartitionDisk {
        partitions: partitions.collect(),
        ..Default::default()
    };
    planned_for(&options, 20 * GIB, firmware, windows)
}

fn gib(count: u64) -> Extent {
    Extent::Bytes(Size(count * GIB))
}

#[test]
fn logical_partitions_share_the_extended_one_and_count_from_5() {
    use PartitionKind::{Extended, Hidden, Logical, Primary};
    let planned = of(
        &[
            (Primary, gib(1)),
            (Extended, Extent::Rest),
            (Logical, gib(2)),
            (Logical, Extent::Percent(50)),
            (Logical, Extent::Rest),
            (Hidden, gib(1)),
        ],
        Firmware::Bios,
        false,
    )
    .unwrap();
    let partitions = &planned.table.partitions;
    let numbers: Vec<_> = partitions.iter().map(|partition| partition.number).collect();
    assert_eq!(numbers, [1, 2, 3, 5, 6, 7, 4]);
    let of_settings: Vec<_> = planned.settings.iter().map(|(number, _)| *number).collect();
    assert_eq!(of_settings, numbers);
    let [_, _, extended, first, second, third, hidden] = &partitions[..] else {
        panic!("seven partitions")
    };
    assert_eq!(
        (extended.role, extended.file_system.as_deref()),
        (Role::Extended, None)
    );
    assert_eq!(
        (first.guid.as_str(), hidden.guid.as_str()),
        ("0badcafe-05", "0badcafe-04")
    );
    assert_eq!((first.start, first.size), (extended.start + MIB, 2 * GIB - MIB));
    assert_eq!(second.start, first.start + first.size + MIB);
    assert_eq!(third.start, second.start + second.size + MIB);
    assert!(second.size.abs_diff(third.size) <= 2 * MIB, "{partitions:?}");
    let (end, end_of_extended) = (third.start + third.size, extended.start + extended.size);
    assert!(
        end <= end_of_extended && end + 2 * MIB >= end_of_extended,
        "{partitions:?}"
    );
    assert_eq!(hidden.start, end_of_extended);
    assert!(partitions.iter().all(|partition| partition.start % MIB == 0));
    assert!(planned.table.is_logical(first) && !planned.table.is_logical(hidden));
    assert_eq!(mount_points(&planned)[1], (2, "/".into()));
}

#[test]
fn logical_partitions_that_no_table_has_are_refused() {
    use PartitionKind::{Extended, Logical, Primary};
    let refused =
        |partitions: &[(PartitionKind, Extent)], firmware| of(partitions, firmware, false).unwrap_err();
    let (bios, uefi) = (Firmware::Bios, Firmware::Uefi);
    for list in [
        &[(Logical, gib(1))][..],
        &[(Logical, gib(1)), (Extended, gib(2))],
        &[(Extended, gib(2)), (Primary, gib(1)), (Logical, gib(1))],
        &[(Extended, gib(2)), (Extended, gib(2))],
    ] {
        assert!(
            matches!(refused(list, bios), LayoutError::Misplaced(_)),
            "{list:?}"
        );
    }
    let two = [(Extended, gib(2)), (Logical, gib(1))];
    let kind = LayoutError::Kind {
        kind: "extended",
        style: "GPT",
    };
    assert_eq!(refused(&two, uefi), kind);
    let full = [
        (Primary, gib(1)),
        (Extended, gib(3)),
        (Logical, gib(1)),
        (Logical, gib(1)),
        (Primary, gib(1)),
    ];
    assert!(of(&full, bios, false).is_ok());
    let five = [&full[..], &[(Primary, gib(1))]].concat();
    assert_eq!(refused(&five, bios), LayoutError::TooMany(5));
    let small = [(Extended, gib(1)), (Logical, gib(1)), (Logical, Extent::Rest)];
    let needed = GIB + 2 * MIB;
    let error = LayoutError::ExtendedTooSmall {
        needed,
        available: GIB,
    };
    assert_eq!(refused(&small, bios), error);
    // The sizes are those in the extended partition, their tables included.
    let exact = [(Extended, gib(2)), (Logical, gib(1)), (Logical, gib(1))];
    assert!(of(&exact, bios, false).is_ok());
}

#[test]
fn a_hidden_partition_is_mounted_nowhere() {
    let list = [
        (PartitionKind::Hidden, gib(1)),
        (PartitionKind::Primary, Extent::Rest),
    ];
    for (firmware, windows, kind) in [
        (Firmware::Uefi, true, "ntfs"),
        (Firmware::Bios, true, "ntfs"),
        (Firmware::Uefi, false, "ext4"),
    ] {
        let planned = of(&list, firmware, windows).unwrap();
        let [.., hidden, volume] = &planned.table.partitions[..] else {
            panic!("two volumes")
        };
        assert_eq!(
            (hidden.role, hidden.file_system.as_deref()),
            (Role::Hidden, Some(kind))
        );
        let points = mount_points(&planned);
        let of_linux = if windows { "" } else { "/" };
        assert_eq!(points[points.len() - 2].1, "");
        assert_eq!(points[points.len() - 1], (volume.number, of_linux.to_owned()));
    }
}

fn with_large_sectors(options: &FormatAndPartitionDisk, firmware: Firmware) -> Result<Planned, LayoutError> {
    let disk = Disk {
        sector_size: 4096,
        ..disk(8 << 30)
    };
    let mut input = Input {
        disk: &disk,
        firmware,
        windows: false,
        table_id: "0badcafe-0000-4000-8000-000000000000",
        guids: &mut || "guid".into(),
    };
    plan(options, &mut input)
}

#[test]
fn a_bios_does_not_start_from_sectors_of_4096_bytes() {
    let options = FormatAndPartitionDisk::default();
    let refused = with_large_sectors(&options, Firmware::Bios).unwrap_err();
    assert_eq!(refused, LayoutError::SectorSize(4096));
    assert!(with_large_sectors(&options, Firmware::Uefi).is_ok());
}

/// Firmware may tell FAT32 by the number of its clusters, and a cluster has a sector or more.
#[test]
fn fat32_has_room_for_its_clusters() {
    let with_efi = |megabytes: u64| FormatAndPartitionDisk {
        partitions: vec![
            Partition::new(PartitionKind::Efi, Extent::Bytes(Size(megabytes * MIB))),
            Partition::new(PartitionKind::Primary, Extent::Rest),
        ],
        ..FormatAndPartitionDisk::default()
    };
    assert!(planned(&with_efi(33), 8 << 30, Firmware::Uefi).is_ok());
    assert!(with_large_sectors(&with_efi(257), Firmware::Uefi).is_ok());
    for refused in [
        planned(&with_efi(32), 8 << 30, Firmware::Uefi),
        with_large_sectors(&with_efi(256), Firmware::Uefi),
    ] {
        let error = refused.unwrap_err();
        assert!(
            matches!(error, LayoutError::TooSmallForFat32 { number: 1, .. }),
            "{error}"
        );
    }
}
