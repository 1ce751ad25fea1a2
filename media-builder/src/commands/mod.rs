//! The commands: each is one file with its arguments and one `run`.

pub mod boot_image;
pub mod build;
pub mod check;
pub mod completions;
pub mod inspect;
pub mod man;
mod output;
pub mod plan;
pub mod progress;
pub mod project;
pub mod schema;
pub mod try_media;
pub mod verify;

use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::{Parser, Subcommand};

/// Combines a boot image, a task sequence and its packages into bootable media.
#[derive(Debug, Parser)]
#[command(name = "media-builder", version, max_term_width = 100)]
#[command(after_help = "Exit status: 0 done, 1 it failed, 2 wrong usage.")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Prove everything that can be proven before a machine is touched.
    Check(check::Args),
    /// Print what would be written, where.
    Plan(plan::Args),
    /// Build an ISO or the image of a stick.
    Build(build::Args),
    /// Make or show the boot image that media start from.
    BootImage(boot_image::Args),
    /// Print the JSON Schema of media.toml or of task sequences.
    Schema(schema::Args),
    /// Read media back and compare every file with its digest.
    Verify(verify::Args),
    /// Show what is on media.
    Inspect(inspect::Args),
    /// Boot media in a virtual machine and follow the run to its end.
    Try(Box<try_media::Args>),
    /// Print a completion script for a shell.
    Completions(completions::Args),
    /// Print the manual page.
    Man(man::Args),
}

impl Command {
    /// Whether the standard output is JSON, and nothing else goes there but the result.
    pub fn prints_json(&self) -> bool {
        match self {
            Self::Plan(args) => args.json,
            Self::Build(args) => args.json,
            Self::Verify(args) => args.json,
            Self::Inspect(args) => args.json,
            // `check` has its problems in its result, and `try` prints lines of events.
            _ => false,
        }
    }
}

/// Where a program of this release lies: beside this one.
fn beside(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.with_file_name(name)
}

/// A program of this release, or the one that was named with an option.
fn program(given: Option<PathBuf>, name: &str, option: &str) -> anyhow::Result<PathBuf> {
    let path = given.unwrap_or_else(|| beside(name));
    ensure!(
        path.is_file(),
        "there is no {name} at {}: name it with {option}",
        path.display()
    );
    Ok(path)
}

/// Prints to the standard output; a reader that has seen enough (`| head`) is no failure.
///
/// # Errors
/// When the output cannot be written.
pub fn print_bytes(bytes: &[u8]) -> anyhow::Result<()> {
    match std::io::stdout().lock().write_all(bytes) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other.context("writing to the standard output"),
    }
}

/// Prints JSON to the standard output.
///
/// # Errors
/// As [`print_bytes`].
pub fn print_json(value: &serde_json::Value) -> anyhow::Result<()> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    print_bytes(&text)
}
