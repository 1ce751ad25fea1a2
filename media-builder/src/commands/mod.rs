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
use serde_json::json;

use crate::problem;

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

/// What a program that reads the standard output finds there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Text for people.
    Text,
    /// One JSON object.
    Json,
    /// A JSON object a line; the last one is the result.
    JsonLines,
}

impl Command {
    /// What the standard output consists of, in a failure too.
    pub fn output(&self) -> Output {
        let json = match self {
            Self::Try(args) if args.json => return Output::JsonLines,
            Self::Plan(args) => args.json,
            Self::Build(args) => args.json,
            Self::Verify(args) => args.json,
            Self::Inspect(args) => args.json,
            Self::BootImage(args) => args.prints_json(),
            // `check` has its problems in its result.
            _ => false,
        };
        if json { Output::Json } else { Output::Text }
    }
}

impl Output {
    /// Says why a command failed to the program that reads its JSON.
    ///
    /// # Errors
    /// As [`print_bytes`].
    pub fn print_failure(self, error: &anyhow::Error) -> anyhow::Result<()> {
        let problems = problem::lines(error);
        match self {
            Self::Text => Ok(()),
            Self::Json => print_json(&json!({ "problems": problems })),
            Self::JsonLines => {
                let line = json!({ "event": "result", "problems": problems });
                print_bytes(format!("{line}\n").as_bytes())
            }
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
