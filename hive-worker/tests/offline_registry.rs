//! Plans for SYSTEM and SOFTWARE hives, written by the worker; the judge is hivexregedit.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::path::Path;

use common::*;
use media_format::hive::protocol::{Answer, Query, Source};
use media_format::hive::{Edit, Key, Value};
use windows_setup::offline_registry::{
    ControlSet, ImageState, Installation, Service, ServiceStart, device_path, device_path_query,
};

fn sz(text: &str) -> Value {
    Value::Sz(text.into())
}

fn value(hive: &Path, query: Query) -> Option<Value> {
    match ask(hive, query) {
        Answer::Value(value) => value,
        other => panic!("another answer: {other:?}"),
    }
}

fn key(hive: &Path, query: Query) -> Option<Key> {
    match ask(hive, query) {
        Answer::Key(key) => key,
        other => panic!("another answer: {other:?}"),
    }
}

/// The parts of a SYSTEM hive of which the second set is in use.
fn system(folder: &Path) -> std::path::PathBuf {
    let hive = folder.join("SYSTEM");
    let edits = vec![
        Edit::set("Select", "Current", Value::Dword(2)),
        Edit::set("Select", "Default", Value::Dword(2)),
        Edit::create(r"ControlSet001\Services"),
        Edit::set(r"ControlSet002\Services\MediaRuntime", "Stale", Value::Dword(1)),
    ];
    write(&hive, Source::Nothing, edits);
    hive
}

fn service() -> Service {
    Service {
        name: "MediaRuntime".into(),
        display_name: "Media Runtime".into(),
        description: "Continues the task sequence.".into(),
        command: r#""%SystemDrive%\_media runtime\media-runtime.exe" service"#.into(),
        start: ServiceStart::Automatic,
        depends_on: vec!["RpcSs".into(), "ProfSvc".into()],
    }
}

fn control_set(hive: &Path) -> ControlSet {
    ControlSet::current(value(hive, ControlSet::query()).as_ref()).unwrap()
}

#[test]
fn a_service_is_made_and_removed_in_the_set_that_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let hive = system(folder.path());
    let set = control_set(&hive);
    write(&hive, Source::Itself, set.service(&service()).unwrap());

    let found = export(&hive);
    let values = found[r"ControlSet002\Services\MediaRuntime"].iter();
    let values: Vec<(&str, &Value)> = values.map(|(name, value)| (name.as_str(), value)).collect();
    let command = r#""%SystemDrive%\_media runtime\media-runtime.exe" service"#;
    assert_eq!(
        values,
        [
            (
                "DependOnService",
                &Value::MultiSz(vec!["RpcSs".into(), "ProfSvc".into()])
            ),
            ("Description", &sz("Continues the task sequence.")),
            ("DisplayName", &sz("Media Runtime")),
            ("ErrorControl", &Value::Dword(1)),
            ("ImagePath", &Value::ExpandSz(command.into())),
            ("ObjectName", &sz("LocalSystem")),
            ("Start", &Value::Dword(2)),
            ("Type", &Value::Dword(16)),
        ]
    );
    assert!(found[r"ControlSet001\Services"].is_empty());

    write(
        &hive,
        Source::Itself,
        vec![set.without_service("mediaruntime").unwrap()],
    );
    assert!(!export(&hive).contains_key(r"ControlSet002\Services\MediaRuntime"));
}

#[test]
fn a_software_hive_says_what_it_is_and_where_drivers_are() {
    let folder = tempfile::tempdir().unwrap();
    let hive = folder.path().join("SOFTWARE");
    let version = r"Microsoft\Windows NT\CurrentVersion";
    let texts = [
        ("ProductName", "Windows 10 Enterprise LTSC 2021"),
        ("CurrentBuild", "19044"),
        ("EditionID", "EnterpriseS"),
        ("InstallationType", "Client"),
        ("DisplayVersion", "21H2"),
    ];
    let mut edits: Vec<Edit> = texts
        .map(|(name, text)| Edit::set(version, name, sz(text)))
        .into();
    for (name, number) in [
        ("CurrentMajorVersionNumber", 10),
        ("CurrentMinorVersionNumber", 0),
        ("UBR", 3803),
    ] {
        edits.push(Edit::set(version, name, Value::Dword(number)));
    }
    let current = r"Microsoft\Windows\CurrentVersion";
    edits.push(Edit::set(
        current,
        "DevicePath",
        Value::ExpandSz(r"%SystemRoot%\inf".into()),
    ));
    let state = sz("IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE");
    edits.push(Edit::set(format!(r"{current}\Setup\State"), "ImageState", state));
    write(&hive, Source::Nothing, edits);

    let found = Installation::read(key(&hive, Installation::query()).as_ref()).unwrap();
    assert_eq!(
        (found.version().as_str(), found.edition.as_str()),
        ("10.0.19044.3803", "EnterpriseS")
    );
    let state = value(&hive, ImageState::query());
    assert_eq!(
        ImageState::read(state.as_ref()),
        Some(ImageState::GeneralizedForOobe)
    );

    let before = value(&hive, device_path_query());
    let edit = device_path(before.as_ref(), &[r"%SystemDrive%\Drivers\net".into()]).unwrap();
    write(&hive, Source::Itself, vec![edit]);
    let expected = Value::ExpandSz(r"%SystemRoot%\inf;%SystemDrive%\Drivers\net".into());
    assert_eq!(export(&hive)[current]["DevicePath"], expected);
}
