//! Windows PE as the boot image: how it is known, where its media is, and how it ends.

use std::path::{Path, PathBuf};

use anyhow::bail;

use super::registry::text;
use super::tools;
use crate::log::Log;
use crate::media::id_of_volume;
use crate::platform::{Files, Processes, Registry, Result};

const CONTROL: &str = r"HKLM\SYSTEM\CurrentControlSet\Control";

/// Whether this Windows is a Windows PE.
///
/// # Errors
/// When the registry cannot be read.
pub fn is_here(registry: &(impl Registry + ?Sized)) -> Result<bool> {
    registry.has_key(&format!(r"{CONTROL}\MiniNT"))
}

/// The media that started it: of the volumes with these roots, the one that it was loaded from comes first. Nothing where no volume
/// is of a media (yet).
///
/// # Errors
/// When there are several media, and none of them has started this machine.
pub fn media_id(machine: &(impl Files + Registry + ?Sized), roots: &[PathBuf]) -> Result<Option<String>> {
    let id = |root: &Path| id_of_volume(machine, root).ok().flatten();
    let source = text(machine, CONTROL, "PEBootRamdiskSourceDrive")?;
    if let Some(id) = source.and_then(|drive| id(Path::new(&drive))) {
        return Ok(Some(id));
    }
    let mut found: Vec<String> = roots.iter().filter_map(|root| id(root)).collect();
    found.sort();
    found.dedup();
    if found.len() > 1 {
        bail!(
            "several media are attached ({}), and Windows PE does not say which of them has started it: leave one",
            found.join(", ")
        );
    }
    Ok(found.pop())
}

/// Restarts the machine.
///
/// # Errors
/// When Windows PE refuses.
pub fn restart(processes: &impl Processes, log: &Log) -> Result<()> {
    end(processes, log, "reboot")
}

/// Switches the machine off.
///
/// # Errors
/// When Windows PE refuses.
pub fn shut_down(processes: &impl Processes, log: &Log) -> Result<()> {
    end(processes, log, "shutdown")
}

fn end(processes: &impl Processes, log: &Log, how: &str) -> Result<()> {
    tools::run(processes, log, "wpeutil.exe", &[how.to_owned()], None).map(drop)
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;
    use crate::platform::Data;

    const ONE: &str = "4b2c9a52-7f1e-4c55-9a55-0d8a5f4f7a11";
    const OTHER: &str = "4b2c9a52-7f1e-4c55-9a55-0d8a5f4f7a12";

    fn roots() -> Vec<PathBuf> {
        ["C:/", "D:/", "E:/"].map(PathBuf::from).to_vec()
    }

    #[test]
    fn windows_pe_is_known_by_its_key() {
        let machine = Fake::default();
        assert!(!is_here(&machine).unwrap());
        machine.put_key(r"HKLM\SYSTEM\CurrentControlSet\Control\MiniNT");
        assert!(is_here(&machine).unwrap());
    }

    #[test]
    fn the_media_that_has_started_the_machine_comes_first() {
        let machine = Fake::default();
        assert_eq!(media_id(&machine, &roots()).unwrap(), None);
        machine.put_file("D:/media-runtime/media-id", format!("{ONE}\n").as_bytes());
        assert_eq!(media_id(&machine, &roots()).unwrap().as_deref(), Some(ONE));
        machine.put_file("E:/media-runtime/media-id", OTHER.as_bytes());
        let error = media_id(&machine, &roots()).unwrap_err().to_string();
        assert!(error.contains(ONE) && error.contains(OTHER), "{error}");
        machine.put_value(CONTROL, "PEBootRamdiskSourceDrive", Data::Text("E:\\".into()));
        assert_eq!(media_id(&machine, &roots()).unwrap().as_deref(), Some(OTHER));
        // It was started over the network, or its letter is another one now.
        machine.put_value(CONTROL, "PEBootRamdiskSourceDrive", Data::Text("S:\\".into()));
        assert!(media_id(&machine, &roots()).is_err());
    }

    #[test]
    fn it_ends_by_its_own_program() {
        let machine = Fake::default();
        restart(&machine, &Log::default()).unwrap();
        shut_down(&machine, &Log::default()).unwrap();
        let ran: Vec<_> = machine
            .ran()
            .into_iter()
            .map(|ran| (ran.program, ran.arguments))
            .collect();
        let call = |how: &str| ("wpeutil.exe".to_owned(), vec![how.to_owned()]);
        assert_eq!(ran, [call("reboot"), call("shutdown")]);
    }
}
