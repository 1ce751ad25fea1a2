//! BCD stores: planned, written by the worker, exported by hivexregedit, and compared element by element with
//! stores of real machines and with what bcdedit lists of Windows' own template.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::*;
use media_format::hive::protocol::{Answer, Query, Source};
use media_format::hive::{Edit, Key, Value};
use uuid::Uuid;
use windows_setup::bcd::{BootFirmware, InstalledWindows, NotAStore, Nx, Partition, Recovery, Store, WinPe};

/// The lines of a fixture that stand for our store; see their headers.
fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name);
    let text = fs::read_to_string(path).unwrap();
    let ours = text.lines().filter(|line| !line.starts_with(['#', '-']));
    ours.map(|line| line.replacen('+', " ", 1) + "\n").collect()
}

/// The keys and values that a fixture describes.
fn described(fixture: &str) -> Export {
    let mut keys = Export::new();
    let mut object = String::new();
    for line in fixture.lines() {
        let (first, rest) = line.trim_start().split_once(' ').unwrap();
        if line.starts_with(' ') {
            let values = BTreeMap::from([("Element".to_owned(), element(rest))]);
            keys.insert(format!(r"{object}\Elements\{first}"), values);
            continue;
        }
        object = format!(r"Objects\{first}");
        let kind = Value::Dword(u32::from_str_radix(rest, 16).unwrap());
        keys.insert(object.clone(), BTreeMap::new());
        keys.insert(format!(r"{object}\Elements"), BTreeMap::new());
        keys.insert(
            format!(r"{object}\Description"),
            BTreeMap::from([("Type".to_owned(), kind)]),
        );
    }
    keys.insert(String::new(), BTreeMap::new());
    keys.insert("Objects".into(), BTreeMap::new());
    let name = ("KeyName".to_owned(), Value::Sz("BCD00000000".into()));
    let system = ("System".to_owned(), Value::Dword(1));
    keys.insert("Description".into(), BTreeMap::from([name, system]));
    keys
}

fn element(text: &str) -> Value {
    let (kind, data) = text.split_once(' ').unwrap();
    match kind {
        "sz" => Value::Sz(data.into()),
        "multi-sz" => Value::MultiSz(data.split(' ').map(str::to_owned).collect()),
        "hex" => serde_json::from_value(serde_json::json!({ "binary": data })).unwrap(),
        other => panic!("what is {other}?"),
    }
}

/// Puts the GUIDs of a store's own objects in the place of their names, found as the boot manager finds them.
fn with_names(fixture: &str, store: &Export) -> String {
    let text = |object: &str, element: &str| {
        let value = &store[&format!(r"Objects\{object}\Elements\{element}")]["Element"];
        match value {
            Value::MultiSz(list) => list[0].clone(),
            other => other.text().unwrap(),
        }
    };
    let manager = "{9dea862c-5cdd-4e70-acc1-f32b344d4795}";
    let (loader, resume) = (text(manager, "23000003"), text(manager, "23000006"));
    let recovery = text(&loader, "14000008");
    let device = &store[&format!(r"Objects\{recovery}\Elements\11000001")]["Element"];
    let options = Uuid::from_bytes_le(*device.encode().1.first_chunk().unwrap());
    let options_bytes = media_format::manifest::hex(&options.to_bytes_le());
    fixture
        .replace("hex <options>", &format!("hex {options_bytes}"))
        .replace("<options>", &options.braced().to_string())
        .replace("<loader>", &loader)
        .replace("<resume>", &resume)
        .replace("<recovery>", &recovery)
}

fn assert_same(found: &Export, expected: &Export) {
    for key in found.keys().chain(expected.keys()) {
        assert_eq!(found.get(key), expected.get(key), "{key}");
    }
}

fn guid(text: &str) -> Uuid {
    Uuid::parse_str(text).unwrap()
}

/// The machine of the fixture of that name.
fn uefi() -> InstalledWindows {
    let gpt = |partition| Partition::Gpt {
        disk: guid("9dc23e38-af40-4da5-a6e9-9b28a4a07bd1"),
        partition: guid(partition),
    };
    InstalledWindows {
        firmware: BootFirmware::Uefi,
        system: gpt("458f0fe8-82dc-4ee1-8550-76156038c054"),
        windows: gpt("3ff27d8f-bfd5-4f78-8029-25e764cf8291"),
        description: "Windows 8.1".into(),
        locale: "en-us".into(),
        timeout: None,
        nx: None,
        recovery: Some(recovery(gpt("b3362570-3901-4275-ad04-41043bf60048"))),
    }
}

fn bios() -> InstalledWindows {
    let partition = Partition::Mbr {
        signature: 0x0003_ee7c,
        offset: 0x0012_4f90_0000,
    };
    InstalledWindows {
        firmware: BootFirmware::Bios,
        system: partition,
        windows: partition,
        description: "Windows 8.1 Preview".into(),
        locale: "en-US".into(),
        timeout: None,
        nx: None,
        recovery: Some(recovery(partition)),
    }
}

fn recovery(partition: Partition) -> Recovery {
    Recovery {
        partition,
        image: r"\Recovery\WindowsRE\Winre.wim".into(),
        sdi: r"\Recovery\WindowsRE\boot.sdi".into(),
    }
}

