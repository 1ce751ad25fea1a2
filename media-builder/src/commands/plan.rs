//! `media-builder plan`.

use disk_image::{Content, Extent};
use serde_json::{Value, json};

use super::project::{self, ProjectArg};
use crate::plan::{Format, MediaPlan};
use crate::resolve::{DigestCache, ResolvedMedia};

/// What to plan.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  media-builder plan my-media\n  media-builder plan --format usb --json my-media"
)]
pub struct Args {
    #[command(flatten)]
    project: ProjectArg,
    /// Kind of image.
    #[arg(long, value_enum, default_value_t = Format::Iso)]
    format: Format,
    /// Print the plan as JSON, with every extent.
    #[arg(long)]
    pub(super) json: bool,
}

/// Prints what would be written, where.
///
/// # Errors
/// When the project has problems.
pub fn run(args: Args) -> anyhow::Result<()> {
    let mut media = project::load(&args.project.project, &DigestCache::load())?;
    let _parts = project::prepare(&mut media, args.format, None)?;
    let plan = project::plan(&media, args.format)?;
    if args.json {
        return super::print_json(&to_json(&media, &plan));
    }
    super::print_bytes(to_text(&plan).as_bytes())
}

fn to_text(plan: &MediaPlan) -> String {
    let mut text = format!("{} ({})\n", plan.manifest.name, plan.manifest.media_id);
    text += &format!(
        "image: {} bytes in {} extents\n",
        plan.layout.size,
        plan.layout.extents.len()
    );
    for volume in &plan.volumes {
        text += &format!(
            "volume: {:12} {:9} at {:>12}, {} bytes\n",
            volume.label, volume.file_system, volume.offset, volume.size
        );
    }
    for file in &plan.manifest.files {
        text += &format!("{:>14}  {}\n", file.size, file.path);
    }
    text
}

fn to_json(media: &ResolvedMedia, plan: &MediaPlan) -> Value {
    let file = |(file, source): (&media_format::manifest::FileEntry, &Option<disk_image::SourceId>)| {
        json!({
            "path": file.path,
            "volume": file.volume,
            "role": file.role,
            "size": file.size,
            "source": source.map(|id| media.sources.path(id).display().to_string()),
        })
    };
    let files: Vec<Value> = plan
        .manifest
        .files
        .iter()
        .zip(&plan.sources_of_files)
        .map(file)
        .collect();
    json!({
        "media-id": plan.manifest.media_id,
        "name": plan.manifest.name,
        "layout": plan.manifest.layout,
        "size": plan.layout.size,
        "volumes": plan.volumes,
        "files": files,
        "extents": plan.layout.extents.iter().map(|extent| extent_json(media, extent)).collect::<Vec<_>>(),
    })
}

fn extent_json(media: &ResolvedMedia, extent: &Extent) -> Value {
    let content = match &extent.content {
        Content::Bytes(_) => json!("computed"),
        Content::Zero => json!("zero"),
        Content::Late(name) => json!({ "late": name }),
        Content::Source { source, offset } => {
            let part = media.sources.get(*source);
            json!({ "file": part.path.display().to_string(), "offset": part.offset + offset })
        }
    };
    json!({ "offset": extent.offset, "length": extent.length, "content": content, "last": extent.last })
}
