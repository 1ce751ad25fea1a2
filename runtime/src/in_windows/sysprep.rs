//! Generalizing Windows: what would make sysprep fail is found first, and whether it succeeded is read from what it leaves,
//! because its exit code does not say.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};

use windows_setup::offline_registry::{CREATED_USER, FIRST_START};

use super::{packed, path, pending, powershell, registry};
use crate::context::{beginning, code_text};
use crate::log::Log;
use crate::platform::{Command, Data, Files, Machine, Network, Processes, Registry, Result, deadline};

const STATE: &str = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Setup\State";
const GENERALIZED: &str = "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE";
const PROTECTION: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform";
const FOLDER: &str = "Windows/System32/Sysprep";
/// It takes minutes; an hour is a hang, unless the step has a time limit of its own.
const LIMIT: Duration = Duration::from_secs(60 * 60);
/// The state may follow the end of the program.
const STATE_WITHIN: u32 = 30;

/// What this needs of the machine.
pub trait Windows: Files + Machine + Network + Processes + Registry {}
impl<M: Files + Machine + Network + Processes + Registry + ?Sized> Windows for M {}

/// Whether the system is generalized already.
///
/// # Errors
/// When the registry cannot be read.
pub fn is_generalized(registry: &(impl Registry + ?Sized)) -> Result<bool> {
    Ok(state(registry)?.eq_ignore_ascii_case(GENERALIZED))
}

fn state(registry: &(impl Registry + ?Sized)) -> Result<String> {
    Ok(registry::text(registry, STATE, "ImageState")?.unwrap_or_default())
}

/// Finds what makes sysprep or the capture of those volumes fail, while nothing has changed.
///
/// # Errors
/// All that stands in the way, each with what to do.
pub fn preflight(machine: &(impl Windows + ?Sized), log: &Log, volumes: &[PathBuf]) -> Result<()> {
    let mut reasons = Vec::new();
    if let Some(name) = machine.domain()? {
        reasons.push(format!(
            "the machine is a member of domain {name}: put a join-domain-or-workgroup step with a workgroup before this one"
        ));
    }
    for what in pending::reasons(machine)? {
        reasons.push(format!(
            "{what} waits for a restart: put a restart-computer step before this one"
        ));
    }
    reasons.extend(encryption(machine, log)?);
    reasons.extend(packed::deduplicated(machine, log, volumes));
    reasons.extend(per_user_packages(machine, log)?);
    if reasons.is_empty() {
        return Ok(());
    }
    bail!("Windows cannot be generalized: {}", reasons.join("; "))
}

/// `manage-bde` speaks the language of Windows; a percentage is one in each, however it is written (`100.0%`, `100,0 %`, `%100,0`).
fn encryption(machine: &(impl Windows + ?Sized), log: &Log) -> Result<Option<String>> {
    let drive = machine.root().display().to_string();
    let command = Command {
        program: "manage-bde.exe".into(),
        arguments: vec!["-status".into(), drive.trim_end_matches('\\').to_owned()],
        ..Command::default()
    };
    let Ok(output) = machine.run(&command) else {
        log.info("this Windows has no BitLocker (manage-bde cannot be started)");
        return Ok(None);
    };
    Ok(is_encrypted(&output.stdout).then(|| {
        format!("{drive} is encrypted: switch BitLocker off and wait until it is decrypted (manage-bde -off)")
    }))
}

fn is_encrypted(text: &str) -> bool {
    let is_of_number = |c: char| c.is_ascii_digit() || ['.', ','].contains(&c);
    let is_more_than_nothing = |number: &str| number.contains(|c: char| ('1'..='9').contains(&c));
    text.match_indices('%').any(|(at, sign)| {
        let before = text[..at].trim_end_matches(|c: char| c.is_whitespace() && c != '\n');
        let begin = before.rfind(|c| !is_of_number(c)).map_or(0, |last| {
            last + before[last..].chars().next().map_or(1, char::len_utf8)
        });
        let after = &text[at + sign.len()..];
        let end = after.find(|c| !is_of_number(c)).unwrap_or(after.len());
        is_more_than_nothing(&before[begin..]) || is_more_than_nothing(&after[..end])
    })
}

