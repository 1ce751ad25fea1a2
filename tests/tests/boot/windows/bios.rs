//! A disk from which a BIOS starts Windows: what lies on it, and what starts.

use std::process::{Command, Output};

use super::listing::Listing;

/// Where the active partition begins, as mtools take it.
const ACTIVE: &str = "@@1M";
/// What the runtime leaves there at the end of a run.
const WINDOWS_MENU: &str = include_str!("../../../../runtime/src/staging/windows.cfg");
/// `O:BAG:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)`, as MS-DTYP 2.4.6 has it.
const PROTECTED: &str = "010004901400000024000000000000003400000001020000000000052000000020020000\
    0102000000000005200000002002000002004c000300000000031400ff011f00010100000000000512000000\
    00031800ff011f000102000000000005200000002002000000031800a900120001020000000000052000000021020000";

fn run(program: &str, arguments: &[&str]) -> Output {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(program).args(arguments).env("PATH", path).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error} (make setup installs it)"));
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    output
}

/// A value of each partition, by sfdisk.
fn values(table: &str, name: &str) -> Vec<String> {
    let lines = table.lines().filter_map(|line| line.split_once(name));
    let values = lines.filter_map(|(_, rest)| rest.split(',').next());
    values.map(|value| value.trim().to_owned()).collect()
}

fn table(disk: &str) -> String {
    let table = run("sfdisk", &["--dump", disk]);
    String::from_utf8_lossy(&table.stdout).into_owned()
}

/// One active partition with what bcdboot puts there, by sfdisk, mtools and libhivex; behind it those of Windows and of its recovery.
pub(crate) fn judge_active_partition(disk: &str) {
    let table = table(disk);
    let bootable: Vec<&str> = table.lines().filter(|line| line.contains("bootable")).collect();
    assert!(
        bootable.len() == 1 && bootable[0].contains("start=        2048"),
        "{table}"
    );
    assert_eq!(values(&table, "type="), ["c", "7", "27"], "{table}");
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

/// Nobody but administrators and SYSTEM may change what the service runs: as it lies on the volume, where no Windows has been.
pub(crate) fn judge_planted_folder(disk: &str) {
    let table = table(disk);
    let bytes = |name: &str| values(&table, name)[1].parse::<u64>().expect("sectors") * 512;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (volume, wim) = (path("volume"), path("volume.wim"));
    let copy = [
        &format!("if={disk}"),
        &format!("of={volume}"),
        &format!("skip={}", bytes("start=")),
        &format!("count={}", bytes("size=")),
        "bs=1M",
        "iflag=skip_bytes,count_bytes",
        "conv=sparse",
        "status=none",
    ];
    run("dd", &copy);
    run("wimlib-imagex", &["capture", &volume, &wim, "--compress=none"]);
    let image = Listing::of(wim.as_ref(), 1);
    let planted = &image.entries["/ProgramData/media-runtime"].properties["Security Descriptor"];
    assert_eq!(planted, PROTECTED);
}

/// What the end of a run leaves of it: the boot code, and a menu that starts Windows.
pub(crate) fn end_run(disk: &str) {
    let image = format!("{disk}{ACTIVE}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let menu = folder.path().join("grub.cfg");
    std::fs::write(&menu, WINDOWS_MENU).expect("writing the menu");
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
