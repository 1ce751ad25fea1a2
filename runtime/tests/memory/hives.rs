//! Registry hives whose content is JSON; one is replaced as a whole, as the worker does it.

use std::path::Path;

use anyhow::{Context as _, bail};
use media_format::hive::protocol::{Answer, Operation, Query, Source};
use media_format::hive::{Edit, Key, NamedValue, Value};
use runtime::platform::{Files as _, Hives, Result};

use crate::machine::Memory;

impl Hives for Memory {
    fn hive(&self, operation: &Operation) -> Result<Vec<Answer>> {
        let in_boot_image = self.world().volatile.root.is_none();
        anyhow::ensure!(in_boot_image, "an installed system has no worker for hives");
        match operation {
            Operation::Read(read) => {
                let hive = self.load(&read.hive)?;
                Ok(read.queries.iter().map(|query| answer(&hive, query)).collect())
            }
            Operation::Write(write) => {
                let mut hive = match &write.source {
                    Source::Itself => self.load(&write.hive)?,
                    Source::Copy(from) => self.load(from)?,
                    Source::Nothing => Key::default(),
                };
                for edit in &write.edits {
                    edit.check()?;
                    apply(&mut hive, edit);
                }
                self.write(&write.hive, &to_bytes(&hive), 0o600)?;
                Ok(vec![])
            }
        }
    }
}

impl Memory {
    fn load(&self, path: &Path) -> Result<Key> {
        let Some(bytes) = self.read(path)? else {
            bail!("opening {}: no such file", path.display())
        };
        serde_json::from_slice(&bytes).with_context(|| format!("{} is no hive", path.display()))
    }
}

/// A hive after these edits of an empty one.
pub(crate) fn hive(edits: &[Edit]) -> Vec<u8> {
    let mut root = Key::default();
    edits.iter().for_each(|edit| apply(&mut root, edit));
    to_bytes(&root)
}

/// A hive after further edits.
pub(crate) fn edited(hive: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut root: Key = serde_json::from_slice(hive).expect("a hive");
    edits.iter().for_each(|edit| apply(&mut root, edit));
    to_bytes(&root)
}

/// What a value of a hive holds.
pub(crate) fn value(hive: &[u8], key: &str, name: &str) -> Option<Value> {
    let root: Key = serde_json::from_slice(hive).expect("a hive");
    root.key(key)?.value(name).cloned()
}

fn to_bytes(hive: &Key) -> Vec<u8> {
    serde_json::to_vec(hive).expect("plain data")
}

fn answer(hive: &Key, query: &Query) -> Answer {
    match query {
        Query::Value { key, name } => Answer::Value(hive.key(key).and_then(|key| key.value(name)).cloned()),
        Query::Key { key, .. } => Answer::Key(hive.key(key).cloned()),
    }
}

fn apply(root: &mut Key, edit: &Edit) {
    match edit {
        Edit::CreateKey { key } => drop(made(root, key)),
        Edit::SetValue { key, name, value } => {
            let key = made(root, key);
            key.values.retain(|held| !held.name.eq_ignore_ascii_case(name));
            key.values.push(NamedValue {
                name: name.clone(),
                value: value.clone(),
            });
        }
        Edit::DeleteValue { key, name } if root.key(key).is_some() => {
            let key = made(root, key);
            key.values.retain(|held| !held.name.eq_ignore_ascii_case(name));
        }
        Edit::DeleteKey { key } if root.key(key).is_some() => {
            let (above, name) = key.rsplit_once('\\').unwrap_or(("", key));
            let above = made(root, above);
            above.keys.retain(|held| !held.name.eq_ignore_ascii_case(name));
        }
        Edit::DeleteValue { .. } | Edit::DeleteKey { .. } => {}
    }
}

fn made<'a>(root: &'a mut Key, path: &str) -> &'a mut Key {
    let names = path.split('\\').filter(|name| !name.is_empty());
    names.fold(root, |key, name| {
        let known = key
            .keys
            .iter()
            .position(|held| held.name.eq_ignore_ascii_case(name));
        let at = known.unwrap_or_else(|| {
            key.keys.push(Key {
                name: name.into(),
                ..Key::default()
            });
            key.keys.len() - 1
        });
        &mut key.keys[at]
    })
}
