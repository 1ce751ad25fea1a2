//! Labels of what is written into a Linux that does not run: the boot image knows none.

use std::path::Path;

use crate::facts::value_of;
use crate::platform::{Platform, Result};

const CONFIG: &str = "etc/selinux/config";
/// The next start labels all files, and restarts.
const RELABEL: &str = ".autorelabel";

/// The line of a policy's own labels by which the runtime may be started: programs below `/var/lib` may not.
fn label() -> String {
    format!(
        "{}/media-runtime\t--\tsystem_u:object_r:bin_t:s0\n",
        media_format::paths::INSTALLED
    )
}

/// Has the system label its files at its next start; nothing where it has no SELinux, or does not use it.
///
/// # Errors
/// When the system's volume cannot be written.
pub fn relabel(platform: &dyn Platform, root: &Path) -> Result<()> {
    match policy(platform, root)? {
        Some(_) => platform.write(&root.join(RELABEL), b"", 0o600),
        None => Ok(()),
    }
}

/// Lets the planted runtime start under the system's policy, once its files are labelled.
///
/// # Errors
/// When the system's volume cannot be written.
pub fn admit_runtime(platform: &dyn Platform, root: &Path) -> Result<()> {
    change(platform, root, |others| others + &label())?;
    relabel(platform, root)
}

/// Takes the runtime's line out again.
///
/// # Errors
/// When the system's volume cannot be written.
pub fn forget_runtime(platform: &dyn Platform, root: &Path) -> Result<()> {
    change(platform, root, |others| others)
}

/// Changes the labels of the policy, from those without ours.
fn change(platform: &dyn Platform, root: &Path, to: impl Fn(String) -> String) -> Result<()> {
    let Some(policy) = policy(platform, root)? else {
        return Ok(());
    };
    let path = root.join(format!("etc/selinux/{policy}/contexts/files/file_contexts.local"));
    let old = platform.read(&path)?.unwrap_or_default();
    let old = String::from_utf8_lossy(&old).into_owned();
    let new = to(old.replace(&label(), ""));
    if new == old {
        return Ok(());
    }
    platform.write(&path, new.as_bytes(), 0o644)
}

/// The policy that the system uses.
fn policy(platform: &dyn Platform, root: &Path) -> Result<Option<String>> {
    let Some(bytes) = platform.read(&root.join(CONFIG))? else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mode = value_of(&text, "SELINUX").unwrap_or_default();
    let used = ["enforcing", "permissive"].contains(&mode.to_lowercase().as_str());
    Ok(value_of(&text, "SELINUXTYPE").filter(|policy| used && is_name(policy)))
}

fn is_name(policy: &str) -> bool {
    !policy.is_empty()
        && policy
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}
