//! The variables that the engine sets, under the names that people know.

use media_format::event::Environment;
use media_format::manifest::MediaLayout;
use task_sequence::Variables;

use crate::engine::Outcome;
use crate::in_windows::{installed, path};
use crate::log::Log;
use crate::platform::{Bus, Disk, Firmware, Platform, System};
use crate::run::Run;

/// Sets a variable of the engine; its name is ours and valid.
pub fn set(variables: &mut Variables, name: &str, value: impl Into<String>) {
    let set = variables.set_by_engine(name, value);
    debug_assert!(set.is_ok(), "{name} is not a name of a variable");
}

fn text(flag: bool) -> &'static str {
    if flag { "true" } else { "false" }
}

/// Boot image or installed system.
pub fn set_place(variables: &mut Variables, here: Environment) {
    set(variables, "_SMSTSInWinPE", text(here == Environment::Pe));
}

/// The values that nobody may see.
pub fn secrets(variables: &Variables) -> Vec<&str> {
    let secret = variables.iter().filter(|(_, _, secret)| *secret);
    secret.map(|(_, value, _)| value).collect()
}

/// What the machine and this start of the runtime are.
pub fn set_machine(run: &mut Run<'_>) {
    set_place(&mut run.variables, run.here);
    let secure_boot = match run.platform.secure_boot() {
        None => "NA",
        Some(true) => "Enabled",
        Some(false) => "Disabled",
    };
    let manifest = &run.media.manifest;
    let mut known = vec![
        (
            "_SMSTSBootUEFI".to_owned(),
            text(run.platform.firmware() == Firmware::Uefi).to_owned(),
        ),
        ("_TSSecureBoot".to_owned(), secure_boot.to_owned()),
        ("_SMSTSMediaType".to_owned(), "FullMedia".to_owned()),
        ("_SMSTSLaunchMode".to_owned(), launch_mode(run).to_owned()),
        ("_SMSTSPackageID".to_owned(), run.journal.saved.sequence.clone()),
        ("_SMSTSPackageName".to_owned(), run.sequence.name.clone()),
        ("_SMSTSBootImageID".to_owned(), manifest.boot_image.clone()),
        ("_SMSTSOrgName".to_owned(), manifest.organization.clone()),
    ];
    known.extend(run.platform.variables());
    known
        .into_iter()
        .for_each(|(name, value)| set(&mut run.variables, &name, value));
    set_log_path(&mut run.variables, run.platform, run.log);
    if run.journal.is_attached() {
        set_client_cache(&mut run.variables, run.platform);
    }
}

/// What carries the media: an ISO may have been written to a stick.
fn launch_mode(run: &Run<'_>) -> &'static str {
    let disks = run.platform.disks().unwrap_or_default();
    let carrier = disks.iter().find(|disk| disk.path == run.media.disk);
    let on_usb = carrier.is_some_and(|disk| disk.bus == Bus::Usb && !is_optical(disk));
    if run.media.manifest.layout == MediaLayout::Iso && !on_usb {
        "CD"
    } else {
        "UFD"
    }
}

/// A drive for discs may be attached by USB, too.
fn is_optical(disk: &Disk) -> bool {
    let name = disk.path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("sr")
}

/// What changes while a run goes on: the log follows the journal, and addresses come by DHCP in the background.
pub fn refresh(variables: &mut Variables, platform: &dyn Platform, log: &Log) {
    set_log_path(variables, platform, log);
    let addresses = ["_SMSTSIPAddresses", "_SMSTSDefaultGateways"];
    let known = platform.variables().into_iter();
    known
        .filter(|(name, _)| addresses.contains(&name.as_str()))
        .for_each(|(name, value)| set(variables, &name, value));
}

fn set_log_path(variables: &mut Variables, platform: &dyn Platform, log: &Log) {
    let folder = path::text_in(platform.system(), &log.folder());
    set(variables, "_SMSTSLogPath", folder.clone());
    set(variables, "_SMSTSMDataPath", folder);
}

/// `_SMSTSClientCache` exists once the run has a place on the target: the usual condition of the partitioning step. It is the
/// runtime's folder in the system that runs.
pub fn set_client_cache(variables: &mut Variables, platform: &dyn Platform) {
    let folder = match platform.system() {
        System::Linux => media_format::paths::INSTALLED.to_owned(),
        System::Windows => path::text(&installed::folder(&platform.root())),
    };
    set(variables, "_SMSTSClientCache", folder);
}

/// How the last step ended; a skipped one leaves these as they were.
pub fn set_last_action(variables: &mut Variables, name: &str, code: i64, succeeded: bool) {
    set(variables, "_SMSTSLastActionName", name);
    set(variables, "_SMSTSLastActionRetCode", code.to_string());
    set(variables, "_SMSTSLastActionSucceeded", text(succeeded));
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::platform::linux::Linux;

    #[test]
    fn the_path_of_the_log_follows_it() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let log = Log::open(first.path());
        let mut variables = Variables::new();
        for folder in [&first, &second] {
            log.move_to(folder.path());
            refresh(&mut variables, &Linux::new(), &log);
            let expected = folder.path().to_str();
            assert_eq!(variables.get("_SMSTSLogPath"), expected);
            assert_eq!(variables.get("_SMSTSMDataPath"), expected);
        }
        assert!(variables.contains("_SMSTSIPAddresses"));
    }
}

/// A restart that a script asks for as ConfigMgr's do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskedRestart {
    target: Environment,
    retry: bool,
}

/// What `SMSTSRebootRequested` and `SMSTSRetryRequested` ask for; they are cleared.
pub fn take_restart(variables: &mut Variables, here: Environment) -> Option<AskedRestart> {
    let mut take = |name: &str| {
        let value = variables.get(name).unwrap_or_default().trim().to_lowercase();
        variables.unset_by_engine(name);
        value
    };
    let (restart, retry) = (take("SMSTSRebootRequested"), take("SMSTSRetryRequested"));
    let target = match restart.as_str() {
        "" | "false" => return None,
        "winpe" => Environment::Pe,
        "hd" => Environment::Os,
        _ => here,
    };
    Some(AskedRestart {
        target,
        retry: retry == "true",
    })
}

impl AskedRestart {
    /// How the step ends; where it wants to restart by itself, it knows better where to and what follows.
    pub fn after(self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::RestartThenRetry(_) | Outcome::ShutDownThenRetry(_) => outcome,
            _ if self.retry => Outcome::RestartThenRetry(self.target),
            Outcome::RestartThenContinue(_) => outcome,
            Outcome::Done | Outcome::Skipped(_) => Outcome::RestartThenContinue(self.target),
        }
    }
}
