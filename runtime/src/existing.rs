//! An installed Linux that was there before the run: found, captured, never changed.

use std::path::Path;

use anyhow::{anyhow, bail};
use media_format::event::Environment;

use crate::context::Context;
use crate::journal::{Target, Volume};
use crate::platform::{Disk, Partition, Platform, Result};
use crate::target;

/// File systems that a Linux installs itself on.
const SYSTEM_KINDS: [&str; 3] = ["ext4", "xfs", "btrfs"];

/// Makes the one installed system of the machine the target of the run, unless there is a target.
///
/// # Errors
/// When there is none, or several.
pub fn adopt(context: &mut Context<'_>) -> Result<()> {
    if context.journal.saved.target.is_some() {
        return Ok(());
    }
    if context.here == Environment::Os {
        bail!(
            "inside an installed system that this run did not build, nothing can be captured: start the media"
        );
    }
    let found = find(context)?;
    let (disk, partition) = &found;
    context.log.info(format!(
        "captures the system on {} of {}",
        partition.path.display(),
        target::describe(disk)
    ));
    context.journal.saved.target = Some(as_target(context.platform, disk, partition)?);
    Ok(())
}

fn find(context: &Context<'_>) -> Result<(Disk, Partition)> {
    let mut systems = Vec::new();
    for disk in context
        .platform
        .disks()?
        .iter()
        .filter(|disk| !disk.is_media && !disk.removable)
    {
        for partition in disk
            .partitions
            .iter()
            .filter(|p| SYSTEM_KINDS.contains(&p.file_system.as_str()))
        {
            let root = context.platform.mount(&partition.path, false)?;
            if context.platform.exists(&root.join("etc/os-release")) {
                systems.push((disk.clone(), partition.clone()));
            } else {
                context.platform.unmount(&partition.path)?;
            }
        }
    }
    match systems.len() {
        1 => systems.pop().ok_or_else(|| anyhow!("no system")),
        0 => bail!("no disk of the machine has an installed Linux (a volume with /etc/os-release)"),
        _ => {
            let names: Vec<_> = systems
                .iter()
                .map(|(_, partition)| partition.path.display().to_string())
                .collect();
            bail!(
                "several volumes have an installed Linux: {}; detach what is not to be captured",
                names.join(", ")
            )
        }
    }
}

fn as_target(platform: &dyn Platform, disk: &Disk, system: &Partition) -> Result<Target> {
    let root = platform.mount(&system.path, false)?;
    let mut volumes = vec![volume(system, "/")];
    let fstab = platform.read(&root.join("etc/fstab"))?.unwrap_or_default();
    let fstab = String::from_utf8_lossy(&fstab);
    for partition in disk
        .partitions
        .iter()
        .filter(|p| SYSTEM_KINDS.contains(&p.file_system.as_str()))
    {
        if partition.id != system.id {
            volumes.push(volume(
                partition,
                mount_point(&fstab, partition).unwrap_or_default(),
            ));
        }
    }
    Ok(Target {
        disk: target::identity(disk),
        system: system.id.clone(),
        volumes,
        ours: false,
        ..Target::default()
    })
}

fn volume(partition: &Partition, mount_point: &str) -> Volume {
    Volume {
        id: partition.id.clone(),
        mount_point: mount_point.into(),
        file_system: partition.file_system.clone(),
        applied: true,
    }
}

/// The mount point that a line of an fstab gives to a partition, where it names it by label or PARTUUID.
fn mount_point<'a>(fstab: &'a str, partition: &Partition) -> Option<&'a str> {
    let names = [
        format!("PARTUUID={}", partition.id),
        format!("LABEL={}", partition.label),
    ];
    fstab.lines().find_map(|line| {
        let mut fields = line.split_whitespace();
        let named = fields
            .next()
            .is_some_and(|device| names.iter().any(|name| name == device));
        fields
            .next()
            .filter(|point| named && Path::new(point).is_absolute())
    })
}