/// Installed for somebody and not for everybody who comes: sysprep fails at these (0x80073CF2), with exit code 0.
const PER_USER: &str = "$ErrorActionPreference = 'Stop'; $all = @(Get-AppxProvisionedPackage -Online | \
    ForEach-Object DisplayName); Get-AppxPackage -AllUsers -PackageTypeFilter Main | Where-Object { \
    $_.SignatureKind -ne 'System' -and -not $_.NonRemovable -and $all -notcontains $_.Name } | \
    ForEach-Object PackageFullName; 'listed'";
/// Its last line: PowerShell may end with 0 although it did nothing.
const LISTED: &str = "listed";

fn per_user_packages(machine: &(impl Windows + ?Sized), log: &Log) -> Result<Option<String>> {
    let output = powershell::run(machine, PER_USER, deadline::at_most(machine, LIMIT))?;
    let lines = output
        .stdout
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let mut names: Vec<&str> = lines.collect();
    if output.code != 0 || names.pop() != Some(LISTED) {
        log.warning(format!(
            "the appx packages cannot be listed (PowerShell ended with {}): if one of them stands in the way, sysprep says so",
            code_text(output.code)
        ));
        return Ok(None);
    }
    Ok((!names.is_empty()).then(|| {
        format!(
            "these appx packages are installed for a user and not provisioned for all: {}; remove them (Remove-AppxPackage \
             -AllUsers -Package NAME)",
            names.join(", ")
        )
    }))
}

/// Generalizes; Windows runs on, and must not be started again before its capture.
///
/// # Errors
/// When the state afterwards is not that of a generalized Windows, or sysprep says in its log that it has stopped, with the reason from
/// there.
pub fn generalize(machine: &(impl Windows + ?Sized), log: &Log, keep_activation: bool) -> Result<()> {
    if keep_activation {
        machine.set_value(PROTECTION, "SkipRearm", &Data::Number(1))?;
    }
    // A run that has set this Windows up left it: whoever sets up the image would not be asked for a user.
    machine.remove_value(&format!(r"HKLM\SOFTWARE\{FIRST_START}"), CREATED_USER)?;
    let folder = machine.root().join(FOLDER);
    let logs = folder.join("Panther");
    // What an earlier attempt said is not this one's reason.
    for name in LOGS {
        machine.remove(&logs.join(name))?;
    }
    let output = machine.run(&Command {
        program: path::text(&folder.join("sysprep.exe")),
        arguments: ["/generalize", "/oobe", "/quit", "/quiet"]
            .map(str::to_owned)
            .to_vec(),
        timeout: deadline::at_most(machine, LIMIT),
        ..Command::default()
    });
    let output = output.with_context(|| reason(machine, &logs))?;
    log.info(format!(
        "sysprep ended with {}; its state and its log count",
        code_text(output.code)
    ));
    for _ in 0..STATE_WITHIN {
        if is_generalized(machine)? {
            return judge_log(machine, log);
        }
        machine.sleep(Duration::from_secs(1));
    }
    bail!(
        "Windows is not generalized although sysprep has ended with {}: its image state is \"{}\"; {}",
        code_text(output.code),
        state(machine)?,
        reason(machine, &logs)
    )
}

const LOGS: [&str; 2] = ["setuperr.log", "setupact.log"];
/// How sysprep says, in every language, that it has not called all that generalizes a part of Windows.
const STOPPED: [&str; 2] = ["halting sysprep execution", "WinMain:Hit failure"];

/// What the log of the last sysprep says beside the state. Errors stand in that of nearly every one that has succeeded: each part of
/// Windows writes there what it did not find.
///
/// # Errors
/// When it says that sysprep has stopped before its end.
pub fn judge_log(machine: &(impl Windows + ?Sized), log: &Log) -> Result<()> {
    let folder = machine.root().join(FOLDER).join("Panther");
    if let Some(why) = stopped(machine, &folder) {
        bail!(
            "Windows has the state of a generalized one, but sysprep has stopped before its end: {why}; remove the cause, delete \
             these logs, and run sysprep /generalize /oobe /quit in it"
        );
    }
    if let Some(error) = lines(machine, &folder, is_error) {
        log.warning(format!("Windows is generalized, and {error}"));
    }
    Ok(())
}

