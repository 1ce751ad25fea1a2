//! `media-builder verify`.

use std::path::PathBuf;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};

use crate::problem::Problems;
use crate::verify;

/// What to verify.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  media-builder verify demo.iso\n  media-builder verify /dev/sdx --json")]
pub struct Args {
    /// An image file or a device.
    #[arg(value_name = "MEDIA")]
    media: PathBuf,
    /// Print the report as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Verifies the media.
///
/// # Errors
/// When it cannot be read; every problem that was found.
pub fn run(args: Args) -> anyhow::Result<()> {
    let bar = ProgressBar::new(0);
    let style = "{wide_bar} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}";
    bar.set_style(ProgressStyle::with_template(style).context("preparing the progress bar")?);
    let report = verify::verify(&args.media, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    })?;
    let elapsed = bar.elapsed().as_secs_f64();
    bar.finish_and_clear();
    if args.json {
        let json = serde_json::to_string_pretty(&report).context("writing the report")?;
        super::print_bytes(format!("{json}\n").as_bytes())?;
    } else if report.is_good() {
        let rate = report.bytes as f64 / 1e6 / elapsed.max(0.001);
        let (files, bytes) = (report.files, report.bytes);
        super::print_bytes(format!("good: {files} files, {bytes} bytes, {rate:.0} MB/s\n").as_bytes())?;
    }
    if args.json && !report.is_good() {
        // The problems are in the report, for the program that reads it.
        std::process::exit(1)
    }
    let mut problems = Problems(vec![]);
    report.problems.iter().for_each(|problem| problems.push(problem));
    Ok(problems.into_result()?)
}
