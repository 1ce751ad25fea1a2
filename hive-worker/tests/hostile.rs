//! Hives that a stranger has made: the worker ends in time and within its memory, and never by a panic of ours. A crash of the
//! library is an error for whoever has started the worker.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::path::Path;

use common::*;
use media_format::hive::protocol::{Message, Operation, Query, Read, Request, Source};
use media_format::hive::{Edit, Value};
use tests::hostile::{Case, Parser, check, either, extremes, fuzz, read, refused};

const HIVE: Parser = Parser {
    name: "hive-worker",
    read: |bytes| {
        let folder = tempfile::tempdir().unwrap();
        let hive = folder.path().join("SYSTEM");
        std::fs::write(&hive, bytes).unwrap();
        let key = Query::Key {
            key: String::new(),
            depth: Query::DEEPEST,
        };
        let reading = Operation::Read(Read {
            hive: hive.clone(),
            queries: vec![key],
        });
        let edit = Edit::set(r"A\B", "n", Value::Dword(2));
        ended(reading)?;
        ended(writing(&hive, Source::Itself, vec![edit]))
    },
};

/// For mutations, those of the first block would end at its checksum.
const SUMMED: Parser = Parser {
    name: "hive-with-sum",
    read: |bytes| {
        let mut hive = bytes.to_vec();
        if hive.len() >= 512 {
            sum(&mut hive);
        }
        (HIVE.read)(&hive)
    },
};

fn ended(operation: Operation) -> Result<(), String> {
    let request = Request {
        memory_limit: Some(512 << 20),
        time_limit: Some(20),
        operation,
    };
    let (message, output) = answer_of(worker(), &request);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("panicked"), "{said}");
    match message {
        Some(Message::Done { .. }) => Ok(()),
        Some(Message::Failed { error, .. }) => Err(error),
        None => Err(format!("{}: {said}", output.status)),
    }
}

/// Keys in keys, and values of all kinds.
fn hive() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let hive = folder.path().join("SYSTEM");
    let edits = vec![
        Edit::set(r"A\B\C", "n", Value::Dword(1)),
        Edit::set(r"A\B\C", "text", Value::Sz("x".repeat(300))),
        Edit::set(r"A\D", "list", Value::MultiSz(vec!["a".into(), "b".into()])),
        Edit::set("E", "bytes", Value::Binary(vec![7; 40])),
    ];
    write(Path::new(&hive), Source::Nothing, edits);
    std::fs::read(hive).unwrap()
}

/// Makes the checksum of the first block fit again.
fn sum(hive: &mut [u8]) {
    let words = hive[..508].chunks_exact(4);
    let sum = words.fold(0, |sum, word| sum ^ u32::from_le_bytes(word.try_into().unwrap()));
    hive[508..512].copy_from_slice(&sum.to_le_bytes());
}

fn cases() -> Vec<Case> {
    let good = hive();
    let with = |at: usize, number: u32| {
        let mut hive = good.clone();
        hive[at..at + 4].copy_from_slice(&number.to_le_bytes());
        sum(&mut hive);
        hive
    };
    let mut cases = vec![
        read("as the worker made it", good.clone()),
        refused("nothing", []),
        refused("zeros", vec![0; 8192]),
        refused("cut off in its first block", &good[..4095]),
        refused("cut off behind it", &good[..4096]),
        refused("a root that is nowhere", with(36, u32::MAX)),
        refused("a root in the middle of a cell", with(36, 0x24)),
        refused("bins of 2^32 bytes", with(40, u32::MAX)),
        either("bins of no bytes", with(40, 0)),
        refused("a bin of no bytes", with(4096 + 8, 0)),
        refused("a bin of 2^32 bytes", with(4096 + 8, u32::MAX)),
        either("a cell of no bytes", with(4096 + 32, 0)),
        either("a cell of -2^31 bytes", with(4096 + 32, 1 << 31)),
    ];
    let places: Vec<String> = (4096..4608).step_by(16).map(|at| format!("word {at}")).collect();
    let fields: Vec<_> = places
        .iter()
        .map(String::as_str)
        .zip((4096..4608).step_by(16))
        .collect();
    let fields: Vec<_> = fields.into_iter().map(|(name, at)| (name, at, 4)).collect();
    cases.extend(extremes(&good, &fields, |_| ()));
    cases
}

#[test]
fn hostile_hives_are_harmless() {
    check(HIVE, cases());
}

#[test]
fn mutated_hives_are_harmless() {
    fuzz(&[(HIVE, vec![hive()]), (SUMMED, vec![hive()])]);
}
