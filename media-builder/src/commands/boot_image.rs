//! `media-builder boot-image`.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Subcommand;
use indicatif::{DecimalBytes, ProgressBar};

use crate::boot_image::{self, BootImage, Options};
use crate::{platform, resolve};

/// What to do with a boot image.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  media-builder boot-image build\n  \
    media-builder boot-image build --suite trixie -o linux-pe.tar\n  media-builder boot-image inspect linux-pe.tar")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make the Linux PE from Debian's packages.
    Build(Build),
    /// Show what a boot image consists of.
    Inspect(Inspect),
}

#[derive(Debug, clap::Args)]
struct Build {
    /// The boot image; where projects look for the default one unless given.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The Debian suite.
    #[arg(long, default_value = "trixie")]
    suite: String,
    /// The runtime that goes into it; `media-runtime` beside this program unless given.
    #[arg(long, value_name = "FILE")]
    runtime: Option<PathBuf>,
    /// The worker that applies and captures images; `wim-worker` beside this program unless given.
    #[arg(long, value_name = "FILE")]
    wim_worker: Option<PathBuf>,
    /// The worker that edits registry hives; `hive-worker` beside this program unless given.
    #[arg(long, value_name = "FILE")]
    hive_worker: Option<PathBuf>,
    /// The runtime for Windows; `media-runtime.exe` beside this program, where there is one, unless given.
    #[arg(long, value_name = "FILE")]
    windows_runtime: Option<PathBuf>,
    /// Folder for downloaded packages.
    #[arg(long, value_name = "FOLDER")]
    cache: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Inspect {
    /// The boot image; the default one unless given.
    file: Option<PathBuf>,
    /// Compare the digest of every part, too.
    #[arg(long)]
    verify: bool,
    /// Print its description as JSON.
    #[arg(long)]
    json: bool,
}

/// Makes or shows a boot image.
///
/// # Errors
/// When a package, a program or a file is missing or unreadable.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.verb {
        Verb::Build(args) => build(args),
        Verb::Inspect(args) => inspect(&args),
    }
}

fn build(args: Build) -> anyhow::Result<()> {
    let output = args.output.or_else(resolve::default_path);
    let output = output.context("no place for the boot image: set HOME, or give --output")?;
    if let Some(folder) = output.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    }
    let cache = args
        .cache
        .or_else(|| Some(platform::cache_folder()?.join("boot-image")));
    let options = Options {
        suite: args.suite,
        runtime: program(args.runtime, "media-runtime", "--runtime")?,
        wim_worker: program(args.wim_worker, "wim-worker", "--wim-worker")?,
        hive_worker: program(args.hive_worker, "hive-worker", "--hive-worker")?,
        windows_runtime: windows_runtime(args.windows_runtime)?,
        cache: cache.context("no place for downloaded packages: set HOME, or give --cache")?,
        source_date_epoch: super::project::timestamp()?,
        output,
    };
    let bar = ProgressBar::new_spinner();
    let image = boot_image::build(&options, &mut |phase, done, of| {
        bar.set_message(if of > 1 {
            format!("{phase} ({done} of {of})")
        } else {
            phase.to_owned()
        });
        bar.tick();
    });
    bar.finish_and_clear();
    super::print_bytes(summary(&image?).as_bytes())
}

/// It need not be there: only media for Windows carry it.
fn windows_runtime(given: Option<PathBuf>) -> anyhow::Result<Option<PathBuf>> {
    const NAME: &str = "media-runtime.exe";
    match program(given.clone(), NAME, "--windows-runtime") {
        Err(_) if given.is_none() => Ok(None),
        found => found.map(Some),
    }
}

/// A program of this release, which lies beside this one.
fn program(given: Option<PathBuf>, name: &str, option: &str) -> anyhow::Result<PathBuf> {
    let beside = || Some(std::env::current_exe().ok()?.with_file_name(name));
    let path = given.or_else(beside).unwrap_or_else(|| PathBuf::from(name));
    ensure!(
        path.is_file(),
        "there is no {name} at {}: name it with {option}",
        path.display()
    );
    Ok(path)
}

fn inspect(args: &Inspect) -> anyhow::Result<()> {
    let file = args.file.clone().or_else(resolve::default_path);
    let file = file.context("no boot image was named, and this user has no cache folder")?;
    let image = if args.verify {
        boot_image::verify(&file)?
    } else {
        boot_image::inspect(&file)?
    };
    if args.json {
        return super::print_json(&serde_json::to_value(&image.manifest)?);
    }
    super::print_bytes(summary(&image).as_bytes())
}

fn summary(image: &BootImage) -> String {
    let manifest = &image.manifest;
    let mut text = format!(
        "{}: {} {}, kernel {}, {} modules, {} packages\n",
        name(&image.path),
        manifest.suite,
        manifest.architecture,
        manifest.kernel_version,
        manifest.modules.len(),
        manifest.packages.len()
    );
    for member in &manifest.members {
        let origin = member.package.as_deref().unwrap_or("made here");
        text += &format!(
            "{:>10}  {:20}  {origin}\n",
            DecimalBytes(member.size).to_string(),
            member.path
        );
    }
    text
}

fn name(path: &Path) -> String {
    path.display().to_string()
}
