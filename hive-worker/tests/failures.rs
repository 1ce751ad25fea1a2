//! What goes wrong ends with a reason, and leaves the hive as it was and nothing beside it.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use common::*;
use media_format::hive::protocol::{Operation, Query, Read, Request, Source};
use media_format::hive::{Edit, Value};

fn sample(folder: &Path) -> PathBuf {
    let hive = folder.join("SYSTEM");
    write(
        &hive,
        Source::Nothing,
        vec![Edit::set(r"A\B", "n", Value::Dword(1))],
    );
    hive
}

fn edit(hive: &Path) -> Operation {
    writing(hive, Source::Itself, vec![Edit::set("A", "n", Value::Dword(2))])
}

fn read(hive: &Path) -> Operation {
    Operation::Read(Read {
        hive: hive.into(),
        queries: vec![Query::Key {
            key: String::new(),
            depth: 9,
        }],
    })
}

/// Changes a field of the base block, and its checksum so that it fits again.
fn alter(hive: &Path, offset: usize, value: u32) {
    let mut bytes = fs::read(hive).unwrap();
    bytes[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
    let words = bytes[..508]
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes(word.try_into().unwrap()));
    let sum = words.fold(0, |sum, word| sum ^ word);
    bytes[508..512].copy_from_slice(&sum.to_le_bytes());
    fs::write(hive, bytes).unwrap();
}

