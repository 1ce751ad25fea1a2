//! What a machine is: ConfigMgr's variables of it, and the rows of hardware queries, the same from Linux and from Windows.

use std::collections::BTreeMap;

use super::smbios::{Enclosure, MemoryDevice, Processor, Smbios};
use super::{Bus, Disk};

/// A row of a hardware query: the properties by name.
pub type Row = BTreeMap<String, String>;

/// A network card.
#[derive(Debug, Clone, Default)]
pub struct Adapter {
    /// Its name as users see it.
    pub name: String,
    /// Hexadecimal digits with colons, in upper case.
    pub mac: String,
    /// Whether it is connected.
    pub up: bool,
    /// Whether it needs no cable.
    pub wireless: bool,
}

/// What the system knows of its machine.
#[derive(Debug, Clone, Default)]
pub struct Hardware {
    /// Its name in the network.
    pub computer_name: String,
    /// Bytes.
    pub memory: u64,
    /// What the processor calls itself.
    pub processor: String,
    /// Who made it.
    pub processor_vendor: String,
    /// What the system can run at once.
    pub threads: usize,
    /// The network cards.
    pub adapters: Vec<Adapter>,
    /// The addresses of all of them.
    pub addresses: Vec<String>,
    /// Where everything else is reached.
    pub gateways: Vec<String>,
    /// Whether it runs on its battery.
    pub on_battery: bool,
    /// The version of the specification that its TPM follows, such as `2.0`; none without a TPM.
    pub tpm: Option<String>,
    /// What the firmware says.
    pub firmware: Smbios,
}

