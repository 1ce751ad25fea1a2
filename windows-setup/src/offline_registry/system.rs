//! Changes of the SYSTEM hive.

use media_format::hive::protocol::Query;
use media_format::hive::{Edit, Key, Value};

use super::BadChange;
use crate::bcd::Partition;

const SETUP: &str = "Setup";
const COMMAND: &str = "CmdLine";
const KIND: &str = "SetupType";
/// Ours: what was in their place before.
const BEFORE: [(&str, &str); 2] = [(COMMAND, "MediaRuntimeCmdLine"), (KIND, "MediaRuntimeSetupType")];
/// The command runs before anybody can log on, and the logon screen follows.
const THEN_LOGON: u32 = 2;

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

    /// Gives the computer its name, for NetBIOS and for TCP/IP. In an installation that is set up anew the answer file's
    /// name wins.
    pub fn computer_name(&self, name: &str) -> Result<Vec<Edit>, BadChange> {
        task_sequence::validate::computer_name(name).map_err(BadChange::ComputerName)?;
        let (netbios, host) = (Value::Sz(name.to_ascii_uppercase()), Value::Sz(name.into()));
        let tcpip = self.key(r"Services\Tcpip\Parameters");
        Ok(vec![
            Edit::set(
                self.key(r"Control\ComputerName\ComputerName"),
                "ComputerName",
                netbios,
            ),
            Edit::set(tcpip.clone(), "Hostname", host.clone()),
            Edit::set(tcpip, "NV Hostname", host),
        ])
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

    /// Removes a service, if it is there.
    pub fn without_service(&self, name: &str) -> Result<Edit, BadChange> {
        let key = self.service_key(name)?;
        Ok(Edit::DeleteKey { key })
    }

    pub(super) fn service_key(&self, name: &str) -> Result<String, BadChange> {
        match (1..=256).contains(&name.chars().count()) && !name.contains(['/', '\\']) {
            true => Ok(self.key(&format!(r"Services\{name}"))),
            false => Err(BadChange::ServiceName(name.into())),
        }
    }
}

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

/// Gives a volume its drive letter. Facts: winreg-kb, "Mounted devices".
pub fn mounted_device(letter: char, volume: &Partition) -> Result<Edit, BadChange> {
    if !letter.is_ascii_alphabetic() {
        return Err(BadChange::DriveLetter(letter));
    }
    let name = format!(r"\DosDevices\{}:", letter.to_ascii_uppercase());
    Ok(Edit::set(
        "MountedDevices",
        name,
        Value::Binary(volume.mounted_device()),
    ))
}

/// What the next two need.
#[must_use]
pub fn setup_query() -> Query {
    Query::Key {
        key: SETUP.into(),
        depth: 0,
    }
}

/// Has Windows run a command as SYSTEM at its next start, before anybody can log on, whatever the product key: what
/// SetupComplete.cmd is on machines that run it. What is there is remembered; in a generalized installation that is
/// `oobe\windeploy.exe`, which the command must run itself, with what was there put back, so that set-up goes on.
///
/// Facts: Microsoft, KB 939857 (CmdLine and SetupType) and "Add a custom script to Windows Setup" (OEM keys switch
/// SetupComplete.cmd off, except for Enterprise and Server editions); a TechNet answer on the values of SetupType; and
/// public scripts that run windeploy.exe from their own CmdLine.
#[must_use]
pub fn set_setup_command(setup: Option<&Key>, command: &str) -> Vec<Edit> {
    let value = |name: &str| setup.and_then(|setup| setup.value(name)).cloned();
    let is_ours = BEFORE.iter().any(|(_, ours)| value(ours).is_some());
    let remember = |(name, ours): &(&str, &str)| Some(Edit::set(SETUP, *ours, value(name)?));
    let mut edits: Vec<Edit> = match is_ours {
        true => Vec::new(),
        false => BEFORE.iter().filter_map(remember).collect(),
    };
    edits.push(Edit::set(SETUP, COMMAND, Value::Sz(command.into())));
    edits.push(Edit::set(SETUP, KIND, Value::Dword(THEN_LOGON)));
    edits
}

