//! Images in Windows PE: applied and captured by Windows' own program, volume by volume.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use media_format::manifest::hex;
use media_format::wim::protocol::{Apply, Capture, CaptureImage, Compression, Message, Phase, Summary};

use super::tools;
use crate::log::Log;
use crate::platform::{Files, Processes, Result};

const PROGRAM: &str = "dism.exe";

/// A capture, with what Windows calls its volumes and where the list of exclusions is put.
#[derive(Debug)]
pub struct Job<'a> {
    /// What is asked for.
    pub capture: &'a Capture,
    /// The volume of each image, as `C:\`.
    pub folders: Vec<String>,
    /// Where the list of exclusions can be written.
    pub configuration: PathBuf,
    /// The step's time limit, for each call.
    pub limit: Option<Duration>,
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
    limit: Option<Duration>,
    progress: &mut dyn FnMut(&Message),
) -> Result<()> {
    if apply.unix_data || !apply.inside.is_empty() {
        bail!("DISM applies images of Windows only; use the Linux PE as the boot image");
    }
    let words = words_to_apply(apply, folder)?;
    progress(&step(Phase::Extract, 0, 0));
    tools::run(processes, log, PROGRAM, &words, limit)
        .with_context(|| format!("applying image {} to {folder}", apply.index))?;
    Ok(())
}

fn words_to_apply(apply: &Apply, folder: &str) -> Result<Vec<String>> {
    let mut words = vec![
        "/English".to_owned(),
        "/Apply-Image".to_owned(),
        format!("/ImageFile:{}", apply.wim.display()),
    ];
    if !apply.parts.is_empty() {
        words.push(format!("/SWMFile:{}", pattern(apply)?.display()));
    }
    words.push(format!("/Index:{}", apply.index));
    words.push(format!("/ApplyDir:{folder}"));
    words.extend(["/CheckIntegrity", "/Verify"].map(str::to_owned));
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
        name_lost(log, image);
        let text = configuration(image)?;
        machine.write(&job.configuration, text.as_bytes(), 0o600)?;
        let first = (number == 0).then_some(compression);
        let words = words(image, folder, made, first, &job.configuration);
        tools::run(machine, log, PROGRAM, &words, job.limit)
            .with_context(|| format!("capturing {folder}"))?;
    }
    machine.remove(&job.configuration)
}

/// DISM has no options for these.
fn name_lost(log: &Log, image: &CaptureImage) {
    let lost = [
        ("creator", &image.creator),
        ("version", &image.version),
        ("edition", &image.flags),
    ];
    let lost: Vec<&str> = lost
        .iter()
        .filter(|(_, value)| value.is_some())
        .map(|(name, _)| *name)
        .collect();
    if !lost.is_empty() {
        log.warning(format!(
            "the image \"{}\" is captured without its {}: DISM has no options for them, and the Linux PE has",
            image.name,
            lost.join(" and ")
        ));
    }
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
        format!("/ImageFile:{}", made.display()),
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
    words.push(format!("/ConfigFile:{}", configuration.display()));
    words.extend(["/CheckIntegrity", "/Verify"].map(str::to_owned));
    words
}

