//! `media-runtime.exe start`: somebody begins a run from the media, inside a Windows that is there.

use std::fs;

use media_format::paths;

use super::machine::{CONTROL, Machine, SERVICE};
use super::step;

/// Wine knows no partitions.
const NO_PARTITION: &str = "Windows does not say which partition C:\\ is";

fn capture() -> String {
    step("prepare-os-for-capture", "")
        + &step("capture-operating-system-image", "destination = \"media:a.wim\"")
}

/// It says that, ends with 1, and has left nothing but its log.
#[track_caller]
fn refuses(machine: &Machine, by: &[&str], why: &str) {
    let (code, said) = machine.start_from_media(by);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(why), "{said}");
    assert!(!machine.esp(paths::FOLDER).exists());
    let folder = machine.c(paths::INSTALLED_WINDOWS);
    assert!(!folder.join(paths::WINDOWS_PROGRAM).exists());
    let service = machine.run(&["reg", "query", SERVICE]);
    assert!(!service.status.success(), "the service is entered");
}

#[test]
fn only_an_administrator_can_begin() {
    let machine = Machine::installed(&capture());
    refuses(&machine, &["unprivileged.exe"], "only an administrator");
    assert!(!machine.c(paths::INSTALLED_WINDOWS).exists());
}

#[test]
fn what_cannot_begin_inside_windows_is_refused() {
    let erases = step(
        "format-and-partition-disk",
        "erase-existing = true\ndisk = { number = 0 }",
    ) + &capture();
    let machine = Machine::installed(&erases);
    refuses(
        &machine,
        &[],
        "cannot begin inside Windows, because of its step \"format-and-partition-disk\"",
    );
    drop(machine);

    // Wine has no firmware.
    let machine = Machine::installed(&capture());
    refuses(&machine, &[], NO_PARTITION);
    let log = machine.log();
    assert!(log.contains("before anything was changed"), "{log}");
    assert!(log.contains("the machine was started by a BIOS"), "{log}");
    machine.set_value(CONTROL, "PEFirmwareType", "REG_DWORD", "2");
    refuses(&machine, &[], NO_PARTITION);
    let log = machine.log();
    assert!(log.contains("the machine was started by UEFI"), "{log}");

    let changed = machine.media(&format!("{}/main.toml", paths::SEQUENCES));
    let text = fs::read_to_string(&changed).expect("the sequence");
    fs::write(&changed, text.replace("a.wim", "b.wim")).expect("changing it");
    refuses(&machine, &[], "differs from what was built");

    fs::remove_file(machine.media(paths::MANIFEST)).expect("removing the manifest");
    refuses(&machine, &[], "is not the root of a media");
}

/// What somebody else has put where the service's program will lie does not stay there.
#[test]
fn the_folder_of_the_service_is_made_anew() {
    let machine = Machine::installed(&capture());
    let planted = machine.c(paths::INSTALLED_WINDOWS).join("version.dll");
    fs::create_dir_all(planted.parent().expect("a folder")).expect("the folder");
    fs::write(&planted, "somebody else's").expect("the file");
    refuses(&machine, &[], NO_PARTITION);
    assert!(!planted.exists());
}

/// The run was cut, and cannot go on: the machine is as it was before it.
#[test]
fn a_failure_inside_windows_takes_the_run_out_of_it() {
    let machine = Machine::installed(&capture());
    machine.make_boot_partition(&capture(), false);
    let mark = machine.esp(paths::DISK_INFO);
    fs::create_dir_all(mark.parent().expect("a folder")).expect("the folder");
    fs::write(&mark, "media-runtime, staged\n").expect("the mark");
    fs::create_dir_all(machine.esp("EFI/Microsoft")).expect("a folder");
    fs::create_dir_all(machine.esp("EFI/media-runtime")).expect("a folder");
    refuses(&machine, &[], NO_PARTITION);
    assert!(machine.esp("EFI/Microsoft").exists());
    assert!(!mark.exists() && !machine.esp("EFI/media-runtime").exists());
}
