//! Machines whose QEMU is called by a script of ours (`boot/qemu-system-x86_64`): recorded ones, and ones with more hardware.

use std::fs;
use std::path::Path;

use super::{finish, root, run_demo, trying};

/// Runs a scenario of the demonstration, with a log of what the machine writes to its disk and to the stick.
pub fn recorded_demo(recording: &Path, arguments: &[&str]) {
    let _ = fs::remove_dir_all(recording);
    fs::create_dir_all(recording).expect("a folder for the recording");
    let recorded = format!("RECORDING={}", recording.display());
    run_demo(arguments, &[recorded, format!("PATH={}", path_with_our_qemu())]);
}

/// Where a script of ours stands for QEMU and calls it.
fn path_with_our_qemu() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{}:{path}", root().join("tests/tests/boot").display())
}

/// Runs media in a machine with more hardware: further arguments of QEMU.
pub fn try_with_hardware(media: &Path, arguments: &[&str], more: &[&str]) -> (Option<i32>, String) {
    let mut command = trying(media, arguments);
    command
        .env("PATH", path_with_our_qemu())
        .env("MORE_HARDWARE", more.join("\n"));
    finish(media, command)
}