/// DISM's list of exclusions (WimScript.ini).
fn configuration(image: &CaptureImage) -> Result<String> {
    let section = |name: &str, patterns: &[String]| {
        let lines = patterns.iter().map(|pattern| pattern.replace('/', "\\") + "\r\n");
        format!("[{name}]\r\n{}", lines.collect::<String>())
    };
    let mut all = image.exclude.iter().chain(&image.exclude_exceptions);
    if let Some(pattern) = all.find(|pattern| !pattern.is_ascii()) {
        bail!(
            "DISM cannot exclude {pattern}: its list takes ASCII characters only; use the Linux PE as the boot image"
        );
    }
    let mut text = section("ExclusionList", &image.exclude);
    if !image.exclude_exceptions.is_empty() {
        text.push_str("\r\n");
        text.push_str(&section("ExclusionException", &image.exclude_exceptions));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;
    use media_format::wim::protocol::{OnBadName, Volume};

    fn image(folder: &str, name: &str) -> CaptureImage {
        CaptureImage {
            source: Volume::NtfsVolume(folder.into()),
            name: name.into(),
            description: None,
            display_name: None,
            display_description: None,
            flags: None,
            creator: None,
            version: None,
            mount_point: None,
            exclude: vec!["/pagefile.sys".into(), "/Windows/CSC".into()],
            exclude_exceptions: vec![],
            unix_data: false,
            one_file_system: false,
        }
    }

    fn two_volumes() -> Capture {
        let mut windows = image(r"W:\", "Windows reference");
        windows.description = Some("as it was".into());
        Capture {
            wim: "E:/captures/a.wim.partial".into(),
            compression: Compression::Xpress,
            threads: None,
            images: vec![windows, image(r"V:\", "data")],
            on_bad_name: OnBadName::Refuse,
            verify: true,
        }
    }

    fn job(capture: &Capture) -> Job<'_> {
        Job {
            capture,
            folders: vec![r"W:\".into(), r"V:\".into()],
            configuration: "X:/media-runtime/WimScript.ini".into(),
            limit: None,
        }
    }

    /// DISM, which leaves a file.
    fn machine() -> Fake {
        Fake::default().does("dism.exe", |machine| {
            machine.put_file("E:/captures/a.wim.partial.wim", b"an image");
        })
    }

    #[test]
    fn the_first_volume_makes_the_file_and_the_others_are_added() {
        let (machine, capture) = (machine(), two_volumes());
        let summary = super::capture(&machine, &Log::default(), &job(&capture), &mut |_| {}).unwrap();
        let ran = machine.ran();
        let first = [
            "/English",
            "/Capture-Image",
            "/ImageFile:E:/captures/a.wim.partial.wim",
            r"/CaptureDir:W:\",
            "/Name:Windows reference",
            "/Description:as it was",
            "/Compress:fast",
            "/ConfigFile:X:/media-runtime/WimScript.ini",
            "/CheckIntegrity",
            "/Verify",
        ];
        let second = [
            "/English",
            "/Append-Image",
            "/ImageFile:E:/captures/a.wim.partial.wim",
            r"/CaptureDir:V:\",
            "/Name:data",
            "/ConfigFile:X:/media-runtime/WimScript.ini",
            "/CheckIntegrity",
            "/Verify",
        ];
        let calls: Vec<_> = ran.iter().map(|ran| ran.arguments.clone()).collect();
        assert_eq!(calls, [first.to_vec(), second.to_vec()]);
        assert_eq!(summary.wim_bytes, 8);
        assert_eq!(
            machine.read(&capture.wim).unwrap().as_deref(),
            Some(&b"an image"[..])
        );
        assert!(!machine.exists(Path::new("E:/captures/a.wim.partial.wim")));
    }

    #[test]
    fn a_failure_leaves_no_file_and_says_what_dism_said() {
        let machine = machine().ends(
            "dism.exe",
            112,
            "Error: 112\r\nThere is not enough space on the disk.\r\n",
        );
        let capture = two_volumes();
        let error = super::capture(&machine, &Log::default(), &job(&capture), &mut |_| {});
        let error = format!("{:#}", error.unwrap_err());
        assert!(
            error.contains("not enough space") && error.contains(r"W:\"),
            "{error}"
        );
        assert!(!machine.exists(&capture.wim));
        assert!(!machine.exists(Path::new("E:/captures/a.wim.partial.wim")));
    }

    #[test]
    fn what_dism_cannot_do_is_refused_before_it_is_called() {
        let refused = |capture: &Capture, why: &str| {
            let machine = machine();
            let error = super::capture(&machine, &Log::default(), &job(capture), &mut |_| {});
            let error = format!("{:#}", error.unwrap_err());
            assert!(error.contains(why), "{error}");
            assert!(machine.ran().is_empty());
        };
        let mut solid = two_volumes();
        solid.compression = Compression::Lzms;
        refused(&solid, "lzms");
        let mut named = two_volumes();
        named.images[0].exclude.push("/Müller".into());
        refused(&named, "ASCII");
    }

    fn one_image() -> Apply {
        Apply {
            wim: "E:/packages/windows/install.wim".into(),
            parts: vec![],
            index: 3,
            target: Volume::NtfsVolume(r"\\?\Volume{1}\".into()),
            inside: vec![],
            unix_data: false,
        }
    }

    #[test]
    fn an_image_is_applied_by_one_call_and_a_failure_says_what_dism_said() {
        let machine = Fake::default();
        let mut phases = Vec::new();
        let mut progress = |message: &Message| phases.push(message.clone());
        let log = Log::default();
        super::apply(&machine, &log, &one_image(), r"W:\", None, &mut progress).unwrap();
        let expected = [
            "/English",
            "/Apply-Image",
            "/ImageFile:E:/packages/windows/install.wim",
            "/Index:3",
            r"/ApplyDir:W:\",
            "/CheckIntegrity",
            "/Verify",
        ];
        assert_eq!(machine.ran()[0].arguments, expected);
        assert_eq!(phases, [step(Phase::Extract, 0, 0)]);
        let machine = Fake::default().ends("dism.exe", 13, "Error: 13\r\nThe data is invalid.\r\n");
        let error = super::apply(&machine, &log, &one_image(), r"W:\", None, &mut |_| {});
        let error = format!("{:#}", error.unwrap_err());
        assert!(
            error.contains("The data is invalid.") && error.contains(r"image 3 to W:\"),
            "{error}"
        );
    }

    #[test]
    fn the_parts_of_a_split_image_are_told_by_a_pattern() {
        let mut split = one_image();
        split.wim = "E:/packages/windows/install.swm".into();
        split.parts = vec!["E:/packages/windows/Install2.SWM".into()];
        let words = words_to_apply(&split, r"W:\").unwrap();
        assert_eq!(words[3], "/SWMFile:E:/packages/windows/install*.swm");
        split.parts.push("E:/packages/windows/other3.swm".into());
        let error = words_to_apply(&split, r"W:\").unwrap_err().to_string();
        assert!(error.contains("other3.swm"), "{error}");
    }

    #[test]
    fn an_image_of_another_system_is_refused_before_dism_is_called() {
        let machine = Fake::default();
        let mut linux = one_image();
        linux.unix_data = true;
        let mut tree = one_image();
        tree.inside.push("W:/home".into());
        for unfit in [linux, tree] {
            let error = super::apply(&machine, &Log::default(), &unfit, r"W:\", None, &mut |_| {});
            assert!(error.unwrap_err().to_string().contains("Linux PE"));
        }
        assert!(machine.ran().is_empty());
    }

    #[test]
    fn exclusions_have_the_form_of_wimscript_ini() {
        let mut image = image("", "");
        let list = "[ExclusionList]\r\n\\pagefile.sys\r\n\\Windows\\CSC\r\n";
        assert_eq!(configuration(&image).unwrap(), list);
        image.exclude_exceptions.push("/Windows/CSC/kept".into());
        let exceptions = "\r\n[ExclusionException]\r\n\\Windows\\CSC\\kept\r\n";
        assert_eq!(configuration(&image).unwrap(), format!("{list}{exceptions}"));
    }
}
