//! What the machine is: firmware, network, memory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;

use super::bindings::Kind;
use super::{Windows, bindings};
use windows_setup::drivers::ids::MachineDevice;

use crate::in_windows::devices;
use crate::platform::hardware::{self, Adapter, Hardware};
use crate::platform::{Disks as _, Machine, Registry as _, Result, System, smbios};

impl Machine for Windows {
    fn system(&self) -> System {
        System::Windows
    }

    fn root(&self) -> PathBuf {
        let drive = environment("SystemDrive", "C:");
        PathBuf::from(format!("{drive}\\"))
    }

    fn variables(&self) -> Vec<(String, String)> {
        self.known().variables()
    }

    fn memory(&self) -> u64 {
        bindings::memory()
    }

    fn now(&self) -> i64 {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }

    fn random(&self, bytes: &mut [u8]) {
        bindings::random(bytes);
    }

    /// In Windows PE the screen is the run's.
    fn tell(&self, text: &str) -> Result<()> {
        if self.pe.is_none() {
            bindings::show_message(text, Kind::Information).context("showing a message")?;
        }
        Ok(())
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }

    /// What Windows PE does not say is not known: the sequence goes on without drivers for it.
    fn devices(&self) -> Vec<MachineDevice> {
        let Some(log) = &self.pe else { return Vec::new() };
        devices::all(self).unwrap_or_else(|error| {
            log.warning(format!("reading which devices the machine has: {error:#}"));
            Vec::new()
        })
    }

    fn hardware(&self, class: &str) -> Vec<BTreeMap<String, String>> {
        match class.eq_ignore_ascii_case("Win32_DiskDrive") {
            true => hardware::disks(&self.disks().unwrap_or_default()),
            false => self.known().rows(class),
        }
    }
}

impl Windows {
    fn known(&self) -> Hardware {
        const PROCESSOR: &str = r"HKLM\HARDWARE\DESCRIPTION\System\CentralProcessor\0";
        let text = |name: &str| {
            let value = self.value(PROCESSOR, name).ok().flatten();
            value.map(|data| data.as_text().trim().to_owned())
        };
        let adapters = bindings::adapters();
        let all =
            |of: fn(&bindings::Adapter) -> &Vec<String>| adapters.iter().flat_map(of).cloned().collect();
        Hardware {
            computer_name: environment("COMPUTERNAME", ""),
            memory: self.memory(),
            processor: text("ProcessorNameString").unwrap_or_default(),
            processor_vendor: text("VendorIdentifier").unwrap_or_default(),
            threads: environment("NUMBER_OF_PROCESSORS", "1").parse().unwrap_or(1),
            addresses: all(|adapter| &adapter.addresses),
            gateways: all(|adapter| &adapter.gateways),
            adapters: adapters.iter().map(adapter).collect(),
            on_battery: bindings::on_battery(),
            tpm: tpm(),
            firmware: smbios::of_windows(&bindings::smbios()),
        }
    }
}

fn adapter(adapter: &bindings::Adapter) -> Adapter {
    Adapter {
        name: adapter.name.clone(),
        mac: adapter.mac.clone(),
        up: adapter.up,
        wireless: adapter.wireless,
    }
}

/// As in Linux: by the firmware's tables.
fn tpm() -> Option<String> {
    let versions = [(*b"TPM2", "2.0"), (*b"TCPA", "1.2")];
    let there = versions.iter().find(|(table, _)| bindings::has_acpi_table(table));
    there.map(|(_, version)| (*version).to_owned())
}

fn environment(name: &str, otherwise: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}