impl Hardware {
    /// ConfigMgr's variables, by name.
    pub fn variables(&self) -> Vec<(String, String)> {
        let macs: Vec<&str> = self.adapters.iter().map(|adapter| adapter.mac.as_str()).collect();
        let firmware = &self.firmware;
        let pairs = [
            ("_SMSTSMachineName", self.computer_name.clone()),
            ("_SMSTSMake", firmware.make.clone()),
            ("_SMSTSModel", firmware.model.clone()),
            ("_SMSTSSerialNumber", firmware.serial.clone()),
            ("_SMSTSAssetTag", firmware.asset_tag.clone()),
            ("_SMSTSUUID", firmware.uuid.clone()),
            ("_SMSTSMacAddresses", macs.join(",")),
            ("_SMSTSIPAddresses", self.addresses.join(",")),
            ("_SMSTSDefaultGateways", self.gateways.join(",")),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// The rows of a class that has to do with anything but disks. Every class and property that a query may name is here.
    pub fn rows(&self, class: &str) -> Vec<Row> {
        let firmware = &self.firmware;
        match class.to_ascii_lowercase().as_str() {
            "win32_computersystem" => vec![self.computer_system()],
            "win32_computersystemproduct" => vec![product(firmware)],
            "win32_bios" => vec![bios(firmware)],
            "win32_baseboard" => vec![board(firmware)],
            "win32_systemenclosure" => firmware.enclosures.iter().map(enclosure).collect(),
            "win32_processor" => self.processors(),
            "win32_physicalmemory" => firmware.memory.iter().map(module).collect(),
            "win32_battery" => {
                let row_of = |battery: &super::smbios::Battery| {
                    row(&[
                        ("Name", battery.name.clone()),
                        ("DeviceID", battery.location.clone()),
                        // 1: it is discharging; 2: the machine has power from outside.
                        ("BatteryStatus", if self.on_battery { "1" } else { "2" }.into()),
                    ])
                };
                let known: Vec<Row> = firmware.batteries.iter().map(row_of).collect();
                // Not every firmware describes the battery that the machine runs on.
                let unknown = self.on_battery && known.is_empty();
                if unknown {
                    vec![row_of(&Default::default())]
                } else {
                    known
                }
            }
            "win32_networkadapter" => self.adapters.iter().map(adapter).collect(),
            "win32_networkadapterconfiguration" => {
                let row_of = |adapter: &Adapter| row(&[("MACAddress", adapter.mac.clone())]);
                self.adapters.iter().map(row_of).collect()
            }
            "win32_tpm" => {
                let row_of = |version: &String| row(&[("SpecVersion", version.clone())]);
                self.tpm.iter().map(row_of).collect()
            }
            _ => Vec::new(),
        }
    }

    fn computer_system(&self) -> Row {
        let firmware = &self.firmware;
        row(&[
            ("Manufacturer", firmware.make.clone()),
            ("Model", firmware.model.clone()),
            ("Name", self.computer_name.clone()),
            ("SystemFamily", firmware.family.clone()),
            ("SystemSKUNumber", firmware.sku.clone()),
            ("TotalPhysicalMemory", self.memory.to_string()),
            ("NumberOfProcessors", firmware.processors.len().max(1).to_string()),
            ("NumberOfLogicalProcessors", self.threads.to_string()),
        ])
    }

    /// One row for each socket; a firmware that names none has one with all threads.
    fn processors(&self) -> Vec<Row> {
        let known = &self.firmware.processors;
        let sockets = if known.is_empty() {
            vec![Processor::default()]
        } else {
            known.clone()
        };
        let threads = self.threads / sockets.len();
        let row_of = |socket: &Processor| {
            let or_all = |count: u16| {
                if count == 0 {
                    threads.to_string()
                } else {
                    count.to_string()
                }
            };
            row(&[
                ("Name", self.processor.clone()),
                ("Manufacturer", self.processor_vendor.clone()),
                ("NumberOfCores", or_all(socket.cores)),
                ("NumberOfLogicalProcessors", or_all(socket.threads)),
                ("MaxClockSpeed", socket.max_speed.to_string()),
                ("AddressWidth", "64".into()),
            ])
        };
        sockets.iter().map(row_of).collect()
    }
}

/// `Win32_DiskDrive`. What is no IDE and no USB, Windows' drivers show as SCSI.
pub fn disks(disks: &[Disk]) -> Vec<Row> {
    let rows = disks.iter().map(|disk| {
        let interface = match disk.bus {
            Bus::Ata => "IDE",
            Bus::Usb => "USB",
            Bus::Nvme | Bus::Scsi | Bus::Virtio | Bus::Mmc | Bus::Other => "SCSI",
        };
        row(&[
            ("Index", disk.number.to_string()),
            ("Model", disk.model.clone()),
            ("SerialNumber", disk.serial.clone()),
            ("Size", disk.size.to_string()),
            ("InterfaceType", interface.into()),
        ])
    });
    rows.collect()
}

fn row(properties: &[(&str, String)]) -> Row {
    let pairs = properties.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}

fn product(firmware: &Smbios) -> Row {
    row(&[
        ("Name", firmware.model.clone()),
        ("Vendor", firmware.make.clone()),
        ("Version", firmware.version.clone()),
        ("UUID", firmware.uuid.clone()),
        ("IdentifyingNumber", firmware.serial.clone()),
        ("SKUNumber", firmware.sku.clone()),
    ])
}

fn bios(firmware: &Smbios) -> Row {
    row(&[
        ("Manufacturer", firmware.bios_vendor.clone()),
        ("SMBIOSBIOSVersion", firmware.bios_version.clone()),
        ("ReleaseDate", as_cim(&firmware.bios_date)),
        ("SerialNumber", firmware.serial.clone()),
        ("SMBIOSMajorVersion", firmware.specification.0.to_string()),
        ("SMBIOSMinorVersion", firmware.specification.1.to_string()),
    ])
}

/// A day as CIM writes it (DSP0004, 5.2.4); empty where the firmware has none.
fn as_cim(date: &str) -> String {
    match date.split('/').collect::<Vec<_>>()[..] {
        [month, day, year] if year.len() == 4 => format!("{year}{month:0>2}{day:0>2}000000.000000+000"),
        _ => String::new(),
    }
}

fn board(firmware: &Smbios) -> Row {
    row(&[
        ("Manufacturer", firmware.board_make.clone()),
        ("Product", firmware.board_model.clone()),
        ("Version", firmware.board_version.clone()),
        ("SerialNumber", firmware.board_serial.clone()),
    ])
}

fn enclosure(enclosure: &Enclosure) -> Row {
    row(&[
        ("Manufacturer", enclosure.make.clone()),
        ("ChassisTypes", enclosure.kind.to_string()),
        ("Version", enclosure.version.clone()),
        ("SerialNumber", enclosure.serial.clone()),
        ("SMBIOSAssetTag", enclosure.asset_tag.clone()),
    ])
}

fn module(module: &MemoryDevice) -> Row {
    row(&[
        ("Capacity", module.size.to_string()),
        ("Manufacturer", module.make.clone()),
        ("PartNumber", module.part.clone()),
        ("SerialNumber", module.serial.clone()),
        ("Speed", module.speed.to_string()),
        ("DeviceLocator", module.slot.clone()),
    ])
}

fn adapter(adapter: &Adapter) -> Row {
    let up = if adapter.up { "True" } else { "False" };
    row(&[
        ("Name", adapter.name.clone()),
        ("MACAddress", adapter.mac.clone()),
        ("NetEnabled", up.into()),
        (
            "AdapterType",
            if adapter.wireless {
                "Wireless"
            } else {
                "Ethernet 802.3"
            }
            .into(),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use task_sequence::condition::CLASSES;

    use super::*;
    use crate::platform::smbios::Battery;

    /// `check` refuses a query of a class or property that no machine answers; so each that it knows is answered.
    #[test]
    fn every_class_that_a_query_may_name_is_answered_with_all_its_properties() {
        let hardware = Hardware {
            adapters: vec![Adapter::default()],
            firmware: Smbios {
                enclosures: vec![Enclosure::default()],
                memory: vec![MemoryDevice::default()],
                batteries: vec![Battery::default()],
                ..Smbios::default()
            },
            threads: 4,
            tpm: Some("2.0".into()),
            ..Hardware::default()
        };
        for (class, properties) in CLASSES {
            let rows = match *class {
                "Win32_DiskDrive" => disks(&[Disk::empty("/dev/nvme0n1", 1 << 30, Bus::Nvme)]),
                class => hardware.rows(class),
            };
            let [row] = &rows[..] else {
                panic!("{class}: {rows:?}")
            };
            let answered: BTreeSet<&str> = row.keys().map(String::as_str).collect();
            assert_eq!(answered, properties.iter().copied().collect(), "{class}");
        }
        assert_eq!(hardware.rows("win32_processor")[0]["NumberOfCores"], "4");
    }

    #[test]
    fn a_day_is_written_as_wmi_does() {
        assert_eq!(as_cim("04/1/2014"), "20140401000000.000000+000");
        assert_eq!(as_cim("04/01/99"), "");
    }
}
