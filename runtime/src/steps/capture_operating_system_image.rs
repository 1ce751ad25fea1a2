//! Captures the volumes of the system into one WIM: written beside its final name, verified, then renamed.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use media_format::wim::protocol::{
    Capture, CaptureImage, Compression as Worker, Message, OnBadName, Operation, Request, Volume as Source,
};
use task_sequence::Action;
use task_sequence::steps::{CaptureDestination, CaptureOperatingSystemImage, Compression};

use super::apply_image::MEMORY_LIMIT;
use super::capture_views::{View, captured_volumes, exclusions, name_skipped, views, why_skipped};
use super::{Check, Result};
use crate::context::{Context, Failure};
use crate::destination::{self, Destination};
use crate::engine::Outcome;
use crate::in_windows::dism;
use crate::journal::Target;
use crate::{existing, platform, variables};

mod room;
mod windows;

/// Solid compression takes over 1 GB of memory by itself.
const SOLID_MEMORY_LIMIT: u64 = 6 << 30;

/// DISM makes the image in a Windows PE.
pub(super) fn check_tool(options: &CaptureOperatingSystemImage, context: &Context<'_>) -> Check {
    if context.media.starts_windows_pe() {
        dism::check(compression(options), options.exclude.iter())?;
    }
    Ok(())
}

/// The destination is opened and written to before anything is erased.
pub(super) fn check(options: &CaptureOperatingSystemImage, context: &Context<'_>) -> Check {
    if let Some(CaptureDestination::Disk { disk, .. }) = &options.destination
        && let Some(name) = destination::open_variable(disk, context.variables)
    {
        context.log.info(format!(
            "variable {name} names the disk of the destination and has no value yet: it is looked for later"
        ));
        return Ok(());
    }
    // Looking for a system unmounts what it has looked at, and that may be the destination.
    let used = room::used_before(context);
    let destination = destination::open(context, options)?;
    let probe = destination.folder.join(format!("{}.probe", destination.name));
    context
        .platform
        .write(&probe, b"media-runtime", 0o600)
        .and_then(|()| context.platform.remove(&probe))
        .with_context(|| {
            format!(
                "the capture's destination {} cannot be written",
                destination.shown
            )
        })?;
    room::check(options, context, used, &destination)?;
    Ok(())
}

/// Where the image lies until it is complete.
fn partial(destination: &Destination) -> PathBuf {
    destination.folder.join(format!("{}.partial", destination.name))
}

fn used(context: &Context<'_>, views: &[View]) -> platform::Result<u64> {
    let space = |view: &View| Ok(context.platform.space(&view.mounted)?.used);
    views.iter().map(space).sum()
}

pub(super) fn run(options: &CaptureOperatingSystemImage, context: &mut Context<'_>) -> Result {
    existing::adopt(context)?;
    let target = context.target()?.clone();
    if !target.prepared {
        return Err(Failure::new(
            "the system was not prepared for capture: put a prepare-os-for-capture step before this one",
        ));
    }
    if let Some(path) = &context.journal.saved.captured
        && !options.allow_repeated_capture.unwrap_or(false)
    {
        return Err(Failure::new(format!(
            "this installation was captured already, to {path}; set `allow-repeated-capture = true` in the step to \
             capture it again"
        )));
    }
    let destination = destination::open(context, options)?;
    remember(options, context)?;
    variables::set(
        context.variables,
        "_SMSTSCaptureFolder",
        destination.folder.display().to_string(),
    );
    let captured = if context.is_windows() {
        capture_windows(options, context, &target, &destination)
    } else {
        capture_linux(options, context, &target, &destination)
    };
    let path = captured?;
    context.log.info(format!("captured to {}", path.display()));
    context.journal.saved.captured = Some(destination.shown.clone());
    Ok(Outcome::Done)
}

/// A destination that only the run has found is the same after a restart, as one that was found before the first step.
fn remember(options: &CaptureOperatingSystemImage, context: &mut Context<'_>) -> platform::Result<()> {
    let action = Action::CaptureOperatingSystemImage(options.clone());
    let found = destination::meant(context, &action)?;
    if found.is_some_and(|found| context.journal.saved.know(found)) {
        context.keep()?;
    }
    Ok(())
}

fn capture_windows(
    options: &CaptureOperatingSystemImage,
    context: &Context<'_>,
    target: &Target,
    destination: &Destination,
) -> platform::Result<PathBuf> {
    let base = base(options, context);
    let (images, used) = windows::images(options, context, target, destination, &base)?;
    write(options, context, images, used, destination)
}

