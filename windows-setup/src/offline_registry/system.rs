//! Changes of the SYSTEM hive.

use media_format::hive::protocol::Query;
use media_format::hive::{Edit, Value};

use super::BadChange;

/// The set of drivers, services and settings that Windows uses: `CurrentControlSet` is only made when it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlSet(String);

impl ControlSet {
    /// What [`ControlSet::current`] needs.
    #[must_use]
    pub fn query() -> Query {
        Query::Value {
            key: "Select".into(),
            name: "Current".into(),
        }
    }

    /// The set that `Select\Current` names.
    pub fn current(select: Option<&Value>) -> Result<Self, BadChange> {
        match select.and_then(Value::number) {
            Some(number @ 1..=999) => Ok(Self(format!("ControlSet{number:03}"))),
            _ => Err(BadChange::NoControlSet),
        }
    }

    /// The path of a key in this set.
    #[must_use]
    pub fn key(&self, below: &str) -> String {
        format!(r"{}\{below}", self.0)
    }

    /// Makes a service, in place of one with the same name.
    pub fn service(&self, service: &Service) -> Result<Vec<Edit>, BadChange> {
        let key = self.service_key(&service.name)?;
        let set = |name: &str, value| Edit::set(key.clone(), name, value);
        let mut edits = vec![
            Edit::DeleteKey { key: key.clone() },
            set("Type", Value::Dword(OWN_PROCESS)),
            set("Start", Value::Dword(service.start as u32)),
            set("ErrorControl", Value::Dword(ERROR_NORMAL)),
            set("ImagePath", Value::ExpandSz(service.command.clone())),
            set("DisplayName", Value::Sz(service.display_name.clone())),
            set("Description", Value::Sz(service.description.clone())),
            set("ObjectName", Value::Sz("LocalSystem".into())),
        ];
        if !service.depends_on.is_empty() {
            edits.push(set("DependOnService", Value::MultiSz(service.depends_on.clone())));
        }
        Ok(edits)
    }

    /// Asks for a service.
    pub fn service_query(&self, name: &str) -> Result<Query, BadChange> {
        let key = self.service_key(name)?;
        Ok(Query::Key { key, depth: 0 })
    }

    /// Removes a service, if it is there.
    pub fn without_service(&self, name: &str) -> Result<Edit, BadChange> {
        let key = self.service_key(name)?;
        Ok(Edit::DeleteKey { key })
    }

    /// Asks whether Windows is kept from encrypting its volume by itself.
    #[must_use]
    pub fn device_encryption_query(&self) -> Query {
        Query::Value {
            key: self.key(BITLOCKER),
            name: PREVENT.into(),
        }
    }

    /// Windows decides by itself again whether it encrypts its volume.
    #[must_use]
    pub fn without_device_encryption_setting(&self) -> Edit {
        Edit::DeleteValue {
            key: self.key(BITLOCKER),
            name: PREVENT.into(),
        }
    }

    pub(super) fn service_key(&self, name: &str) -> Result<String, BadChange> {
        match (1..=256).contains(&name.chars().count()) && !name.contains(['/', '\\']) {
            true => Ok(self.key(&format!(r"Services\{name}"))),
            false => Err(BadChange::ServiceName(name.into())),
        }
    }
}

/// Where set-up notes it. Facts: Microsoft, "BitLocker drive encryption in Windows for OEMs".
const BITLOCKER: &str = r"Control\BitLocker";
const PREVENT: &str = "PreventDeviceEncryption";

/// A program of its own, not a driver, and not shared.
const OWN_PROCESS: u32 = 0x10;
/// When it fails to start, that is logged and Windows goes on.
const ERROR_NORMAL: u32 = 1;

/// A service that runs as SYSTEM in a process of its own. Facts: Microsoft, "CreateServiceW" and "HKLM\SYSTEM\
/// CurrentControlSet\Services Registry Tree".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// What people see.
    pub display_name: String,
    /// What it is for.
    pub description: String,
    /// Its program with arguments; a path with spaces in quotes.
    pub command: String,
    /// When it starts.
    pub start: ServiceStart,
    /// Services that start before it.
    pub depends_on: Vec<String>,
}

/// When a service starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceStart {
    /// With Windows.
    Automatic = 2,
    /// When something asks for it.
    Manual = 3,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> ControlSet {
        ControlSet::current(Some(&Value::Dword(2))).unwrap()
    }

    #[test]
    fn the_set_that_is_selected_is_changed() {
        assert_eq!(set().key(r"Control\x"), r"ControlSet002\Control\x");
        for odd in [
            None,
            Some(Value::Dword(0)),
            Some(Value::Dword(1000)),
            Some(Value::Sz("1".into())),
        ] {
            assert_eq!(ControlSet::current(odd.as_ref()), Err(BadChange::NoControlSet));
        }
    }

    #[test]
    fn impossible_names_of_services_are_refused() {
        for bad in ["", r"a\b", "a/b", &"x".repeat(257)] {
            assert_eq!(
                set().without_service(bad),
                Err(BadChange::ServiceName(bad.into()))
            );
        }
    }
}
