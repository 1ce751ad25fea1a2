//! An installed system that was there before the run: found, captured, never changed.

use anyhow::bail;
use media_format::event::Environment;

use crate::context::Context;
use crate::fstab::{self, Entry};
use crate::journal::{Target, Volume};
use crate::platform::{Disk, Partition, Result};
use crate::windows::existing::possible_disks;
use crate::{destination, target, volumes, windows};

mod search;

pub use search::find;

/// Without these no captured system starts, or what was installed in it is missing.
const ESSENTIAL: [&str; 4] = ["/boot", "/opt", "/usr", "/var"];

/// Makes the one installed system of the machine the target of the run, unless there is a target.
///
/// # Errors
/// When there is none, or several, or it cannot be captured as a whole.
pub fn adopt(context: &mut Context<'_>) -> Result<()> {
    if let Some(target) = context.journal.saved.target.clone() {
        return complete(context, target);
    }
    if context.here == Environment::Os {
        bail!(
            "inside an installed system that this run did not build, nothing can be captured: start the media"
        );
    }
    let (disk, partition) = find(context)?;
    context.log.info(format!(
        "captures the system on {} of {}",
        partition.path.display(),
        target::describe(&disk)
    ));
    context.journal.saved.target = Some(as_target(context, &disk, &partition)?);
    Ok(())
}

/// A run that began inside a Windows has named that one's volume, and left the others to the boot image.
fn complete(context: &mut Context<'_>, begun: Target) -> Result<()> {
    if begun.ours || !begun.volumes.is_empty() || context.here == Environment::Os {
        return Ok(());
    }
    let disks = possible_disks(context.platform)?;
    let system = |partition: &&Partition| partition.id == begun.system;
    let places = disks
        .iter()
        .filter_map(|disk| Some((disk, disk.partitions.iter().find(system)?)));
    let Some((disk, partition)) = places.into_iter().next() else {
        bail!(
            "the volume of Windows ({}) is on no disk of the machine: is the disk attached, and does the boot image have the \
             driver of its controller?",
            begun.system
        );
    };
    let found = as_target(context, disk, partition)?;
    context.journal.saved.target = Some(Target {
        state: begun.state,
        efi: begun.efi,
        ..found
    });
    Ok(())
}

/// Finds before anything is done what [`adopt`] would refuse.
///
/// # Errors
/// As for [`adopt`], of a Linux.
pub fn check(context: &Context<'_>) -> Result<()> {
    let is_known = context.journal.saved.target.is_some() || destination::builds(context.sequence);
    if is_known || context.is_windows() || context.here == Environment::Os {
        return Ok(());
    }
    let (_, partition) = find(context)?;
    let surveyed = survey(context, &partition);
    context.platform.unmount(&partition.path)?;
    surveyed.map(drop)
}

fn as_target(context: &Context<'_>, disk: &Disk, system: &Partition) -> Result<Target> {
    if context.is_windows() {
        return windows::existing::as_target(context, &possible_disks(context.platform)?, disk, system);
    }
    let Surveyed { volumes, left_out } = survey(context, system)?;
    for line in left_out {
        context.log.warning(format!("not captured: {line}"));
    }
    Ok(Target {
        disk: target::identity(disk),
        system: system.id.clone(),
        volumes,
        ours: false,
        ..Target::default()
    })
}

/// The volumes of an installed Linux.
struct Surveyed {
    /// Those that are captured, its root first.
    volumes: Vec<Volume>,
    /// The others, and why.
    left_out: Vec<String>,
}

fn survey(context: &Context<'_>, system: &Partition) -> Result<Surveyed> {
    refuse_unclean(context, system)?;
    let root = context.platform.mount(&system.path, false)?;
    let text = context
        .platform
        .read(&root.join("etc/fstab"))?
        .unwrap_or_default();
    let entries = fstab::parse(&String::from_utf8_lossy(&text));
    let disks = possible_disks(context.platform)?;
    let mut volumes = vec![volume(system, "/")];
    let mut left_out = Vec::new();
    let others = entries.iter().filter(|e| e.is_volume() && e.mount_point != "/");
    for entry in others {
        match further_volume(context, entry, &entries, &disks, system, &volumes)? {
            Ok(partition) => volumes.push(volume(partition, &entry.mount_point)),
            Err(why) => left_out.push(leave_out(entry, why)?),
        }
    }
    Ok(Surveyed { volumes, left_out })
}

/// The volume of a line, or why it cannot be captured.
fn further_volume<'a>(
    context: &Context<'_>,
    entry: &Entry,
    entries: &[Entry],
    disks: &'a [Disk],
    system: &Partition,
    known: &[Volume],
) -> Result<std::result::Result<&'a Partition, &'static str>> {
    let Some(partition) = fstab::resolve(entry, entries, disks, system) else {
        return Ok(Err(
            "it is no partition of the machine's disks, and what lies in LVM, in a RAID or encrypted is not read",
        ));
    };
    if entry.subvolume().is_some() {
        return Ok(Err(
            "it is a subvolume, and only whole Btrfs volumes are captured",
        ));
    }
    if known.iter().any(|volume| volume.id == partition.id) {
        return Ok(Err("its volume is mounted at another place too"));
    }
    if !volumes::KINDS.contains(&partition.file_system.as_str()) {
        return Ok(Err("it is no ext4, XFS or Btrfs volume"));
    }
    refuse_unclean(context, partition)?;
    Ok(Ok(partition))
}

/// What is not captured is named, and what the system cannot do without is an error.
fn leave_out(entry: &Entry, why: &str) -> Result<String> {
    let within =
        |place: &&str| *place == entry.mount_point || volumes::relative(&entry.mount_point, place).is_some();
    if ESSENTIAL.iter().any(within) && !entry.is_optional() {
        bail!(
            "the system's {} ({}) cannot be captured: {why}",
            entry.mount_point,
            entry.device
        );
    }
    Ok(format!("{} ({}): {why}", entry.mount_point, entry.device))
}

/// Nothing is replayed on a disk that is not to be changed, so what is in the journal only would be missing.
fn refuse_unclean(context: &Context<'_>, partition: &Partition) -> Result<()> {
    if let Some(why) = context.platform.unclean(&partition.path)? {
        bail!(
            "{} {why}; start that system once and shut it down",
            partition.path.display()
        );
    }
    Ok(())
}

fn volume(partition: &Partition, mount_point: &str) -> Volume {
    Volume {
        id: partition.id.clone(),
        mount_point: mount_point.into(),
        file_system: partition.file_system.clone(),
        applied: true,
    }
}
