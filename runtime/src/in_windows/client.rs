//! The ConfigMgr client: its identity, or all of it, goes before the capture.

use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::context::code_text;
use crate::log::Log;
use crate::platform::{Command, Files, Machine, Processes, Registry, Result};

const SERVICE: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\CcmExec";
const SETUP: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\ccmsetup";
const CERTIFICATES: &str = r"HKLM\SOFTWARE\Microsoft\SystemCertificates\SMS\Certificates";
/// What the client knows itself by.
const IDENTITY: &str = "Windows/SMSCFG.ini";
const UNINSTALL: &str = "Windows/ccmsetup/ccmsetup.exe";
const UNINSTALLED_WITHIN: Duration = Duration::from_secs(30 * 60);
const LOOK_EVERY: Duration = Duration::from_secs(5);

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
        program: program.display().to_string(),
        arguments: vec!["/uninstall".into()],
        timeout: limit,
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
                "the ConfigMgr client is still there after {} minutes; C:\\Windows\\ccmsetup\\Logs\\ccmsetup.log says why",
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
