//! Images in Windows PE: applied and captured by Windows' own program, volume by volume.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use media_format::manifest::hex;
use media_format::wim::protocol::{Apply, Capture, CaptureImage, Compression, Find, Message, Phase, Summary};

use super::{path, tools};
use crate::log::Log;
use crate::platform::{Command, Files, Processes, Result};

const PROGRAM: &str = "dism.exe";
/// What it says before the number of an error.
const ERROR: &str = "Error: ";

/// A capture, with what Windows calls its volumes and where the list of exclusions is put.
#[derive(Debug)]
pub struct Job<'a> {
    /// What is asked for.
    pub capture: &'a Capture,
    /// The volume of each image, as `C:\`.
    pub folders: Vec<String>,
    /// Where the list of exclusions can be written.
    pub configuration: PathBuf,
    /// Sets the properties of the images in a WIM.
    pub set_properties: fn(&Path, &[CaptureImage]) -> Result<()>,
}

/// Whether DISM can capture like that.
///
/// # Errors
/// When it cannot, before anything is changed.
pub fn check<'a>(wanted: Compression, mut exclude: impl Iterator<Item = &'a String>) -> Result<()> {
    compression(wanted)?;
    if let Some(pattern) = exclude.find(|pattern| !pattern.is_ascii()) {
        bail!(
            "DISM cannot exclude {pattern}: its list takes ASCII characters only; use the Linux PE as the boot image"
        );
    }
    Ok(())
}

/// Captures the volumes. What is written under another name until it is complete goes away when it fails.
///
/// # Errors
/// When DISM cannot do what is asked for, or fails.
pub fn capture(
    machine: &(impl Files + Processes + ?Sized),
    log: &Log,
    job: &Job<'_>,
    progress: &mut dyn FnMut(&Message),
) -> Result<Summary> {
    for image in &job.capture.images {
        let patterns = image.exclude.iter().chain(&image.exclude_exceptions);
        check(job.capture.compression, patterns)?;
    }
    let compression = compression(job.capture.compression)?;
    // DISM knows the kind of a file by the end of its name.
    let made = with_end(&job.capture.wim);
    machine.remove(&made)?;
    let written = write(machine, log, job, &made, compression, progress).and_then(|()| {
        machine
            .rename(&made, &job.capture.wim)
            .context("renaming the image that DISM has written")
    });
    if let Err(error) = written {
        machine.remove(&made)?;
        return Err(error);
    }
    let mut done = |bytes| progress(&step(Phase::Verify, bytes, 0));
    let (digest, size) = machine.digest(&job.capture.wim, &mut done)?;
    Ok(Summary {
        wim_bytes: size,
        sha256: Some(hex(&digest)),
        ..Summary::default()
    })
}

/// Applies an image to the volume that Windows calls that folder, as `W:\`.
///
/// # Errors
/// When DISM cannot do what is asked for, or fails.
pub fn apply(
    processes: &(impl Processes + ?Sized),
    log: &Log,
    apply: &Apply,
    folder: &str,
    progress: &mut dyn FnMut(&Message),
) -> Result<()> {
    if apply.unix_data || !apply.inside.is_empty() {
        bail!("DISM applies images of Windows only; use the Linux PE as the boot image");
    }
    let words = words_to_apply(apply, folder)?;
    progress(&step(Phase::Extract, 0, 0));
    tools::run(processes, log, PROGRAM, &words, None)
        .with_context(|| format!("applying image {} to {folder}", apply.index))?;
    Ok(())
}

/// Which of the files an image has. DISM lists all, more than a log can hold: only their lines are kept.
///
/// # Errors
/// When DISM fails.
pub fn find(processes: &(impl Processes + ?Sized), log: &Log, find: &Find) -> Result<Vec<PathBuf>> {
    let names = find.paths.iter().map(|path| path::text(path));
    let command = Command {
        program: PROGRAM.into(),
        arguments: vec![
            "/English".into(),
            "/List-Image".into(),
            format!("/ImageFile:{}", path::text(&find.wim)),
            format!("/Index:{}", find.index),
        ],
        only: names.chain([ERROR.to_owned()]).collect(),
        ..Command::default()
    };
    let output =
        tools::run_command(processes, log, &command).with_context(|| format!("listing image {}", find.index));
    let output = match output {
        // Whether DISM lists an image of which it has the first part only is not documented, nor with which code it ends where it does
        // not: that cannot be told from another failure. What is missing is found by what needs it.
        Err(error) if is_part(&find.wim) => {
            log.warning(format!("not looked into before it is applied: {error:#}"));
            return Ok(find.paths.clone());
        }
        output => output?,
    };
    let lines: Vec<&str> = output.stdout.lines().map(str::trim).collect();
    let has = |path: &&PathBuf| {
        lines
            .iter()
            .any(|line| line.eq_ignore_ascii_case(&path::text(path)))
    };
    Ok(find.paths.iter().filter(has).cloned().collect())
}

fn is_part(wim: &Path) -> bool {
    wim.extension()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("swm"))
}

