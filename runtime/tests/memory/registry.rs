//! The registry of the Windows that runs: the hives of its volume. A Linux has none.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use media_format::hive::{Edit, Key, Value};
use runtime::platform::{Data, Files as _, Registry, Result};

use crate::hives::edited;
use crate::machine::Memory;
use crate::windows::{SOFTWARE_HIVE, SYSTEM_HIVE};

impl Registry for Memory {
    fn value(&self, key: &str, name: &str) -> Result<Option<Data>> {
        Ok(self.key(key)?.and_then(|key| key.value(name).map(data)))
    }

    fn has_key(&self, key: &str) -> Result<bool> {
        Ok(self.key(key)?.is_some())
    }

    fn values(&self, key: &str) -> Result<Vec<String>> {
        let key = self.key(key)?.unwrap_or_default();
        Ok(key.values.into_iter().map(|value| value.name).collect())
    }

    fn keys(&self, key: &str) -> Result<Vec<String>> {
        let key = self.key(key)?.unwrap_or_default();
        Ok(key.keys.into_iter().map(|below| below.name).collect())
    }

    fn set_value(&self, key: &str, name: &str, data: &Data) -> Result<()> {
        let value = match data {
            Data::Text(text) => Value::Sz(text.clone()),
            Data::Expandable(text) => Value::ExpandSz(text.clone()),
            Data::Number(number) => Value::Dword(*number),
            Data::Long(number) => Value::Qword(*number),
            other => anyhow::bail!("{key}: {other:?} is not written here"),
        };
        self.edit(key, |key| Edit::set(&key, name, value))
    }

    fn remove_key(&self, key: &str) -> Result<()> {
        self.edit(key, |key| Edit::DeleteKey { key })
    }

    fn remove_value(&self, key: &str, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.edit(key, |key| Edit::DeleteValue { key, name })
    }
}

impl Memory {
    fn key(&self, path: &str) -> Result<Option<Key>> {
        let Some((hive, key)) = place(path) else {
            return Ok(None);
        };
        let Some(bytes) = self.read(&hive)? else {
            return Ok(None);
        };
        let root: Key = serde_json::from_slice(&bytes)?;
        Ok(root.key(&key).cloned())
    }

    fn edit(&self, path: &str, edit: impl FnOnce(String) -> Edit) -> Result<()> {
        let (hive, key) = place(path).with_context(|| format!("{path}: no such hive"))?;
        let bytes = self
            .read(&hive)?
            .with_context(|| format!("{path}: no registry"))?;
        self.put_by_program(&hive, &edited(&bytes, &[edit(key)]), 0o600)
    }
}

/// The hive in which a key lies, and where in it.
fn place(path: &str) -> Option<(PathBuf, String)> {
    let (hive, key) = path.strip_prefix(r"HKLM\")?.split_once('\\')?;
    let file = match hive.to_ascii_uppercase().as_str() {
        "SOFTWARE" => SOFTWARE_HIVE,
        "SYSTEM" => SYSTEM_HIVE,
        _ => return None,
    };
    Some((
        Path::new("/").join(file),
        key.replacen("CurrentControlSet", "ControlSet001", 1),
    ))
}

fn data(value: &Value) -> Data {
    match value {
        Value::Sz(text) | Value::ExpandSz(text) => Data::Text(text.clone()),
        Value::Dword(number) => Data::Number(*number),
        Value::Qword(number) => Data::Long(*number),
        Value::MultiSz(texts) => Data::Texts(texts.clone()),
        Value::Binary(bytes) | Value::Other { data: bytes, .. } => Data::Binary(bytes.clone()),
    }
}
