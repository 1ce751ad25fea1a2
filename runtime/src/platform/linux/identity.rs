//! What the machine is: firmware, network, memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Linux, hardware_ids};
use crate::platform::hardware::{self, Adapter, Hardware};
use crate::platform::smbios::{self, Smbios};
use crate::platform::{Disks as _, Machine, System};
use windows_setup::drivers::ids::MachineDevice;

const DMI: &str = "/sys/firmware/dmi/tables";
const NETWORK: &str = "/sys/class/net";
const POWER: &str = "/sys/class/power_supply";
const ACPI: &str = "/sys/firmware/acpi/tables";

impl Machine for Linux {
    fn system(&self) -> System {
        System::Linux
    }

    fn root(&self) -> PathBuf {
        PathBuf::from("/")
    }

    fn variables(&self) -> Vec<(String, String)> {
        self.known().variables()
    }

    fn memory(&self) -> u64 {
        let text = read("/proc/meminfo");
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        let kilobytes: u64 = line
            .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .unwrap_or(0);
        kilobytes * 1024
    }

    fn now(&self) -> i64 {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }

    fn random(&self, bytes: &mut [u8]) {
        let mut filled = 0;
        while filled < bytes.len() {
            match rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty()) {
                Ok(count) => filled += count,
                Err(rustix::io::Errno::INTR) => {}
                // Without a random source nothing secret may be made.
                Err(error) => panic!("the kernel gives no random bytes: {error}"),
            }
        }
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }

    fn devices(&self) -> Vec<MachineDevice> {
        hardware_ids::devices(Path::new(hardware_ids::SYSFS))
    }

    fn hardware(&self, class: &str) -> Vec<BTreeMap<String, String>> {
        match class.eq_ignore_ascii_case("Win32_DiskDrive") {
            true => hardware::disks(&self.disks().unwrap_or_default()),
            false => self.known().rows(class),
        }
    }
}

impl Linux {
    fn known(&self) -> Hardware {
        let text = read("/proc/cpuinfo");
        Hardware {
            computer_name: read("/proc/sys/kernel/hostname"),
            memory: self.memory(),
            processor: value(&text, "model name"),
            processor_vendor: value(&text, "vendor_id"),
            threads: text.lines().filter(|line| line.starts_with("processor")).count(),
            adapters: adapters(),
            addresses: addresses(),
            gateways: gateways(),
            on_battery: on_battery(Path::new(POWER)),
            tpm: tpm(Path::new(ACPI)),
            firmware: firmware(),
        }
    }
}

fn firmware() -> Smbios {
    let table = |name: &str| fs::read(Path::new(DMI).join(name)).unwrap_or_default();
    smbios::of_linux(&table("DMI"), &table("smbios_entry_point"))
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path)
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

/// Whether a battery of the machine's own is what it runs on; one of a mouse has the scope of a device.
fn on_battery(supplies: &Path) -> bool {
    let all = fs::read_dir(supplies).into_iter().flatten().flatten();
    let mut all = all.map(|entry| entry.path());
    all.any(|supply| {
        let says = |name: &str, text: &str| read(supply.join(name)) == text;
        says("type", "Battery") && says("status", "Discharging") && !says("scope", "Device")
    })
}

/// The firmware describes a TPM that is enabled: one of 2.0 in the table `TPM2`, an older one in `TCPA` (TCG ACPI
/// specification, 7 and 8).
fn tpm(tables: &Path) -> Option<String> {
    let has = |name: &str| tables.join(name).exists();
    match (has("TPM2"), has("TCPA")) {
        (true, _) => Some("2.0".into()),
        (false, true) => Some("1.2".into()),
        (false, false) => None,
    }
}

/// Adapters of real devices; bridges and the loopback are none.
fn adapters() -> Vec<Adapter> {
    let entries = fs::read_dir(NETWORK).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names
        .filter(|name| Path::new(NETWORK).join(name).join("device").exists())
        .collect();
    names.sort();
    names.into_iter().map(adapter).collect()
}

fn adapter(name: String) -> Adapter {
    let folder = Path::new(NETWORK).join(&name);
    Adapter {
        name,
        mac: read(folder.join("address")).to_uppercase(),
        up: read(folder.join("operstate")) == "up",
        wireless: folder.join("phy80211").exists(),
    }
}

/// IPv4 addresses of this machine, from the kernel's routing tables.
fn addresses() -> Vec<String> {
    let text = read("/proc/net/fib_trie");
    let mut found: Vec<String> = Vec::new();
    let mut last = "";
    for line in text.lines() {
        if line.contains("/32 host LOCAL")
            && !last.starts_with("127.")
            && !found.iter().any(|known| known == last)
        {
            found.push(last.to_owned());
        }
        if let Some(address) = line.trim().strip_prefix("|-- ") {
            last = address;
        }
    }
    found
}

fn gateways() -> Vec<String> {
    let text = read("/proc/net/route");
    let gateway = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let default = fields.get(1) == Some(&"00000000");
        let number = u32::from_str_radix(fields.get(2)?, 16).ok()?;
        default.then(|| std::net::Ipv4Addr::from(number.to_le_bytes()).to_string())
    };
    text.lines().skip(1).filter_map(gateway).collect()
}

/// The first value of a key of `/proc/cpuinfo`.
fn value(text: &str, key: &str) -> String {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let mut values = lines.filter(|(name, _)| name.trim() == key);
    values
        .next()
        .map(|(_, value)| value.trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_runs_on_a_battery_of_its_own_and_not_on_that_of_a_mouse() {
        let folder = tempfile::tempdir().unwrap();
        let supply = |name: &str, files: &[(&str, &str)]| {
            let supply = folder.path().join(name);
            fs::create_dir_all(&supply).unwrap();
            for (file, text) in files {
                fs::write(supply.join(file), format!("{text}\n")).unwrap();
            }
        };
        assert!(!on_battery(folder.path()) && !on_battery(&folder.path().join("none")));
        supply("AC", &[("type", "Mains"), ("online", "0")]);
        let mouse = [
            ("type", "Battery"),
            ("status", "Discharging"),
            ("scope", "Device"),
        ];
        supply("hid", &mouse);
        supply("BAT0", &[("type", "Battery"), ("status", "Charging")]);
        assert!(!on_battery(folder.path()));
        supply("BAT0", &[("status", "Discharging")]);
        assert!(on_battery(folder.path()));
    }

    #[test]
    fn the_firmwares_tables_name_the_tpm() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(tpm(folder.path()), None);
        fs::write(folder.path().join("TCPA"), "").unwrap();
        assert_eq!(tpm(folder.path()).as_deref(), Some("1.2"));
        fs::write(folder.path().join("TPM2"), "").unwrap();
        assert_eq!(tpm(folder.path()).as_deref(), Some("2.0"));
    }
}
