//! `media-builder build`.

use std::path::PathBuf;

use anyhow::{Context, bail};
use serde_json::json;

use super::output;
use super::progress::Progress;
use super::project::{self, ProjectArg};
use crate::execute;
use crate::plan::{Format, MediaPlan};
use crate::resolve::{DigestCache, ResolvedMedia};

/// What to build.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  media-builder build my-media\n  \
    media-builder build my-media --format usb -o /srv/images/reference.img")]
pub struct Args {
    #[command(flatten)]
    project: ProjectArg,
    /// The image; NAME.iso or NAME.img in the current folder unless given. An older one is replaced once the
    /// new one is complete.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Kind of image; unless given, it follows from the end of FILE's name: `.iso` or `.img`, which is a stick. An ISO
    /// when there is no FILE.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Print the result as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Builds the image.
///
/// # Errors
/// When the project has problems, or something cannot be read or written.
pub fn run(args: Args) -> anyhow::Result<()> {
    let mut cache = DigestCache::load();
    let mut media = project::load(&args.project.project, &cache)?;
    let format = format(&args)?;
    let output = args
        .output
        .clone()
        .unwrap_or_else(|| default_output(&media, format));
    output::check(&output, &media)?;
    let _parts = project::prepare(&mut media, format, Some(&output))?;
    let plan = project::plan(&media, format)?;
    let mut progress = Progress::new();
    let written = execute::execute(&plan, &media.sources, &output, &mut cache, &mut |event| {
        progress.show(event)
    });
    progress.clear();
    let written = written.with_context(|| format!("building {}", output.display()))?;
    cache.save();
    report(&args, &plan, &output, written.bytes)
}

fn format(args: &Args) -> anyhow::Result<Format> {
    let (Some(output), None) = (&args.output, args.format) else {
        return Ok(args.format.unwrap_or(Format::Iso));
    };
    let ends = |extension: &str| {
        output
            .extension()
            .is_some_and(|end| end.eq_ignore_ascii_case(extension))
    };
    match (ends("iso"), ends("img")) {
        (true, _) => Ok(Format::Iso),
        (_, true) => Ok(Format::Usb),
        _ => bail!(
            "the name {} does not say what to build: end it in .iso or .img, or add --format",
            output.display()
        ),
    }
}

/// The media's name as a file name that needs no quotes.
fn default_output(media: &ResolvedMedia, format: Format) -> PathBuf {
    let legal = |c: char| {
        if c.is_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let name: String = media.project.settings.name.chars().map(legal).collect();
    let name = name
        .split('-')
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("-");
    let name = if name.is_empty() { "media".into() } else { name };
    PathBuf::from(format!("{name}.{}", format.extension()))
}

fn report(args: &Args, plan: &MediaPlan, output: &std::path::Path, bytes: u64) -> anyhow::Result<()> {
    if args.json {
        return super::print_json(&json!({
            "output": output.display().to_string(),
            "media-id": plan.manifest.media_id,
            "layout": plan.manifest.layout,
            "size": plan.layout.size,
            "written": bytes,
            "files": plan.manifest.files.len(),
        }));
    }
    let size = indicatif::DecimalBytes(plan.layout.size);
    let line = format!(
        "{}: {size}, {} files, media {}\n",
        output.display(),
        plan.manifest.files.len(),
        plan.manifest.media_id
    );
    super::print_bytes(line.as_bytes())
}
