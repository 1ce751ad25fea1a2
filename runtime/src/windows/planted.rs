//! What the run puts into a Windows so that it goes on there, and how all of it goes again before the capture.
//!
//! A service starts the runtime at every start, whatever the product key; SetupComplete.cmd only tells it that set-up is
//! over. Each part can be put and removed any number of times, so that a cut costs nothing.

use std::path::Path;

use anyhow::Context as _;
use media_format::paths;
use windows_setup::offline_registry::{
    ControlSet, SOFTWARE_HIVE, SYSTEM_HIVE, Service, ServiceStart, created_user_query, without_created_user,
};
use windows_setup::unattend;

use super::hives::Hive;
use super::{device_encryption, drivers, volume};
use crate::context::Context;
use crate::journal::Target;
use crate::log::Log;
use crate::platform::{Platform, Result};

/// What set-up runs at its end, and what was there before.
const SETUP_COMPLETE: &str = "Windows/Setup/Scripts/SetupComplete.cmd";
const BEFORE: &str = "Windows/Setup/Scripts/SetupComplete.before-media-runtime.cmd";
/// By this line ours is known.
const MARK: &str = "rem Made by media-runtime for the time of its run.";
/// For administrators only: it runs as SYSTEM.
const MODE: u32 = 0o700;

/// Plants the runtime in the Windows under `root`.
///
/// # Errors
/// When the media carries none, or the volume cannot be written.
pub fn plant(context: &Context<'_>, root: &Path) -> Result<()> {
    let platform = context.platform;
    let folder = volume::locate(platform, root, paths::INSTALLED_WINDOWS)?;
    let program = context.media.windows_runtime(platform)?;
    let planted = folder.join(paths::WINDOWS_PROGRAM);
    platform
        .copy(&program, &planted)
        .context("copying the runtime into Windows")?;
    let id = context.media.manifest.media_id.as_bytes();
    platform.write(&folder.join(paths::INSTALLED_MEDIA_ID), id, MODE)?;
    plant_setup_complete(platform, root).context("writing SetupComplete.cmd")?;
    // What starts it comes last.
    let hive = Hive::at(platform, root, SYSTEM_HIVE)?;
    let edits = control_set(&hive)?.service(&service())?;
    hive.edit(edits).context("entering the service of the runtime")
}

fn control_set(hive: &Hive<'_>) -> Result<ControlSet> {
    Ok(ControlSet::current(hive.value(ControlSet::query())?.as_ref())?)
}

