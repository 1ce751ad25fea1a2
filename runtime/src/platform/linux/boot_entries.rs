//! Entries of the firmware's boot menu as the kernel shows them, for a system without efibootmgr.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rustix::fs::IFlags;

use crate::platform::Result;

const VARIABLES: &str = "/sys/firmware/efi/efivars";
/// EFI_GLOBAL_VARIABLE (UEFI specification 3.3).
const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
/// The variable's attributes, in front of its content; then the entry's attributes and the length of its path
/// (EFI_LOAD_OPTION, UEFI specification 3.1.3).
const BEFORE_DESCRIPTION: usize = 4 + 4 + 2;

/// Removes the entries with that description. The order of the entries may go on naming one that is gone: firmware passes over it.
pub(super) fn remove(label: &str) -> Result<()> {
    with_label(Path::new(VARIABLES), label)?
        .iter()
        .try_for_each(|path| remove_variable(path))
}

fn with_label(folder: &Path, label: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).context("reading the firmware's variables")?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_meant =
        |path: &PathBuf| is_entry(path) && fs::read(path).is_ok_and(|value| is_called(&value, label));
    Ok(paths.filter(is_meant).collect())
}

/// `Boot0003-…`, but not `BootOrder-…`.
fn is_entry(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let number = name
        .strip_prefix("Boot")
        .and_then(|rest| rest.strip_suffix(GLOBAL)?.strip_suffix('-'));
    number.is_some_and(|number| number.len() == 4 && number.chars().all(|c| c.is_ascii_hexdigit()))
}

fn is_called(value: &[u8], label: &str) -> bool {
    let text = value.get(BEFORE_DESCRIPTION..).unwrap_or_default();
    let units = text
        .chunks_exact(2)
        .map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    let description = units.take_while(|unit| *unit != 0);
    description.eq(label.encode_utf16())
}

/// The kernel protects variables from being removed by mistake.
fn remove_variable(path: &Path) -> Result<()> {
    let doing = || format!("removing the boot entry {}", path.display());
    let file = File::open(path).with_context(doing)?;
    let flags = rustix::fs::ioctl_getflags(&file).with_context(doing)?;
    rustix::fs::ioctl_setflags(&file, flags - IFlags::IMMUTABLE).with_context(doing)?;
    fs::remove_file(path).with_context(doing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(description: &str) -> Vec<u8> {
        let mut value = vec![7, 0, 0, 0, 1, 0, 0, 0, 4, 0];
        value.extend(description.encode_utf16().flat_map(u16::to_le_bytes));
        value.extend([0, 0, 0x7f, 0xff, 4, 0]);
        value
    }

    #[test]
    fn entries_are_found_by_their_whole_description() {
        let folder = tempfile::tempdir().unwrap();
        for (name, description) in [
            ("Boot0001", "debian"),
            ("Boot000A", "media-runtime"),
            ("Boot0003", "media-runtime-2"),
            ("BootNext", "media-runtime"),
            ("Boot00012", "media-runtime"),
        ] {
            fs::write(folder.path().join(format!("{name}-{GLOBAL}")), entry(description)).unwrap();
        }
        fs::write(folder.path().join(format!("Boot0004-{GLOBAL}")), [7, 0]).unwrap();
        fs::write(folder.path().join("Boot0005-other"), entry("media-runtime")).unwrap();
        let found = with_label(folder.path(), "media-runtime").unwrap();
        assert_eq!(found, [folder.path().join(format!("Boot000A-{GLOBAL}"))]);
    }
}