/// Whether a log in that folder says that sysprep has stopped before its end, and why.
pub fn stopped(files: &(impl Files + ?Sized), folder: &Path) -> Option<String> {
    let says_so = |line: &str| is_error(line) && STOPPED.iter().any(|said| line.contains(said));
    lines(files, folder, says_so)
}

fn is_error(line: &str) -> bool {
    line.contains(", Error")
}

/// What sysprep's logs say was wrong.
fn reason(files: &(impl Files + ?Sized), folder: &Path) -> String {
    let nothing = || format!("there is no error in {}", folder.join(LOGS[1]).display());
    lines(files, folder, is_error).unwrap_or_else(nothing)
}

/// The first and the last of those lines, of the first log that has one.
fn lines(files: &(impl Files + ?Sized), folder: &Path, wanted: impl Fn(&str) -> bool) -> Option<String> {
    const MOST: usize = 600;
    LOGS.iter().find_map(|name| {
        let path = folder.join(name);
        let text = files.read(&path).ok().flatten().unwrap_or_default();
        let text = super::text::decode(&text, |bytes| String::from_utf8_lossy(bytes).into_owned());
        let mut found: Vec<&str> = text.lines().filter(|line| wanted(line)).map(str::trim).collect();
        found.dedup();
        let first = found.first()?;
        let more = found.last().filter(|last| *last != first);
        let both = [Some(first), more]
            .into_iter()
            .flatten()
            .copied()
            .collect::<Vec<_>>();
        Some(format!(
            "{} says: {}",
            path.display(),
            beginning(&both.join(" / "), MOST)
        ))
    })
}

#[cfg(test)]
mod tests {
    use media_format::wim::reparse::DEDUP;

    use super::super::fake::Fake;
    use super::*;

    const ERR: &str = "C:/Windows/System32/Sysprep/Panther/setuperr.log";

    fn log() -> Log {
        Log::default()
    }

    #[test]
    fn a_generalized_windows_asks_for_a_user_again() {
        let key = format!(r"HKLM\SOFTWARE\{FIRST_START}");
        let machine = Fake::default().does("sysprep.exe", |machine| {
            machine.put_value(STATE, "ImageState", Data::Text(GENERALIZED.into()));
        });
        machine.put_value(&key, CREATED_USER, Data::Number(1));
        generalize(&machine, &log(), false).unwrap();
        assert_eq!(machine.value(&key, CREATED_USER).unwrap(), None);
    }

    #[test]
    fn success_is_the_state_whatever_the_exit_code() {
        let machine = Fake::default().does("sysprep.exe", |machine| {
            machine.put_value(STATE, "ImageState", Data::Text(GENERALIZED.into()));
        });
        generalize(&machine, &log(), true).unwrap();
        assert!(is_generalized(&machine).unwrap());
        assert_eq!(
            machine.value(PROTECTION, "SkipRearm").unwrap(),
            Some(Data::Number(1))
        );
        assert!(machine.ran()[0].timeout.is_some());
    }

    #[test]
    fn an_exit_code_of_zero_without_the_state_fails_with_the_logs_reason() {
        let machine = Fake::default().does("sysprep.exe", |machine| {
            let line = "2026-11-22 10:00:00, Error  SYSPRP Package Tool_1.0 was installed for a user, but not provisioned\r\n";
            machine.put_file(ERR, line.as_bytes());
        });
        machine.put_value(STATE, "ImageState", Data::Text("IMAGE_STATE_COMPLETE".into()));
        machine.put_file(ERR, b"old, Error of an earlier attempt");
        let error = format!("{:#}", generalize(&machine, &log(), false).unwrap_err());
        assert!(
            error.contains("Tool_1.0") && error.contains("IMAGE_STATE_COMPLETE"),
            "{error}"
        );
        assert!(!error.contains("earlier"), "{error}");
    }