#[test]
fn a_hive_that_was_not_closed_cleanly_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let hive = sample(folder.path());
    alter(&hive, 4, 77);
    let before = fs::read(&hive).unwrap();
    for operation in [edit(&hive), read(&hive)] {
        let (error, hint) = failed(operation);
        assert!(
            error.contains("SYSTEM was not closed cleanly") && error.contains("77 and 2"),
            "{error}"
        );
        assert!(hint.contains("shutdown /s"), "{hint}");
    }
    assert_eq!(fs::read(&hive).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_is_no_whole_hive_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let hive = sample(folder.path());
    let whole = fs::read(&hive).unwrap();
    let refused = |bytes: &[u8], reason: &str| {
        fs::write(&hive, bytes).unwrap();
        let (error, _) = failed(edit(&hive));
        assert!(error.contains(reason) && error.contains("SYSTEM"), "{error}");
        assert_eq!(fs::read(&hive).unwrap(), bytes);
    };
    refused(b"", "too short");
    refused(&whole[..4096 + 100], "cut off");
    refused(&[b"MZ", &whole[2..]].concat(), "is not a registry hive");
    refused(&[&whole[..20], &[9], &whole[21..]].concat(), "checksum");
    fs::write(&hive, &whole).unwrap();
    alter(&hive, 28, 6);
    assert!(failed(read(&hive)).0.contains("one of its logs"));
    fs::remove_file(&hive).unwrap();
    assert!(failed(edit(&hive)).0.contains("No such file"));
    std::os::unix::fs::symlink("/dev/zero", &hive).unwrap();
    assert!(failed(read(&hive)).0.contains("is not a file"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_huge_file_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let hive = sample(folder.path());
    fs::File::options()
        .write(true)
        .open(&hive)
        .unwrap()
        .set_len(1 << 40)
        .unwrap();
    let (error, _) = failed(read(&hive));
    assert!(error.contains("more than any hive"), "{error}");
}

/// Damage anywhere behind the base block may be found or not, but never changes the file, and never ends silently.
#[test]
fn damaged_bins_end_in_an_answer_or_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let hive = sample(folder.path());
    let whole = fs::read(&hive).unwrap();
    let mut errors = 0;
    for offset in (4096..4096 + 0x200).step_by(3) {
        let mut bytes = whole.clone();
        bytes[offset] ^= 0xff;
        fs::write(&hive, &bytes).unwrap();
        let request = Request {
            memory_limit: Some(256 << 20),
            time_limit: Some(5),
            operation: read(&hive),
        };
        let (message, output) = answer_of(worker(), &request);
        assert_eq!(
            message.is_some(),
            output.status.code().is_some(),
            "byte {offset}: {output:?}"
        );
        errors += usize::from(!output.status.success());
        assert_eq!(fs::read(&hive).unwrap(), bytes);
    }
    assert!(errors > 5, "{errors} faults were found");
}

#[test]
fn one_edit_that_cannot_be_made_undoes_all() {
    let folder = tempfile::tempdir().unwrap();
    let hive = sample(folder.path());
    let before = fs::read(&hive).unwrap();
    let good = Edit::set("A", "n", Value::Dword(2));
    for bad in [
        Edit::create(r"A\\B"),
        Edit::DeleteKey { key: String::new() },
        Edit::set("A", "large", Value::Binary(vec![0; 20_000])),
    ] {
        let (error, _) = failed(writing(&hive, Source::Itself, vec![good.clone(), bad]));
        assert!(error.contains("SYSTEM: "), "{error}");
    }
    assert_eq!(fs::read(&hive).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Windows writes data of more than 16,344 bytes in a form of its own; hivexregedit does not, but has the same effect.
#[test]
fn a_key_with_large_data_is_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let (hive, patch) = (sample(folder.path()), folder.path().join("patch.reg"));
    let bytes = vec!["41"; 20_000].join(",");
    let lines = format!("Windows Registry Editor Version 5.00\n\n[H\\A]\n\"large\"=hex(3):{bytes}\n");
    fs::write(&patch, lines).unwrap();
    judge(
        "hivexregedit",
        &["--merge", "--prefix", "H", text(&hive), text(&patch)],
    );
    let before = fs::read(&hive).unwrap();
    let (error, _) = failed(edit(&hive));
    assert!(error.contains("\"large\" of 20000 bytes"), "{error}");
    assert_eq!(fs::read(&hive).unwrap(), before);
    write(
        &hive,
        Source::Itself,
        vec![Edit::set(r"A\B", "n", Value::Dword(2))],
    );
}

#[test]
fn a_full_volume_leaves_the_hive_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let hive = sample(folder.path());
    let before = fs::read(&hive).unwrap();
    let large = (0..100).map(|n| Edit::set("A", format!("{n}"), Value::Binary(vec![1; 16_000])));
    let request = request(writing(&hive, Source::Itself, large.collect()));
    let (error, _) = refused(answer_of(behind("trap '' XFSZ; ulimit -f 500"), &request));
    assert!(
        error.contains("writing") && error.contains("File too large"),
        "{error}"
    );
    assert_eq!(fs::read(&hive).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_killed_worker_leaves_the_hive_and_the_next_one_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let hive = sample(folder.path());
    let before = fs::read(&hive).unwrap();
    let large = (0..100).map(|n| Edit::set("A", format!("{n}"), Value::Binary(vec![1; 16_000])));
    let request = request(writing(&hive, Source::Itself, large.collect()));
    let (message, output) = answer_of(behind("ulimit -f 500"), &request);
    assert_eq!(
        (message, output.status.code()),
        (None, None),
        "the signal of a file size limit must kill it"
    );
    assert_eq!(fs::read(&hive).unwrap(), before);
    assert!(
        folder.path().join("SYSTEM.partial").exists(),
        "it must be killed while it writes"
    );
    assert!(answer_of(worker(), &request).1.status.success());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn memory_and_time_are_capped() {
    let folder = tempfile::tempdir().unwrap();
    let hive = sample(folder.path());
    fs::File::options()
        .write(true)
        .open(&hive)
        .unwrap()
        .set_len(400 << 20)
        .unwrap();
    let capped = |memory_limit, time_limit| Request {
        memory_limit,
        time_limit,
        operation: edit(&hive),
    };
    let (error, hint) = refused(answer_of(worker(), &capped(Some(64 << 20), None)));
    assert!(
        error.contains("opening") && hint.contains("memory"),
        "{error}: {hint}"
    );
    let (message, output) = answer_of(worker(), &capped(None, Some(0)));
    assert!(
        message.is_none() && output.status.code().is_none(),
        "a worker without time must be killed"
    );
    let file = fs::File::options().write(true).open(&hive).unwrap();
    file.write_all_at(b"x", 0).unwrap();
    assert!(failed(edit(&hive)).0.contains("is not a registry hive"));
}

#[test]
fn a_request_that_makes_no_sense_is_refused() {
    assert_eq!(worker().arg("--help").status().unwrap().code(), Some(2));
    let mut command = behind("exec 0</dev/null");
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("reading the request") && output.status.code() == Some(1),
        "{text}"
    );
}
