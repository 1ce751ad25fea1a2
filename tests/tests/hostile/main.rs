//! Whatever strangers put into disks, media, packages and files: parsers refuse it or read it, and neither panic, nor come to no
//! end, nor take memory because a number says so. `make fuzz` changes valid input for as long as somebody likes.
//!
//! What reads disks before they are mounted is private to the runtime: `runtime/src/platform/linux/hostile_tests.rs`. The workers,
//! which read WIMs and hives by C libraries: `wim-worker/tests/hostile.rs` and `hive-worker/tests/hostile.rs`.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![allow(clippy::too_many_lines, reason = "lists of cases")]

mod archives;
mod disks;
mod exfat;
mod iso;
mod json;
mod texts;
mod wims;
mod windows;
mod xml;

use tests::hostile::{Seeded, fuzz, limit_memory};

/// What was promised: so many inputs that are made by hand, each with a name.
const PROMISED: usize = 300;

#[test]
fn hostile_input_is_harmless() {
    limit_memory();
    let areas: [fn() -> usize; 9] = [
        archives::check,
        disks::check,
        exfat::check,
        iso::check,
        json::check,
        texts::check,
        wims::check,
        windows::check,
        xml::check,
    ];
    // Each in a thread of its own, so that what is wrong with one hides nothing of the others.
    let counts = areas.map(|check| std::thread::spawn(check).join());
    let count: usize = counts.into_iter().map(Result::unwrap).sum();
    println!("{count} hostile inputs made by hand");
    assert!(count >= PROMISED, "only {count} hostile inputs");
}

#[test]
fn mutations_are_harmless() {
    limit_memory();
    let areas: [fn() -> Vec<Seeded>; 9] = [
        archives::parsers,
        disks::parsers,
        exfat::parsers,
        iso::parsers,
        json::parsers,
        texts::parsers,
        wims::parsers,
        windows::parsers,
        xml::parsers,
    ];
    let parsers: Vec<_> = areas.iter().flat_map(|parsers| parsers()).collect();
    fuzz(&parsers);
}

/// Runs a tool that must succeed.
fn run(program: &str, arguments: &[&str]) {
    let mut command = std::process::Command::new(program);
    let output = command.args(arguments).env("LC_ALL", "C.UTF-8").output();
    let output = output.unwrap_or_else(|error| panic!("{program} is needed by this test: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
}

/// The CRC-32 of GPT.
fn crc32(bytes: &[u8]) -> u32 {
    let bit = |crc: u32, _| crc >> 1 ^ (0xedb8_8320 * (crc & 1));
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), bit);
    !bytes.iter().fold(u32::MAX, byte)
}

fn put(bytes: &mut [u8], at: usize, part: &[u8]) {
    bytes[at..at + part.len()].copy_from_slice(part);
}

/// The bytes with a part of them replaced.
fn with(bytes: &[u8], at: usize, part: &[u8]) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    put(&mut changed, at, part);
    changed
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}