    /// A sysprep that sets the state and has written that into its log.
    fn with_log(text: &'static str) -> (Result<()>, String) {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(folder.path());
        let machine = Fake::default().does("sysprep.exe", |machine| {
            machine.put_value(STATE, "ImageState", Data::Text(GENERALIZED.into()));
            machine.put_file(
                "C:/Windows/System32/Sysprep/Panther/setupact.log",
                text.as_bytes(),
            );
        });
        let done = generalize(&machine, &log, false);
        let (_, said) = log.files().remove(0);
        (done, String::from_utf8(said).unwrap())
    }

    #[test]
    fn that_sysprep_has_stopped_is_seen_when_it_is_looked_at_again() {
        let machine = Fake::default();
        let said = "2026-11-22 10:00:00, Error  SYSPRP WinMain:Hit failure while processing\r\n";
        judge_log(&machine, &log()).unwrap();
        machine.put_file(ERR, said.as_bytes());
        let why = judge_log(&machine, &log()).unwrap_err().to_string();
        assert!(
            why.contains("stopped before its end") && why.contains("delete these logs"),
            "{why}"
        );
    }

    #[test]
    fn an_error_of_a_part_of_windows_is_a_warning_and_one_that_stopped_sysprep_a_failure() {
        let harmless = "2026-11-22 10:00:00, Info   SYSPRP Entering Sysprep_Generalize\r\n\
             2026-11-22 10:00:01, Error  SYSPRP setupdigetclassdevs failed with error 0\r\n";
        let (done, said) = with_log(harmless);
        done.unwrap();
        assert!(
            said.contains("Windows is generalized, and") && said.contains("failed with error 0"),
            "{said}"
        );
        let (done, said) = with_log("2026-11-22 10:00:00, Info   SYSPRP all is well\r\n");
        done.unwrap();
        assert!(!said.contains("Windows is generalized, and"), "{said}");
        for stop in [
            "2026-11-22 10:00:00, Error  [0x0f0070] SYSPRP RunExternalDlls:An error occurred while running registry sysprep \
             DLLs, halting sysprep execution. dwRet = 31\r\n",
            "2026-11-22 10:00:00, Error  [0x0f00a8] SYSPRP WinMain:Hit failure while processing sysprep generalize internal \
             providers; hr = 0x8007001f\r\n",
        ] {
            let (done, _) = with_log(stop);
            let why = format!("{:#}", done.unwrap_err());
            assert!(
                why.contains("stopped before its end") && why.contains(stop.trim()),
                "{why}"
            );
        }
    }

    #[test]
    fn a_percentage_is_understood_in_every_language() {
        for (text, encrypted) in [
            (
                "    Percentage Encrypted: 100.0%\r\n    Lock Status: Unlocked",
                true,
            ),
            ("    Verschl\u{fc}sselt (Prozent):      100,0 %\r\n", true),
            ("    Pourcentage chiffr\u{e9}\u{a0}:  12,5\u{a0}%\r\n", true),
            ("    \u{15e}ifreleme Y\u{fc}zdesi: %100,0\r\n", true),
            ("    Percentage Encrypted: 0.0%\r\n    Key Protectors: 1", false),
            ("    Verschl\u{fc}sselt (Prozent):      0,0 %\r\n 128", false),
            ("    Encryption Method: XTS-AES 128\r\n", false),
            ("%", false),
        ] {
            assert_eq!(is_encrypted(text), encrypted, "{text}");
        }
    }

    #[test]
    fn everything_that_stands_in_the_way_is_named_before_anything_is_done() {
        let machine = Fake::default()
            .says("powershell.exe", "Tool_1.0_x64__abc\r\nlisted\r\n")
            .says("manage-bde.exe", "    Percentage Encrypted: 100.0%\r\n");
        *machine.domain.borrow_mut() = Some("corp.example".into());
        machine.put_key(
            r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending",
        );
        machine.tags.borrow_mut().insert("d:/".into(), [DEDUP].into());
        let error = preflight(&machine, &log(), &["D:/".into()])
            .unwrap_err()
            .to_string();
        for part in [
            "corp.example",
            "restart",
            "BitLocker",
            "Tool_1.0_x64__abc",
            "volume D: has deduplicated files",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(machine.changes().is_empty());
        let fine = Fake::default().says("manage-bde.exe", "Versleuteld: 0,0%\r\n");
        preflight(&fine, &log(), &[]).unwrap();
    }
}
