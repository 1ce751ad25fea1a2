//! `media-builder check`.

use clap::ValueEnum;
use indicatif::DecimalBytes;
use serde_json::json;

use super::project::{self, ProjectArg};
use crate::plan::Format;
use crate::problem::{self, Problems};
use crate::resolve::DigestCache;
use crate::split;

/// What to check.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  media-builder check my-media\n  media-builder check --json my-media/media.toml"
)]
pub struct Args {
    #[command(flatten)]
    project: ProjectArg,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// Proves everything that can be proven before a machine is touched: sources, sequences, and that the content
/// fits both an ISO and a stick.
///
/// # Errors
/// All problems together.
pub fn run(args: Args) -> anyhow::Result<()> {
    let mut warnings = Vec::new();
    let result = check(&args, &mut warnings);
    if !args.json {
        warnings
            .iter()
            .for_each(|warning| eprintln!("warning: {warning}"));
        return super::print_bytes((result? + "\n").as_bytes());
    }
    let problems = result.as_ref().err().map(problem::lines).unwrap_or_default();
    super::print_json(&json!({ "valid": problems.is_empty(), "problems": problems, "warnings": warnings }))?;
    // The problems are on the standard output already, for the program that reads it.
    if result.is_err() {
        std::process::exit(1)
    }
    Ok(())
}

fn check(args: &Args, warnings: &mut Vec<String>) -> anyhow::Result<String> {
    let media = project::resolve(&args.project.project, &DigestCache::load())?;
    warnings.clone_from(&media.warnings);
    let mut problems = Problems(vec![]);
    for format in Format::value_variants() {
        if split::concerns(&media, *format) {
            split::problems(&media, split::LARGEST)
                .into_iter()
                .for_each(|problem| problems.push(problem));
        }
        match project::plan_quietly(&media, *format) {
            Ok(planned) => warnings.extend(planned.warnings),
            Err(error) => problems.push(format!("{error:#}")),
        }
    }
    // A name that no volume can carry is one problem, not one for each format.
    problems.0.dedup_by_key(|report| report.to_string());
    problems.into_result()?;
    let bytes: u64 = media.sources.iter().map(|(_, source)| source.size).sum();
    Ok(format!(
        "{}: no problems; {}, {}, {}, {}",
        media.project.settings.name,
        count(media.sequences.len(), "task sequence"),
        count(media.packages.len(), "package"),
        count(media.sources.len(), "file"),
        DecimalBytes(bytes),
    ))
}

fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}
