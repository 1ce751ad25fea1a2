//! What both apply steps do: verified image, empty volume, libwim.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use media_format::manifest::PackageKind;
use media_format::wim::info::ImageInfo;
use media_format::wim::protocol::{Apply, Message, Operation, Request, Volume as Where};
use media_format::wim::warnings::leaves_content_whole;
use task_sequence::steps::VolumeSelector;

use super::user_state;
use crate::context::Context;
use crate::journal;
use crate::platform::Result;
use crate::windows::volume::NTFS;
use crate::{image_places, system_place, volumes, wim_files};

/// Cap on the worker's address space: a crafted header asks for more. XPRESS and LZX take less than 512 MiB of memory for half a million
/// files, but what is reserved counts here too, a machine may have more files, and its work must not end for that.
pub(super) const MEMORY_LIMIT: u64 = 2 << 30;

/// They have no security, and libwim, which writes through a mount, sets neither attributes nor short names there.
const FAT: [&str; 3] = ["fat32", "vfat", "exfat"];

/// The WIM of a package.
pub(super) fn wim(context: &Context<'_>, package: &str) -> Result<PathBuf> {
    let entry = context.package(package)?;
    if entry.kind != PackageKind::Image {
        bail!("package \"{package}\" is no image");
    }
    wim_files::first(context.platform, context.content(package)?)
}

/// The images that a step applies: at least one.
///
/// # Errors
/// When the WIM does not have such an image.
pub(super) fn images(context: &Context<'_>, wim: &Path, index: u32, all: bool) -> Result<Vec<ImageInfo>> {
    wim_files::images(context.platform, wim, index, all)
}

/// Which of the run's volumes a selector means, by its place in the list; without a selector the one with that mount
/// point, else the next free one.
pub(super) fn volume(
    context: &Context<'_>,
    selector: &VolumeSelector,
    mount_point: Option<&str>,
) -> Result<usize> {
    let target = context.target()?;
    if let (Some(disk), Some(number)) = (selector.disk.get(), selector.partition.get()) {
        return by_number(context, *disk, *number);
    }
    let named = selector
        .variable
        .as_deref()
        .map(|name| context.variables.get(name).unwrap_or_default().to_owned());
    if let Some(text) = named.or_else(|| selector.volume.clone()) {
        let with_id = |id: &str| {
            let mut volumes = target.volumes.iter();
            volumes.position(|volume| volume.id.eq_ignore_ascii_case(id))
        };
        let found = with_id(text.strip_prefix("PARTUUID=").unwrap_or(&text));
        // What an earlier apply has made of the variable that the setting comes from.
        let is_system = || system_place::shows(context, &text).then(|| with_id(&target.system));
        let found = found.or_else(|| is_system().flatten());
        return found.ok_or_else(|| anyhow!("\"{text}\" is no volume that this run made"));
    }
    next_free(&target.volumes, mount_point)
        .ok_or_else(|| anyhow!("every volume of the target has an image already"))
}

fn by_number(context: &Context<'_>, disk: u32, number: u32) -> Result<usize> {
    for (place, volume) in context.target()?.volumes.iter().enumerate() {
        let (found, _, _) = context.partition(&volume.id)?;
        image_places::check_disk(disk, &found)?;
        let mut partitions = found.partitions.iter();
        if partitions.any(|partition| partition.id == volume.id && partition.entry() == number) {
            return Ok(place);
        }
    }
    bail!("partition {number} is no volume that this run made")
}

fn next_free(volumes: &[journal::Volume], mount_point: Option<&str>) -> Option<usize> {
    let free = |volume: &journal::Volume| !volume.applied && volume.file_system != "swap";
    let wanted = |volume: &journal::Volume| free(volume) && mount_point == Some(&volume.mount_point);
    volumes
        .iter()
        .position(wanted)
        .or_else(|| volumes.iter().position(free))
}

/// Where an image is applied to.
pub(super) struct Place {
    /// The folder.
    pub(super) folder: PathBuf,
    /// Where other volumes are mounted inside it.
    pub(super) inside: Vec<PathBuf>,
}

/// Applies one image to one of the run's volumes, by its place in the list.
pub(super) fn apply_to_volume(
    context: &mut Context<'_>,
    wim: &Path,
    image: &ImageInfo,
    volume: usize,
) -> Result<()> {
    let found = context.target()?.volumes[volume].clone();
    if context.is_windows() {
        apply_plain(context, wim, image, &found)?;
    } else {
        let place = Place {
            folder: context.mount(&found.id, true)?,
            inside: vec![],
        };
        apply(context, wim, image, &place)?;
    }
    if let Some(target) = &mut context.journal.saved.target {
        target.volumes[volume].applied = true;
    }
    Ok(())
}

