//! Hives that are made, edited and read; the judges are hivexsh and hivexregedit.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::*;
use media_format::hive::protocol::{Answer, Query, Source};
use media_format::hive::{Edit, MOST_DATA, Value};

/// One value of every type, and what is difficult about names.
fn sample() -> Vec<(&'static str, &'static str, Value)> {
    let other = |kind, data: &[u8]| Value::Other {
        kind,
        data: data.to_vec(),
    };
    vec![
        (r"Select", "Current", Value::Dword(1)),
        (
            r"ControlSet001\Services\Agent",
            "ImagePath",
            Value::ExpandSz(r"%SystemRoot%\agent.exe".into()),
        ),
        (
            r"ControlSet001\Services\Agent",
            "",
            Value::Sz("the default value".into()),
        ),
        (
            r"ControlSet001\Services\Agent",
            "DependOnService",
            Value::MultiSz(vec!["RpcSs".into(), "Ü".into()]),
        ),
        (
            r"ControlSet001\Services\Agent",
            "Empty",
            Value::Binary(Vec::new()),
        ),
        (
            r"ControlSet001\Services\Agent",
            "Most",
            Value::Binary(vec![0xa5; MOST_DATA]),
        ),
        (
            r"MountedDevices",
            r"\DosDevices\C:",
            Value::Binary(b"DMIO:ID:0123456789abcdef".to_vec()),
        ),
        (r"Naïve 你好", "Größe 你", Value::Qword(u64::MAX - 1)),
        (r"Types", "link", other(6, b"l\0")),
        (r"Types", "big endian", other(5, &[0, 0, 0, 1])),
        (r"Types", "odd text", other(1, b"abc")),
        (r"Types", "driver's own", other(0x0012_0007, &[9])),
    ]
}

fn edits() -> Vec<Edit> {
    let set = |(key, name, value)| Edit::set(key, name, value);
    sample().into_iter().map(set).collect()
}

fn expected() -> Export {
    let mut keys = Export::from([(String::new(), BTreeMap::new())]);
    for (key, name, value) in sample() {
        for (end, _) in key.match_indices('\\') {
            keys.entry(key[..end].into()).or_default();
        }
        keys.entry(key.into()).or_default().insert(name.into(), value);
    }
    keys
}

fn value(hive: &Path, key: &str, name: &str) -> Option<Value> {
    let (key, name) = (key.into(), name.into());
    match ask(hive, Query::Value { key, name }) {
        Answer::Value(value) => value,
        other => panic!("another answer: {other:?}"),
    }
}

#[test]
fn an_empty_hive_is_8_kb_and_opens_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let hive = folder.path().join("NEW");
    write(&hive, Source::Nothing, Vec::new());
    assert_eq!(fs::metadata(&hive).unwrap().len(), 8192);
    assert_eq!(export(&hive), Export::from([(String::new(), BTreeMap::new())]));
    let script = folder.path().join("script");
    fs::write(&script, "ls\nlsval\n").unwrap();
    assert_eq!(judge("hivexsh", &["-f", text(&script), text(&hive)]), "");
    let kind = judge("file", &["--brief", text(&hive)]);
    assert!(kind.contains("Windows registry file"), "{kind}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn every_type_and_name_is_written_as_it_was_asked() {
    let folder = tempfile::tempdir().unwrap();
    let hive = folder.path().join("SYSTEM");
    write(&hive, Source::Nothing, edits());
    assert_eq!(export(&hive), expected());
    for (key, name, expected) in sample() {
        assert_eq!(value(&hive, key, name), Some(expected), "{key} {name}");
    }
}

#[test]
fn a_hive_of_another_program_is_edited_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let (hive, patch) = (folder.path().join("SOFTWARE"), folder.path().join("patch.reg"));
    write(&hive, Source::Nothing, Vec::new());
    fs::write(
        &patch,
        "Windows Registry Editor Version 5.00\n\n[H\\A]\n\"one\"=dword:00000001\n\"two\"=hex(1):61,00,00,00\n\n[H\\A\\Below]\n\n[H\\Gone]\n\n[H\\Gone\\Below]\n\"x\"=dword:00000002\n",
    )
    .unwrap();
    judge(
        "hivexregedit",
        &["--merge", "--prefix", "H", text(&hive), text(&patch)],
    );
    let delete = |key: &str| Edit::DeleteKey { key: key.into() };
    let unset = |name: &str| Edit::DeleteValue {
        key: "a".into(),
        name: name.into(),
    };
    let edits = vec![
        Edit::set("a", "ONE", Value::Qword(3)),
        unset("TWO"),
        unset("absent"),
        delete("gone"),
        delete(r"absent\below"),
        Edit::create(r"A\Below"),
    ];
    write(&hive, Source::Itself, edits);
    let below = ("A\\Below".to_owned(), BTreeMap::new());
    let a = BTreeMap::from([("one".to_owned(), Value::Qword(3))]);
    let root = (String::new(), BTreeMap::new());
    assert_eq!(export(&hive), Export::from([root, ("A".into(), a), below]));
}

#[test]
fn a_copy_leaves_its_source_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (template, store) = (folder.path().join("BCD-Template"), folder.path().join("BCD"));
    write(&template, Source::Nothing, edits());
    let before = fs::read(&template).unwrap();
    fs::write(&store, "an older store").unwrap();
    let more = vec![Edit::set("New", "", Value::Dword(5))];
    write(&store, Source::Copy(template.clone()), more);
    assert_eq!(fs::read(&template).unwrap(), before);
    let mut expected = expected();
    expected.insert("New".into(), BTreeMap::from([(String::new(), Value::Dword(5))]));
    assert_eq!(export(&store), expected);
}

#[test]
fn a_key_is_read_to_the_depth_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let hive = folder.path().join("SYSTEM");
    write(&hive, Source::Nothing, edits());
    let key = |key: &str, depth| match ask(
        &hive,
        Query::Key {
            key: key.into(),
            depth,
        },
    ) {
        Answer::Key(key) => key,
        other => panic!("another answer: {other:?}"),
    };
    let shallow = key(r"controlset001", 0).unwrap();
    assert_eq!((shallow.name.as_str(), shallow.keys.len()), ("ControlSet001", 1));
    assert!(shallow.key(r"Services").unwrap().keys.is_empty());
    let deep = key("", 99).unwrap();
    let agent = deep.key(r"ControlSet001\Services\Agent").unwrap();
    assert_eq!(agent.values.len(), 5);
    assert_eq!(
        agent.value("dependonservice"),
        value(&hive, r"ControlSet001\Services\Agent", "DependOnService").as_ref()
    );
    assert_eq!(key("absent", 0), None);
    assert_eq!(value(&hive, "absent", "x"), None);
    assert_eq!(value(&hive, "Select", "absent"), None);
}

#[test]
fn thousands_of_keys_and_edits_survive() {
    let folder = tempfile::tempdir().unwrap();
    let hive = folder.path().join("SOFTWARE");
    let key = |n: u32| format!(r"Classes\{{{n:08x}}}\Sub");
    let edits = (0..3000)
        .map(|n| Edit::set(key(n), "n", Value::Dword(n)))
        .collect();
    write(&hive, Source::Nothing, edits);
    let again = (0..3000).step_by(2).map(|n| Edit::DeleteKey {
        key: format!(r"Classes\{{{n:08x}}}"),
    });
    write(&hive, Source::Itself, again.collect());
    let found = export(&hive);
    assert_eq!(found.len(), 2 + 2 * 1500);
    for n in (1..3000).step_by(2) {
        assert_eq!(found[&key(n)]["n"], Value::Dword(n));
    }
}