/// The service as it is entered in a Windows that does not run.
pub fn service() -> Service {
    let folder = paths::INSTALLED_WINDOWS.replace('/', "\\");
    Service {
        name: paths::WINDOWS_SERVICE.into(),
        display_name: "Task sequence of the media".into(),
        description: "Goes on with the task sequence that set up this Windows, and is removed at its end."
            .into(),
        command: format!(r#""%SystemDrive%\{folder}\{}" service"#, paths::WINDOWS_PROGRAM),
        start: ServiceStart::Automatic,
        depends_on: vec![],
    }
}

fn plant_setup_complete(platform: &dyn Platform, root: &Path) -> Result<()> {
    let path = volume::locate(platform, root, SETUP_COMPLETE)?;
    let before = volume::locate(platform, root, BEFORE)?;
    if platform.read(&path)?.is_some_and(|text| !is_ours(&text)) {
        platform.rename(&path, &before)?;
    }
    platform.write(&path, setup_complete().as_bytes(), 0o755)
}

/// A script of the image is kept and called; the run goes on once it has ended.
fn setup_complete() -> String {
    let name = BEFORE.rsplit('/').next().unwrap_or(BEFORE);
    let folder = paths::INSTALLED_WINDOWS.replace('/', "\\");
    let runtime = format!(r#""%SystemDrive%\{folder}\{}""#, paths::WINDOWS_PROGRAM);
    [
        "@echo off".to_owned(),
        MARK.to_owned(),
        format!("{runtime} setup-called"),
        format!(r#"if exist "%~dp0{name}" call "%~dp0{name}""#),
        format!("{runtime} setup-complete"),
        String::new(),
    ]
    .join("\r\n")
}

fn is_ours(text: &[u8]) -> bool {
    text.windows(MARK.len()).any(|part| part == MARK.as_bytes())
}

/// Whether a run has planted something that is still there.
///
/// # Errors
/// When the volume cannot be read.
pub fn is_there(platform: &dyn Platform, root: &Path) -> Result<bool> {
    let folder = volume::locate(platform, root, paths::INSTALLED_WINDOWS)?;
    Ok(platform.exists(&folder))
}

/// Whether the service of a run is entered in the Windows under `root`.
///
/// # Errors
/// When its hive cannot be read.
pub fn has_service(platform: &dyn Platform, root: &Path) -> Result<bool> {
    let hive = Hive::at(platform, root, SYSTEM_HIVE)?;
    let query = control_set(&hive)?.service_query(paths::WINDOWS_SERVICE)?;
    Ok(hive.key(query)?.is_some())
}

/// Takes the service out, and nothing else.
///
/// # Errors
/// When the hive cannot be changed.
pub fn remove_service(platform: &dyn Platform, root: &Path) -> Result<()> {
    let hive = Hive::at(platform, root, SYSTEM_HIVE)?;
    let without = control_set(&hive)?.without_service(paths::WINDOWS_SERVICE)?;
    hive.edit(vec![without])
        .context("removing the service of an earlier run")
}

/// Takes everything of the run out of the Windows under `root`; its folder goes last, so that a cut before it leads here
/// again. Only a Windows that the run has set up was given answers and drivers; `known` are the secrets of the run.
///
/// # Errors
/// When something cannot be removed.
pub fn remove(
    platform: &dyn Platform,
    log: &Log,
    root: &Path,
    target: &Target,
    known: &[&str],
) -> Result<()> {
    if target.ours {
        remove_files(platform, log, root, known)?;
        drivers::remove(platform, root).context("removing what names the placed drivers")?;
        remove_created_user(platform, root).context("removing the note of set-up about users")?;
    }
    let hive = Hive::at(platform, root, SYSTEM_HIVE)?;
    let set = control_set(&hive)?;
    let mut edits = vec![set.without_service(paths::WINDOWS_SERVICE)?];
    edits.extend(device_encryption::allowed_again(&set, target));
    hive.edit(edits).context("removing the service of the runtime")?;
    platform.remove(&volume::locate(platform, root, paths::INSTALLED_WINDOWS)?)
}

/// Our answers keep the first start from asking for a user. In the image that would leave its machines without one.
fn remove_created_user(platform: &dyn Platform, root: &Path) -> Result<()> {
    let hive = Hive::at(platform, root, SOFTWARE_HIVE)?;
    let current = hive.value(created_user_query())?;
    hive.edit(without_created_user(current.as_ref()).into_iter().collect())
}

/// Takes out what set-up was given, in a Windows that runs as in one that does not.
///
/// # Errors
/// When something cannot be removed.
pub fn remove_files(platform: &dyn Platform, log: &Log, root: &Path, known: &[&str]) -> Result<()> {
    restore_setup_complete(platform, root).context("restoring SetupComplete.cmd")?;
    remove_answers(platform, log, root, known).context("removing answer files")
}

fn restore_setup_complete(platform: &dyn Platform, root: &Path) -> Result<()> {
    let path = volume::locate(platform, root, SETUP_COMPLETE)?;
    let before = volume::locate(platform, root, BEFORE)?;
    let ours = platform.read(&path)?.is_some_and(|text| is_ours(&text));
    if platform.exists(&before) {
        platform.rename(&before, &path)
    } else if ours {
        platform.remove(&path)
    } else {
        Ok(())
    }
}

/// Ours, and what Windows has kept of it, would be used again when the captured image is set up; other copies lose their secrets.
///
/// # Errors
/// When a file cannot be removed or cleaned; the others were.
pub fn remove_answers(platform: &dyn Platform, log: &Log, root: &Path, known: &[&str]) -> Result<()> {
    let places = std::iter::once(unattend::PLACE).chain(unattend::KEPT);
    let removed = places.map(|place| {
        let path = volume::locate(platform, root, place)?;
        platform.wipe(&path)
    });
    let removed = removed.fold(Ok(()), Result::and);
    removed.and(clean_answers(platform, log, root, known, Unreadable::Goes))
}

/// An answer file that cannot be understood, and may hold secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// Something may still need it.
    Stays,
    /// It is removed.
    Goes,
}

/// Takes the secrets out of the answer files of a Windows that has used them. The files stay: sysprep reads them once more.
///
/// # Errors
/// When a file cannot be cleaned; the others were.
pub fn clean_answers(
    platform: &dyn Platform,
    log: &Log,
    root: &Path,
    known: &[&str],
    unreadable: Unreadable,
) -> Result<()> {
    let places = unattend::LEFT_BEHIND.iter();
    let cleaned = places.map(|place| {
        let path = volume::locate(platform, root, place)?;
        clean_file(platform, log, &path, known, unreadable)
    });
    // All of them, whatever becomes of one.
    cleaned.fold(Ok(()), Result::and)
}

/// The same in the Windows that runs where no run can go on. Only one that a run has set up is ours to change: it has our
/// SetupComplete.cmd.
///
/// # Errors
/// When a file cannot be read or cleaned.
pub fn clean_own_answers(platform: &dyn Platform, log: &Log) -> Result<()> {
    let root = platform.root();
    let script = platform.read(&volume::locate(platform, &root, SETUP_COMPLETE)?)?;
    if !script.is_some_and(|text| is_ours(&text)) {
        return Ok(());
    }
    // Its values are not known any more, so that one in a command could not be found: the file of the run goes as a whole.
    remove_answers(platform, log, &root, &[]).context("taking secrets out of answer files")
}

fn clean_file(
    platform: &dyn Platform,
    log: &Log,
    path: &Path,
    known: &[&str],
    unreadable: Unreadable,
) -> Result<()> {
    let Some(text) = platform.read(path)? else {
        return Ok(());
    };
    match (unattend::remove_secrets(&text, known), unreadable) {
        (Ok(cleaned), _) if cleaned.removed.is_empty() => Ok(()),
        (Ok(cleaned), _) => {
            platform.write(path, cleaned.text.as_bytes(), 0o600)?;
            let names = cleaned.removed.join(", ");
            log.info(format!("removed from {}: {names}", path.display()));
            Ok(())
        }
        (Err(error), Unreadable::Stays) => {
            log.warning(format!(
                "{} cannot be understood, so what secrets it may hold stay in it until the end of the run: {error}",
                path.display()
            ));
            Ok(())
        }
        (Err(error), Unreadable::Goes) => {
            log.warning(format!(
                "{} cannot be understood, so it is removed with what secrets it may hold: {error}",
                path.display()
            ));
            platform.wipe(path)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_up_calls_the_images_own_script_and_then_the_runtime() {
        let said = setup_complete();
        let lines: Vec<_> = said.split("\r\n").collect();
        assert_eq!(
            lines,
            [
                "@echo off",
                MARK,
                r#""%SystemDrive%\ProgramData\media-runtime\media-runtime.exe" setup-called"#,
                r#"if exist "%~dp0SetupComplete.before-media-runtime.cmd" call "%~dp0SetupComplete.before-media-runtime.cmd""#,
                r#""%SystemDrive%\ProgramData\media-runtime\media-runtime.exe" setup-complete"#,
                "",
            ]
        );
    }
}
