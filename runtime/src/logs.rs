//! Copies of the log: on the media's data partition and beside the captured image; never on read-only media.

use std::path::{Path, PathBuf};

use media_format::paths;

use crate::run::Run;

/// Copies the log to where people look for it. What fails is said in the log and ends nothing.
pub fn copy(run: &Run<'_>) {
    let name = run
        .variables
        .get("OSDComputerName")
        .filter(|name| !name.is_empty())
        .unwrap_or("machine");
    let mut folders: Vec<PathBuf> = Vec::new();
    if run.media.is_writable() {
        folders.push(run.media.data.join(paths::LOGS).join(name));
    }
    if let Some(folder) = run
        .variables
        .get("_SMSTSCaptureFolder")
        .filter(|folder| !folder.is_empty())
    {
        folders.push(Path::new(folder).join(paths::LOGS).join(name));
    }
    for folder in folders {
        for (name, bytes) in run.log.files() {
            if let Err(error) = run.platform.write(&folder.join(name), &bytes, 0o644) {
                run.log.warning(format!(
                    "the log could not be copied to {}: {error:#}",
                    folder.display()
                ));
            }
        }
    }
}
