//! WIMs that a stranger has made: the worker ends in time and within its memory, never by a panic of ours, and writes nothing
//! outside of the folder that it applies to. A crash of the library is an error for whoever has started the worker.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::fs;

use common::*;
use media_format::wim::protocol::{Message, Operation, Request, Verify};
use tests::hostile::{Case, Parser, check, cuts, extremes, fuzz, read, refused};

const WIM: Parser = Parser {
    name: "wim-worker",
    read: |bytes| {
        let folder = tempfile::tempdir().unwrap();
        let (wim, target) = (folder.path().join("a.wim"), folder.path().join("target"));
        fs::write(&wim, bytes).unwrap();
        fs::create_dir(&target).unwrap();
        let verified = ended(Operation::Verify(Verify {
            wim: wim.clone(),
            parts: vec![],
        }));
        let applied = ended(Operation::Apply(apply(&wim, 1, &target)));
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["a.wim", "target"], "something was written outside");
        verified.and(applied)
    },
};

fn ended(operation: Operation) -> Result<(), String> {
    let request = Request {
        memory_limit: Some(512 << 20),
        operation,
    };
    let (messages, output) = messages_of(worker(), &request);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("panicked"), "{said}");
    match messages.last() {
        Some(Message::Done { .. }) => Ok(()),
        Some(Message::Failed { error, .. }) => Err(error.clone()),
        _ => Err(format!("{}: {said}", output.status)),
    }
}

/// A folder, a link, a file.
fn wim() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (tree, wim) = (folder.path().join("tree"), folder.path().join("a.wim"));
    fs::create_dir_all(tree.join("deep/er")).unwrap();
    fs::write(tree.join("deep/er/file"), "x".repeat(5000)).unwrap();
    std::os::unix::fs::symlink("deep/er/file", tree.join("link")).unwrap();
    done(&run(Operation::Capture(capture(
        &wim,
        vec![image(&tree, "Image")],
    ))));
    fs::read(wim).unwrap()
}

fn cases() -> Vec<Case> {
    let good = wim();
    let table = u64::from_le_bytes(good[56..64].try_into().unwrap()) as usize;
    let fields = [
        ("flags", 16, 4),
        ("bytes of a chunk", 20, 4),
        ("parts", 42, 2),
        ("images", 44, 4),
        ("bytes of the table of blobs", 48, 7),
        ("flags of the table of blobs", 55, 1),
        ("place of the table of blobs", 56, 8),
        ("original bytes of the table of blobs", 64, 8),
        ("bytes of the metadata", 72, 7),
        ("place of the metadata", 80, 8),
        ("place of the integrity table", 132, 8),
        ("bytes of a blob", table, 7),
        ("flags of a blob", table + 7, 1),
        ("place of a blob", table + 8, 8),
        ("original bytes of a blob", table + 16, 8),
        ("part of a blob", table + 24, 2),
        ("references to a blob", table + 26, 4),
    ];
    let mut cases = extremes(&good, &fields, |_| ());
    cases.extend([
        read("as the worker made it", good.clone()),
        refused("nothing", []),
        refused("zeros", vec![0; 8192]),
    ]);
    cases.extend(cuts(&good, [1, 207, 208, 300, table, table + 10, good.len() - 1]));
    cases
}

#[test]
fn hostile_wims_are_harmless() {
    check(WIM, cases());
}

#[test]
fn mutated_wims_are_harmless() {
    fuzz(&[(WIM, vec![wim()])]);
}