fn capture_linux(
    options: &CaptureOperatingSystemImage,
    context: &Context<'_>,
    target: &Target,
    destination: &Destination,
) -> platform::Result<PathBuf> {
    let volumes = captured_volumes(context, target, destination)?;
    name_skipped(context, target, &volumes, destination, why_skipped)?;
    let views = views(context, target, volumes)?;
    let base = base(options, context);
    let images = views.iter().map(|view| image(options, &base, view, &views));
    let captured =
        used(context, &views).and_then(|used| write(options, context, images.collect(), used, destination));
    for view in views.iter().rev() {
        if let Err(error) = context.platform.remove_overlay(&view.folder) {
            context
                .log
                .warning(format!("a view could not be removed: {error:#}"));
        }
    }
    captured
}

fn base(options: &CaptureOperatingSystemImage, context: &Context<'_>) -> String {
    let name = options.image_name.clone();
    name.unwrap_or_else(|| context.sequence.name.clone())
}

fn write(
    options: &CaptureOperatingSystemImage,
    context: &Context<'_>,
    images: Vec<CaptureImage>,
    used: u64,
    destination: &Destination,
) -> platform::Result<PathBuf> {
    let path = destination.folder.join(&destination.name);
    let partial = partial(destination);
    // What an interrupted capture left takes room and is worth nothing.
    context.platform.remove(&partial)?;
    room::check_used(options, context, used, destination)?;
    let count = images.len();
    let request = request(options, images, &partial);
    let summary = context
        .platform
        .image_request(&request, &mut |message| match message {
            Message::Progress { phase, done, total } => {
                context.progress(&format!("capturing: {phase:?}").to_lowercase(), *done, *total);
            }
            Message::Warning { path, text } => {
                context
                    .log
                    .warning(format!("{}: {text}", path.as_deref().unwrap_or_default()));
            }
            Message::Done { .. } | Message::Failed { .. } => {}
        })
        .with_context(|| {
            format!(
                "capturing {count} volume(s) to {}{}",
                destination.shown,
                limit(context, destination)
            )
        })?;
    let digest = summary.sha256.context("the worker gave no digest of the image")?;
    publish(context, &partial, &path, &digest)?;
    Ok(path)
}

/// Part of the reason why a capture failed, on a file system with small files.
fn limit(context: &Context<'_>, destination: &Destination) -> String {
    let space = context.platform.space(&destination.folder);
    match space.ok().and_then(|space| space.largest_file) {
        Some(most) => format!(" (a FAT32 file system, which holds files up to {most} bytes)"),
        None => String::new(),
    }
}

fn publish(context: &Context<'_>, partial: &Path, path: &Path, digest: &str) -> platform::Result<()> {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let sum = path.with_file_name(format!("{name}.sha256"));
    // A failure between the steps leaves an image without a digest, and never one beside that of another image.
    context
        .platform
        .remove(&sum)
        .with_context(|| format!("removing the digest of the image that {name} replaces"))?;
    context
        .platform
        .rename(partial, path)
        .with_context(|| format!("renaming the finished image to {name}"))?;
    let line = format!("{digest}  {name}\n");
    context
        .platform
        .write(&sum, line.as_bytes(), 0o644)
        .with_context(|| format!("writing the digest of {name}"))
}

fn compression(options: &CaptureOperatingSystemImage) -> Worker {
    match options.compression.unwrap_or(Compression::Xpress) {
        Compression::None => Worker::None,
        Compression::Xpress => Worker::Xpress,
        Compression::Lzx => Worker::Lzx,
        Compression::Lzms => Worker::Lzms,
    }
}

fn request(options: &CaptureOperatingSystemImage, images: Vec<CaptureImage>, partial: &Path) -> Request {
    let compression = compression(options);
    let limit = if compression == Worker::Lzms {
        SOLID_MEMORY_LIMIT
    } else {
        MEMORY_LIMIT
    };
    let capture = Capture {
        wim: partial.to_owned(),
        compression,
        threads: None,
        images,
        on_bad_name: OnBadName::Refuse,
        verify: true,
    };
    Request {
        memory_limit: Some(limit),
        operation: Operation::Capture(capture),
    }
}

fn image(options: &CaptureOperatingSystemImage, base: &str, view: &View, views: &[View]) -> CaptureImage {
    let point = view.volume.mount_point.as_str();
    let name = match point {
        "/" => base.to_owned(),
        "" => format!("{base} (volume {})", view.number),
        point => format!("{base} ({point})"),
    };
    CaptureImage {
        source: Source::Folder(view.folder.clone()),
        name,
        description: options.image_description.clone(),
        display_name: None,
        display_description: None,
        flags: None,
        creator: options.image_creator.clone(),
        version: options.image_version.clone(),
        mount_point: (!point.is_empty()).then(|| point.to_owned()),
        exclude: exclusions(options, point, views),
        exclude_exceptions: vec![],
        unix_data: true,
        one_file_system: false,
    }
}
