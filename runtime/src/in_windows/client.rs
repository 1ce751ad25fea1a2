//! The ConfigMgr client: its set-up is waited for, and its identity, or all of it, goes before the capture.

use std::time::Duration;

use anyhow::{Context as _, bail};

use super::path;
use crate::context::code_text;
use crate::log::Log;
use crate::platform::{Command, Files, Machine, Processes, Registry, Result};

const SERVICE: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\CcmExec";
const SETUP: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\ccmsetup";
const CERTIFICATES: &str = r"HKLM\SOFTWARE\Microsoft\SystemCertificates\SMS\Certificates";
const SETUP_PROGRAM: &str = "ccmsetup.exe";
/// What the client knows itself by.
const IDENTITY: &str = "Windows/SMSCFG.ini";
const SETUP_LOG: &str = r"C:\Windows\ccmsetup\Logs\ccmsetup.log";
const UNINSTALL: &str = "Windows/ccmsetup/ccmsetup.exe";
const UNINSTALLED_WITHIN: Duration = Duration::from_secs(30 * 60);
/// It fetches what it lacks from a management point, which can be slow.
const INSTALLED_WITHIN: Duration = Duration::from_secs(60 * 60);
/// The set-up may take the place of its own service by a newer one, and shows neither for a while.
const SHOWS_WITHIN: Duration = Duration::from_secs(2 * 60);
const LOOK_EVERY: Duration = Duration::from_secs(5);
const LISTED_WITHIN: Duration = Duration::from_secs(60);

/// What this needs of the machine.
pub trait Windows: Files + Machine + Processes + Registry {}
impl<M: Files + Machine + Processes + Registry + ?Sized> Windows for M {}

/// Whether the client is installed.
///
/// # Errors
/// When the registry cannot be read.
pub fn is_installed(registry: &(impl Registry + ?Sized)) -> Result<bool> {
    registry.has_key(SERVICE)
}

/// Whether a command line is a call of the client's set-up, wherever that lies.
pub fn is_setup(line: &str) -> bool {
    let words = line.split(|c: char| c.is_whitespace() || ['"', '\\', '/', '='].contains(&c));
    let names = ["ccmsetup", "ccmsetup.exe", "ccmsetup.msi"];
    words
        .into_iter()
        .any(|word| names.iter().any(|name| word.eq_ignore_ascii_case(name)))
}

/// Whether the client's set-up is at work: as its service, or as a program that has not entered it yet. What has started it, such
/// as somebody's own script, says nothing of it.
///
/// # Errors
/// When the registry cannot be read.
pub fn is_set_up_now(machine: &(impl Processes + Registry + ?Sized)) -> Result<bool> {
    Ok(machine.has_key(SETUP)? || runs_setup(machine))
}

/// By the list of processes, which says in every language what is in it. A Windows without the program for that still has the
/// service, which the set-up enters within seconds.
fn runs_setup(processes: &(impl Processes + ?Sized)) -> bool {
    let arguments = ["/nh", "/fo", "csv", "/fi", "imagename eq ccmsetup.exe"];
    let listed = processes.run(&Command {
        program: "tasklist.exe".into(),
        arguments: arguments.map(str::to_owned).to_vec(),
        timeout: Some(LISTED_WITHIN),
        ..Command::default()
    });
    listed.is_ok_and(|output| output.stdout.to_ascii_lowercase().contains(SETUP_PROGRAM))
}

/// Waits for the client to be installed: its set-up goes on as a service of its own when its program has ended.
///
/// # Errors
/// When there is no client afterwards, or it takes too long.
pub fn await_installed(
    machine: &(impl Machine + Processes + Registry + ?Sized),
    log: &Log,
    limit: Option<Duration>,
) -> Result<()> {
    await_setup(machine, limit)?;
    if !is_installed(machine)? {
        bail!("ccmsetup has ended and the ConfigMgr client is not installed; {SETUP_LOG} says why");
    }
    log.info("the ConfigMgr client is installed");
    Ok(())
}

