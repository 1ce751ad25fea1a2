//! Time zone of the applied Linux.

use std::path::{Path, PathBuf};

use task_sequence::Action;
use task_sequence::steps::ApplyOsSettings;

use crate::context::{Context, Failure, resolved};
use crate::platform::{self, Platform};
use crate::steps::{Check, apply_image};
use crate::{volumes, wim_files};

const FOLDER: &str = "/usr/share/zoneinfo";

/// A zone that the images do not have is found before anything is erased.
pub(super) fn check(options: &ApplyOsSettings, context: &Context<'_>) -> Check {
    let Some(zone) = options.time_zone.as_deref().filter(|zone| !zone.contains('%')) else {
        return Ok(());
    };
    if !is_name(zone) {
        return Err(unknown(zone));
    }
    let Some(images) = images_before(context, zone) else {
        return Ok(());
    };
    let path = format!("{FOLDER}/{zone}");
    for image in &images {
        let Some(path) = volumes::relative(&path, &image.mount_point) else {
            continue;
        };
        if wim_files::has(context.platform, &image.wim, image.index, &path)? {
            return Ok(());
        }
    }
    Err(unknown(zone))
}

/// An image, and where it comes to lie in the system's tree.
struct Applied {
    wim: PathBuf,
    index: u32,
    mount_point: String,
}

/// What the system consists of when its settings are applied; nothing where that is not known: there is no image, or a command
/// may change what came out of it.
fn images_before(context: &Context<'_>, zone: &str) -> Option<Vec<Applied>> {
    let mut images = Vec::new();
    for step in context.possible_steps() {
        match resolved(step, context.variables).ok()?.action {
            Action::ApplyOperatingSystemImage(options) => {
                let all = options.all_volumes.unwrap_or(false);
                images = of_package(context, options.package.as_str(), options.index.unwrap_or(1), all)?;
            }
            Action::ApplyDataImage(options) if !images.is_empty() => {
                let all = options.all_volumes.unwrap_or(false);
                let more = of_package(context, options.package.as_str(), options.index.unwrap_or(1), all)?;
                images.extend(more);
            }
            Action::RunCommandLine(_) | Action::RunScript(_) if !images.is_empty() => return None,
            Action::ApplyOsSettings(options) if options.time_zone.as_deref() == Some(zone) => break,
            _ => {}
        }
    }
    (!images.is_empty()).then_some(images)
}

/// Nothing where an image cannot be looked at: the check of its own step says why.
fn of_package(context: &Context<'_>, package: &str, index: u32, all: bool) -> Option<Vec<Applied>> {
    let wim = apply_image::wim(context, package).ok()?;
    let images = apply_image::images(context, &wim, index, all).ok()?;
    let applied = images.into_iter().map(|image| Applied {
        wim: wim.clone(),
        index: image.index,
        mount_point: image.mount_point.unwrap_or_else(|| "/".into()),
    });
    Some(applied.collect())
}

fn is_name(zone: &str) -> bool {
    !zone.is_empty() && zone.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

pub(super) fn set(
    platform: &dyn Platform,
    root: &Path,
    options: &ApplyOsSettings,
) -> std::result::Result<(), Failure> {
    let Some(zone) = &options.time_zone else {
        return Ok(());
    };
    let file = format!("{FOLDER}/{zone}");
    let place = volumes::below(root, &file);
    if !is_name(zone) || !platform.exists(&place) || platform.is_folder(&place) {
        return Err(unknown(zone));
    }
    write(platform, root, zone, &file)?;
    Ok(())
}

fn write(platform: &dyn Platform, root: &Path, zone: &str, file: &str) -> platform::Result<()> {
    platform.link(&root.join("etc/localtime"), file)?;
    platform.write(&root.join("etc/timezone"), format!("{zone}\n").as_bytes(), 0o644)
}

fn unknown(zone: &str) -> Failure {
    Failure::new(format!(
        "the system knows no time zone \"{zone}\"; names such as Europe/Amsterdam are possible (and need the package tzdata \
         in the reference)"
    ))
}
