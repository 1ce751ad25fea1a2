//! `media-builder boot-image`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use indicatif::{DecimalBytes, ProgressBar};

use crate::boot_image::{self, BootImage, Kind, Linux, Member, Options, WinPe, winpe};
use crate::escaped::escaped;
use crate::{platform, resolve};

const WINDOWS_PROGRAM: &str = "media-runtime.exe";
/// Where nothing has GRUB.
const UEFI_ONLY: &str = "sticks with this WinPE start on UEFI only: for a BIOS too, make a Linux PE first (`media-builder boot-image \
    build`), whose GRUB starts them, or name one with `--bios-from`";

/// What to do with a boot image.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  media-builder boot-image build\n  \
    media-builder boot-image build --suite trixie -o linux-pe.tar\n  \
    media-builder boot-image build --winpe Windows.iso --drivers vmd/ -o winpe.tar\n  \
    media-builder boot-image inspect linux-pe.tar")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make the Linux PE from Debian's packages, or a WinPE from your own Windows files.
    Build(Box<Build>),
    /// Show what a boot image consists of.
    Inspect(Inspect),
}

#[derive(Debug, clap::Args)]
struct Build {
    /// The boot image; where projects look for the default one unless given. A WinPE comes to winpe.tar in the current
    /// folder.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Make a WinPE from this: a boot.wim, a Windows ISO, or a folder (the ADK's Windows PE, one that copype made, a
    /// copy of a Windows disc).
    #[arg(long, value_name = "SOURCE", conflicts_with_all = ["suite", "runtime", "cache"])]
    winpe: Option<PathBuf>,
    /// The image in the WIM. The first one unless given: on a Windows ISO that is the plain WinPE, and the second one
    /// is the same with Windows Setup (which is not started).
    #[arg(long, value_name = "N", requires = "winpe")]
    index: Option<u32>,
    /// A folder with unpacked drivers that the WinPE itself needs, such as those of a disk controller; can be repeated.
    #[arg(long, value_name = "FOLDER", requires = "winpe")]
    drivers: Vec<PathBuf>,
    /// Take the boot files that the Windows UEFI CA 2023 signed (`\Windows\Boot\EFI_EX` in the WIM), for machines that
    /// no longer trust the authority of 2011.
    #[arg(long, requires = "winpe")]
    uefi_ca_2023: bool,
    /// The Linux PE whose GRUB starts a stick with the WinPE on a BIOS; the default one, where there is one, unless given.
    #[arg(long, value_name = "LINUX-PE", requires = "winpe")]
    bios_from: Option<PathBuf>,
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

impl Args {
    /// Whether the standard output is JSON.
    pub(super) fn prints_json(&self) -> bool {
        matches!(&self.verb, Verb::Inspect(args) if args.json)
    }
}

/// Makes or shows a boot image.
///
/// # Errors
/// When a package, a program or a file is missing or unreadable.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.verb {
        Verb::Build(args) => build(*args),
        Verb::Inspect(args) => inspect(&args),
    }
}

fn build(args: Build) -> anyhow::Result<()> {
    match args.winpe.clone() {
        Some(source) => build_winpe(args, source),
        None => build_linux_pe(args),
    }
}

fn build_winpe(args: Build, source: PathBuf) -> anyhow::Result<()> {
    let output = args.output.unwrap_or_else(|| PathBuf::from("winpe.tar"));
    super::output::check_file(&output)?;
    let bios_from = args.bios_from.or_else(default_linux_pe);
    if bios_from.is_none() {
        eprintln!("warning: {UEFI_ONLY}");
    }
    let options = winpe::Options {
        source,
        bios_from,
        index: args.index,
        drivers: args.drivers,
        uefi_ca_2023: args.uefi_ca_2023,
        output,
        runtime: super::program(args.windows_runtime, WINDOWS_PROGRAM, "--windows-runtime")?,
        wim_worker: super::program(args.wim_worker, "wim-worker", "--wim-worker")?,
        hive_worker: super::program(args.hive_worker, "hive-worker", "--hive-worker")?,
        source_date_epoch: super::project::timestamp()?,
    };
    let made = with_progress(|progress| winpe::build(&options, progress))?;
    for warning in &made.warnings {
        eprintln!("warning: {warning}");
    }
    super::print_bytes(summary(&made.image).as_bytes())
}

fn default_linux_pe() -> Option<PathBuf> {
    resolve::default_path().filter(|path| path.is_file())
}

