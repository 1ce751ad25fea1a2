//! What both apply steps do: verified image, empty volume, libwim.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use media_format::manifest::PackageKind;
use media_format::wim::protocol::{Apply, Message, Operation, Request, Volume as Where};
use task_sequence::steps::VolumeSelector;

use crate::context::Context;
use crate::platform::Result;

/// Cap on the worker's address space: LZX and XPRESS need far less, a crafted header asks for more.
pub(super) const MEMORY_LIMIT: u64 = 2 << 30;

/// The WIM of a package.
pub(super) fn wim(context: &Context<'_>, package: &str) -> Result<PathBuf> {
    let entry = context.package(package)?;
    if entry.kind != PackageKind::Image {
        bail!("package \"{package}\" is no image");
    }
    context.content(package)
}

/// The indexes that a step applies.
///
/// # Errors
/// When the WIM does not have such an image.
pub(super) fn indexes(context: &Context<'_>, wim: &Path, index: u32, all: bool) -> Result<Vec<u32>> {
    let info = context.platform.image_info(wim)?;
    let count = u32::try_from(info.images.len()).unwrap_or(u32::MAX);
    if all {
        return Ok((1..=count).collect());
    }
    if index == 0 || index > count {
        bail!("the image file has {count} images, counted from 1, and the step asks for index {index}");
    }
    Ok(vec![index])
}

/// Which of the run's volumes a selector means, by its place in the list.
fn volume(context: &Context<'_>, selector: &VolumeSelector) -> Result<usize> {
    let target = context.target()?;
    let by_id = |id: &str| {
        target
            .volumes
            .iter()
            .position(|volume| volume.id.eq_ignore_ascii_case(id))
    };
    if let (Some(_), Some(number)) = (selector.disk.get(), selector.partition.get()) {
        let found = target.volumes.iter().position(|volume| {
            context
                .partition(&volume.id)
                .is_ok_and(|(_, _, partition)| partition == *number)
        });
        return found.ok_or_else(|| anyhow!("partition {number} is no volume that this run made"));
    }
    let named = selector
        .variable
        .as_deref()
        .map(|name| context.variables.get(name).unwrap_or_default().to_owned());
    if let Some(text) = named.or_else(|| selector.volume.clone()) {
        let id = text.strip_prefix("PARTUUID=").unwrap_or(&text);
        return by_id(id).ok_or_else(|| anyhow!("\"{text}\" is no volume that this run made"));
    }
    let free = |volume: &crate::journal::Volume| !volume.applied && volume.file_system != "swap";
    target
        .volumes
        .iter()
        .position(free)
        .ok_or_else(|| anyhow!("every volume of the target has an image already"))
}

/// Applies images to volumes in order; gives the places of the volumes. After a failure the volumes count as free
/// again, so that a retry begins with the same one.
pub(super) fn apply_all(
    context: &mut Context<'_>,
    wim: &Path,
    indexes: &[u32],
    destination: &VolumeSelector,
    wipe: bool,
) -> Result<Vec<usize>> {
    let before = context.target()?.volumes.clone();
    let mut used = Vec::new();
    for &index in indexes {
        let applied = volume(context, destination).and_then(|volume| {
            apply(context, wim, index, volume, wipe)?;
            Ok(volume)
        });
        match applied {
            Ok(volume) => used.push(volume),
            Err(error) => {
                if let Some(target) = &mut context.journal.saved.target {
                    target.volumes = before;
                }
                return Err(error);
            }
        }
    }
    Ok(used)
}

/// Applies one image to one of the run's volumes.
fn apply(context: &mut Context<'_>, wim: &Path, index: u32, volume: usize, wipe: bool) -> Result<()> {
    let id = context.target()?.volumes[volume].id.clone();
    let folder = context.mount(&id, true)?;
    if wipe {
        empty(context, &folder)?;
    }
    check_room(context, wim, index, &folder)?;
    let request = Request {
        memory_limit: Some(MEMORY_LIMIT),
        operation: Operation::Apply(Apply {
            wim: wim.to_owned(),
            parts: vec![],
            index,
            target: Where::Folder(folder),
            unix_data: true,
        }),
    };
    let mut warnings = Vec::new();
    context
        .platform
        .image_request(&request, &mut |message| match message {
            Message::Progress { phase, done, total } => {
                context.progress(&format!("applying: {phase:?}").to_lowercase(), *done, *total);
            }
            Message::Warning { path, text } => {
                warnings.push(format!("{} {text}", path.clone().unwrap_or_default()))
            }
            Message::Done { .. } | Message::Failed { .. } => {}
        })?;
    if !warnings.is_empty() {
        bail!(
            "the image was applied with warnings, so the system may be incomplete: {}",
            warnings.join("; ")
        );
    }
    if let Some(target) = &mut context.journal.saved.target {
        target.volumes[volume].applied = true;
    }
    Ok(())
}

/// Deletes what is on the volume: a repeated apply must not mix two images.
fn empty(context: &Context<'_>, folder: &Path) -> Result<()> {
    let names = context.platform.list(folder)?;
    let old = names.iter().filter(|name| *name != "lost+found");
    old.into_iter()
        .try_for_each(|name| context.platform.remove(&folder.join(name)))
}

fn check_room(context: &Context<'_>, wim: &Path, index: u32, folder: &Path) -> Result<()> {
    let info = context.platform.image_info(wim)?;
    let needed = info
        .images
        .iter()
        .find(|image| image.index == index)
        .map_or(0, |image| image.total_bytes);
    let free = context.platform.space(folder)?.free;
    if needed > free {
        bail!("the image needs {needed} bytes and the volume has {free} free; give the volume more room");
    }
    Ok(())
}