/// A volume of Windows: libwim writes NTFS by itself, with all that a mount would lose.
fn apply_plain(context: &Context<'_>, wim: &Path, image: &ImageInfo, volume: &journal::Volume) -> Result<()> {
    let (disk, device, number) = context.partition(&volume.id)?;
    let partition = disk
        .partitions
        .iter()
        .find(|partition| partition.number == number);
    let size = partition.map_or(0, |partition| partition.size);
    if image.disk_bytes() > size {
        bail!(
            "the image needs {} bytes and the volume has {size}; give the volume more room",
            image.disk_bytes()
        );
    }
    let target = if volume.file_system == NTFS {
        context.platform.unmount(&device)?;
        Where::NtfsVolume(device)
    } else {
        Where::Folder(context.mount(&volume.id, true)?)
    };
    let apply = Apply {
        wim: wim.to_owned(),
        parts: wim_files::parts(context.platform, wim)?,
        index: image.index,
        target,
        inside: vec![],
        unix_data: false,
    };
    extract(context, apply, FAT.contains(&volume.file_system.as_str()))
}

/// Applies one image to a place.
pub(super) fn apply(context: &Context<'_>, wim: &Path, image: &ImageInfo, place: &Place) -> Result<()> {
    check_room(context, image, place)?;
    let apply = Apply {
        wim: wim.to_owned(),
        parts: wim_files::parts(context.platform, wim)?,
        index: image.index,
        target: Where::Folder(place.folder.clone()),
        inside: place.inside.clone(),
        unix_data: true,
    };
    extract(context, apply, false)
}

/// On FAT it is enough that the content of all files is there.
fn extract(context: &Context<'_>, apply: Apply, on_fat: bool) -> Result<()> {
    let request = Request {
        memory_limit: Some(MEMORY_LIMIT),
        operation: Operation::Apply(apply),
    };
    let mut warnings = Vec::new();
    context
        .platform
        .image_request(&request, &mut |message| match message {
            Message::Progress { phase, done, total } => {
                context.progress(&format!("applying: {phase:?}").to_lowercase(), *done, *total);
            }
            Message::Warning { path: None, text } if on_fat && leaves_content_whole(text) => {
                context
                    .log
                    .warning(format!("not kept on FAT32 and exFAT: {text}"));
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
    Ok(())
}

/// Deletes what is on a volume: a repeated apply must not mix two images. Only the users' state stays.
pub(super) fn empty(context: &Context<'_>, id: &str) -> Result<()> {
    let folder = context.mount(id, true)?;
    let target = context.target()?;
    if id == target.system {
        volumes::take_apart(context.platform, target, &folder)?;
    }
    let kept = user_state::on_volume(context, id)?;
    empty_folder(context, &folder, &kept)
}

/// All but the folder to which those names lead.
fn empty_folder(context: &Context<'_>, folder: &Path, kept: &[String]) -> Result<()> {
    let names = content(context, folder)?;
    // Volumes of Windows know a name in any case, and a name is rather kept than deleted by mistake.
    let exact = kept.first().is_some_and(|first| names.contains(first));
    let is_kept = |name: &str, first: &str| match exact {
        true => name == first,
        false => name.eq_ignore_ascii_case(first),
    };
    for name in names {
        let path = folder.join(&name);
        match kept.split_first() {
            Some((first, [])) if is_kept(&name, first) => {
                context.log.info(format!("keeps {}", path.display()));
            }
            Some((first, rest)) if is_kept(&name, first) && context.platform.is_folder(&path) => {
                empty_folder(context, &path, rest)?;
            }
            _ => context.platform.remove(&path)?,
        }
    }
    Ok(())
}

/// What is on a volume, without what its file system makes itself.
pub(super) fn content(context: &Context<'_>, folder: &Path) -> Result<Vec<String>> {
    let mut names = context.platform.list(folder)?;
    names.retain(|name| name != "lost+found");
    Ok(names)
}

fn check_room(context: &Context<'_>, image: &ImageInfo, place: &Place) -> Result<()> {
    let needed = image.disk_bytes();
    let mut free = context.platform.space(&place.folder)?.free;
    for folder in &place.inside {
        free += context.platform.space(folder)?.free;
    }
    if needed > free {
        bail!("the image needs {needed} bytes and the volume has {free} free; give the volume more room");
    }
    Ok(())
}
