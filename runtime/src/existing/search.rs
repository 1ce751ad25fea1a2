//! The search for the one installed system of the machine. It mounts what can be mounted, and changes nothing.

use anyhow::{anyhow, bail};

use crate::context::Context;
use crate::platform::{Disk, Partition, Result};
use crate::windows::existing::possible_disks;
use crate::{volumes, windows};

/// What is found on a partition.
enum Found {
    System,
    /// It has an installed Linux, or may have one, that cannot be captured: why.
    Closed(String),
    Other,
}

/// The one volume of the machine with an installed system, and its disk. A volume that cannot be looked at is named
/// and passed over: it may be anything.
///
/// # Errors
/// When there is none, or several.
pub fn find(context: &Context<'_>) -> Result<(Disk, Partition)> {
    let mut systems = Vec::new();
    let (mut closed, mut unread) = (Vec::new(), Vec::new());
    for disk in possible_disks(context.platform)? {
        for partition in &disk.partitions {
            let path = partition.path.display();
            match look_at(context, partition) {
                Ok(Found::System) => systems.push((disk.clone(), partition.clone())),
                Ok(Found::Closed(why)) => closed.push(format!("{path} {why}")),
                Ok(Found::Other) => {}
                Err(error) => unread.push(format!("{path}: {error:#}")),
            }
        }
    }
    for reason in &unread {
        context.log.warning(format!("not looked at: {reason}"));
    }
    match systems.len() {
        1 => systems.pop().ok_or_else(|| anyhow!("no system")),
        0 => bail!("{}", nothing_found(context, &closed, &unread)),
        _ => {
            let names: Vec<_> = systems
                .iter()
                .map(|(_, partition)| partition.path.display().to_string())
                .collect();
            bail!(
                "several volumes have an installed system: {}; detach what is not to be captured",
                names.join(", ")
            )
        }
    }
}

/// What can be done where a system is there and lies on what is not read.
const PLAIN: &str = "a Linux is captured from plain partitions: install it with ext4 or XFS and without LVM, encryption and RAID \
                     (in Debian's installer \"Guided - use entire disk\"), or build the reference by a sequence";

fn nothing_found(context: &Context<'_>, closed: &[String], unread: &[String]) -> String {
    let nothing = if context.is_windows() {
        "no disk of the machine has an installed Windows (an NTFS volume with \\Windows\\System32\\config\\SYSTEM)"
    } else {
        "no disk of the machine has an installed Linux (an ext4, XFS or Btrfs volume with /etc/os-release)"
    };
    let mut text = nothing.to_owned();
    if !closed.is_empty() {
        text = format!("{text} that can be captured; {}; {PLAIN}", closed.join("; "));
    }
    if !unread.is_empty() {
        text = format!("{text}; these could not be looked at: {}", unread.join("; "));
    }
    text
}

fn look_at(context: &Context<'_>, partition: &Partition) -> Result<Found> {
    if context.is_windows() {
        return look_for_windows(context, partition);
    }
    let kind = partition.file_system.as_str();
    if let Some((_, why)) = CLOSED.iter().find(|(closed, _)| *closed == kind) {
        return Ok(Found::Closed((*why).to_owned()));
    }
    if !volumes::KINDS.contains(&kind) {
        return Ok(Found::Other);
    }
    let root = context.platform.mount(&partition.path, false)?;
    let found = look_inside(context, kind, &root);
    context.platform.unmount(&partition.path)?;
    found
}

fn look_for_windows(context: &Context<'_>, partition: &Partition) -> Result<Found> {
    if !windows::existing::may_hold_system(context.platform, partition) {
        return Ok(Found::Other);
    }
    let folder = windows::existing::folder_on(context.platform, partition)?;
    Ok(folder.map_or(Found::Other, |_| Found::System))
}

/// What a Linux may lie in, besides a file system.
const CLOSED: [(&str, &str); 3] = [
    ("LVM2_member", "belongs to LVM, which is not read"),
    ("crypto_LUKS", "is encrypted (LUKS), and is not read"),
    (
        "linux_raid_member",
        "belongs to a RAID of Linux (md), which is not read",
    ),
];

const SYSTEM: &str = "etc/os-release";

/// Installers put the root of a Btrfs into a subvolume, which is a folder at the top of the volume.
fn look_inside(context: &Context<'_>, kind: &str, root: &std::path::Path) -> Result<Found> {
    if context.platform.exists(&root.join(SYSTEM)) {
        return Ok(Found::System);
    }
    if kind != "btrfs" {
        return Ok(Found::Other);
    }
    let mut names = context.platform.list(root)?.into_iter();
    let subvolume = names.find(|name| context.platform.exists(&root.join(name).join(SYSTEM)));
    let why =
        |name| format!("has one in its Btrfs subvolume {name}, and only whole Btrfs volumes are captured");
    Ok(subvolume.map_or(Found::Other, |name| Found::Closed(why(name))))
}
