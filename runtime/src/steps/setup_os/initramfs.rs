//! The initramfs of a Debian that was installed on a machine of its own: it waits half a minute for the swap of that machine at each
//! start, or has the drivers of no other. Images that were made for any machine keep theirs.

use std::path::Path;

use crate::context::Context;
use crate::platform::{Platform, Result};
use crate::steps::commands;

const PROGRAM: &str = "usr/sbin/update-initramfs";
const FOLDER: &str = "etc/initramfs-tools";
/// Where Debian's installer writes the swap that the machine wakes up from.
const RESUME: &str = "etc/initramfs-tools/conf.d/resume";
/// What stands there until the initramfs is made anew: a cut before its end leads here again.
const MARK: &str = "# media-runtime: the initramfs is still to be made anew\nRESUME=none\n";

/// Writes down that the initramfs is bound to another machine, while the system's own fstab is still there. The one that takes its
/// place may be there after a cut: it says nothing of that machine.
///
/// # Errors
/// When the system's volume cannot be read or written.
pub(super) fn mark(platform: &dyn Platform, root: &Path, new_fstab: &str) -> Result<()> {
    if platform.exists(&root.join(PROGRAM)) && is_bound(platform, root, new_fstab)? {
        platform.write(&root.join(RESUME), MARK.as_bytes(), 0o644)?;
    }
    Ok(())
}

/// Makes it anew where [`mark`] has said so.
///
/// # Errors
/// When the system's program fails.
pub(super) fn renew(context: &Context<'_>, root: &Path) -> Result<()> {
    if text(context.platform, &root.join(RESUME))? != MARK {
        return Ok(());
    }
    context.progress("making the initramfs anew", 0, 0);
    let mut command = commands::program("update-initramfs", &["-u", "-k", "all"]);
    command.root = Some(root.to_owned());
    let output = context.run(command)?;
    anyhow::ensure!(
        output.code == 0,
        "making the initramfs of the system anew: update-initramfs ended with {}; what it said is in the log",
        output.code
    );
    // Only then the mark may go.
    context.platform.flush()?;
    context.platform.remove(&root.join(RESUME))
}

fn is_bound(platform: &dyn Platform, root: &Path, new_fstab: &str) -> Result<bool> {
    let folder = root.join(FOLDER);
    // Another program may make it, from other settings.
    if !platform.is_folder(&folder) {
        return Ok(false);
    }
    let resume = text(platform, &root.join(RESUME))?;
    if resume == MARK {
        return Ok(true);
    }
    let fstab = text(platform, &root.join("etc/fstab"))?;
    let named = match value(&resume, "RESUME") {
        Some("none") => false,
        Some("auto") | None => fstab != new_fstab && has_swap(&fstab),
        Some(_) => true,
    };
    Ok(named || has_few_drivers(platform, &folder)?)
}

/// Whether it was told to take the drivers of the machine only.
fn has_few_drivers(platform: &dyn Platform, folder: &Path) -> Result<bool> {
    let more = folder.join("conf.d");
    let names = platform.list(&more)?.into_iter().map(|name| more.join(name));
    for path in std::iter::once(folder.join("initramfs.conf")).chain(names) {
        if value(&text(platform, &path)?, "MODULES") == Some("dep") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether an fstab names a partition with swap: by itself, the initramfs waits for the largest one.
fn has_swap(fstab: &str) -> bool {
    let is_swap = |line: &str| {
        let mut fields = line.split_whitespace();
        let device = fields.next().unwrap_or_default();
        let is_file = device.starts_with('/') && !device.starts_with("/dev/");
        !line.starts_with('#') && !is_file && fields.nth(1) == Some("swap")
    };
    fstab.lines().map(str::trim).any(is_swap)
}

/// The value of a variable that a shell would read there.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let lines = text.lines().filter_map(|line| line.trim().split_once('='));
    let mut named = lines.filter(|(key, _)| *key == name);
    named
        .next_back()
        .map(|(_, value)| value.trim_matches(['"', '\'']))
        .filter(|value| !value.is_empty())
}

fn text(platform: &dyn Platform, path: &Path) -> Result<String> {
    let bytes = platform.read(path)?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_with_swap_is_known_from_a_file() {
        for (line, expected) in [
            ("UUID=1f0e none swap sw 0 0", true),
            ("/dev/sda5\tnone\tswap\tsw\t0\t0", true),
            ("/swapfile none swap sw 0 0", false),
            ("# UUID=1f0e none swap sw 0 0", false),
            ("#UUID=1f0e none swap sw 0 0", false),
            ("UUID=1f0e / ext4 errors=remount-ro 0 1", false),
        ] {
            assert_eq!(has_swap(line), expected, "{line}");
        }
    }

    #[test]
    fn the_last_value_of_a_variable_counts() {
        let text = "# RESUME=none\nRESUME=auto\nRESUME=\"UUID=1f0e\"\nMODULES=\n";
        assert_eq!(value(text, "RESUME"), Some("UUID=1f0e"));
        assert_eq!(value(text, "MODULES"), None);
    }
}
