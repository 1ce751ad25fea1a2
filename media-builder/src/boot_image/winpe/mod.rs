//! A WinPE as the boot image: the user's own WIM with the runtime in it, and the files that start it.
//!
//! Nothing in the WIM is of one medium: the runtime finds the media by their marker, as in the Linux PE.

mod boot_files;
mod drivers;
mod grub;
mod image;
mod source;
mod stage;
mod stores;

use std::path::{Path, PathBuf};

use media_format::wim::info::ImageInfo;
use media_format::wim::protocol::{Extract, Inject, Operation};

use windows_setup::secure_boot::Program;

use super::archive::{self, BootImage, Content, Data};
use super::manifest::{Kind, Manifest, WinPe};
use super::{Error, Progress, Result, make, worker};
pub(super) use boot_files::UEFI_LOADER;
use source::Source;

/// Members with this prefix lie on the media's boot volume as they are.
pub const MEDIA: &str = "media/";
/// The member that a BIOS starts from a disc.
pub const BIOS_PROGRAM: &str = "etfsboot.com";
/// The member that an UEFI starts from a disc: a FAT volume.
pub const UEFI_IMAGE: &str = "efisys_noprompt.bin";
/// Where the WIM lies on the media.
pub const IMAGE: &str = "sources/boot.wim";
/// Where the drivers of the WinPE lie in the WIM: each folder in it has the INF files of one.
pub const DRIVERS: &str = "media-runtime/drivers";

/// What to make.
#[derive(Debug, Clone)]
pub struct Options {
    /// A boot.wim, a Windows ISO, or a folder of the ADK, of copype, or of a disc.
    pub source: PathBuf,
    /// The image in the WIM; the first one unless given.
    pub index: Option<u32>,
    /// Folders with drivers that the WinPE loads when it starts.
    pub drivers: Vec<PathBuf>,
    /// Takes the boot files that the Windows UEFI CA 2023 signed, which lie in the WIM.
    pub uefi_ca_2023: bool,
    /// The Linux PE that GRUB for a BIOS is taken from; sticks start on UEFI only without.
    pub bios_from: Option<PathBuf>,
    /// The boot image that is written.
    pub output: PathBuf,
    /// The runtime for Windows.
    pub runtime: PathBuf,
    /// `wim-worker`.
    pub wim_worker: PathBuf,
    /// `hive-worker`.
    pub hive_worker: PathBuf,
    /// The time stamp of everything, in seconds since 1970.
    pub source_date_epoch: u32,
}

/// A boot image, and what should be known of it.
#[derive(Debug)]
pub struct Made {
    /// The boot image.
    pub image: BootImage,
    /// What is possible but should be known.
    pub warnings: Vec<String>,
}

/// Makes a boot image; two builds of the same inputs are identical.
///
/// # Errors
/// When the source is no WinPE, or lacks what one starts with.
pub fn build(options: &Options, progress: Progress<'_>) -> Result<Made> {
    let folder = match options.output.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Beside the result: a WIM may be too large for the folder of temporary files.
    let work = tempfile::tempdir_in(folder).map_err(Error::io("making a folder in", folder))?;
    let runtime = make::windows_runtime(&options.runtime)?;
    let drivers = drivers::read(&options.drivers)?;
    let grub = options.bios_from.as_deref().map_or(Ok(vec![]), grub::take)?;
    progress("reading the source", 0, 1);
    let mut source = Source::open(&options.source, work.path())?;
    let image = image::choose(&source.wim, options.index)?;
    source
        .folders
        .push(inside(options, &source, &image, work.path())?);
    let files = boot_files::collect(&options.source, &source.folders, options.uefi_ca_2023)?;

    let stage = work.path().join("stage");
    stage::fill(&stage, &options.runtime, &drivers)?;
    let wim = work.path().join("boot.wim");
    inject(options, &source, &image, &stage, &wim, progress)?;

    let mut members: Vec<Content> = files
        .into_iter()
        .map(|(path, file)| Content::new(path, Data::File(file)))
        .collect();
    members.push(Content::new(format!("{MEDIA}{IMAGE}"), Data::File(wim)));
    members.extend(stores::make(
        &options.hive_worker,
        work.path(),
        &language(&image),
    )?);
    members.extend(grub);
    members.push(runtime);
    members.sort_by(|a, b| a.path.cmp(&b.path));
    progress("writing the boot image", 0, 1);
    let manifest = Manifest {
        winpe: Some(facts(&image, &members, drivers.facts)?),
        ..archive::manifest(Kind::WinPe, &members)?
    };
    archive::write(
        &options.output,
        &manifest,
        &members,
        options.source_date_epoch.into(),
    )?;
    Ok(Made {
        image: archive::inspect(&options.output)?,
        warnings: drivers.warnings,
    })
}

/// A folder with the boot files that lie in the image itself.
fn inside(options: &Options, source: &Source, image: &ImageInfo, work: &Path) -> Result<PathBuf> {
    let folder = work.join("inside");
    std::fs::create_dir(&folder).map_err(Error::io("making", &folder))?;
    let extract = Extract {
        wim: source.wim.clone(),
        parts: vec![],
        index: image.index,
        paths: vec![PathBuf::from("/Windows/Boot")],
        folder: folder.join("Windows"),
    };
    let doing = format!("looking for boot files in {}", source.wim.display());
    worker::wim(
        &options.wim_worker,
        Operation::Extract(extract),
        &doing,
        &mut |_, _| {},
    )?;
    Ok(folder)
}

fn inject(
    options: &Options,
    source: &Source,
    image: &ImageInfo,
    stage: &Path,
    into: &Path,
    progress: Progress<'_>,
) -> Result<()> {
    let request = Inject {
        wim: source.wim.clone(),
        index: image.index,
        add: stage.to_owned(),
        into: into.to_owned(),
        guid: stage::guid(&source.wim, image.index, stage)?,
        time: options.source_date_epoch,
    };
    stage::settle(stage, options.source_date_epoch)?;
    let doing = format!("adding the runtime to {}", source.wim.display());
    worker::wim(
        &options.wim_worker,
        Operation::Inject(request),
        &doing,
        &mut |done, of| progress("writing the WIM", done, of),
    )?;
    Ok(())
}

fn language(image: &ImageInfo) -> String {
    let windows = image.windows.as_ref();
    let language =
        windows.and_then(|windows| windows.default_language.as_ref().or(windows.languages.first()));
    language.cloned().unwrap_or_else(|| "en-US".into())
}

fn facts(image: &ImageInfo, members: &[Content], drivers: Vec<super::manifest::Driver>) -> Result<WinPe> {
    let loader = members.iter().find(|member| member.path == UEFI_LOADER);
    let uefi_signers = match loader.map(|member| &member.data) {
        Some(Data::File(path)) => signers(path)?,
        _ => String::new(),
    };
    let windows = image.windows.clone().unwrap_or_default();
    Ok(WinPe {
        name: image.name.clone(),
        version: windows.version.unwrap_or_default(),
        language: language(image),
        index: image.index,
        uefi_signers,
        drivers,
    })
}

/// Who signed what UEFI starts. A file that is no program would not start, and is found out here.
fn signers(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(Error::io("reading", path))?;
    match Program::read(&bytes) {
        Ok(program) => Ok(program.signers()),
        Err(error) => Err(Error::BootProgram {
            path: path.to_owned(),
            why: error.to_string(),
        }),
    }
}
