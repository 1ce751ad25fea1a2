//! Copies of the log: on the media's data partition and beside the captured image, or where that would have come; never on read-only
//! media.

use std::path::{Path, PathBuf};

use media_format::event::Environment;
use media_format::paths;
use task_sequence::steps::CaptureDestination;
use task_sequence::{Action, Step};

use crate::context::resolved;
use crate::in_windows::path::text_in;
use crate::log::Log;
use crate::media::Media;
use crate::platform::{Platform, Result, System};
use crate::run::Run;
use crate::{destination, possible};

/// What is known of the destination of a capture that is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// Nothing yet.
    #[default]
    Unknown,
    /// It was checked before the first step.
    Known,
    /// It could not be opened for the log.
    Lost,
}

/// Copies the log to where people look for it, and gives these places in words. What fails is said in the log and ends nothing.
pub fn copy(run: &Run<'_>) -> Vec<String> {
    let captured = captured(run).map(|folder| (folder, "beside the captured image"));
    copy_everywhere(run, captured)
}

/// The same after a failure, also before there is a captured image.
pub fn copy_after_failure(run: &mut Run<'_>) -> Vec<String> {
    if captured(run).is_some() {
        return copy(run);
    }
    let destination = destination(run).map(|folder| (folder, "at the destination of the capture"));
    copy_everywhere(run, destination)
}

/// The folder of the captured image, once there is one.
fn captured(run: &Run<'_>) -> Option<PathBuf> {
    let folder = run.variables.get("_SMSTSCaptureFolder")?;
    (!folder.is_empty()).then(|| folder.into())
}

/// The folder that the capture will come to. What cannot be reached is told once, and not waited for again.
fn destination(run: &mut Run<'_>) -> Option<PathBuf> {
    let step = capture_to_come(run)?;
    match open(run, &step) {
        Ok(folder) => folder,
        Err(error) => {
            run.log.warning(format!(
                "the log could not be copied to the destination of the capture: {error:#}"
            ));
            run.destination = Reach::Lost;
            None
        }
    }
}

fn open(run: &mut Run<'_>, step: &Step) -> Result<Option<PathBuf>> {
    let Action::CaptureOperatingSystemImage(options) = &step.action else {
        return Ok(None);
    };
    let opened = destination::open(&run.context(), options)?;
    Ok(Some(opened.folder))
}

/// The first capture whose destination is known by now. Nobody is asked for its account only for the log.
fn capture_to_come(run: &Run<'_>) -> Option<Step> {
    let steps = possible::steps(run.sequence, run.platform, &run.variables, run.here);
    let mut captures = steps
        .into_iter()
        .filter(|step| matches!(step.action, Action::CaptureOperatingSystemImage(_)))
        .filter(|step| run.questions.needed(&step.action, &run.variables).is_empty())
        .filter_map(|step| resolved(step, &run.variables).ok());
    captures.find(|step| is_within_reach(run, &step.action))
}

/// Inside a system the disks look different, and before they were checked a rule may mean another disk than it should.
fn is_within_reach(run: &Run<'_>, action: &Action) -> bool {
    let Action::CaptureOperatingSystemImage(options) = action else {
        return false;
    };
    match &options.destination {
        Some(CaptureDestination::Share { .. }) => run.destination != Reach::Lost,
        Some(CaptureDestination::Disk { disk, .. }) => {
            let is_known = run.destination == Reach::Known && run.here == Environment::Pe;
            is_known && destination::open_variable(disk, &run.variables).is_none()
        }
        // The media has its copy anyway.
        _ => false,
    }
}

/// The same where a start has failed before there was a run: onto the media, unless a copy of it may be meant. Never into the folder
/// of a run's log, which may be the only thing that tells why that run failed.
pub fn copy_of_start(platform: &dyn Platform, media: &Media, log: &Log) -> Option<String> {
    let disks = platform.disks().ok()?;
    media.refuse_copies(&disks).ok()?;
    let folder = media.is_writable().then(|| (media.data.clone(), ON_MEDIA))?;
    copy_into(platform, log, WITHOUT_RUN, &[folder]).pop()
}

/// A machine that has no name yet.
const UNNAMED: &str = "machine";
/// With the underscore it is no computer's name.
const WITHOUT_RUN: &str = "failed_start";
const ON_MEDIA: &str = "on the media";

/// Onto the media, and into that folder.
fn copy_everywhere(run: &Run<'_>, further: Option<(PathBuf, &'static str)>) -> Vec<String> {
    let name = run.variables.get("OSDComputerName");
    let name = name.filter(|name| !name.is_empty()).unwrap_or(UNNAMED);
    let media = run
        .media
        .is_writable()
        .then(|| (run.media.data.clone(), ON_MEDIA));
    let folders: Vec<_> = media.into_iter().chain(further).collect();
    copy_into(run.platform, run.log, name, &folders)
}

fn copy_into(platform: &dyn Platform, log: &Log, name: &str, folders: &[(PathBuf, &str)]) -> Vec<String> {
    let copied = folders
        .iter()
        .filter(|(folder, _)| copy_to(platform, log, &folder.join(paths::LOGS).join(name)));
    copied
        .map(|(_, whose)| format!("{}/{name}/{} {whose}", paths::LOGS, crate::log::NAME))
        .collect()
}

fn copy_to(platform: &dyn Platform, log: &Log, folder: &Path) -> bool {
    let mut copied = true;
    for (name, bytes) in log.files() {
        if let Err(error) = platform.write(&folder.join(name), &bytes, 0o644) {
            log.warning(format!(
                "the log could not be copied to {}: {error:#}",
                folder.display()
            ));
            copied = false;
        }
    }
    copied
}

/// A deployed Windows keeps nothing of the run.
const GONE: &str = "nowhere any more: nothing of the run stays in the system, and the media took no copy";

/// Where the log of a start is that has failed before there was a run.
pub fn place_of_start(platform: &dyn Platform, log: &Log, here: Environment) -> String {
    let path = log.folder().join(crate::log::NAME);
    match (here, platform.system()) {
        (Environment::Os, System::Windows) => text_in(System::Windows, &path),
        _ => in_memory(&path),
    }
}

fn in_memory(path: &Path) -> String {
    format!("{}, in memory until the machine is switched off", path.display())
}

/// Where the log itself is after the run, for somebody who comes to the machine later.
pub fn place(run: &Run<'_>, succeeded: bool) -> String {
    let path = run.log.folder().join(crate::log::NAME);
    match (run.here, run.log.folder() == run.log_home) {
        (Environment::Os, _) if succeeded && run.platform.system() == System::Windows => GONE.into(),
        (Environment::Os, _) => text_in(run.platform.system(), &path),
        (Environment::Pe, true) => in_memory(&path),
        (Environment::Pe, false) => {
            let folder = run
                .log
                .folder()
                .file_name()
                .map(|name| name.to_string_lossy().into_owned());
            let name = crate::log::NAME;
            format!(
                "{}/{name} on the partition that the machine starts from",
                folder.unwrap_or_default()
            )
        }
    }
}
