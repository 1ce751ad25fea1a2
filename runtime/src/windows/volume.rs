//! Paths on a volume of Windows, and how its volumes are made anew.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::context::Context;
use crate::platform::{NewPartition, Platform, Result, Role};
use crate::target;

/// The file system of Windows' own volume.
pub const NTFS: &str = "ntfs";

/// Where a path of Windows is on its mounted volume. Windows compares names without regard to case, and the boot image
/// does not; what is not there keeps the spelling of the path.
///
/// # Errors
/// When a link is on the way, which could lead out of the volume.
pub fn locate(platform: &dyn Platform, root: &Path, path: &str) -> Result<PathBuf> {
    let mut at = root.to_owned();
    for name in path.split(['/', '\\']).filter(|name| !name.is_empty()) {
        at = entry(platform, &at, name)?;
        if platform.is_link(&at) {
            bail!(
                "{path} leads over a link ({}), which Windows does not have there",
                at.display()
            );
        }
    }
    Ok(at)
}

fn entry(platform: &dyn Platform, folder: &Path, name: &str) -> Result<PathBuf> {
    let exact = folder.join(name);
    if platform.exists(&exact) {
        return Ok(exact);
    }
    let lower = name.to_lowercase();
    let names = platform.list(folder)?;
    let known = names.iter().find(|known| known.to_lowercase() == lower);
    Ok(known.map_or(exact, |known| folder.join(known)))
}

/// Formats a volume that the run has made once more: quicker than to empty it, and it does not matter in which state a cut
/// has left it.
///
/// # Errors
/// When the run did not make it, or it cannot be formatted.
pub fn make_anew(context: &Context<'_>, id: &str) -> Result<()> {
    let disks = context.platform.disks()?;
    let (disk, device, number) = context.partition(id)?;
    let confirmed = target::own(&disks, &disk, context.target()?)?;
    let partitions = disk.partitions.iter();
    let found = partitions
        .into_iter()
        .find(|partition| partition.number == number)
        .context("the partition is gone")?;
    let known = context.target()?.volumes.iter().find(|volume| volume.id == id);
    let new = NewPartition {
        number,
        start: found.start,
        size: found.size,
        role: Role::Data,
        name: found.name.clone(),
        file_system: known.map(|volume| volume.file_system.clone()),
        label: found.label.clone(),
        quick: true,
        guid: id.to_owned(),
    };
    context.platform.unmount(&device)?;
    context
        .platform
        .make_file_system(&confirmed, &new)
        .with_context(|| format!("making {} empty", device.display()))
}
