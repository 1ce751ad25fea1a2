//! Drivers that Windows needs before it can read its own disk, entered so that its boot loader loads them and its kernel gives
//! them their devices. Windows finds the whole package afterwards and installs it as usual.

use media_format::hive::protocol::Query;
use media_format::hive::{Edit, Key, Value};
use uuid::Uuid;

use super::{BadChange, ControlSet};

const DATABASE: &str = "DriverDatabase";
const INF_FILES: &str = r"DriverDatabase\DriverInfFiles";
/// What entries of ours begin with.
const OURS: &str = "media-runtime-";
const CONFIGURATION: &str = "media_runtime";
/// Of a hardware id, without a rank of its own.
const BY_HARDWARE_ID: [u8; 4] = [1, 0xFF, 0, 0];
const KERNEL_DRIVER: u32 = 1;
const BY_BOOT_LOADER: u32 = 0;
const ERROR_NORMAL: u32 = 1;

/// A driver of a storage controller.
///
/// Facts: virt-v2v's `windows_virtio.ml`, which starts converted machines this way; Microsoft, "HKLM\SYSTEM\
/// CurrentControlSet\Services Registry Tree".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootDriver {
    /// Its service.
    pub service: String,
    /// Its file in `System32\drivers`.
    pub file: String,
    /// The load order group; usually `SCSI miniport`.
    pub group: String,
    /// The class of its devices.
    pub class: Uuid,
    /// The hardware ids of its devices, such as `PCI\VEN_8086&DEV_9A0B`.
    pub ids: Vec<String>,
}

impl BootDriver {
    /// What tells whether the installation has a driver database: Windows 8 and later do.
    #[must_use]
    pub fn query() -> Query {
        Query::Key {
            key: INF_FILES.into(),
            depth: 0,
        }
    }

    /// Enters it; `database` is the answer to [`BootDriver::query`].
    pub fn edits(&self, set: &ControlSet, database: Option<&Key>) -> Result<Vec<Edit>, BadChange> {
        let service = set.service_key(&self.service)?;
        let value = |name: &str, value| Edit::set(service.clone(), name, value);
        let mut edits = vec![
            value("Type", Value::Dword(KERNEL_DRIVER)),
            value("Start", Value::Dword(BY_BOOT_LOADER)),
            value("ErrorControl", Value::Dword(ERROR_NORMAL)),
            value("Group", Value::Sz(self.group.clone())),
            value(
                "ImagePath",
                Value::ExpandSz(format!(r"System32\drivers\{}", self.file)),
            ),
        ];
        edits.extend(match database {
            Some(_) => self.in_database(),
            None => self.in_critical_devices(set),
        });
        Ok(edits)
    }

    fn inf(&self) -> String {
        format!("{OURS}{}.inf", self.service.to_ascii_lowercase())
    }

    fn in_database(&self) -> Vec<Edit> {
        let (inf, label) = (self.inf(), label(&self.inf()));
        let names = format!(r"{INF_FILES}\{inf}");
        let package = format!(r"{DATABASE}\DriverPackages\{label}");
        let configuration = format!(r"{package}\Configurations\{CONFIGURATION}");
        let mut edits = vec![
            Edit::set(names.clone(), "", Value::MultiSz(vec![label.clone()])),
            Edit::set(names.clone(), "Active", Value::Sz(label)),
            Edit::set(
                names,
                "Configurations",
                Value::MultiSz(vec![CONFIGURATION.into()]),
            ),
            Edit::set(package.clone(), "Version", Value::Binary(self.version())),
            Edit::set(configuration.clone(), "ConfigFlags", Value::Dword(0)),
            Edit::set(configuration, "Service", Value::Sz(self.service.clone())),
        ];
        for id in &self.ids {
            edits.push(Edit::set(
                format!(r"{DATABASE}\DeviceIds\{id}"),
                inf.clone(),
                Value::Binary(BY_HARDWARE_ID.to_vec()),
            ));
            edits.push(Edit::set(
                format!(r"{package}\Descriptors\{id}"),
                "Configuration",
                Value::Sz(CONFIGURATION.into()),
            ));
        }
        edits
    }

    /// The kernel of Windows 10 looks at the class in it; date and version are the oldest.
    fn version(&self) -> Vec<u8> {
        let begin = [0, 0xFF, 9, 0, 0, 0, 0, 0];
        [&begin[..], &self.class.to_bytes_le(), &[0; 24]].concat()
    }

    /// What Windows 7 has instead.
    fn in_critical_devices(&self, set: &ControlSet) -> Vec<Edit> {
        let class = self.class.braced().to_string().to_uppercase();
        let edits = self.ids.iter().flat_map(|id| {
            let key = set.key(&format!(
                r"Control\CriticalDeviceDatabase\{}",
                id.replace('\\', "#")
            ));
            [
                Edit::set(key.clone(), "Service", Value::Sz(self.service.clone())),
                Edit::set(key, "ClassGUID", Value::Sz(class.clone())),
            ]
        });
        edits.collect()
    }
}

fn label(inf: &str) -> String {
    format!("{inf}_offline")
}