/// Shows what is going on.
fn with_progress<T>(work: impl FnOnce(boot_image::Progress<'_>) -> T) -> T {
    let bar = ProgressBar::new_spinner();
    let result = work(&mut |phase, done, of| {
        bar.set_message(if of > 1 {
            format!("{phase} ({done} of {of})")
        } else {
            phase.to_owned()
        });
        bar.tick();
    });
    bar.finish_and_clear();
    result
}

fn build_linux_pe(args: Build) -> anyhow::Result<()> {
    let output = args.output.or_else(resolve::default_path);
    let output = output.context("no place for the boot image: set HOME, or give --output")?;
    if let Some(folder) = output.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    }
    super::output::check_file(&output)?;
    let cache = args
        .cache
        .or_else(|| Some(platform::cache_folder()?.join("boot-image")));
    let options = Options {
        suite: args.suite,
        runtime: super::program(args.runtime, "media-runtime", "--runtime")?,
        wim_worker: super::program(args.wim_worker, "wim-worker", "--wim-worker")?,
        hive_worker: super::program(args.hive_worker, "hive-worker", "--hive-worker")?,
        windows_runtime: windows_runtime(args.windows_runtime)?,
        cache: cache.context("no place for downloaded packages: set HOME, or give --cache")?,
        source_date_epoch: super::project::timestamp()?,
        output,
    };
    let image = with_progress(|progress| boot_image::build(&options, progress))?;
    super::print_bytes(summary(&image).as_bytes())
}

/// It need not be there: only media for Windows carry it.
fn windows_runtime(given: Option<PathBuf>) -> anyhow::Result<Option<PathBuf>> {
    match super::program(given.clone(), WINDOWS_PROGRAM, "--windows-runtime") {
        Err(_) if given.is_none() => Ok(None),
        found => found.map(Some),
    }
}

fn inspect(args: &Inspect) -> anyhow::Result<()> {
    let file = args.file.clone().or_else(resolve::default_path);
    let file = file.context("no boot image was named, and this user has no cache folder")?;
    let mut image = if args.verify {
        boot_image::verify(&file)?
    } else {
        boot_image::inspect(&file)?
    };
    image.read_programs()?;
    if args.json {
        return super::print_json(&serde_json::to_value(&image.manifest)?);
    }
    super::print_bytes(summary(&image).as_bytes())
}

/// The boot image may be of others: what it says of itself does not reach the terminal as it is.
fn summary(image: &BootImage) -> String {
    let lines = lines(image);
    lines.iter().map(|line| escaped(line) + "\n").collect()
}

fn lines(image: &BootImage) -> Vec<String> {
    let manifest = &image.manifest;
    let mut lines = match (manifest.kind, &manifest.linux, &manifest.winpe) {
        (Kind::LinuxPe, Some(linux), _) => vec![about_linux(linux, &manifest.architecture)],
        (Kind::WinPe, _, Some(winpe)) => about_winpe(winpe, &manifest.architecture),
        _ => vec!["it does not say what it was made from".to_owned()],
    };
    lines[0] = format!("{}: {}", name(&image.path), lines[0]);
    for member in &manifest.members {
        let made = match manifest.kind {
            Kind::LinuxPe => "made here",
            Kind::WinPe => "",
        };
        let origin = member.package.as_deref().unwrap_or(made);
        let line = format!(
            "{:>10}  {:20}  {origin}",
            DecimalBytes(member.size).to_string(),
            member.path
        );
        lines.push(line.trim_end().to_owned());
        lines.extend(about_program(member));
    }
    lines
}

/// Beneath the line of a program that UEFI starts.
fn about_program(member: &Member) -> Vec<String> {
    let signers = member
        .signers
        .iter()
        .map(|signers| format!("signed by {signers}"));
    let sbat = (!member.sbat.is_empty()).then(|| format!("SBAT {}", member.sbat.join(" ")));
    let about = signers.chain(sbat);
    about.map(|text| format!("{:>10}    {text}", "")).collect()
}

fn about_linux(linux: &Linux, architecture: &str) -> String {
    format!(
        "{} {architecture}, kernel {}, {} modules, {} packages",
        linux.suite,
        linux.kernel_version,
        linux.modules.len(),
        linux.packages.len()
    )
}

fn about_winpe(winpe: &WinPe, architecture: &str) -> Vec<String> {
    let mut lines = vec![
        format!(
            "WinPE {} {architecture} ({}), {}, image {} of its source",
            winpe.version, winpe.name, winpe.language, winpe.index
        ),
        format!("UEFI boot files signed by: {}", winpe.uefi_signers),
    ];
    for driver in &winpe.drivers {
        let signed = if driver.signed { "signed" } else { "unsigned" };
        lines.push(format!(
            "driver {}: {}, {} {}, {signed}",
            driver.path, driver.class, driver.provider, driver.version
        ));
    }
    lines
}

fn name(path: &Path) -> String {
    path.display().to_string()
}
