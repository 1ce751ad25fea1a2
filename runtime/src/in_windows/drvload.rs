//! Drivers of Windows PE: those for the machine's devices are loaded before the media is looked for, which may lie behind them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use media_format::drivers::{Architecture, DriverInf};
use windows_setup::drivers::{Listing, Machine, System, index_inf, matches};

use super::{devices, path, tools};
use crate::log::Log;
use crate::platform::{Files, Processes, Registry, Result};

/// Loads what fits of the driver packages in a folder, one folder each. A driver that cannot be loaded is a warning: the machine may
/// do without.
///
/// # Errors
/// When the folder or the registry cannot be read.
pub fn load(machine: &(impl Files + Processes + Registry + ?Sized), log: &Log, folder: &Path) -> Result<()> {
    let found = infs(machine, log, folder)?;
    let devices = Machine::new(&devices::all(machine)?);
    let mut wanted = BTreeSet::new();
    for product_type in [System::WORKSTATION, System::SERVER] {
        let infs = found.iter().map(|(_, inf)| inf);
        let fitting = matches(infs, &devices, &windows_pe(product_type));
        wanted.extend(
            fitting
                .iter()
                .map(|candidate| (&candidate.inf.package, &candidate.inf.path)),
        );
    }
    for (path, inf) in &found {
        if !wanted.contains(&(&inf.package, &inf.path)) {
            log.info(format!(
                "driver {} is for no device of this machine",
                path.display()
            ));
            continue;
        }
        if let Err(error) = tools::run(machine, log, "drvload.exe", &[path::text(path)], None) {
            log.warning(format!("{error:#}"));
        }
    }
    Ok(())
}

/// Windows PE does not say of which release and kind its drivers have to be: the newest, and either.
fn windows_pe(product_type: u32) -> System {
    System {
        architecture: Architecture::Amd64,
        major: 10,
        minor: 0,
        build: u32::MAX,
        product_type,
        suites: 0,
    }
}

/// The sound INF files, by their paths.
fn infs(files: &(impl Files + ?Sized), log: &Log, folder: &Path) -> Result<Vec<(PathBuf, DriverInf)>> {
    let mut found = Vec::new();
    for package in files.list(folder)? {
        let names = files.list(&folder.join(&package))?;
        let listing = Listing::new(&package, names.iter().cloned());
        let is_inf = |name: &&String| name.to_lowercase().ends_with(".inf");
        for name in names.iter().filter(is_inf) {
            let path = folder.join(&package).join(name);
            let bytes = files.read(&path)?.unwrap_or_default();
            match index_inf(&listing, name, &bytes, &mut |_| None) {
                Ok(inf) => found.push((path, inf)),
                Err(refused) => log.warning(format!("{}: {}", path.display(), refused.reason)),
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;
    use crate::platform::Data;

    const INF: &[u8] = include_bytes!("../../../windows-setup/tests/packages/vmd.inf");
    const DEVICE: &str = r"HKLM\SYSTEM\CurrentControlSet\Enum\PCI\VEN_8086&DEV_9A0B\0";

    fn machine(id: &str) -> Fake {
        let machine = Fake::default();
        machine.put_value(DEVICE, "HardwareID", Data::Texts(vec![id.into()]));
        machine.put_file("X:/media-runtime/drivers/vmd/vmd.inf", INF);
        machine.put_file("X:/media-runtime/drivers/broken/broken.inf", b"[Version");
        machine
    }

    #[test]
    fn only_what_is_for_a_device_is_loaded_and_a_failure_is_no_end() {
        let folder = Path::new("X:/media-runtime/drivers");
        let fits = machine(r"PCI\VEN_8086&DEV_9A0B").ends("drvload.exe", 2, "no");
        load(&fits, &Log::default(), folder).unwrap();
        let ran = fits.ran();
        assert_eq!(ran.len(), 1, "{ran:?}");
        assert!(ran[0].arguments[0].ends_with("vmd.inf"));
        let other = machine(r"PCI\VEN_1AF4&DEV_1001");
        load(&other, &Log::default(), folder).unwrap();
        assert!(other.ran().is_empty());
    }
}
