//! Hives of a Windows that does not run, as Windows PE reads them: loaded beneath a key of its own registry, and unloaded whatever
//! comes between.

use std::path::Path;

use media_format::hive::protocol::{Answer, Query, Read};
use media_format::hive::{Key, NamedValue, Value};

use super::tools;
use crate::log::Log;
use crate::platform::{Data, Processes, Registry, Result};

/// Where a hive is loaded.
const KEY: &str = r"HKLM\media-runtime-offline";

/// Answers questions about a hive.
///
/// # Errors
/// When it cannot be loaded, read or unloaded.
pub fn read(machine: &(impl Processes + Registry + ?Sized), log: &Log, read: &Read) -> Result<Vec<Answer>> {
    load(machine, log, &read.hive)?;
    let answers: Result<Vec<Answer>> = read.queries.iter().map(|query| answer(machine, query)).collect();
    let unloaded = reg(machine, log, &["unload", KEY]);
    let answers = answers?;
    unloaded.map(|()| answers)
}

/// A start that was cut off inside this Windows PE cannot have left one there; an earlier failure to unload can.
fn load(machine: &(impl Processes + Registry + ?Sized), log: &Log, hive: &Path) -> Result<()> {
    if machine.has_key(KEY)? {
        reg(machine, log, &["unload", KEY])?;
    }
    reg(machine, log, &["load", KEY, &hive.display().to_string()])
}

fn reg(machine: &(impl Processes + ?Sized), log: &Log, words: &[&str]) -> Result<()> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    tools::run(machine, log, "reg.exe", &words, None).map(drop)
}

fn answer(registry: &(impl Registry + ?Sized), query: &Query) -> Result<Answer> {
    Ok(match query {
        Query::Value { key, name } => Answer::Value(registry.value(&below(key), name)?.map(value)),
        Query::Key { key, depth } => {
            let found = registry.has_key(&below(key))?;
            let key = found.then(|| read_key(registry, key, *depth)).transpose()?;
            Answer::Key(key)
        }
    })
}

fn below(key: &str) -> String {
    if key.is_empty() {
        KEY.to_owned()
    } else {
        format!(r"{KEY}\{key}")
    }
}

/// A key with its values; the keys below it too, as deep as was asked, and names only on the level below those.
fn read_key(registry: &(impl Registry + ?Sized), path: &str, depth: u32) -> Result<Key> {
    let full = below(path);
    let mut key = named(path);
    for name in registry.values(&full)? {
        if let Some(data) = registry.value(&full, &name)? {
            key.values.push(NamedValue {
                name,
                value: value(data),
            });
        }
    }
    for name in registry.keys(&full)? {
        let path = [path, &name].into_iter().filter(|part| !part.is_empty());
        let path = path.collect::<Vec<_>>().join("\\");
        key.keys.push(match depth.checked_sub(1) {
            Some(depth) => read_key(registry, &path, depth)?,
            None => named(&path),
        });
    }
    Ok(key)
}

fn named(path: &str) -> Key {
    Key {
        name: path.rsplit('\\').next().unwrap_or(path).to_owned(),
        ..Key::default()
    }
}

fn value(data: Data) -> Value {
    match data {
        Data::Text(text) => Value::Sz(text),
        Data::Expandable(text) => Value::ExpandSz(text),
        Data::Texts(texts) => Value::MultiSz(texts),
        Data::Number(number) => Value::Dword(number),
        Data::Long(number) => Value::Qword(number),
        Data::Binary(bytes) => Value::Binary(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;

    const HIVE: &str = r"W:\Windows\System32\config\SOFTWARE";

    fn query(key: &str, name: &str) -> Query {
        Query::Value {
            key: key.into(),
            name: name.into(),
        }
    }

    fn machine() -> Fake {
        Fake::default().does("reg.exe", |machine| {
            machine.put_value(&below("Setup"), "Number", Data::Number(7));
            machine.put_value(&below(r"Setup\Below\Deep"), "Text", Data::Text("x".into()));
            machine.put_key(&below(r"Setup\Below"));
        })
    }

    fn calls(machine: &Fake) -> Vec<Vec<String>> {
        machine.ran().into_iter().map(|ran| ran.arguments).collect()
    }

    #[test]
    fn a_hive_is_loaded_for_its_questions_and_unloaded() {
        let machine = machine();
        let key = Query::Key {
            key: "Setup".into(),
            depth: 1,
        };
        let asked = Read {
            hive: HIVE.into(),
            queries: vec![query("Setup", "Number"), query("Gone", "Number"), key],
        };
        let answers = read(&machine, &Log::default(), &asked).unwrap();
        let [number, gone, Answer::Key(Some(key))] = &answers[..] else {
            panic!("{answers:?}")
        };
        assert_eq!(*number, Answer::Value(Some(Value::Dword(7))));
        assert_eq!(*gone, Answer::Value(None));
        let names: Vec<_> = key.keys.iter().map(|key| key.name.to_lowercase()).collect();
        assert_eq!(names, ["below"]);
        assert!(key.key(r"Below\Deep").is_some_and(|deep| deep.values.is_empty()));
        assert_eq!(calls(&machine), [vec!["load", KEY, HIVE], vec!["unload", KEY]]);
    }

    #[test]
    fn a_hive_that_cannot_be_loaded_or_unloaded_is_an_error() {
        let asked = Read {
            hive: HIVE.into(),
            queries: vec![query("Setup", "Number")],
        };
        let refuses = Fake::default().ends("reg.exe", 1, "ERROR: Access is denied.");
        let error = read(&refuses, &Log::default(), &asked).unwrap_err().to_string();
        assert!(
            error.contains("load") && error.contains("Access is denied."),
            "{error}"
        );
        assert_eq!(calls(&refuses).len(), 1);
        let keeps = Fake::default()
            .says("reg.exe", "")
            .ends("reg.exe", 1, "ERROR: in use");
        let error = read(&keeps, &Log::default(), &asked).unwrap_err().to_string();
        assert!(error.contains("unload") && error.contains("in use"), "{error}");
    }
}
