//! What the machine is: SMBIOS, network, memory, as ConfigMgr's variables and as rows of hardware queries.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::{Windows, bindings};
use windows_setup::drivers::ids::MachineDevice;

use crate::in_windows::devices;
use crate::in_windows::smbios::{self, Smbios};
use crate::platform::hardware_rows::{self, row};
use crate::platform::{Disks as _, Machine, Registry as _, System};

impl Machine for Windows {
    fn system(&self) -> System {
        System::Windows
    }

    fn root(&self) -> PathBuf {
        let drive = environment("SystemDrive", "C:");
        PathBuf::from(format!("{drive}\\"))
    }

    fn variables(&self) -> Vec<(String, String)> {
        let firmware = firmware();
        let adapters = bindings::adapters();
        let all = |of: fn(&bindings::Adapter) -> &Vec<String>| {
            adapters
                .iter()
                .flat_map(of)
                .cloned()
                .collect::<Vec<_>>()
                .join(",")
        };
        let macs: Vec<String> = adapters.iter().map(|adapter| adapter.mac.clone()).collect();
        let pairs = [
            ("_SMSTSMachineName", computer_name()),
            ("_SMSTSMake", firmware.make),
            ("_SMSTSModel", firmware.model),
            ("_SMSTSSerialNumber", firmware.serial),
            ("_SMSTSAssetTag", firmware.asset_tag),
            ("_SMSTSUUID", firmware.uuid),
            ("_SMSTSMacAddresses", macs.join(",")),
            ("_SMSTSIPAddresses", all(|adapter| &adapter.addresses)),
            ("_SMSTSDefaultGateways", all(|adapter| &adapter.gateways)),
        ];
        pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
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
        let firmware = firmware();
        match class.to_ascii_lowercase().as_str() {
            "win32_computersystem" => vec![row(&[
                ("Manufacturer", firmware.make),
                ("Model", firmware.model),
                ("Name", computer_name()),
                ("TotalPhysicalMemory", self.memory().to_string()),
            ])],
            "win32_computersystemproduct" => vec![row(&[
                ("Name", firmware.model),
                ("Vendor", firmware.make),
                ("Version", firmware.version),
                ("UUID", firmware.uuid),
                ("IdentifyingNumber", firmware.serial),
            ])],
            "win32_bios" => vec![row(&[
                ("Manufacturer", firmware.bios_vendor),
                ("SMBIOSBIOSVersion", firmware.bios_version),
                ("SerialNumber", firmware.serial),
            ])],
            "win32_baseboard" => vec![row(&[
                ("Manufacturer", firmware.board_make),
                ("Product", firmware.board_model),
                ("SerialNumber", firmware.board_serial),
            ])],
            "win32_processor" => vec![self.processor()],
            "win32_networkadapter" | "win32_networkadapterconfiguration" => {
                bindings::adapters().iter().map(adapter).collect()
            }
            "win32_diskdrive" => hardware_rows::disks(&self.disks().unwrap_or_default()),
            _ => Vec::new(),
        }
    }
}

impl Windows {
    fn processor(&self) -> BTreeMap<String, String> {
        const KEY: &str = r"HKLM\HARDWARE\DESCRIPTION\System\CentralProcessor\0";
        let text = |name: &str| {
            let value = self.value(KEY, name).ok().flatten();
            value.map(|data| data.as_text()).unwrap_or_default()
        };
        row(&[
            ("Name", text("ProcessorNameString").trim().to_owned()),
            ("Manufacturer", text("VendorIdentifier")),
            (
                "NumberOfLogicalProcessors",
                environment("NUMBER_OF_PROCESSORS", "1"),
            ),
            ("AddressWidth", "64".into()),
        ])
    }
}

fn firmware() -> Smbios {
    smbios::parse(&bindings::smbios())
}

fn adapter(adapter: &bindings::Adapter) -> BTreeMap<String, String> {
    row(&[
        ("Name", adapter.name.clone()),
        ("MACAddress", adapter.mac.clone()),
        (
            "NetEnabled",
            if adapter.up { "True".into() } else { "False".into() },
        ),
    ])
}

fn computer_name() -> String {
    environment("COMPUTERNAME", "")
}

fn environment(name: &str, otherwise: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}
