//! What names the drivers that the run has placed in this Windows, for a run that ends in it: by then Windows has installed those
//! that it needs, and the folder goes.

use anyhow::bail;
use media_format::hive::protocol::Query;
use media_format::hive::{Edit, Key, Value};
use windows_setup::offline_registry::{
    BootDriver, boot_driver_queries, device_path_query, without_boot_driver, without_device_paths,
};

use crate::platform::{Data, Registry, Result};
use crate::windows::drivers::BEGINNING;

const SOFTWARE: &str = r"HKLM\SOFTWARE";
const SYSTEM: &str = r"HKLM\SYSTEM";

/// Takes it out of the registry; nothing happens where there is none.
///
/// # Errors
/// When the registry cannot be read or written.
pub fn remove(registry: &(impl Registry + ?Sized)) -> Result<()> {
    let paths = match device_path_query() {
        Query::Value { key, name } => registry.value(&format!(r"{SOFTWARE}\{key}"), &name)?,
        Query::Key { .. } => None,
    };
    let paths = paths.map(|paths| Value::ExpandSz(paths.as_text()));
    for edit in without_device_paths(paths.as_ref(), BEGINNING) {
        perform(registry, SOFTWARE, edit)?;
    }
    let database = answer(registry, BootDriver::query())?;
    for (inf, query) in boot_driver_queries(database.as_ref()) {
        let descriptors = answer(registry, query)?;
        for edit in without_boot_driver(&inf, descriptors.as_ref()) {
            perform(registry, SYSTEM, edit)?;
        }
    }
    Ok(())
}

/// What the worker answers about a hive that is not in use, with the names of keys only.
fn answer(registry: &(impl Registry + ?Sized), query: Query) -> Result<Option<Key>> {
    let Query::Key { key, depth } = query else {
        return Ok(None);
    };
    let path = format!(r"{SYSTEM}\{key}");
    if !registry.has_key(&path)? {
        return Ok(None);
    }
    below(registry, &path, depth).map(Some)
}

fn below(registry: &(impl Registry + ?Sized), path: &str, depth: u32) -> Result<Key> {
    let mut keys = Vec::new();
    for name in registry.keys(path)? {
        let mut key = match depth {
            0 => Key::default(),
            _ => below(registry, &format!(r"{path}\{name}"), depth - 1)?,
        };
        key.name = name;
        keys.push(key);
    }
    Ok(Key {
        keys,
        ..Key::default()
    })
}

fn perform(registry: &(impl Registry + ?Sized), hive: &str, edit: Edit) -> Result<()> {
    match edit {
        Edit::DeleteKey { key } => registry.remove_key(&format!(r"{hive}\{key}")),
        Edit::DeleteValue { key, name } => registry.remove_value(&format!(r"{hive}\{key}"), &name),
        Edit::SetValue {
            key,
            name,
            value: Value::ExpandSz(text),
        } => registry.set_value(&format!(r"{hive}\{key}"), &name, &Data::Expandable(text)),
        other => bail!("{other:?} is not made in a Windows that runs"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;

    const VERSION: &str = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion";
    const INF_FILES: &str = r"HKLM\SYSTEM\DriverDatabase\DriverInfFiles";
    const PACKAGES: &str = r"HKLM\SYSTEM\DriverDatabase\DriverPackages";
    const ID: &str = r"HKLM\SYSTEM\DriverDatabase\DeviceIds\PCI\VEN_8086&DEV_9A0B";

    #[test]
    fn what_names_our_drivers_goes_and_everything_else_stays() {
        let windows = Fake::default();
        let path = |ours: &str| Data::Expandable(format!(r"%SystemRoot%\inf{ours};D:\Drivers"));
        let ours = r";%SystemDrive%\ProgramData\media-runtime\drivers\vmd";
        windows.put_value(VERSION, "DevicePath", path(ours));
        let (our, label) = ("media-runtime-x.inf", "media-runtime-x.inf_offline");
        let package = format!(r"{PACKAGES}\{label}");
        let descriptors = format!(r"{package}\Descriptors");
        for key in [
            INF_FILES.to_owned(),
            format!(r"{INF_FILES}\{our}"),
            format!(r"{INF_FILES}\oem1.inf"),
            package.clone(),
            format!(r"{descriptors}\PCI\VEN_8086&DEV_9A0B"),
            descriptors,
        ] {
            windows.put_key(&key);
        }
        windows.put_value(ID, our, Data::Binary(vec![1]));
        windows.put_value(ID, "oem1.inf", Data::Binary(vec![1]));
        remove(&windows).unwrap();
        assert_eq!(windows.value(VERSION, "DevicePath").unwrap(), Some(path("")));
        assert_eq!(windows.keys(INF_FILES).unwrap(), ["oem1.inf"]);
        assert!(!windows.has_key(&package).unwrap());
        assert_eq!(windows.values(ID).unwrap(), ["oem1.inf"]);
        let changes = windows.changes().len();
        remove(&windows).unwrap();
        assert_eq!(
            windows.changes().len(),
            changes,
            "there is nothing left to change"
        );
    }
}