fn words_to_apply(apply: &Apply, folder: &str) -> Result<Vec<String>> {
    let mut words = vec![
        "/English".to_owned(),
        "/Apply-Image".to_owned(),
        format!("/ImageFile:{}", path::text(&apply.wim)),
    ];
    if !apply.parts.is_empty() {
        words.push(format!("/SWMFile:{}", path::text(&pattern(apply)?)));
    }
    words.push(format!("/Index:{}", apply.index));
    words.push(format!("/ApplyDir:{folder}"));
    // Not /CheckIntegrity: few images have a table for it, and the digest of the whole file was compared before.
    words.push("/Verify".to_owned());
    Ok(words)
}

/// DISM is told the parts of a split image by a pattern: the name of the first part, and what follows it in those of the others.
fn pattern(apply: &Apply) -> Result<PathBuf> {
    let lower = |path: &Path| path.to_string_lossy().to_lowercase();
    let stem = apply.wim.with_extension("");
    let unfit = |part: &&PathBuf| !lower(part).starts_with(&lower(&stem));
    if let Some(part) = apply.parts.iter().find(unfit) {
        bail!(
            "DISM finds the parts of a split image by the name of the first one: {} must begin with {}",
            part.display(),
            stem.display()
        );
    }
    let mut pattern = stem.into_os_string();
    pattern.push("*.swm");
    Ok(pattern.into())
}

/// Adds a driver to the Windows on the volume that is called that folder, as `W:\`. DISM takes one without a signature only when
/// it is told to.
///
/// # Errors
/// When DISM fails.
pub fn add_driver(
    processes: &(impl Processes + ?Sized),
    log: &Log,
    folder: &str,
    inf: &Path,
    signed: bool,
) -> Result<()> {
    let mut words = vec![
        "/English".to_owned(),
        format!("/Image:{folder}"),
        "/Add-Driver".to_owned(),
        format!("/Driver:{}", path::text(inf)),
    ];
    words.extend((!signed).then(|| "/ForceUnsigned".to_owned()));
    tools::run(processes, log, PROGRAM, &words, None)
        .with_context(|| format!("adding the driver {} to {folder}", inf.display()))?;
    Ok(())
}

fn with_end(wim: &Path) -> PathBuf {
    let mut name = wim.file_name().unwrap_or_default().to_owned();
    name.push(".wim");
    wim.with_file_name(name)
}

fn step(phase: Phase, done: u64, total: u64) -> Message {
    Message::Progress { phase, done, total }
}

fn compression(wanted: Compression) -> Result<&'static str> {
    Ok(match wanted {
        Compression::None => "none",
        Compression::Xpress => "fast",
        Compression::Lzx => "max",
        Compression::Lzms => bail!(
            "DISM captures with `none`, `xpress` or `lzx`; for `lzms` use the Linux PE as the boot image"
        ),
    })
}

fn write(
    machine: &(impl Files + Processes + ?Sized),
    log: &Log,
    job: &Job<'_>,
    made: &Path,
    compression: &str,
    progress: &mut dyn FnMut(&Message),
) -> Result<()> {
    let count = job.capture.images.len() as u64;
    for (number, (image, folder)) in job.capture.images.iter().zip(&job.folders).enumerate() {
        progress(&step(Phase::Write, number as u64, count));
        let text = configuration(image);
        machine.write(&job.configuration, text.as_bytes(), 0o600)?;
        log.info(format!(
            "configuration for DISM ({}):",
            job.configuration.display()
        ));
        text.lines().for_each(|line| log.info(format!("  {line}")));
        let first = (number == 0).then_some(compression);
        let words = words(image, folder, made, first, &job.configuration);
        tools::run(machine, log, PROGRAM, &words, None).with_context(|| format!("capturing {folder}"))?;
    }
    machine.remove(&job.configuration)?;
    // DISM has no options for most of them. Its image is whole without.
    if let Err(error) = (job.set_properties)(made, &job.capture.images) {
        log.warning(format!(
            "the images are captured without creator, version and edition: {error:#}"
        ));
    }
    Ok(())
}

/// The words of the call: the first image makes the file, with a compression, and the others are added to it.
fn words(
    image: &CaptureImage,
    folder: &str,
    made: &Path,
    compression: Option<&str>,
    configuration: &Path,
) -> Vec<String> {
    let verb = if compression.is_some() {
        "/Capture-Image"
    } else {
        "/Append-Image"
    };
    let mut words = vec![
        "/English".to_owned(),
        verb.to_owned(),
        format!("/ImageFile:{}", path::text(made)),
        format!("/CaptureDir:{folder}"),
        format!("/Name:{}", image.name),
    ];
    words.extend(
        image
            .description
            .iter()
            .map(|text| format!("/Description:{text}")),
    );
    words.extend(compression.map(|kind| format!("/Compress:{kind}")));
    words.push(format!("/ConfigFile:{}", path::text(configuration)));
    words.extend(["/CheckIntegrity", "/Verify"].map(str::to_owned));
    words
}

/// DISM's list of exclusions (WimScript.ini).
fn configuration(image: &CaptureImage) -> String {
    let section = |name: &str, patterns: &[String]| {
        let lines = patterns.iter().map(|pattern| pattern.replace('/', "\\") + "\r\n");
        format!("[{name}]\r\n{}", lines.collect::<String>())
    };
    let mut text = section("ExclusionList", &image.exclude);
    if !image.exclude_exceptions.is_empty() {
        text.push_str("\r\n");
        text.push_str(&section("ExclusionException", &image.exclude_exceptions));
    }
    text
}

#[cfg(test)]
mod tests;
