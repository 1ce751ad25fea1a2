//! Restarts that Windows is waiting for.

use crate::platform::{Registry, Result};

const COMPONENTS: &str = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing";
const UPDATE: &str = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update";
const SESSION_MANAGER: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager";

/// Whether an update waits for a restart.
pub fn updates(registry: &impl Registry) -> bool {
    reasons(registry).is_ok_and(|reasons| !reasons.is_empty())
}

/// What waits for a restart that changes the system.
///
/// # Errors
/// When the registry cannot be read.
pub fn reasons(registry: &(impl Registry + ?Sized)) -> Result<Vec<&'static str>> {
    let places = [
        (format!(r"{COMPONENTS}\RebootPending"), "a component or an update"),
        (format!(r"{COMPONENTS}\PackagesPending"), "a package of Windows"),
        (format!(r"{UPDATE}\RebootRequired"), "Windows Update"),
    ];
    let mut found = Vec::new();
    for (key, what) in places {
        if registry.has_key(&key)? {
            found.push(what);
        }
    }
    Ok(found)
}

/// Whether files are to be replaced at the next start.
///
/// # Errors
/// When the registry cannot be read.
pub fn renames(registry: &(impl Registry + ?Sized)) -> Result<bool> {
    let value = registry.value(SESSION_MANAGER, "PendingFileRenameOperations")?;
    Ok(value.is_some_and(|data| !data.as_text().trim().is_empty()))
}
