//! Whether a destination has room for a capture, as far as that can be told before it is written.

use anyhow::bail;
use media_format::event::Environment;
use media_format::manifest::PackageKind;
use task_sequence::steps::{CaptureOperatingSystemImage, Compression};

use crate::context::Context;
use crate::destination::{self, Destination};
use crate::existing;
use crate::platform::{Result, Space};

/// Compares the destination with what is known before anything is changed: the images on the media, and how many bytes a system
/// has that was there before.
pub(super) fn check(
    options: &CaptureOperatingSystemImage,
    context: &Context<'_>,
    used: Option<u64>,
    destination: &Destination,
) -> Result<()> {
    let needed = images_on_media(context);
    check_free(context, destination, needed)?;
    check_largest(context, destination, needed)?;
    match used {
        Some(used) => check_used(options, context, used, destination),
        None => Ok(()),
    }
}

/// A captured system is about as large as the image that it was made from.
fn images_on_media(context: &Context<'_>) -> u64 {
    let manifest = &context.media.manifest;
    let images = manifest.packages.iter().filter(|p| p.kind == PackageKind::Image);
    images
        .flat_map(|package| manifest.files_of(package))
        .map(|file| file.size)
        .max()
        .unwrap_or(0)
}

/// Bytes on the volume of the system that was there before the run. Nothing where the run builds one, and where none is
/// found: the step that prepares it says so.
pub(super) fn used_before(context: &Context<'_>) -> Option<u64> {
    if destination::builds(context.sequence) {
        return None;
    }
    if context.here == Environment::Os {
        return Some(context.platform.space(&context.platform.root()).ok()?.used);
    }
    let (_, partition) = existing::find(context).ok()?;
    let root = context.platform.mount(&partition.path, false).ok()?;
    let space = context.platform.space(&root);
    context.platform.unmount(&partition.path).ok()?;
    Some(space.ok()?.used)
}

fn check_free(context: &Context<'_>, destination: &Destination, needed: u64) -> Result<()> {
    match less_free(context, destination, needed)? {
        Some(found) => bail!("{found} and about {needed} are needed; {REMEDY}"),
        None => Ok(()),
    }
}

const REMEDY: &str = "make room there or choose another destination";

/// How many bytes the destination has, in words, where they are less than these. Nothing where a server does not say how large its
/// volume is, or something may still go from it.
fn less_free(context: &Context<'_>, destination: &Destination, than: u64) -> Result<Option<String>> {
    let Space { free, used, .. } = context.platform.space(&destination.folder)?;
    // What an interrupted capture has left goes when the next one begins; until then it may be that of another machine.
    let is_known = (free > 0 || used > 0) && !context.platform.exists(&super::partial(destination));
    let shown = &destination.shown;
    Ok((is_known && free < than).then(|| format!("the capture's destination {shown} has {free} bytes free")))
}

/// A file system that cannot hold so large a file is refused before hours of work end in an error.
fn check_largest(context: &Context<'_>, destination: &Destination, needed: u64) -> Result<()> {
    match context.platform.space(&destination.folder)?.largest_file {
        Some(most) if needed > most => bail!(
            "the capture's destination {} has a FAT32 file system, which holds files up to {most} bytes, and about \
             {needed} are needed; format it with exFAT or choose another destination",
            destination.shown
        ),
        _ => Ok(()),
    }
}

/// Compares the destination with what the volumes hold.
pub(super) fn check_used(
    options: &CaptureOperatingSystemImage,
    context: &Context<'_>,
    used: u64,
    destination: &Destination,
) -> Result<()> {
    check_free_for(options, context, used, destination)?;
    check_largest_for(options, context, used, destination)
}

/// No image of a system is smaller: of what the volumes hold much may never be captured (page files, snapshots).
const SMALLEST: u64 = 1 << 30;

/// No image of a small system is smaller than a tenth of what its volumes hold, unless most of that is excluded; half of it is usual.
fn check_free_for(
    options: &CaptureOperatingSystemImage,
    context: &Context<'_>,
    used: u64,
    destination: &Destination,
) -> Result<()> {
    let compared = format!("and the volumes to capture hold {used}");
    if options.exclude.is_empty()
        && let Some(found) = less_free(context, destination, (used / 10).min(SMALLEST))?
    {
        bail!(
            "{found}, {compared}: the image becomes larger than what is free (an image that it replaces stays until it is \
             complete); {REMEDY}"
        );
    }
    if let Some(found) = less_free(context, destination, used / 2)? {
        context
            .log
            .warning(format!("{found}, {compared}: the image may not fit"));
    }
    Ok(())
}

/// Without compression, the size of the image is known before it is written; else it can only be warned of.
fn check_largest_for(
    options: &CaptureOperatingSystemImage,
    context: &Context<'_>,
    used: u64,
    destination: &Destination,
) -> Result<()> {
    let checked = check_largest(context, destination, used);
    if options.compression.unwrap_or(Compression::Xpress) == Compression::None {
        return checked;
    }
    if checked.is_err() {
        context.log.warning(format!(
            "the volumes hold {used} bytes, and the FAT32 file system of {} can hold the image only if it becomes \
             smaller than 4 GiB",
            destination.shown
        ));
    }
    Ok(())
}