/// Waits until the set-up of the client does nothing more; gives up looking for a service that does not show.
///
/// # Errors
/// When it takes too long.
pub fn await_setup(
    machine: &(impl Machine + Processes + Registry + ?Sized),
    limit: Option<Duration>,
) -> Result<()> {
    let limit = limit.unwrap_or(INSTALLED_WITHIN);
    let (mut waited, mut shows_nothing) = (Duration::ZERO, Duration::ZERO);
    loop {
        let works = is_set_up_now(machine)?;
        if !works && (is_installed(machine)? || shows_nothing >= SHOWS_WITHIN) {
            return Ok(());
        }
        if waited >= limit {
            bail!(
                "ccmsetup has not ended after {} minutes; {SETUP_LOG} says why",
                waited.as_secs() / 60
            );
        }
        machine.sleep(LOOK_EVERY);
        waited += LOOK_EVERY;
        shows_nothing = if works {
            Duration::ZERO
        } else {
            shows_nothing + LOOK_EVERY
        };
    }
}

/// Stops the client and takes away what it is known by; it registers anew where it starts next.
///
/// # Errors
/// When something cannot be removed.
pub fn remove_identity(machine: &(impl Windows + ?Sized), log: &Log) -> Result<()> {
    stop(machine, log)?;
    let file = machine.root().join(IDENTITY);
    machine.remove(&file).context("removing the client's identity")?;
    for name in machine.keys(CERTIFICATES)? {
        machine
            .remove_key(&format!(r"{CERTIFICATES}\{name}"))
            .context("removing a certificate of the client")?;
        log.info(format!("removed the client's certificate {name}"));
    }
    log.info(format!("removed {}", file.display()));
    Ok(())
}

/// A client that runs would make its identity again.
fn stop(machine: &(impl Windows + ?Sized), log: &Log) -> Result<()> {
    const NOT_STARTED: i64 = 2;
    let output = machine.run(&Command {
        program: "net.exe".into(),
        arguments: ["stop", "CcmExec", "/y"].map(str::to_owned).to_vec(),
        ..Command::default()
    })?;
    match output.code {
        0 => log.info("stopped the ConfigMgr client"),
        NOT_STARTED => log.info("the ConfigMgr client does not run"),
        code => bail!(
            "stopping the ConfigMgr client (net stop CcmExec) ended with {}",
            code_text(code)
        ),
    }
    Ok(())
}

