//! What is behind USB: its driver asks a new device for its disks only after a second, and the kernel announces nothing meanwhile.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// From a hub's power to the announcement of what is plugged in (USB 2.0 specification, 7.1.7.3: a tenth of a second each for power
/// and for the contact to be steady), with time for several tries.
pub(super) const QUIET: Duration = Duration::from_secs(1);
const DEVICES: &str = "/sys/bus/usb/devices";
const DRIVERS: &str = "/sys/bus/usb/drivers";
/// SCSI's type of a disk, and of a drive for discs.
const WITH_BLOCKS: [&str; 2] = ["0", "5"];

/// Whether a controller has its driver, and so a hub.
pub(super) fn is_there() -> bool {
    !named(Path::new(DEVICES), |_| true).is_empty()
}

/// Whether every storage device that has its driver has been asked for its disks.
pub(super) fn is_scanned() -> bool {
    is_scanned_below(Path::new(DRIVERS))
}

fn is_scanned_below(drivers: &Path) -> bool {
    let folders = ["usb-storage", "uas"].map(|name| drivers.join(name));
    let mut interfaces = folders
        .iter()
        .flat_map(|folder| named(folder, |name| name.contains(':')));
    interfaces.all(|interface| {
        let hosts = named(&interface, |name| name.starts_with("host"));
        !hosts.is_empty() && hosts.iter().all(|host| has_its_disks(host))
    })
}

fn has_its_disks(host: &Path) -> bool {
    let targets = named(host, |name| name.starts_with("target"));
    let devices = targets
        .iter()
        .flat_map(|target| named(target, |name| name.matches(':').count() == 3));
    let devices: Vec<PathBuf> = devices.collect();
    !devices.is_empty() && devices.iter().all(|device| has_its_block_device(device))
}

fn has_its_block_device(device: &Path) -> bool {
    let kind = fs::read_to_string(device.join("type")).unwrap_or_default();
    !WITH_BLOCKS.contains(&kind.trim()) || !named(&device.join("block"), |_| true).is_empty()
}

fn named(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let items = fs::read_dir(folder).into_iter().flatten().flatten();
    items
        .filter(|item| item.file_name().to_str().is_some_and(&wanted))
        .map(|item| item.path())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the kernel shows a stick, step by step: the driver takes it, makes a host, and after a while finds the disk.
    #[test]
    fn a_stick_is_scanned_when_its_disk_is_there() {
        let sys = tempfile::tempdir().unwrap();
        let stick = sys.path().join("usb1/1-1/1-1:1.0");
        let driver = sys.path().join("drivers/usb-storage");
        let is_scanned = || is_scanned_below(&sys.path().join("drivers"));
        assert!(is_scanned(), "no driver at all");
        fs::create_dir_all(&stick).unwrap();
        fs::create_dir_all(driver.join("module")).unwrap();
        assert!(is_scanned(), "nothing that the driver has taken");
        std::os::unix::fs::symlink(&stick, driver.join("1-1:1.0")).unwrap();
        assert!(!is_scanned());
        let device = stick.join("host6/target6:0:0/6:0:0:0");
        fs::create_dir_all(stick.join("host6/scsi_host")).unwrap();
        assert!(!is_scanned());
        fs::create_dir_all(&device).unwrap();
        fs::write(device.join("type"), "0\n").unwrap();
        assert!(!is_scanned());
        fs::create_dir_all(device.join("block/sda")).unwrap();
        assert!(is_scanned());
        let enclosure = stick.join("host6/target6:0:0/6:0:0:1");
        fs::create_dir_all(&enclosure).unwrap();
        fs::write(enclosure.join("type"), "13\n").unwrap();
        assert!(is_scanned(), "what is no disk has none");
    }
}
