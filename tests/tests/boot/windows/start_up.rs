//! A disk that its Windows starts from, as set-up leaves one, and what somebody does who logs on there.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::existing::{esp_of, run};
use crate::support;

/// The partition of Windows. Each part of it is the same byte, so that it reads the same in Windows' order of bytes.
pub(super) const WINDOWS: &str = "11111111-2222-3333-4444-555555555555";

/// The store's object for the loader of that Windows, which has no GUID that is known.
const LOADER: &str = "{a0000000-0000-4000-8000-000000000001}";

/// What starts this Windows, in the image and on the EFI system partition; without what says which Windows that is.
const BOOT_FILES: [&str; 3] = ["bootmgfw.efi", "stand-in.kernel", "stand-in.initrd"];

/// Somebody looks for the drive of the media, and starts the program that lies there. As a registry file has it.
const BEGIN: &str =
    r"cmd.exe /c for %d in (D E F G H I) do if exist %d:\\media-runtime.exe %d:\\media-runtime.exe start";

/// As bcdboot does it: the boot manager, under the name that firmware looks for too, and the store.
pub(super) fn fill_esp(volume: &Path, wim: &Path) {
    let volume = volume.display().to_string();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    for name in BOOT_FILES {
        extract(wim, &format!("/Windows/Boot/EFI/{name}"), folder.path());
    }
    make_store(&path("BCD"), &of_gpt(), "winload.efi");
    let folders = [
        "::/EFI",
        "::/EFI/BOOT",
        "::/EFI/Microsoft",
        "::/EFI/Microsoft/Boot",
    ];
    run("mmd", &[&["-i", &volume][..], &folders].concat());
    let files: Vec<String> = BOOT_FILES.iter().chain(&["BCD"]).map(|name| path(name)).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    run(
        "mcopy",
        &[&["-i", &volume][..], &files, &["::/EFI/Microsoft/Boot"]].concat(),
    );
    run("mcopy", &["-i", &volume, files[0], "::/EFI/BOOT/BOOTX64.EFI"]);
}

/// A device of a store that is a partition: what names it, the kind of table, the disk.
fn device(partition: [u8; 16], table: u8, disk: [u8; 16]) -> String {
    let mut bytes = vec![0; 16];
    bytes.extend([6, 0, 0, 0, 0, 0, 0, 0, 0x48, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend(partition);
    bytes.extend([0, 0, 0, 0, table, 0, 0, 0]);
    bytes.extend(disk);
    bytes.extend([0; 16]);
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("hex:{}", bytes.join(","))
}

fn of_gpt() -> String {
    let number = u128::from_str_radix(&WINDOWS.replace('-', ""), 16).expect("a GUID");
    device(number.to_be_bytes(), 0, [0; 16])
}

/// By the disk's signature, and where it begins.
pub(super) fn of_mbr(signature: u32, offset: u64) -> String {
    let numbers = [u128::from(offset), u128::from(signature)].map(u128::to_le_bytes);
    device(numbers[0], 1, numbers[1])
}

/// The boot manager starts the loader, which with its Windows is on that device.
pub(super) fn make_store(store: &str, device: &str, program: &str) {
    let program = format!(r#""\\Windows\\system32\\{program}""#);
    let root = r"HKEY_LOCAL_MACHINE\BCD\Objects";
    let manager = format!(r"{root}\{{9dea862c-5cdd-4e70-acc1-f32b344d4795}}");
    let loader = format!(r"{root}\{LOADER}");
    let mut text = format!("Windows Registry Editor Version 5.00\n\n[{root}]\n");
    for object in [&manager, &loader] {
        text += &format!("\n[{object}]\n\n[{object}\\Elements]\n");
    }
    for (object, element, value) in [
        (&manager, "23000003", format!("\"{LOADER}\"")),
        (&loader, "11000001", device.to_owned()),
        (&loader, "12000002", program),
        (&loader, "21000001", device.to_owned()),
        (&loader, "22000002", r#""\\Windows""#.to_owned()),
    ] {
        text += &format!("\n[{object}\\Elements\\{element}]\n\"Element\"={value}\n");
    }
    let new_hive = Path::new(env!("CARGO_MANIFEST_DIR")).join("../payloads/stand-in-windows/new-hive");
    run(&new_hive.display().to_string(), &[store]);
    merge(store, "BCD", &text);
}

/// A logon starts a command.
pub(super) fn begin_at_logon(volume: &Path, wim: &Path) {
    const PATH: &str = "Windows/System32/config/SOFTWARE";
    let folder = tempfile::tempdir().expect("a temporary folder");
    extract(wim, &format!("/{PATH}"), folder.path());
    let hive = folder.path().join("SOFTWARE").display().to_string();
    let key = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows\CurrentVersion\Run";
    let text = format!("Windows Registry Editor Version 5.00\n\n[{key}]\n\"begin\"=\"{BEGIN}\"\n");
    merge(&hive, "SOFTWARE", &text);
    run("ntfscp", &["-q", &volume.display().to_string(), &hive, PATH]);
}

fn merge(hive: &str, root: &str, text: &str) {
    let file = format!("{hive}.reg");
    fs::write(&file, text).expect("a registry file");
    let prefix = format!(r"HKEY_LOCAL_MACHINE\{root}");
    run("hivexregedit", &["--merge", "--prefix", &prefix, hive, &file]);
}

pub(super) fn extract(wim: &Path, path: &str, folder: &Path) {
    let output = Command::new("wimlib-imagex")
        .args(["extract".as_ref(), wim.as_os_str()])
        .args(["1", path, "--no-acls", "--dest-dir"])
        .arg(folder)
        .output()
        .expect("wimlib-imagex");
    assert!(output.status.success(), "{path}: {output:?}");
}

/// Everything on the EFI system partition of that disk, in a folder.
pub(super) fn copy_of_esp(disk: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let to = folder.path().display().to_string();
    run("mcopy", &["-s", "-i", &esp_of(disk), "::*", &to]);
    folder
}

/// The same files with the same content, and nothing else.
pub(super) fn assert_same(before: &tempfile::TempDir, after: &tempfile::TempDir) {
    let folders = [before, after].map(|folder| folder.path().display().to_string());
    support::run("diff", &["--recursive", &folders[0], &folders[1]]);
}
