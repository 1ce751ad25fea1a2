//! What every command with a PROJECT does first.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::plan::{self, DEFAULT_TIMESTAMP, Format, MediaPlan, PlanOptions};
use crate::platform;
use crate::project::Project;
use crate::resolve::{self, DigestCache, ResolvedMedia};
use crate::split::{self, Parts};

/// The project that a command is about.
#[derive(Debug, Clone, clap::Args)]
pub struct ProjectArg {
    /// A folder with media.toml, or that file.
    #[arg(default_value = ".")]
    pub project: PathBuf,
}

/// Reads the project and finds everything that it refers to; says what should be known.
///
/// # Errors
/// All problems together.
pub fn load(path: &Path, cache: &DigestCache) -> anyhow::Result<ResolvedMedia> {
    let media = resolve(path, cache)?;
    for warning in &media.warnings {
        eprintln!("warning: {warning}");
    }
    Ok(media)
}

/// The same, and says nothing.
///
/// # Errors
/// All problems together.
pub fn resolve(path: &Path, cache: &DigestCache) -> anyhow::Result<ResolvedMedia> {
    Ok(resolve::resolve(Project::read(path)?, cache)?)
}

/// Makes what the image consists of and does not exist yet: the parts of WIMs that it cannot carry whole. They are
/// beside `output`, or in the cache folder, until the result is dropped.
///
/// # Errors
/// When a file is too large, or a WIM cannot be split.
pub fn prepare(
    media: &mut ResolvedMedia,
    format: Format,
    output: Option<&Path>,
) -> anyhow::Result<Option<Parts>> {
    if !split::concerns(media, format) {
        return Ok(None);
    }
    let beside = output.map(|output| output.parent().unwrap_or(Path::new("")).to_owned());
    let beside = beside.map(|folder| match folder.as_os_str().is_empty() {
        true => PathBuf::from("."),
        false => folder,
    });
    let folder = beside
        .or_else(platform::cache_folder)
        .unwrap_or_else(std::env::temp_dir);
    std::fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let parts = split::split(media, split::LARGEST, &super::beside("wim-worker"), &folder)?;
    for note in parts.iter().flat_map(|parts| &parts.notes) {
        eprintln!("note: {note}");
    }
    Ok(parts)
}

/// Plans an image at the time that the environment asks for.
///
/// # Errors
/// When the content does not fit the media, a step writes onto an ISO, or SOURCE_DATE_EPOCH is no time.
pub fn plan(media: &ResolvedMedia, format: Format) -> anyhow::Result<MediaPlan> {
    if let (Format::Iso, Some(writer)) = (format, media.writers.first()) {
        bail!(
            "{writer} captures onto the media (`media:`), and nothing can be written to an ISO: build an image of a stick \
             (--format usb), or capture to a share or another disk"
        );
    }
    let planned = plan_quietly(media, format)?;
    for warning in &planned.warnings {
        eprintln!("warning: {warning}");
    }
    Ok(planned)
}

/// The same, and says nothing.
///
/// # Errors
/// When the content does not fit the media, or SOURCE_DATE_EPOCH is no time.
pub fn plan_quietly(media: &ResolvedMedia, format: Format) -> anyhow::Result<MediaPlan> {
    let options = PlanOptions {
        format,
        timestamp: timestamp()?,
    };
    let planned = plan::plan(media, options);
    planned.with_context(|| format!("planning the media \"{}\"", media.project.settings.name))
}

/// The time of everything that is made.
///
/// # Errors
/// When SOURCE_DATE_EPOCH is no time.
pub fn timestamp() -> anyhow::Result<u32> {
    timestamp_of(std::env::var("SOURCE_DATE_EPOCH").ok().as_deref())
}

fn timestamp_of(source_date_epoch: Option<&str>) -> anyhow::Result<u32> {
    let Some(text) = source_date_epoch.filter(|text| !text.is_empty()) else {
        return Ok(DEFAULT_TIMESTAMP);
    };
    text.parse()
        .with_context(|| format!("SOURCE_DATE_EPOCH is `{text}`: give seconds since 1970"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_fixed_unless_the_environment_gives_one() {
        assert_eq!(timestamp_of(None).unwrap(), DEFAULT_TIMESTAMP);
        assert_eq!(timestamp_of(Some("1000000000")).unwrap(), 1_000_000_000);
        assert!(timestamp_of(Some("yesterday")).is_err());
    }
}
