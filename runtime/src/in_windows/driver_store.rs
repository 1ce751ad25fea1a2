//! The driver store of a Windows that runs: what is in it stays there, also for devices that are plugged in later and in an image
//! that is captured.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::{path, tools};
use crate::log::Log;
use crate::platform::{Command, Processes, deadline};

/// Some device works with its driver after a restart.
const AFTER_RESTART: i64 = 3010;
/// Besides 0 and that: nothing on this machine needs one of them now.
const GOOD: [i64; 3] = [0, 259, AFTER_RESTART];
/// A graphics driver takes a minute; an hour is a hang.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// Adds all drivers in and below a folder, and installs those that a device of the machine gets by them: one that has a driver of
/// Windows' own is looked at by set-up no more.
///
/// # Errors
/// When Windows has no program for that, or it refuses one of them.
pub fn add(processes: &(impl Processes + ?Sized), log: &Log, folder: &Path) -> Result<()> {
    let infs = path::text(&folder.join("*.inf"));
    let command = Command {
        program: "pnputil.exe".into(),
        arguments: ["/add-driver", &infs, "/subdirs", "/install"]
            .map(str::to_owned)
            .to_vec(),
        timeout: deadline::at_most(processes, LIMIT),
        ..Command::default()
    };
    let output = tools::run_judged(processes, log, &command, &GOOD)?;
    if output.code == AFTER_RESTART {
        log.info("a device works with its driver after the next restart of Windows");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;

    fn ends(code: i64) -> (Fake, Result<()>) {
        let folder = tempfile::tempdir().unwrap();
        let machine = Fake::default().ends("pnputil.exe", code, "Total driver packages: 1\r\n");
        let place = Path::new("C:/ProgramData/media-runtime/drivers");
        let ended = add(&machine, &Log::open(folder.path()), place);
        (machine, ended)
    }

    #[test]
    fn all_drivers_below_a_folder_are_added_by_one_call() {
        let (machine, ended) = ends(0);
        ended.unwrap();
        let ran = machine.ran();
        assert_eq!(ran.len(), 1);
        assert_eq!(
            ran[0].arguments,
            [
                "/add-driver",
                r"C:\ProgramData\media-runtime\drivers\*.inf",
                "/subdirs",
                "/install"
            ]
        );
    }

    #[test]
    fn no_fitting_device_and_a_restart_are_no_failure_and_everything_else_is() {
        assert!(ends(259).1.is_ok() && ends(3010).1.is_ok());
        for code in [1, 5, 87, 0xE000_0247] {
            let error = ends(code).1.unwrap_err().to_string();
            assert!(error.contains(&format!("ended with {code}")), "{error}");
        }
    }
}
