//! A disk from which a BIOS starts Windows: what lies on it, and what starts.

use std::process::{Command, Output};

/// Where the active partition begins, as mtools take it.
const ACTIVE: &str = "@@1M";

fn run(program: &str, arguments: &[&str]) -> Output {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(program).args(arguments).env("PATH", path).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error} (make setup installs it)"));
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    output
}

/// One active partition with what bcdboot puts there, by sfdisk, mtools and libhivex.
pub(crate) fn judge_active_partition(disk: &str) {
    let table = run("sfdisk", &["--dump", disk]);
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    let bootable: Vec<&str> = table.lines().filter(|line| line.contains("bootable")).collect();
    assert!(
        bootable.len() == 1 && bootable[0].contains("start=        2048"),
        "{table}"
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = folder.path().join("BCD").display().to_string();
    let image = format!("{disk}{ACTIVE}");
    for path in ["::/bootmgr", "::/Boot/memtest.exe", "::/Boot/Fonts/wgl4_boot.ttf"] {
        run("mtype", &["-i", &image, path]);
    }
    run("mcopy", &["-i", &image, "::/Boot/BCD", &store]);
    let manager = r"\Objects\{9dea862c-5cdd-4e70-acc1-f32b344d4795}\Elements\11000001";
    run("hivexget", &[&store, manager, "Element"]);
}

/// What the end of a run leaves of it: the boot code, and a menu that starts Windows.
pub(crate) fn end_run(disk: &str) {
    let image = format!("{disk}{ACTIVE}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let menu = folder.path().join("grub.cfg");
    std::fs::write(&menu, "ntldr /bootmgr\nboot\n").expect("writing the menu");
    run(
        "mcopy",
        &[
            "-o",
            "-i",
            &image,
            &menu.display().to_string(),
            "::/boot/grub/grub.cfg",
        ],
    );
    run("mdeltree", &["-i", &image, "::/media-runtime", "::/.disk"]);
}

/// What a machine with that disk and nothing else says on its serial port before it switches itself off.
pub(crate) fn start_alone(disk: &str) -> String {
    let drive = format!("file={disk},format=raw,if=ide");
    let machine = ["-accel", "tcg", "-m", "256", "-display", "none", "-nic", "none"];
    let output = Command::new("timeout")
        .args([
            "300",
            "qemu-system-x86_64",
            "-no-reboot",
            "-serial",
            "stdio",
            "-monitor",
            "none",
        ])
        .args(machine)
        .args(["-drive", &drive])
        .output()
        .expect("qemu-system-x86_64");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "the machine did not switch itself off: {said}"
    );
    said
}
