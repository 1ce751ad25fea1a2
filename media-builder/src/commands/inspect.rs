//! `media-builder inspect`.

use std::path::PathBuf;

use anyhow::Context;

/// What to look at.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  media-builder inspect demo.iso\n  media-builder inspect demo.img --json | jq .manifest.packages"
)]
pub struct Args {
    /// An image file or a device.
    #[arg(value_name = "MEDIA")]
    media: PathBuf,
    /// Print everything, with the whole manifest, as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Prints what is on the media.
///
/// # Errors
/// When it cannot be read or is no media of media-builder.
pub fn run(args: Args) -> anyhow::Result<()> {
    let inspection = crate::inspect::inspect(&args.media)?;
    let text = match args.json {
        true => serde_json::to_string_pretty(&inspection).context("writing the report")? + "\n",
        false => inspection.to_text(),
    };
    super::print_bytes(text.as_bytes())
}
