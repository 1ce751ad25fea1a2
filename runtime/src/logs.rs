//! Copies of the log: on the media's data partition and beside the captured image; never on read-only media.

use std::path::{Path, PathBuf};

use media_format::event::Environment;
use media_format::paths;

use crate::run::Run;

/// Copies the log to where people look for it, and gives these places in words. What fails is said in the log and ends nothing.
pub fn copy(run: &Run<'_>) -> Vec<String> {
    let name = run
        .variables
        .get("OSDComputerName")
        .filter(|name| !name.is_empty())
        .unwrap_or("machine");
    let mut folders: Vec<(PathBuf, &str)> = Vec::new();
    if run.media.is_writable() {
        folders.push((run.media.data.join(paths::LOGS).join(name), "on the media"));
    }
    if let Some(folder) = run
        .variables
        .get("_SMSTSCaptureFolder")
        .filter(|folder| !folder.is_empty())
    {
        let folder = Path::new(folder).join(paths::LOGS).join(name);
        folders.push((folder, "beside the captured image"));
    }
    let copied = folders.iter().filter(|(folder, _)| copy_to(run, folder));
    copied
        .map(|(_, whose)| format!("{}/{name}/{} {whose}", paths::LOGS, crate::log::NAME))
        .collect()
}

fn copy_to(run: &Run<'_>, folder: &Path) -> bool {
    let mut copied = true;
    for (name, bytes) in run.log.files() {
        if let Err(error) = run.platform.write(&folder.join(name), &bytes, 0o644) {
            run.log.warning(format!(
                "the log could not be copied to {}: {error:#}",
                folder.display()
            ));
            copied = false;
        }
    }
    copied
}

/// Where the log itself is, for somebody who comes to the machine later.
pub fn place(run: &Run<'_>) -> String {
    let path = run.log.folder().join(crate::log::NAME);
    match (run.here, run.log.folder() == run.log_home) {
        (Environment::Os, _) => path.display().to_string(),
        (Environment::Pe, true) => format!("{}, in memory until the machine is switched off", path.display()),
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
