//! Windows PE as the boot image, played by Wine: what the runtime calls there, word by word.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use media_format::paths;
use media_format::state::{BootState, Next};

use super::machine::{CONTROL, MEDIA, Machine};
use super::step;

const PATIENCE: Duration = Duration::from_secs(240);

fn wimlib(arguments: &[&str]) -> String {
    let output = Command::new("wimlib-imagex").args(arguments).output();
    let output = output.expect("wimlib-imagex (make setup installs it)");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What DISM has no options for is in the image's metadata, and the image is still whole.
fn judge_metadata(wim: &Path) {
    let wim = wim.display().to_string();
    let about = wimlib(&["info", "--check", &wim]);
    let has = |name: &str, value: &str| {
        let line = about.lines().find_map(|line| line.strip_prefix(name));
        assert_eq!(line.map(str::trim), Some(value), "{name} {about}");
    };
    has("Name:", "as DISM names it");
    has("Flags:", "Professional");
    let xml = wimlib(&["info", "--xml", &wim]).replace('\0', "");
    for element in ["<CREATOR>somebody</CREATOR>", "<VERSION>7</VERSION>"] {
        assert!(xml.contains(element), "{element}: {xml}");
    }
    wimlib(&["verify", &wim]);
}

#[test]
fn an_existing_windows_is_captured_by_the_programs_of_windows_pe() {
    let steps = step("prepare-client-for-capture", "")
        + &step("prepare-os-for-capture", "")
        + &step(
            "capture-operating-system-image",
            "destination = \"media:captures/a.wim\"\nimage-name = \"Windows reference\"\nimage-creator = \"somebody\"\nimage-version = \"7\"",
        );
    let machine = Machine::in_winpe(&steps);
    // What is left of a sleep from which Windows has woken up.
    fs::write(machine.volume("windows").join("hiberfil.sys"), [0; 4096]).expect("a file");
    let image = machine.c("captured.wim");
    let source = machine.volume("windows").display().to_string();
    // With a table for the integrity, as DISM writes it.
    wimlib(&[
        "capture",
        &source,
        &image.display().to_string(),
        "as DISM names it",
        "--check",
    ]);
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
    let load_system = r"reg.exe load HKLM\media-runtime-offline W:\Windows\System32\config\SYSTEM";
    let unload = r"reg.exe unload HKLM\media-runtime-offline";
    let capture = r"dism.exe /English /Capture-Image /ImageFile:E:\captures\a.wim.partial.wim /CaptureDir:W:\ /Name:Windows reference /Description:Windows 10 Pro 6.3.19045.0 /Compress:fast /ConfigFile:C:\media-runtime\WimScript.ini /CheckIntegrity /Verify";
    let drvload = r"drvload.exe C:\media-runtime\drivers\vmd\vmd.inf";
    let expected = [
        drvload,
        load,
        unload,
        // Whether the service of an earlier run is in it: which set of services counts, and the service.
        load_system,
        unload,
        load_system,
        unload,
        // What kind of Windows it is, and the certificates of a ConfigMgr client.
        load,
        unload,
        capture,
        "wpeutil.exe shutdown",
    ];
    assert_eq!(machine.calls(), expected, "{log}");
    let captures = machine.volume("data").join("captures");
    judge_metadata(&captures.join("a.wim"));
    assert!(captures.join("a.wim.sha256").exists());
    for call in expected.iter().filter(|call| !call.contains("Windows reference")) {
        assert!(
            log.contains(&format!("running: {call}")),
            "{call} is not in the log: {log}"
        );
    }
    has_what_the_capture_reads(&log);
}

/// The longest call is typed with quotes, and the file that it reads goes with it.
fn has_what_the_capture_reads(log: &str) {
    assert!(
        log.contains(r"running: dism.exe /English /Capture-Image /ImageFile:E:\captures\a.wim.partial.wim"),
        "{log}"
    );
    for line in ["[ExclusionList]", r"\pagefile.sys"] {
        assert!(
            log.contains(&format!("[LOG[  {line}]LOG]")),
            "{line} is not in the log: {log}"
        );
    }
}

/// It begins as Windows writes it when it goes to sleep, and wakes up from it.
#[test]
fn a_windows_that_sleeps_is_not_captured() {
    let steps = step("prepare-client-for-capture", "")
        + &step("prepare-os-for-capture", "")
        + &step(
            "capture-operating-system-image",
            "destination = \"media:captures/a.wim\"",
        );
    let machine = Machine::in_winpe(&steps);
    let sleep = machine.volume("windows").join("hiberfil.sys");
    fs::write(sleep, [&b"hibr"[..], &[0; 4092]].concat()).expect("a file");
    machine.runs_in_winpe_until("holds a Windows that sleeps");
    let log = machine.log();
    assert!(
        log.contains("holds a Windows that sleeps (hibernation, or a shutdown with fast startup)"),
        "{log}"
    );
    let calls = machine.calls();
    assert!(
        !calls.iter().any(|call| call.starts_with("dism.exe")),
        "{calls:?}"
    );
    assert!(!machine.volume("data").join("captures/a.wim").exists());
}

#[test]
fn an_applied_windows_is_told_its_settings_and_made_to_start_by_its_own_programs() {
    let steps = step("apply-os-settings", "computer-name = \"REFERENCE\"")
        + &step(
            "apply-network-settings",
            "join = \"workgroup\"\nworkgroup = \"BUILD\"",
        )
        + &step("setup-os", "");
    let machine = Machine::in_winpe_after_the_image(&steps);
    let output = machine.runs_in_winpe(PATIENCE);
    let log = machine.log();
    assert!(output.status.success(), "{output:?}\n{log}");
    let hive = r"reg.exe load HKLM\media-runtime-offline W:\Windows\System32\config\SYSTEM";
    let unload = r"reg.exe unload HKLM\media-runtime-offline";
    let expected = [
        r"bcdboot.exe W:\Windows /s S: /f UEFI /l nl-NL",
        hive,
        unload,
        &format!("{hive}.media-runtime"),
        unload,
        "wpeutil.exe reboot",
    ];
    assert_eq!(machine.calls(), expected, "{log}");
    for call in expected.iter().filter(|call| !call.starts_with("bcdboot")) {
        assert!(
            log.contains(&format!("running: {call}")),
            "{call} is not in the log: {log}"
        );
    }
    assert!(
        log.contains(r"running: W:\Windows\System32\bcdboot.exe W:\Windows /s S:"),
        "{log}"
    );
    let windows = machine.volume("windows");
    let answers = fs::read_to_string(windows.join("Windows/Panther/Unattend/Unattend.xml"));
    let answers = answers.expect("an answer file");
    for told in ["<ComputerName>REFERENCE<", "<JoinWorkgroup>BUILD<"] {
        assert!(answers.contains(told), "{told}: {answers}");
    }
    for planted in [
        "ProgramData/media-runtime/media-runtime.exe",
        "ProgramData/media-runtime/media-id",
        "Windows/Setup/Scripts/SetupComplete.cmd",
    ] {
        assert!(windows.join(planted).exists(), "{planted}");
    }
    assert!(
        !windows
            .join("Windows/System32/config/SYSTEM.media-runtime")
            .exists()
    );
    assert_eq!(machine.journal()["progress"]["restart"], "os");
    assert_eq!(machine.next(), Some(Next::Os));
}

#[test]
fn on_a_bios_windows_is_made_to_start_by_its_boot_manager_for_one() {
    let machine = Machine::in_winpe_after_the_image(&step("setup-os", ""));
    machine.set_value(CONTROL, "PEFirmwareType", "REG_DWORD", "1");
    let output = machine.runs_in_winpe(PATIENCE);
    let log = machine.log();
    assert!(output.status.success(), "{output:?}\n{log}");
    let called = r"bcdboot.exe W:\Windows /s S: /f BIOS /l nl-NL";
    assert!(machine.calls().iter().any(|call| call == called), "{log}");
    let state = fs::read(machine.esp(&paths::state(MEDIA))).expect("the boot state");
    let state = BootState::decode(&state).expect("a block");
    assert_eq!(state.variables["loader"], "/bootmgr");
    assert_eq!(state.next(), Some(Next::Os));
}

/// Firmware has started the media although Windows was to go on.
#[test]
fn a_windows_that_was_to_go_on_is_started_again_and_nothing_else_is_done() {
    let steps = step("set-variables", "variables = { DONE = \"here\" }");
    let machine = Machine::in_winpe_after_the_image(&steps);
    machine.make_boot_partition(&steps, true);
    let output = machine.runs_in_winpe(PATIENCE);
    assert!(output.status.success(), "{output:?}\n{}", machine.log());
    assert_eq!(machine.calls(), ["wpeutil.exe reboot"], "{}", machine.log());
    let journal = machine.journal();
    assert_eq!(journal["progress"]["restart"], "os");
    assert!(journal["variables"]["DONE"].is_null(), "{journal}");
    assert_eq!(machine.next(), Some(Next::Os));
}

/// Wine shows no disks, so what comes before their selection is all that can be seen of it here. The runtime waits at its end:
/// Windows PE would restart the machine.
#[test]
fn a_disk_that_is_not_there_is_told_before_anything_is_changed() {
    let erases = step(
        "format-and-partition-disk",
        "erase-existing = true\ndisk = { number = 0 }",
    );
    let machine =
        Machine::in_winpe(&(step("run-command-line", "command = 'echo x> C:\\made.txt'") + &erases));
    machine.set_value(CONTROL, "PEFirmwareType", "REG_DWORD", "2");
    machine.runs_in_winpe_until("no disk");
    let log = machine.log();
    assert!(log.contains("before anything was changed"), "{log}");
    assert!(log.contains("step \"format-and-partition-disk\": "), "{log}");
    assert!(log.contains("no disk"), "{log}");
    assert!(machine.calls().is_empty() && !machine.c("made.txt").exists());
}

/// The log itself lies on a disk in memory, which is gone when the machine is switched off.
#[test]
fn a_start_that_fails_says_where_its_log_is_and_where_the_copy_is() {
    let machine = Machine::in_winpe(&step("set-variables", "variables = { DONE = \"here\" }"));
    let sequence = machine.media(&format!("{}/main.toml", paths::SEQUENCES));
    fs::write(sequence, "another").expect("damaging the media");
    let copy = "logs/failed_start/smsts.log";
    let last = format!("Copy:   {copy} on the media\n");
    let said = machine.runs_in_winpe_until(&last);
    let log = r"Log:    C:\media-runtime\log\smsts.log, in memory until the machine is switched off";
    assert!(said.contains("THE TASK SEQUENCE HAS FAILED\nReason: "), "{said}");
    assert!(said.contains("differs from what was built"), "{said}");
    assert!(said.ends_with(&format!("{log}\n{last}")), "{said}");
    let copied = fs::read_to_string(machine.volume("data").join(copy)).expect("the copy");
    assert!(copied.contains("differs from what was built"), "{copied}");
}
