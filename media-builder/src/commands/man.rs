//! `media-builder man`.

use std::path::PathBuf;

use anyhow::Context;
use clap::CommandFactory;

use super::Cli;

/// Where the manual pages go.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  media-builder man | man -l -\n  media-builder man --output man/man1")]
pub struct Args {
    /// Write one page for each command into this folder, instead of the main page to the terminal.
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

/// Prints the main page, or writes all pages.
///
/// # Errors
/// When a page cannot be written.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.output {
        Some(folder) => std::fs::create_dir_all(&folder)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), &folder))
            .with_context(|| format!("writing the manual pages to {}", folder.display())),
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page)?;
            super::print_bytes(&page)
        }
    }
}
