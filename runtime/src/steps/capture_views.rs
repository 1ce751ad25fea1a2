//! Which volumes a capture takes, and the generalized views that it takes them from.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use task_sequence::steps::CaptureOperatingSystemImage;

use crate::context::Context;
use crate::destination::Destination;
use crate::journal::{Target, Volume};
use crate::{connections, generalize, platform, target, volumes};

/// The volumes that are captured: the system's own is image 1, whatever the order on the disk.
pub(super) fn captured_volumes(
    context: &Context<'_>,
    target: &Target,
    destination: &Destination,
) -> platform::Result<Vec<Volume>> {
    let mut chosen = Vec::new();
    for volume in &target.volumes {
        let (_, device, _) = context.partition(&volume.id)?;
        if why_skipped(volume, &device, destination).is_none() {
            chosen.push(volume.clone());
        }
    }
    chosen.sort_by_key(|volume| volume.id != target.system);
    Ok(chosen)
}

/// Why a volume of a Linux is not captured.
pub(super) fn why_skipped(volume: &Volume, device: &Path, destination: &Destination) -> Option<&'static str> {
    if !volumes::holds_linux(volume) {
        return Some("it is no ext4, XFS or Btrfs volume");
    }
    if destination.device.as_deref() == Some(device) {
        return Some("it is the destination of the capture");
    }
    let is_empty = !volume.applied && volume.mount_point.is_empty();
    is_empty.then_some("nothing was applied to it and it has no mount point")
}

/// Says which volumes are not captured, and why.
pub(super) fn name_skipped(
    context: &Context<'_>,
    target: &Target,
    captured: &[Volume],
    destination: &Destination,
    why_skipped: fn(&Volume, &Path, &Destination) -> Option<&'static str>,
) -> platform::Result<()> {
    for disk in context.platform.disks()? {
        let holds_one = |volume: &Volume| disk.partitions.iter().any(|p| p.id == volume.id);
        if !target.is_on(&disk) && !target.volumes.iter().any(holds_one) {
            context.log.info(format!(
                "not captured: {} (another disk)",
                target::describe(&disk)
            ));
            continue;
        }
        for partition in &disk.partitions {
            if captured.iter().any(|volume| volume.id == partition.id) {
                continue;
            }
            let known = target.volumes.iter().find(|volume| volume.id == partition.id);
            let why = known.and_then(|volume| why_skipped(volume, &partition.path, destination));
            let why = why.unwrap_or(if partition.is_hidden() {
                "it is hidden"
            } else {
                "it is no volume of the system"
            });
            let kind = match partition.file_system.as_str() {
                "" => "no file system",
                kind => kind,
            };
            context.log.info(format!(
                "not captured: {} ({kind}): {why}",
                partition.path.display()
            ));
        }
    }
    Ok(())
}

/// A generalized view of one volume.
pub(super) struct View {
    /// The view.
    pub(super) folder: PathBuf,
    /// The volume itself.
    pub(super) mounted: PathBuf,
    /// Which volume.
    pub(super) volume: Volume,
    /// Number of the partition.
    pub(super) number: u32,
}

/// The system is generalized as one tree, wherever its parts lie, and captured volume by volume.
pub(super) fn views(
    context: &Context<'_>,
    target: &Target,
    volumes: Vec<Volume>,
) -> platform::Result<Vec<View>> {
    let mut views = Vec::new();
    for volume in volumes {
        let (_, device, number) = context.partition(&volume.id)?;
        // A system that the run made may replay its journal; one that was there before is never written to.
        let mounted = context.platform.mount(&device, target.ours)?;
        if volume.id == target.system {
            volumes::take_apart(context.platform, target, &mounted)?;
        }
        views.push(View {
            folder: context.platform.overlay(&mounted)?,
            mounted,
            volume,
            number,
        });
    }
    let root = match views.first() {
        Some(view) if view.volume.id == target.system => view.folder.clone(),
        _ => bail!("the system's volume is none that can be captured"),
    };
    generalize_tree(context, target, &root, &views).context("generalizing the system")?;
    Ok(views)
}

fn generalize_tree(
    context: &Context<'_>,
    target: &Target,
    root: &Path,
    views: &[View],
) -> platform::Result<()> {
    let folder_of = |id: &str| {
        views
            .iter()
            .find(|view| view.volume.id == id)
            .map(|view| &view.folder)
    };
    for volume in volumes::inside(target) {
        if let Some(folder) = folder_of(&volume.id) {
            let at = volumes::place(context.platform, root, &volume.mount_point)?;
            context.platform.mount_inside(folder, &at)?;
        }
    }
    generalize::generalize(context.platform, root, target.ours)?;
    connections::leave_out(context, root);
    volumes::take_apart(context.platform, target, root)
}

/// What is left out of a volume, as paths of the volume.
pub(super) fn exclusions(options: &CaptureOperatingSystemImage, point: &str, views: &[View]) -> Vec<String> {
    let others = views.iter().map(|view| view.volume.mount_point.as_str());
    // What lies below a mount point on the volume itself is hidden in the system.
    let hidden = others.filter(|other| other.len() > 1 && *other != point);
    let hidden = hidden.map(|other| format!("{other}/*"));
    let fixed = generalize::NOT_CAPTURED
        .iter()
        .map(|pattern| (*pattern).to_owned());
    let fixed = fixed.chain(hidden).filter(|_| !point.is_empty());
    let all = fixed.chain(options.exclude.iter().cloned());
    let of_volume = all.filter_map(|pattern| {
        if pattern.starts_with('/') && !point.is_empty() {
            volumes::relative(&pattern, point)
        } else {
            Some(pattern)
        }
    });
    of_volume.chain(["/lost+found".to_owned()]).collect()
}