/// A hive with what a fixture describes.
fn write_described(hive: &Path, fixture: &str) {
    let edits = described(fixture).into_iter().flat_map(|(key, values)| {
        let set = {
            let key = key.clone();
            move |(name, value)| Edit::set(key.clone(), name, value)
        };
        let values: Vec<Edit> = values.into_iter().map(set).collect();
        [vec![Edit::create(key)], values].concat()
    });
    write(hive, Source::Nothing, edits.collect());
}

fn tree(hive: &Path) -> Key {
    let (key, depth) = (String::new(), 4);
    match ask(hive, Query::Key { key, depth }) {
        Answer::Key(Some(key)) => key,
        other => panic!("another answer: {other:?}"),
    }
}

#[test]
fn a_store_from_nothing_equals_that_of_a_real_machine_on_uefi() {
    let folder = tempfile::tempdir().unwrap();
    let hive = folder.path().join("BCD");
    write(&hive, Source::Nothing, uefi().edits(None));
    let found = export(&hive);
    let expected = with_names(&fixture("windows-8.1-uefi.txt"), &found);
    assert_same(&found, &described(&expected));
}

#[test]
fn a_store_from_nothing_equals_that_of_a_real_machine_on_bios() {
    let folder = tempfile::tempdir().unwrap();
    let hive = folder.path().join("BCD");
    write(&hive, Source::Nothing, bios().edits(None));
    let found = export(&hive);
    let expected = with_names(&fixture("windows-8.1-bios.txt"), &found);
    assert_same(&found, &described(&expected));
}

/// Windows 10's own template and ours lead to the same store: nothing of a template is left, and nothing is missing.
#[test]
fn a_store_from_the_images_template_equals_the_one_from_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let [template, ours, theirs] = ["BCD-Template", "ours", "theirs"].map(|name| folder.path().join(name));
    write_described(&template, &fixture("windows-10-template.txt"));
    let before = fs::read(&template).unwrap();
    let read = Store::read(&tree(&template)).unwrap();
    assert_eq!(read.objects.len(), 16);
    for machine in [
        uefi(),
        bios(),
        InstalledWindows {
            recovery: None,
            nx: Some(Nx::OptOut),
            timeout: Some(0),
            ..uefi()
        },
    ] {
        write(&ours, Source::Nothing, machine.edits(None));
        write(
            &theirs,
            Source::Copy(template.clone()),
            machine.edits(Some(&read)),
        );
        assert_same(&export(&theirs), &export(&ours));
    }
    assert_eq!(fs::read(&template).unwrap(), before);
}

#[test]
fn a_store_that_is_written_again_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let hive = folder.path().join("BCD");
    write(&hive, Source::Nothing, uefi().edits(None));
    let store = Store::read(&tree(&hive)).unwrap();
    assert_eq!(store, uefi().store(None));
    write(
        &hive,
        Source::Itself,
        windows_setup::bcd::edits(&store, &uefi().store(None)),
    );
    assert_eq!(Store::read(&tree(&hive)).unwrap(), store);
}

/// Without a recovery environment nothing refers to one, and every object that is referred to exists.
#[test]
fn no_object_is_missing() {
    let stores = [
        uefi().store(None),
        InstalledWindows {
            recovery: None,
            ..bios()
        }
        .store(None),
        winpe(BootFirmware::Uefi).store(),
    ];
    for store in stores {
        let values = store.objects.values().flat_map(|object| &object.elements);
        let references = values.filter(|(element, _)| matches!(element.number() >> 24 & 0xf, 3 | 4));
        for (element, value) in references {
            let names = match value {
                Value::MultiSz(list) => list.clone(),
                other => vec![other.text().unwrap()],
            };
            for name in names {
                assert!(store.objects.contains_key(&guid(&name)), "{element} of {store:?}");
            }
        }
    }
}

fn winpe(firmware: BootFirmware) -> WinPe {
    WinPe {
        firmware,
        image: r"\sources\boot.wim".into(),
        sdi: r"\boot\boot.sdi".into(),
        description: "Windows Setup".into(),
        locale: "en-US".into(),
    }
}

#[test]
fn a_store_of_media_equals_that_of_windows_own_disc() {
    let folder = tempfile::tempdir().unwrap();
    let hive = folder.path().join("BCD");
    write(&hive, Source::Nothing, winpe(BootFirmware::Bios).edits());
    assert_same(&export(&hive), &described(&fixture("windows-pe-bios.txt")));

    write(&hive, Source::Nothing, winpe(BootFirmware::Uefi).edits());
    let uefi = fixture("windows-pe-bios.txt")
        .replace(r"boot\winload.exe", r"boot\winload.efi")
        .replace("  21000001", "  16000060 hex 01\n  21000001")
        .replace(r"\boot\memtest.exe", r"\EFI\Microsoft\Boot\memtest.efi");
    assert_same(&export(&hive), &described(&uefi));
}

#[test]
fn another_hive_is_no_store() {
    let folder = tempfile::tempdir().unwrap();
    let hive = folder.path().join("SYSTEM");
    write(
        &hive,
        Source::Nothing,
        vec![Edit::set("Select", "Current", Value::Dword(1))],
    );
    assert_eq!(Store::read(&tree(&hive)), Err(NotAStore::NoObjects));
}
