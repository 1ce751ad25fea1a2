//! Time zone of the applied Linux.

use std::path::Path;

use task_sequence::Action;
use task_sequence::steps::ApplyOsSettings;

use crate::context::{Context, Failure};
use crate::platform::{self, Platform};
use crate::steps::Check;
use crate::steps::applied_images::AppliedImages;
use crate::volumes;

const FOLDER: &str = "/usr/share/zoneinfo";

/// A zone that the images do not have is found before anything is erased.
pub(super) fn check(options: &ApplyOsSettings, context: &Context<'_>) -> Check {
    let Some(zone) = options.time_zone.as_deref().filter(|zone| !zone.contains('%')) else {
        return Ok(());
    };
    if !is_name(zone) {
        return Err(unknown(zone));
    }
    let is_this = |action: &Action| matches!(action, Action::ApplyOsSettings(other) if other.time_zone == options.time_zone);
    let Some(images) = AppliedImages::before(context, is_this) else {
        return Ok(());
    };
    let path = format!("{FOLDER}/{zone}");
    if images.having(context, &[&path])?.is_empty() {
        return Err(unknown(zone));
    }
    Ok(())
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
