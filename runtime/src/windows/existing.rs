//! An installed Windows that was there before the run: which volumes are captured with it.

use std::path::{Path, PathBuf};

use anyhow::bail;
use media_format::paths;

use super::volume::{self, NTFS};
use crate::context::Context;
use crate::destination;
use crate::journal::{Target, Volume};
use crate::platform::{Disk, Partition, Platform, Result};
use crate::target;

/// Types of partitions that belong to a machine and not to its system: EFI, MSR, recovery.
const OF_THE_MACHINE: [&str; 5] = [
    "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
    "e3c9e316-0b5c-4db8-817d-f92df00215ae",
    "de94bba4-06d1-4d40-a16a-bfd50179d6ac",
    "0xef",
    "0x27",
];

/// What lies on the partition from which a BIOS starts Windows ("System Reserved", or the one that a run of ours made), in lower case.
const OF_THE_START: [&str; 8] = [
    "bootmgr",
    "boot",
    "bootnxt",
    "bootsect.bak",
    "recovery",
    "system volume information",
    "$recycle.bin",
    "efi",
];

/// Whether a capture takes volumes with that file system.
pub fn is_captured_kind(file_system: &str) -> bool {
    matches!(file_system, "ntfs" | "vfat" | "fat32")
}

/// Whether the partition can hold a volume of a Windows.
pub fn holds_volume(partition: &Partition) -> bool {
    let kind = partition.kind.to_ascii_lowercase();
    let is_of_the_machine = partition.is_hidden() || OF_THE_MACHINE.contains(&kind.as_str());
    is_captured_kind(&partition.file_system) && !is_of_the_machine
}

/// The roots of the NTFS volumes that will be captured with the Windows that runs: those of the run, or, where the boot image is
/// still to find them, all on disks that stay with the machine. What the capture goes to is not captured.
///
/// # Errors
/// When the disks cannot be read.
pub fn captured_volumes(context: &Context<'_>) -> Result<Vec<PathBuf>> {
    let target = context.journal.saved.target.as_ref();
    let known = target.map_or(&[][..], |target| &target.volumes);
    let is_taken = |partition: &&Partition| match known {
        [] => holds_volume(partition),
        known => known.iter().any(|volume| volume.id == partition.id),
    };
    let destinations = destination::volumes(context);
    Ok(possible_disks(context.platform)?
        .iter()
        .flat_map(|disk| &disk.partitions)
        .filter(|partition| partition.file_system == NTFS && !destinations.contains(&partition.path))
        .filter(is_taken)
        .map(|partition| partition.path.clone())
        .collect())
}

/// The disks on which an installed system is looked for.
///
/// # Errors
/// When they cannot be listed.
pub fn possible_disks(platform: &dyn Platform) -> Result<Vec<Disk>> {
    let mut disks = platform.disks()?;
    disks.retain(|disk| !disk.is_media && !disk.removable);
    Ok(disks)
}

/// Whether the partition can be the volume of an installed Windows; Windows PE looks like one, and runs from memory.
pub fn may_hold_system(platform: &dyn Platform, partition: &Partition) -> bool {
    partition.file_system == NTFS && holds_volume(partition) && partition.path != platform.root()
}

/// The name of the folder of an installed Windows on that partition, if there is one. It is mounted for that, and stays as it is.
///
/// # Errors
/// When it cannot be read.
pub fn folder_on(platform: &dyn Platform, partition: &Partition) -> Result<Option<String>> {
    let root = platform.mount(&partition.path, false)?;
    // The journal of a run lies on it, and it stays mounted for that.
    if platform.exists(&root.join(paths::JOURNAL)) {
        return Ok(None);
    }
    let folder = folder_in(platform, &root);
    platform.unmount(&partition.path)?;
    folder
}

fn folder_in(platform: &dyn Platform, root: &Path) -> Result<Option<String>> {
    let hive = volume::locate(platform, root, windows_setup::offline_registry::SYSTEM_HIVE)?;
    if !platform.exists(&hive) {
        return Ok(None);
    }
    let folder = hive
        .strip_prefix(root)
        .ok()
        .and_then(|path| path.components().next());
    Ok(folder.map(|folder| folder.as_os_str().to_string_lossy().into_owned()))
}

/// The Windows on that partition as the target of a capture, with every volume that a Windows uses; its own comes first.
///
/// # Errors
/// When a volume is hibernated or was not shut down.
pub fn as_target(context: &Context<'_>, disks: &[Disk], disk: &Disk, system: &Partition) -> Result<Target> {
    // The run's own partition is in use, and belongs to the machine.
    let begun = context.journal.saved.target.as_ref();
    let state = begun.map_or("", |target| target.state.as_str());
    let all = disks.iter().flat_map(|disk| &disk.partitions);
    let others = all
        .filter(|partition| state.is_empty() || partition.id != state)
        .filter(|partition| holds_volume(partition) && partition.id != system.id)
        .filter(|partition| !only_starts_windows(context, partition));
    let volumes = std::iter::once(system).chain(others);
    Ok(Target {
        disk: target::identity(disk),
        system: system.id.clone(),
        volumes: volumes.map(as_volume).collect(),
        ours: false,
        ..Target::default()
    })
    .and_then(|target| refuse_unclean(context, &target).map(|()| target))
}

/// Whether there is nothing but what a BIOS needs to start Windows: it belongs to the machine, as an EFI system partition does, but
/// its type does not say so. With anything else on it, it is somebody's volume.
fn only_starts_windows(context: &Context<'_>, partition: &Partition) -> bool {
    let names = context.platform.mount(&partition.path, false).and_then(|root| {
        let names = context.platform.list(&root);
        context.platform.unmount(&partition.path)?;
        names
    });
    let Ok(names) = names else { return false };
    let names: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    names.iter().any(|name| name == "bootmgr")
        && names.iter().all(|name| OF_THE_START.contains(&name.as_str()))
}

fn as_volume(partition: &Partition) -> Volume {
    Volume {
        id: partition.id.clone(),
        mount_point: String::new(),
        file_system: partition.file_system.clone(),
        applied: true,
    }
}

/// Only the run itself comes back with a Windows of its own, after sysprep.
const GENERALIZED: &str = "the run has generalized this Windows, and its next start would undo that: check the volume in Windows \
                           PE (`chkdsk /f`) and start the media again, or build from the beginning";

/// Refuses NTFS volumes that Windows has not put away: what it holds in memory or in the journal is missing in them.
///
/// # Errors
/// When there is one.
pub fn refuse_unclean(context: &Context<'_>, target: &Target) -> Result<()> {
    for volume in target.volumes.iter().filter(|volume| volume.file_system == NTFS) {
        let (_, device, _) = context.partition(&volume.id)?;
        if let Some(why) = context.platform.unclean(&device)? {
            let advice = if target.ours {
                GENERALIZED
            } else {
                "start that Windows, run `shutdown /s /t 0` in it (without fast startup), after sysprep where it was generalized \
                 already, and start the media again"
            };
            bail!("{} {why}; {advice}", device.display());
        }
    }
    Ok(())
}