/// The entries of ours among the answer to [`BootDriver::query`], and what else is to be asked about each.
pub fn boot_driver_queries(database: Option<&Key>) -> Vec<(String, Query)> {
    let names = database
        .into_iter()
        .flat_map(|key| &key.keys)
        .map(|key| key.name.clone());
    let ours = names.filter(|name| name.to_ascii_lowercase().starts_with(OURS));
    let query = |inf: String| {
        let key = format!(r"{DATABASE}\DriverPackages\{}\Descriptors", label(&inf));
        // Bus, id, and nothing below.
        (inf, Query::Key { key, depth: 2 })
    };
    ours.map(query).collect()
}

/// Removes an entry of ours from the database; the service stays, for Windows may use it by now.
#[must_use]
pub fn without_boot_driver(inf: &str, descriptors: Option<&Key>) -> Vec<Edit> {
    let buses = descriptors.into_iter().flat_map(|key| &key.keys);
    let ids = buses.flat_map(|bus| {
        bus.keys
            .iter()
            .map(move |id| format!(r"{}\{}", bus.name, id.name))
    });
    let mut edits: Vec<Edit> = ids
        .map(|id| Edit::DeleteValue {
            key: format!(r"{DATABASE}\DeviceIds\{id}"),
            name: inf.into(),
        })
        .collect();
    for key in [
        format!(r"{DATABASE}\DriverPackages\{}", label(inf)),
        format!(r"{INF_FILES}\{inf}"),
    ] {
        edits.push(Edit::DeleteKey { key });
    }
    edits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn driver() -> BootDriver {
        BootDriver {
            service: "iaStorVD".into(),
            file: "iaStorVD.sys".into(),
            group: "SCSI miniport".into(),
            class: Uuid::from_u128(0x4d36_e97b_e325_11ce_bfc1_0800_2be1_0318),
            ids: vec![r"PCI\VEN_8086&DEV_9A0B".into()],
        }
    }

    fn set() -> ControlSet {
        ControlSet::current(Some(&Value::Dword(1))).unwrap()
    }

    fn value<'a>(edits: &'a [Edit], wanted: &str, named: &str) -> Option<&'a Value> {
        edits.iter().find_map(|edit| match edit {
            Edit::SetValue { key, name, value } if key == wanted && name == named => Some(value),
            _ => None,
        })
    }

    #[test]
    fn a_device_leads_to_its_service_by_the_database() {
        let edits = driver().edits(&set(), Some(&Key::default())).unwrap();
        let at = |key: &str, name: &str| value(&edits, key, name).cloned();
        let sz = |text: &str| Some(Value::Sz(text.into()));
        assert_eq!(
            at(r"ControlSet001\Services\iaStorVD", "Start"),
            Some(Value::Dword(0))
        );
        let id = r"DriverDatabase\DeviceIds\PCI\VEN_8086&DEV_9A0B";
        assert!(at(id, "media-runtime-iastorvd.inf").is_some());
        let inf = r"DriverDatabase\DriverInfFiles\media-runtime-iastorvd.inf";
        let label = "media-runtime-iastorvd.inf_offline";
        assert_eq!(at(inf, "Active"), sz(label));
        let package = format!(r"DriverDatabase\DriverPackages\{label}");
        let descriptor = format!(r"{package}\Descriptors\PCI\VEN_8086&DEV_9A0B");
        assert_eq!(at(&descriptor, "Configuration"), sz(CONFIGURATION));
        let configuration = format!(r"{package}\Configurations\{CONFIGURATION}");
        assert_eq!(at(&configuration, "Service"), sz("iaStorVD"));
        let Some(Value::Binary(version)) = at(&package, "Version") else {
            panic!("no version")
        };
        assert_eq!(version.len(), 48);
        assert_eq!(version[8..12], [0x7b, 0xe9, 0x36, 0x4d]);
        assert!(edits.iter().all(|edit| edit.check().is_ok()));
    }

    #[test]
    fn windows_7_has_a_list_of_critical_devices() {
        let edits = driver().edits(&set(), None).unwrap();
        let key = r"ControlSet001\Control\CriticalDeviceDatabase\PCI#VEN_8086&DEV_9A0B";
        assert_eq!(value(&edits, key, "Service"), Some(&Value::Sz("iaStorVD".into())));
        let class = Value::Sz("{4D36E97B-E325-11CE-BFC1-08002BE10318}".into());
        assert_eq!(value(&edits, key, "ClassGUID"), Some(&class));
    }

    #[test]
    fn only_entries_of_ours_go_again() {
        let named = |name: &str, keys: Vec<Key>| Key {
            name: name.into(),
            keys,
            ..Key::default()
        };
        let database = named(
            "",
            vec![named("oem1.inf", vec![]), named("media-runtime-x.inf", vec![])],
        );
        let queries = boot_driver_queries(Some(&database));
        let [(inf, _)] = &queries[..] else {
            panic!("one entry is ours: {queries:?}")
        };
        let descriptors = named("Descriptors", vec![named("PCI", vec![named("VEN_1", vec![])])]);
        let edits = without_boot_driver(inf, Some(&descriptors));
        assert_eq!(
            edits[0],
            Edit::DeleteValue {
                key: r"DriverDatabase\DeviceIds\PCI\VEN_1".into(),
                name: "media-runtime-x.inf".into()
            }
        );
        assert_eq!(edits.len(), 3);
        assert_eq!(boot_driver_queries(None), []);
    }
}
