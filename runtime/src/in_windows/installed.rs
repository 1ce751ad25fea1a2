//! What starts the runtime inside Windows, and how it is taken away again.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use media_format::paths;

use super::placed_drivers;
use crate::platform::{Data, Files, Machine, Platform, Registry, Result};
use crate::windows::planted;

const SERVICES: &str = r"HKLM\SYSTEM\CurrentControlSet\Services";
const SETUP: &str = r"HKLM\SYSTEM\Setup";
/// Says that Windows' set-up has called us.
const SET_UP: &str = "setup-complete";

/// Values of a service's key (winsvc.h).
const OWN_PROCESS: u32 = 0x10;
const AUTOMATIC: u32 = 2;
const ERROR_NORMAL: u32 = 1;

/// Folder of the runtime.
pub fn folder(root: &Path) -> PathBuf {
    root.join(paths::INSTALLED_WINDOWS)
}

/// Notes that Windows' set-up has come to its end; it calls the runtime then.
///
/// # Errors
/// When the runtime's folder cannot be written.
pub fn set_up_is_over(platform: &dyn Platform) -> Result<()> {
    platform
        .write(&folder(&platform.root()).join(SET_UP), b"", 0o600)
        .context("noting that the set-up of Windows is over")
}

/// Whether Windows is set up: programs cannot be installed before. With the key of a retail or OEM edition set-up does not call us
/// at its end, so its own notes count as well.
///
/// # Errors
/// When the registry cannot be read.
pub fn is_set_up(platform: &(impl Files + Machine + Registry + ?Sized)) -> Result<bool> {
    if platform.exists(&folder(&platform.root()).join(SET_UP)) {
        return Ok(true);
    }
    Ok(!in_progress(platform, "SystemSetupInProgress")? && !in_progress(platform, "OOBEInProgress")?)
}

fn in_progress(registry: &(impl Registry + ?Sized), name: &str) -> Result<bool> {
    let number = super::registry::number(registry, SETUP, name)?;
    Ok(number.is_some_and(|number| number != 0))
}

/// Windows starts the runtime with every start, as a service of its own. Windows reads its services when it starts, so nothing
/// happens before.
///
/// # Errors
/// When the registry cannot be written.
pub fn start_with_windows(platform: &dyn Platform) -> Result<()> {
    let service = planted::service();
    let program = folder(&platform.root()).join(paths::WINDOWS_PROGRAM);
    let command = format!("\"{}\" service", program.display());
    let values = [
        ("DisplayName", Data::Text(service.display_name)),
        ("Description", Data::Text(service.description)),
        ("ImagePath", Data::Expandable(command)),
        ("ObjectName", Data::Text("LocalSystem".into())),
        ("ErrorControl", Data::Number(ERROR_NORMAL)),
        ("Type", Data::Number(OWN_PROCESS)),
        ("Start", Data::Number(AUTOMATIC)),
    ];
    let key = format!(r"{SERVICES}\{}", service.name);
    values
        .iter()
        .try_for_each(|(name, data)| platform.set_value(&key, name, data))
        .context("entering the service of the runtime")
}

/// Windows starts the runtime no more; its folder with the log stays.
///
/// # Errors
/// When the registry cannot be written.
pub fn stop_starting(platform: &dyn Platform) -> Result<()> {
    let service = format!(r"{SERVICES}\{}", paths::WINDOWS_SERVICE);
    platform
        .remove_key(&service)
        .context("removing the runtime's service")
}

/// Removes the runtime; our own program, which is running, goes at the next start.
///
/// # Errors
/// When something cannot be removed.
pub fn remove(platform: &dyn Platform) -> Result<()> {
    placed_drivers::remove(platform).context("removing what names the placed drivers")?;
    stop_starting(platform)?;
    platform.remove(&folder(&platform.root()))
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;

    const NOTES: [&str; 2] = ["SystemSetupInProgress", "OOBEInProgress"];

    fn noted(numbers: [u32; 2]) -> Fake {
        let windows = Fake::default();
        for (name, number) in NOTES.into_iter().zip(numbers) {
            windows.put_value(SETUP, name, Data::Number(number));
        }
        windows
    }

    #[test]
    fn where_set_up_calls_nobody_its_own_notes_say_when_it_is_over() {
        for running in [[1, 1], [1, 0], [0, 1]] {
            assert!(!is_set_up(&noted(running)).unwrap(), "{running:?}");
        }
        assert!(is_set_up(&noted([0, 0])).unwrap());
        // Later versions may leave one out.
        assert!(is_set_up(&Fake::default()).unwrap());
        let one = Fake::default();
        one.put_value(SETUP, NOTES[1], Data::Number(1));
        assert!(!is_set_up(&one).unwrap());
    }

    #[test]
    fn what_set_up_has_said_counts_before_its_notes() {
        let windows = noted([1, 1]);
        windows.put_file("C:/ProgramData/media-runtime/setup-complete", b"");
        assert!(is_set_up(&windows).unwrap());
    }
}
