//! The registry, as 64-bit programs see it.

use std::io::ErrorKind;

use anyhow::{Context as _, bail};
use winreg::enums::{
    HKEY_CURRENT_USER, HKEY_LOCAL_MACHINE, HKEY_USERS, KEY_READ, KEY_WOW64_64KEY, KEY_WRITE, RegType,
};
use winreg::types::FromRegValue as _;
use winreg::{RegKey, RegValue};

use super::{Windows, bindings};
use crate::in_windows::registry::Hive;
use crate::platform::{Data, Registry, Result};

/// Puts what was changed onto the disk, which Windows does after some seconds by itself. What cannot be opened was not changed.
pub(super) fn flush() {
    for name in ["SYSTEM", "SOFTWARE"] {
        if let Ok(key) =
            RegKey::predef(HKEY_LOCAL_MACHINE).open_subkey_with_flags(name, KEY_READ | KEY_WOW64_64KEY)
        {
            bindings::flush_key(key.raw_handle());
        }
    }
}

impl Registry for Windows {
    fn value(&self, key: &str, name: &str) -> Result<Option<Data>> {
        let Some(opened) = open(key)? else { return Ok(None) };
        match opened.get_raw_value(name) {
            Ok(value) => Ok(Some(data(&value))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading {name} of {key}")),
        }
    }

    fn has_key(&self, key: &str) -> Result<bool> {
        Ok(open(key)?.is_some())
    }

    fn values(&self, key: &str) -> Result<Vec<String>> {
        let Some(opened) = open(key)? else {
            return Ok(Vec::new());
        };
        let names = opened.enum_values().map(|entry| entry.map(|(name, _)| name));
        names
            .collect::<std::io::Result<_>>()
            .with_context(|| format!("listing the values of {key}"))
    }

    fn keys(&self, key: &str) -> Result<Vec<String>> {
        let Some(opened) = open(key)? else {
            return Ok(Vec::new());
        };
        opened
            .enum_keys()
            .collect::<std::io::Result<_>>()
            .with_context(|| format!("listing the keys of {key}"))
    }

    fn set_value(&self, key: &str, name: &str, data: &Data) -> Result<()> {
        let (hive, path) = split(key)?;
        let write = || {
            let (opened, _) = hive.create_subkey_with_flags(path, KEY_WRITE | KEY_WOW64_64KEY)?;
            opened.set_raw_value(name, &raw(data))
        };
        write().with_context(|| format!("writing {name} of {key}"))
    }

    fn remove_key(&self, key: &str) -> Result<()> {
        let (hive, path) = split(key)?;
        let (above, name) = path.rsplit_once('\\').context("a hive cannot be removed")?;
        let remove = || {
            let above = hive.open_subkey_with_flags(above, KEY_READ | KEY_WRITE | KEY_WOW64_64KEY)?;
            above.delete_subkey_all(name)
        };
        absent_is_fine(remove()).with_context(|| format!("removing {key}"))
    }

    fn remove_value(&self, key: &str, name: &str) -> Result<()> {
        let (hive, path) = split(key)?;
        let remove = || {
            let opened = hive.open_subkey_with_flags(path, KEY_WRITE | KEY_WOW64_64KEY)?;
            opened.delete_value(name)
        };
        absent_is_fine(remove()).with_context(|| format!("removing {name} of {key}"))
    }
}

fn absent_is_fine(done: std::io::Result<()>) -> std::io::Result<()> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn split(key: &str) -> Result<(RegKey, &str)> {
    let Some((hive, path)) = crate::in_windows::registry::split(key) else {
        bail!("{key} is in no hive that is known: write HKLM\\..., HKCU\\... or HKU\\...");
    };
    let hive = match hive {
        Hive::LocalMachine => HKEY_LOCAL_MACHINE,
        Hive::CurrentUser => HKEY_CURRENT_USER,
        Hive::Users => HKEY_USERS,
    };
    Ok((RegKey::predef(hive), path))
}

fn open(key: &str) -> Result<Option<RegKey>> {
    let (hive, path) = split(key)?;
    match hive.open_subkey_with_flags(path, KEY_READ | KEY_WOW64_64KEY) {
        Ok(opened) => Ok(Some(opened)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("opening {key}")),
    }
}

fn data(value: &RegValue<'_>) -> Data {
    let text = || String::from_reg_value(value).ok();
    let found = match value.vtype {
        RegType::REG_SZ => text().map(Data::Text),
        RegType::REG_EXPAND_SZ => text().map(Data::Expandable),
        RegType::REG_MULTI_SZ => Vec::<String>::from_reg_value(value).ok().map(Data::Texts),
        RegType::REG_DWORD => u32::from_reg_value(value).ok().map(Data::Number),
        RegType::REG_QWORD => u64::from_reg_value(value).ok().map(Data::Long),
        _ => None,
    };
    found.unwrap_or_else(|| Data::Binary(value.bytes.to_vec()))
}

fn raw(data: &Data) -> RegValue<'static> {
    let (vtype, bytes) = match data {
        Data::Text(text) => (RegType::REG_SZ, units([text])),
        Data::Expandable(text) => (RegType::REG_EXPAND_SZ, units([text])),
        // A list of texts ends with an empty one.
        Data::Texts(texts) => (RegType::REG_MULTI_SZ, units(texts.iter().chain([&String::new()]))),
        Data::Number(number) => (RegType::REG_DWORD, number.to_le_bytes().to_vec()),
        Data::Long(number) => (RegType::REG_QWORD, number.to_le_bytes().to_vec()),
        Data::Binary(bytes) => (RegType::REG_BINARY, bytes.clone()),
    };
    RegValue {
        bytes: bytes.into(),
        vtype,
    }
}

fn units<'a>(texts: impl IntoIterator<Item = &'a String>) -> Vec<u8> {
    let units = texts.into_iter().flat_map(|text| text.encode_utf16().chain([0]));
    units.flat_map(u16::to_le_bytes).collect()
}
