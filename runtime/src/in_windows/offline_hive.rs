//! Hives of a Windows that does not run, as Windows PE reads and changes them: loaded beneath a key of its own registry, and
//! unloaded whatever comes between.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use media_format::hive::protocol::{Answer, Query, Read, Source, Write};
use media_format::hive::{Edit, Key, NamedValue, Value};

use super::{path, tools};
use crate::log::Log;
use crate::platform::{Data, Files, Processes, Registry, Result};

/// Where a hive is loaded.
const KEY: &str = r"HKLM\media-runtime-offline";
/// Of a call, also when the step's time is over: a hive that stays loaded keeps its volume in use.
const LIMIT: Duration = Duration::from_secs(10 * 60);
/// At the end of the name of a hive's successor; Windows puts its own files beside it, whose names begin like that.
const SUCCESSOR: &str = ".media-runtime";
/// What Windows has not entered into a hive yet lies beside it.
const LOGS: [&str; 2] = [".LOG1", ".LOG2"];

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

/// Edits a hive. Its successor is complete before it takes the place.
///
/// # Errors
/// When the hive cannot be loaded, changed or unloaded: it is what it was.
pub fn write(machine: &(impl Files + Processes + Registry + ?Sized), log: &Log, write: &Write) -> Result<()> {
    let source = match &write.source {
        Source::Itself => &write.hive,
        Source::Copy(other) => other,
        Source::Nothing => bail!("Windows PE makes no hive from nothing"),
    };
    let successor = with_end(&write.hive, SUCCESSOR);
    remove_all(machine, &successor)?;
    let done = copy(machine, source, &successor)
        .and_then(|()| edit(machine, log, &successor, &write.edits))
        .and_then(|()| {
            let renamed = machine.rename(&successor, &write.hive);
            renamed.context("putting the changed hive in its place")
        });
    let removed = remove_all(machine, &successor);
    done.and(removed)
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Removes the successor of a hive, and what Windows has put beside it.
fn remove_all(files: &(impl Files + ?Sized), successor: &Path) -> Result<()> {
    let (Some(folder), Some(name)) = (successor.parent(), successor.file_name()) else {
        bail!("{} is no hive", successor.display());
    };
    let name = name.to_string_lossy().to_lowercase();
    let names = files.list(folder)?;
    let ours = names
        .iter()
        .filter(|known| known.to_lowercase().starts_with(&name));
    ours.into_iter()
        .try_for_each(|known| files.remove(&folder.join(known)))
}

fn copy(files: &(impl Files + ?Sized), from: &Path, to: &Path) -> Result<()> {
    files.copy(from, to)?;
    for log in LOGS {
        if files.exists(&with_end(from, log)) {
            files.copy(&with_end(from, log), &with_end(to, log))?;
        }
    }
    Ok(())
}

fn edit(
    machine: &(impl Processes + Registry + ?Sized),
    log: &Log,
    hive: &Path,
    edits: &[Edit],
) -> Result<()> {
    load(machine, log, hive)?;
    let edited = edits.iter().try_for_each(|edit| apply(machine, log, edit));
    let unloaded = reg(machine, log, &["unload", KEY]);
    edited.and(unloaded)
}

fn apply(machine: &(impl Processes + Registry + ?Sized), log: &Log, edit: &Edit) -> Result<()> {
    match edit {
        Edit::CreateKey { key } => reg(machine, log, &["add", &below(key), "/f"]),
        Edit::SetValue { key, name, value } => machine.set_value(&below(key), name, &data(key, name, value)?),
        Edit::DeleteValue { key, name } => machine.remove_value(&below(key), name),
        Edit::DeleteKey { key } => machine.remove_key(&below(key)),
    }
}

fn data(key: &str, name: &str, value: &Value) -> Result<Data> {
    Ok(match value {
        Value::Sz(text) => Data::Text(text.clone()),
        Value::ExpandSz(text) => Data::Expandable(text.clone()),
        Value::MultiSz(texts) => Data::Texts(texts.clone()),
        Value::Dword(number) => Data::Number(*number),
        Value::Qword(number) => Data::Long(*number),
        Value::Binary(bytes) => Data::Binary(bytes.clone()),
        Value::Other { kind, .. } => bail!("{key}: {name} is of the type {kind}, which is not written here"),
    })
}

/// A start that was cut off inside this Windows PE cannot have left one there; an earlier failure to unload can.
fn load(machine: &(impl Processes + Registry + ?Sized), log: &Log, hive: &Path) -> Result<()> {
    if machine.has_key(KEY)? {
        reg(machine, log, &["unload", KEY])?;
    }
    reg(machine, log, &["load", KEY, &path::text(hive)])
}

fn reg(machine: &(impl Processes + ?Sized), log: &Log, words: &[&str]) -> Result<()> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    tools::run(machine, log, "reg.exe", &words, Some(LIMIT)).map(drop)
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

    const HIVE_FILE: &str = "W:/Windows/System32/config/SOFTWARE";
    const SUCCESSOR_OF_HIVE: &str = r"W:\Windows\System32\config\SOFTWARE.media-runtime";

    fn edits() -> Vec<Edit> {
        vec![
            Edit::create("Made"),
            Edit::set("Setup", "Number", Value::Dword(8)),
            Edit::DeleteValue {
                key: "Setup".into(),
                name: "Old".into(),
            },
            Edit::DeleteKey { key: "Gone".into() },
        ]
    }

    fn change(source: Source, edits: Vec<Edit>) -> Write {
        Write {
            hive: HIVE_FILE.into(),
            source,
            edits,
        }
    }

    /// Windows, with a hive; an unloaded one is in its file, of which the test sees that it was written.
    fn with_hive() -> Fake {
        let machine = Fake::default().does("reg.exe", |machine| {
            let call = machine.ran().pop().unwrap().arguments;
            match call[0].as_str() {
                "load" => {
                    // That of an earlier try would be taken for its own.
                    assert!(!machine.exists(Path::new(&format!("{SUCCESSOR_OF_HIVE}.LOG2"))));
                    machine.put_value(&below("Setup"), "Old", Data::Number(7));
                    machine.put_value(&below("Gone"), "Any", Data::Number(7));
                    machine.put_file(&format!("{SUCCESSOR_OF_HIVE}{{1}}.TM.blf"), b"of Windows");
                }
                "add" => machine.put_key(&call[1]),
                _ => machine.put_file(SUCCESSOR_OF_HIVE, b"changed"),
            }
        });
        machine.put_file(HIVE_FILE, b"as it was");
        machine.put_file(&format!("{HIVE_FILE}.LOG1"), b"not entered yet");
        machine.put_file(&format!("{SUCCESSOR_OF_HIVE}.LOG2"), b"of a cut");
        machine
    }

    fn names(machine: &Fake) -> Vec<String> {
        machine.list(Path::new("W:/Windows/System32/config")).unwrap()
    }

    #[test]
    fn a_hive_is_changed_beside_itself_and_then_replaced() {
        let machine = with_hive();
        write(&machine, &Log::default(), &change(Source::Itself, edits())).unwrap();
        let calls = calls(&machine);
        let made = below("Made");
        let expected = [
            vec!["load", KEY, SUCCESSOR_OF_HIVE],
            vec!["add", &made, "/f"],
            vec!["unload", KEY],
        ];
        assert_eq!(calls, expected);
        assert!(machine.has_key(&below("Made")).unwrap() && !machine.has_key(&below("Gone")).unwrap());
        assert_eq!(machine.values(&below("Setup")).unwrap(), ["number"]);
        let content = machine.read(Path::new(HIVE_FILE)).unwrap();
        assert_eq!(content.as_deref(), Some(&b"changed"[..]));
        assert_eq!(names(&machine), ["software", "software.log1"]);
        let copied = "w:/windows/system32/config/software.media-runtime.log1";
        assert!(machine.changes().iter().any(|change| change == copied));
    }

    #[test]
    fn a_hive_that_cannot_be_changed_is_unloaded_and_stays_as_it_was() {
        let unknown = Value::Other {
            kind: 11,
            data: vec![],
        };
        let machine = with_hive();
        let bad = change(Source::Itself, vec![Edit::set("Setup", "Odd", unknown)]);
        let error = write(&machine, &Log::default(), &bad).unwrap_err().to_string();
        assert!(error.contains("type 11"), "{error}");
        assert_eq!(calls(&machine).last().unwrap()[0], "unload");
        let refuses = with_hive()
            .says("reg.exe", "")
            .ends("reg.exe", 1, "ERROR: in use");
        let error = write(&refuses, &Log::default(), &change(Source::Itself, edits()));
        assert!(error.unwrap_err().to_string().contains("in use"));
        for machine in [machine, refuses] {
            let content = machine.read(Path::new(HIVE_FILE)).unwrap();
            assert_eq!(content.as_deref(), Some(&b"as it was"[..]));
            assert_eq!(names(&machine), ["software", "software.log1"]);
        }
    }

    #[test]
    fn another_hive_is_a_source_and_nothing_is_none() {
        let machine = with_hive();
        machine.put_file("W:/Windows/template", b"template");
        let copied = change(Source::Copy("W:/Windows/template".into()), vec![]);
        write(&machine, &Log::default(), &copied).unwrap();
        let template = machine.read(Path::new("W:/Windows/template")).unwrap();
        assert_eq!(template.as_deref(), Some(&b"template"[..]));
        let machine = with_hive();
        let error = write(&machine, &Log::default(), &change(Source::Nothing, edits()));
        assert!(error.unwrap_err().to_string().contains("from nothing"));
        assert!(machine.ran().is_empty());
    }
}