/// Puts back what [`set_setup_command`] has found, and leaves no trace of it.
#[must_use]
pub fn restore_setup_command(setup: Option<&Key>) -> Vec<Edit> {
    let value = |name: &str| setup.and_then(|setup| setup.value(name)).cloned();
    if BEFORE.iter().all(|(_, ours)| value(ours).is_none()) {
        return Vec::new();
    }
    let unset = |name: &str| Edit::DeleteValue {
        key: SETUP.into(),
        name: name.into(),
    };
    let restore = |(name, ours): &(&str, &str)| {
        let put_back = value(ours).map(|before| Edit::set(SETUP, *name, before));
        [put_back.unwrap_or_else(|| unset(name)), unset(ours)]
    };
    BEFORE.iter().flat_map(restore).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use media_format::hive::NamedValue;

    fn set() -> ControlSet {
        ControlSet::current(Some(&Value::Dword(2))).unwrap()
    }

    /// What a key holds after edits of its values.
    fn after(mut key: Key, edits: &[Edit]) -> Key {
        for edit in edits {
            match edit {
                Edit::SetValue { name, value, .. } => {
                    key.values.retain(|held| held.name != *name);
                    key.values.push(NamedValue {
                        name: name.clone(),
                        value: value.clone(),
                    });
                }
                Edit::DeleteValue { name, .. } => key.values.retain(|held| held.name != *name),
                other => panic!("no edit of a value: {other:?}"),
            }
        }
        key.values.sort_by(|a, b| a.name.cmp(&b.name));
        key
    }

    fn setup(values: &[(&str, Value)]) -> Key {
        let set = |(name, value): &(&str, Value)| Edit::set(SETUP, *name, value.clone());
        after(Key::default(), &values.iter().map(set).collect::<Vec<_>>())
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
    fn impossible_names_are_refused() {
        let name = set().computer_name("SIXTEEN-LETTERS1");
        assert!(name.unwrap_err().to_string().contains("16 characters"));
        for bad in ["", r"a\b", "a/b", &"x".repeat(257)] {
            assert_eq!(
                set().without_service(bad),
                Err(BadChange::ServiceName(bad.into()))
            );
        }
        let volume = Partition::Mbr {
            signature: 1,
            offset: 2,
        };
        assert_eq!(mounted_device('1', &volume), Err(BadChange::DriveLetter('1')));
        assert_eq!(mounted_device('c', &volume), mounted_device('C', &volume));
    }

    #[test]
    fn a_setup_command_is_put_back_without_a_trace() {
        let generalized = setup(&[
            (COMMAND, Value::Sz(r"oobe\windeploy.exe".into())),
            (KIND, Value::Dword(2)),
            ("SystemSetupInProgress", Value::Dword(1)),
            ("OOBEInProgress", Value::Dword(1)),
        ]);
        let complete = setup(&[(COMMAND, Value::Sz(String::new())), (KIND, Value::Dword(0))]);
        for before in [generalized, complete] {
            let ours = after(before.clone(), &set_setup_command(Some(&before), "first"));
            let again = after(ours.clone(), &set_setup_command(Some(&ours), "second"));
            assert_eq!(again.value(COMMAND), Some(&Value::Sz("second".into())));
            assert_eq!(again.value(KIND), Some(&Value::Dword(2)));
            assert_eq!(again.value("MediaRuntimeCmdLine"), before.value(COMMAND));
            assert_eq!(after(again.clone(), &restore_setup_command(Some(&again))), before);
        }
        assert_eq!(
            restore_setup_command(Some(&setup(&[(KIND, Value::Dword(2))]))),
            []
        );
        assert_eq!(restore_setup_command(None), []);
    }
}