/// Uninstalls the client. Its set-up goes on as a service of its own, which is waited for.
///
/// # Errors
/// When it fails or takes too long.
pub fn uninstall(machine: &(impl Windows + ?Sized), log: &Log, limit: Option<Duration>) -> Result<()> {
    let program = machine.root().join(UNINSTALL);
    let output = machine.run(&Command {
        program: path::text(&program),
        arguments: vec!["/uninstall".into()],
        ..Command::default()
    })?;
    if output.code != 0 {
        bail!(
            "{} /uninstall ended with {}",
            program.display(),
            code_text(output.code)
        );
    }
    let mut waited = Duration::ZERO;
    while machine.has_key(SETUP)? || machine.has_key(SERVICE)? {
        if waited >= limit.unwrap_or(UNINSTALLED_WITHIN) {
            bail!(
                "the ConfigMgr client is still there after {} minutes; {SETUP_LOG} says why",
                waited.as_secs() / 60
            );
        }
        machine.sleep(LOOK_EVERY);
        waited += LOOK_EVERY;
    }
    log.info("the ConfigMgr client is uninstalled");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;
    use crate::platform::Data;

    #[test]
    fn the_identity_goes_and_the_client_stays() {
        let machine = Fake::default();
        let certificate = format!(r"{CERTIFICATES}\0A1B");
        machine.put_key(SERVICE);
        machine.put_value(&certificate, "Blob", Data::Binary(vec![1]));
        machine.put_file("C:/Windows/SMSCFG.ini", b"SMS Unique Identifier=GUID:1");
        remove_identity(&machine, &Log::default()).unwrap();
        assert!(!machine.exists(&machine.root().join(IDENTITY)) && !machine.has_key(&certificate).unwrap());
        assert!(is_installed(&machine).unwrap());
        assert_eq!(machine.ran()[0].arguments, ["stop", "CcmExec", "/y"]);
    }

    /// Its set-up ends at the third look, and leaves a client if it can.
    fn sets_up(leaves: bool) -> Fake {
        let machine = Fake::default().does("sleep", move |machine| {
            if machine.slept() >= LOOK_EVERY * 3 {
                machine.remove_key(SETUP).unwrap();
                if leaves {
                    machine.put_key(SERVICE);
                }
            }
        });
        machine.put_key(SETUP);
        machine
    }

    #[test]
    fn the_set_up_is_waited_for_until_its_service_is_gone_and_the_client_is_there() {
        let machine = sets_up(true);
        await_installed(&machine, &Log::default(), None).unwrap();
        assert_eq!(machine.slept(), LOOK_EVERY * 3);
        // A client of the image is no sign that the set-up has ended.
        let machine = sets_up(true);
        machine.put_key(SERVICE);
        await_installed(&machine, &Log::default(), None).unwrap();
        assert_eq!(machine.slept(), LOOK_EVERY * 3);
    }

    #[test]
    fn a_set_up_that_leaves_no_client_or_does_not_end_names_its_log() {
        let error = |machine: &Fake, limit| {
            let error = await_installed(machine, &Log::default(), limit).unwrap_err();
            let error = error.to_string();
            assert!(error.contains(SETUP_LOG), "{error}");
            error
        };
        assert!(error(&sets_up(false), None).contains("is not installed"));
        assert!(error(&Fake::default(), None).contains("is not installed"));
        let hangs = Fake::default();
        hangs.put_key(SETUP);
        assert!(error(&hangs, None).contains("has not ended after 60 minutes"));
        let limit = Duration::from_secs(10 * 60);
        let hangs = Fake::default();
        hangs.put_key(SETUP);
        assert!(error(&hangs, Some(limit)).contains("after 10 minutes"));
        assert_eq!(hangs.slept(), limit);
    }

    #[test]
    fn a_set_up_is_seen_by_its_service_or_its_process_whoever_has_started_it() {
        let none = "INFORMATIE: Er worden geen taken uitgevoerd die aan de criteria voldoen.\r\n";
        let process = "\"CCMSetup.exe\",\"4242\",\"Services\",\"0\",\"18.240 K\"\r\n";
        let machine = Fake::default().says("tasklist.exe", none);
        assert!(!is_set_up_now(&machine).unwrap());
        machine.put_key(SETUP);
        assert!(is_set_up_now(&machine).unwrap());
        let machine = Fake::default().says("tasklist.exe", process);
        assert!(is_set_up_now(&machine).unwrap());
        // The process is waited for like the service.
        let machine = Fake::default()
            .says("tasklist.exe", process)
            .says("tasklist.exe", process)
            .says("tasklist.exe", none);
        machine.put_key(SERVICE);
        await_installed(&machine, &Log::default(), None).unwrap();
        assert_eq!(machine.slept(), LOOK_EVERY * 2);
    }

    #[test]
    fn the_set_up_is_known_by_its_name_wherever_it_lies() {
        for line in [
            "ccmsetup.exe /mp:cm.example SMSSITECODE=ABC",
            r#""%SRC%\CCMSetup.exe" /noservice"#,
            "start /wait ccmsetup /mp:x",
            "msiexec /i ccmsetup.msi /qn",
        ] {
            assert!(is_setup(line), "{line}");
        }
        for line in ["agent.exe /ccmsetup.log", "install.cmd", "myccmsetup.exe", ""] {
            assert!(!is_setup(line), "{line}");
        }
    }

    #[test]
    fn a_client_that_cannot_be_stopped_or_stays_is_an_error() {
        let machine = Fake::default().ends("net.exe", 5, "");
        assert!(remove_identity(&machine, &Log::default()).is_err());
        let machine = Fake::default();
        machine.put_key(SERVICE);
        let error = uninstall(&machine, &Log::default(), None)
            .unwrap_err()
            .to_string();
        assert!(error.contains("ccmsetup.log"), "{error}");
        assert!(machine.slept() >= UNINSTALLED_WITHIN);
        let machine = Fake::default().does("ccmsetup.exe", |machine| machine.remove_key(SERVICE).unwrap());
        machine.put_key(SERVICE);
        uninstall(&machine, &Log::default(), None).unwrap();
    }
}
