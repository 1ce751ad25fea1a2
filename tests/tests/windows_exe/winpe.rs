//! Windows PE as the boot image, played by Wine: what the runtime calls there, word by word.

use std::fs;
use std::time::Duration;

use super::machine::Machine;
use super::step;

const PATIENCE: Duration = Duration::from_secs(240);

#[test]
fn an_existing_windows_is_captured_by_the_programs_of_windows_pe() {
    let steps = step("prepare-client-for-capture", "")
        + &step("prepare-os-for-capture", "")
        + &step(
            "capture-operating-system-image",
            "destination = \"media:captures/a.wim\"\nimage-name = \"Windows reference\"",
        );
    let machine = Machine::in_winpe(&steps);
    let inf = include_bytes!("../../../windows-setup/tests/packages/vmd.inf");
    let folder = machine.c("media-runtime/drivers/vmd");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("vmd.inf"), inf).expect("a driver");
    let device = r"HKLM\SYSTEM\CurrentControlSet\Enum\PCI\VEN_8086&DEV_9A0B\0";
    machine.set_value(device, "HardwareID", "REG_MULTI_SZ", r"PCI\VEN_8086&DEV_9A0B");
    let output = machine.runs_in_winpe(PATIENCE);
    let log = machine.log();
    assert!(output.status.success(), "{output:?}\n{log}");
    let load = r"reg.exe load HKLM\media-runtime-offline W:\Windows\System32\config\SOFTWARE";
    let unload = r"reg.exe unload HKLM\media-runtime-offline";
    let capture = r"dism.exe /English /Capture-Image /ImageFile:E:\captures\a.wim.partial.wim /CaptureDir:W:\ /Name:Windows reference /Description:Windows 10 Pro 6.3.19045.0 /Compress:fast /ConfigFile:C:\media-runtime\WimScript.ini /CheckIntegrity /Verify";
    let drvload = r"drvload.exe C:\media-runtime\drivers\vmd\vmd.inf";
    let expected = [
        drvload,
        load,
        unload,
        load,
        unload,
        capture,
        "wpeutil.exe shutdown",
    ];
    assert_eq!(machine.calls(), expected, "{log}");
    let captures = machine.volume("data").join("captures");
    assert_eq!(
        fs::read_to_string(captures.join("a.wim")).expect("the image"),
        "an image"
    );
    assert!(captures.join("a.wim.sha256").exists());
    for call in expected.iter().filter(|call| !call.contains("Windows reference")) {
        assert!(
            log.contains(&format!("running: {call}")),
            "{call} is not in the log: {log}"
        );
    }
}

/// It waits at its end: Windows PE would restart the machine.
#[test]
fn what_windows_pe_cannot_do_yet_is_refused_before_anything_is_changed() {
    let erases = step(
        "format-and-partition-disk",
        "erase-existing = true\ndisk = { number = 0 }",
    );
    let machine =
        Machine::in_winpe(&(step("run-command-line", "command = 'echo x> C:\\made.txt'") + &erases));
    let _ = fs::remove_file(machine.c("made.txt"));
    machine.runs_in_winpe(Duration::from_secs(30));
    let log = machine.log();
    assert!(
        log.contains("a step of type format-and-partition-disk is not possible yet"),
        "{log}"
    );
    assert!(log.contains("before anything was changed"), "{log}");
    assert!(machine.calls().is_empty() && !machine.c("made.txt").exists());
}
