//! What the machine is: DMI, network, memory, as ConfigMgr's variables and as rows of hardware queries.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Linux, hardware_ids};
use crate::platform::hardware_rows::{self, row};
use crate::platform::{Disks as _, Machine, System};
use windows_setup::drivers::ids::MachineDevice;

const DMI: &str = "/sys/class/dmi/id";
const NETWORK: &str = "/sys/class/net";

impl Machine for Linux {
    fn system(&self) -> System {
        System::Linux
    }

    fn root(&self) -> PathBuf {
        PathBuf::from("/")
    }

    fn variables(&self) -> Vec<(String, String)> {
        let mac: Vec<String> = adapters()
            .into_iter()
            .map(|name| read(Path::new(NETWORK).join(name).join("address")))
            .collect();
        let pairs = [
            ("_SMSTSMachineName", read("/proc/sys/kernel/hostname")),
            ("_SMSTSMake", dmi("sys_vendor")),
            ("_SMSTSModel", dmi("product_name")),
            ("_SMSTSSerialNumber", dmi("product_serial")),
            ("_SMSTSAssetTag", dmi("chassis_asset_tag")),
            ("_SMSTSUUID", dmi("product_uuid").to_uppercase()),
            ("_SMSTSMacAddresses", mac.join(",").to_uppercase()),
            ("_SMSTSIPAddresses", addresses().join(",")),
            ("_SMSTSDefaultGateways", gateways().join(",")),
        ];
        pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
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
        match class.to_ascii_lowercase().as_str() {
            "win32_computersystem" => vec![row(&[
                ("Manufacturer", dmi("sys_vendor")),
                ("Model", dmi("product_name")),
                ("Name", read("/proc/sys/kernel/hostname")),
                ("TotalPhysicalMemory", self.memory().to_string()),
            ])],
            "win32_computersystemproduct" => vec![row(&[
                ("Name", dmi("product_name")),
                ("Vendor", dmi("sys_vendor")),
                ("Version", dmi("product_version")),
                ("UUID", dmi("product_uuid").to_uppercase()),
                ("IdentifyingNumber", dmi("product_serial")),
            ])],
            "win32_bios" => vec![row(&[
                ("Manufacturer", dmi("bios_vendor")),
                ("SMBIOSBIOSVersion", dmi("bios_version")),
                ("SerialNumber", dmi("product_serial")),
            ])],
            "win32_baseboard" => vec![row(&[
                ("Manufacturer", dmi("board_vendor")),
                ("Product", dmi("board_name")),
                ("SerialNumber", dmi("board_serial")),
            ])],
            "win32_processor" => processors(),
            "win32_networkadapter" | "win32_networkadapterconfiguration" => {
                adapters().iter().map(|name| adapter(name)).collect()
            }
            "win32_diskdrive" => hardware_rows::disks(&self.disks().unwrap_or_default()),
            _ => Vec::new(),
        }
    }
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path)
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

fn dmi(name: &str) -> String {
    read(Path::new(DMI).join(name))
}

/// Adapters of real devices; bridges and the loopback are none.
fn adapters() -> Vec<String> {
    let entries = fs::read_dir(NETWORK).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names
        .filter(|name| Path::new(NETWORK).join(name).join("device").exists())
        .collect();
    names.sort();
    names
}

fn adapter(name: &str) -> BTreeMap<String, String> {
    let folder = Path::new(NETWORK).join(name);
    let driver = fs::read_link(folder.join("device/driver")).unwrap_or_default();
    let driver = driver
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    row(&[
        ("Name", name.to_owned()),
        ("MACAddress", read(folder.join("address")).to_uppercase()),
        ("ServiceName", driver),
        (
            "NetEnabled",
            if read(folder.join("operstate")) == "up" {
                "True".into()
            } else {
                "False".into()
            },
        ),
    ])
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

fn processors() -> Vec<BTreeMap<String, String>> {
    let text = read("/proc/cpuinfo");
    let value = |key: &str| {
        let line = text
            .lines()
            .find(|line| line.split(':').next().is_some_and(|name| name.trim() == key));
        line.and_then(|line| line.split_once(':'))
            .map(|(_, value)| value.trim().to_owned())
            .unwrap_or_default()
    };
    let count = text.lines().filter(|line| line.starts_with("processor")).count();
    vec![row(&[
        ("Name", value("model name")),
        ("Manufacturer", value("vendor_id")),
        ("NumberOfLogicalProcessors", count.to_string()),
        ("AddressWidth", "64".into()),
    ])]
}
