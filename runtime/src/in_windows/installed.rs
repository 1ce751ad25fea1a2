//! What starts the runtime inside Windows, and how it is taken away again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use media_format::paths;

use super::{path, placed_drivers};
use crate::platform::{Data, Files, Machine, Platform, Registry, Result};
use crate::windows::planted;

const SERVICES: &str = r"HKLM\SYSTEM\CurrentControlSet\Services";
const SETUP: &str = r"HKLM\SYSTEM\Setup";
/// Says that SetupComplete.cmd has begun: it calls the image's own script first.
const CALLED: &str = "setup-complete-called";
/// Says that SetupComplete.cmd has come to its end.
const SET_UP: &str = "setup-complete";

/// Set-up that has called us ends within a moment; where its notes go on saying that it runs, they are no longer believed.
const NOTES_LAST: Duration = Duration::from_secs(5 * 60);
/// With the key of a retail or OEM edition set-up calls nobody. Otherwise it does so about when its notes say that it is over.
const CALL_WITHIN: Duration = Duration::from_secs(2 * 60);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Values of a service's key (winsvc.h).
const OWN_PROCESS: u32 = 0x10;
const AUTOMATIC: u32 = 2;
const ERROR_NORMAL: u32 = 1;

/// Folder of the runtime.
pub fn folder(root: &Path) -> PathBuf {
    root.join(paths::INSTALLED_WINDOWS)
}

/// Notes that Windows' set-up has called us: the image's own script runs, if there is one.
///
/// # Errors
/// When the runtime's folder cannot be written.
pub fn set_up_has_called(platform: &dyn Platform) -> Result<()> {
    note(platform, CALLED).context("noting that the set-up of Windows comes to its end")
}

/// Notes that what Windows' set-up calls at its end is over.
///
/// # Errors
/// When the runtime's folder cannot be written.
pub fn set_up_is_over(platform: &dyn Platform) -> Result<()> {
    note(platform, SET_UP).context("noting that the set-up of Windows is over")
}

fn note(platform: &(impl Files + Machine + ?Sized), name: &str) -> Result<()> {
    platform.write(&folder(&platform.root()).join(name), b"", 0o600)
}

/// How far the set-up of Windows is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SetUp {
    /// SetupComplete.cmd has begun.
    called: bool,
    /// It has ended.
    over: bool,
    /// By its own notes set-up still runs: a restart would end it for good.
    noted: bool,
}

impl SetUp {
    fn of(platform: &(impl Files + Machine + Registry + ?Sized)) -> Result<Self> {
        let there = |name| platform.exists(&folder(&platform.root()).join(name));
        Ok(Self {
            called: there(CALLED),
            over: there(SET_UP),
            noted: in_progress(platform, "SystemSetupInProgress")?
                || in_progress(platform, "OOBEInProgress")?,
        })
    }

    /// How long it has to stay like this before programs can be installed and the machine restarted; none: it will change.
    const fn patience(self) -> Option<Duration> {
        match (self.over, self.noted, self.called) {
            (true, false, _) => Some(Duration::ZERO),
            (true, true, _) => Some(NOTES_LAST),
            (false, false, false) => Some(CALL_WITHIN),
            (false, true, _) | (false, _, true) => None,
        }
    }
}

/// Waits until Windows is set up. Later starts do not wait.
///
/// # Errors
/// When the registry cannot be read, or the runtime's folder not be written.
pub fn wait_for_set_up(platform: &(impl Files + Machine + Registry + ?Sized)) -> Result<()> {
    let (mut last, mut stands) = (SetUp::of(platform)?, Duration::ZERO);
    while last.patience().is_none_or(|patience| stands < patience) {
        platform.sleep(LOOK_EVERY);
        let now = SetUp::of(platform)?;
        stands = if now == last {
            stands + LOOK_EVERY
        } else {
            Duration::ZERO
        };
        last = now;
    }
    note(platform, SET_UP).context("noting that the set-up of Windows is over")
}

fn in_progress(registry: &(impl Registry + ?Sized), name: &str) -> Result<bool> {
    let number = super::registry::number(registry, SETUP, name)?;
    Ok(number.is_some_and(|number| number != 0))
}

/// This Windows, which is set up, starts the runtime with every start, as a service of its own. Windows reads its services when it starts, so nothing
/// happens before.
///
/// # Errors
/// When the registry cannot be written.
pub fn start_with_windows(platform: &dyn Platform) -> Result<()> {
    set_up_is_over(platform)?;
    let service = planted::service();
    let program = folder(&platform.root()).join(paths::WINDOWS_PROGRAM);
    let command = format!("\"{}\" service", path::text(&program));
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

    const OVER: &str = "C:/ProgramData/media-runtime/setup-complete";
    const BEGUN: &str = "C:/ProgramData/media-runtime/setup-complete-called";

    fn waited(windows: &Fake) -> Duration {
        let before = windows.slept();
        wait_for_set_up(windows).unwrap();
        windows.slept() - before
    }

    #[test]
    fn where_set_up_calls_nobody_its_own_notes_say_when_it_is_over() {
        // Later versions may leave one out.
        let one = Fake::default();
        one.put_value(SETUP, NOTES[1], Data::Number(0));
        for windows in [noted([0, 0]), one, Fake::default()] {
            assert_eq!(waited(&windows), CALL_WITHIN);
            assert_eq!(waited(&windows), Duration::ZERO, "a later start");
        }
    }

    #[test]
    fn what_set_up_calls_comes_to_its_end_however_long_it_takes() {
        for numbers in [[0, 0], [1, 0]] {
            let windows = noted(numbers);
            windows.put_file(BEGUN, b"");
            assert_eq!(SetUp::of(&windows).unwrap().patience(), None, "{numbers:?}");
        }
        let windows = noted([0, 0]);
        windows.put_file(BEGUN, b"");
        windows.put_file(OVER, b"");
        assert_eq!(waited(&windows), Duration::ZERO);
    }

    /// A restart while it runs ends in "the computer restarted unexpectedly".
    #[test]
    fn set_up_that_runs_by_its_notes_is_waited_for() {
        for running in [[1, 1], [1, 0], [0, 1]] {
            let windows = noted(running);
            assert_eq!(SetUp::of(&windows).unwrap().patience(), None, "{running:?}");
            windows.put_file(OVER, b"");
            assert_eq!(waited(&windows), NOTES_LAST, "{running:?}");
        }
    }
}
