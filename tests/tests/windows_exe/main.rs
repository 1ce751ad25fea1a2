//! `media-runtime.exe` under Wine: what it does inside Windows, as far as Wine plays one. `make windows` makes the program.
#![allow(unreachable_pub)] // A module of a test program has no outside.

mod accounts;
mod machine;
mod start;
mod wine;
mod winpe;

use std::fs;

use machine::{Content, Machine, SETUP, content};
use media_format::manifest::{Install, PackageKind};
use media_format::state::Next;

fn step(kind: &str, rest: &str) -> String {
    format!("[[steps]]\ntype = \"{kind}\"\nname = \"{kind}\"\n{rest}\n")
}

#[test]
fn the_program_says_its_version_and_refuses_what_it_does_not_know() {
    let machine = Machine::with(&step("restart-computer", "target = \"pe\""), vec![]);
    let version = machine.runtime("--version");
    let expected = format!("media-runtime {}", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8_lossy(&version.stdout).trim(), expected);
    assert_eq!(machine.runtime("nonsense").status.code(), Some(2));
}

#[test]
fn the_service_waits_for_set_up_and_goes_on_with_the_run() {
    let steps = step(
        "run-command-line",
        "command = 'echo said by cmd> C:\\made.txt & echo out'\noutput-variable = \"SAID\"",
    ) + &step("restart-computer", "target = \"pe\"");
    let mut machine = Machine::with(&steps, vec![]);
    machine.set_value(SETUP, "OOBEInProgress", "REG_DWORD", "1");
    machine.enter_service();
    machine.start();
    std::thread::sleep(std::time::Duration::from_secs(5));
    assert_eq!(
        machine.journal()["progress"]["position"],
        0,
        "Windows is not set up yet"
    );
    for said in ["setup-called", "setup-complete"] {
        assert!(machine.runtime(said).status.success());
    }
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(
        machine.journal()["progress"]["position"],
        0,
        "set-up still runs by its notes"
    );
    machine.set_value(SETUP, "OOBEInProgress", "REG_DWORD", "0");
    let told = machine.until_shutdown();
    assert!(told.starts_with("/r"), "{told}");
    assert_eq!(
        fs::read_to_string(machine.c("made.txt"))
            .expect("made by the step")
            .trim(),
        "said by cmd"
    );
    let journal = machine.journal();
    assert_eq!(journal["variables"]["SAID"], "out");
    assert_eq!(journal["variables"]["_SMSTSInWinPE"], "false");
    assert_eq!(journal["progress"]["restart"], "pe");
    assert_eq!(machine.next(), Some(Next::Pe));
    assert!(machine.log().contains("next: pe"), "{}", machine.log());
}

/// An application that is installed by that command line in a folder with those files.
fn application(id: &str, line: &str, files: &[(&str, &[u8])]) -> Content {
    let mut content = content(id, PackageKind::Application, files);
    content.package.install = Some(Install::Command(line.into()));
    content
}

/// A Windows Installer package with one file, made by wixl.
fn msi() -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let source = include_str!("tool.wxs");
    fs::write(folder.path().join("tool.wxs"), source).expect("the source");
    fs::write(folder.path().join("hello.txt"), "installed by msiexec").expect("the file");
    let output = std::process::Command::new("wixl")
        .args(["-o", "tool.msi", "tool.wxs"])
        .current_dir(folder.path())
        .output();
    let output = output.expect("wixl (make setup installs it)");
    assert!(output.status.success(), "{output:?}");
    fs::read(folder.path().join("tool.msi")).expect("the package")
}

/// The package of Windows Installer, with a property of its own.
fn tool() -> Content {
    let mut content = content("tool", PackageKind::Application, &[("tool.msi", &msi())]);
    content.package.install = Some(Install::Windows(vec!["tool.msi".into()]));
    content
}

#[test]
fn applications_that_ask_for_a_restart_get_it_and_the_list_goes_on() {
    let steps = step(
        "install-applications",
        "applications = [\"tool\", \"restarts\", \"has-begun-one\", \"last\"]",
    ) + &step("restart-computer", "target = \"pe\"");
    let packages = vec![
        tool(),
        application(
            "restarts",
            "echo x>> C:\\counted.txt & exit /b 3010",
            &[("readme", b"x")],
        ),
        // As Windows Installer ends that has begun a restart by itself.
        application("has-begun-one", "exit /b 1641", &[("readme", b"x")]),
        application(
            "last",
            "type note.txt > C:\\last.txt",
            &[("note.txt", b"the last one")],
        ),
    ];
    let mut machine = Machine::with(&steps, packages);
    machine.goes_on();
    assert!(machine.until_shutdown().starts_with("/r"));
    let installed = machine.c("Program Files/Tool/hello.txt");
    assert_eq!(
        fs::read_to_string(installed).expect("installed"),
        "installed by msiexec"
    );
    let journal = machine.journal();
    assert_eq!(
        (&journal["progress"]["restart"], &journal["progress"]["part"]),
        (&"os".into(), &1.into())
    );
    assert!(!machine.c("last.txt").exists(), "the restart comes first");

    machine.goes_on();
    assert!(machine.until_shutdown().starts_with("/r"));
    assert_eq!(machine.journal()["progress"]["restart"], "os");
    assert!(!machine.c("last.txt").exists(), "so does the second one");

    machine.goes_on();
    machine.until_shutdown();
    assert_eq!(
        fs::read_to_string(machine.c("last.txt")).expect("installed"),
        "the last one"
    );
    assert_eq!(
        fs::read_to_string(machine.c("counted.txt"))
            .expect("counted")
            .lines()
            .count(),
        1
    );
    let journal = machine.journal();
    assert_eq!(journal["variables"]["_TSAppInstallStatus"], "Success");
    assert_eq!(machine.next(), Some(Next::Pe));
}

#[test]
fn conditions_ask_the_registry_and_a_time_limit_ends_what_a_program_has_started() {
    let key = r"HKLM\SOFTWARE\Example";
    let held = format!(
        "when = {{ registry = '{key}', value = \"Number\", value-type = \"REG_DWORD\", equals = 7 }}"
    );
    let missed = format!("when = {{ registry = '{key}', value = \"Other\", exists = true }}");
    // What outlives its starter would write long after the limit.
    let slow = r"command = 'start /b cmd /c ping -n 12 127.0.0.1 ^>nul ^& echo late^> C:\late.txt & ping -n 60 127.0.0.1 >nul'";
    let steps = step(
        "set-variables",
        &format!("{held}\nvariables = {{ HELD = \"yes\" }}"),
    ) + &step(
        "set-variables",
        &format!("{missed}\nvariables = {{ MISSED = \"yes\" }}"),
    ) + &step(
        "run-command-line",
        &format!("{slow}\ntimeout = \"4 s\"\ncontinue-on-error = true"),
    ) + &step("run-command-line", "command = 'ping -n 14 127.0.0.1 >nul'")
        + &step("restart-computer", "target = \"pe\"");
    let mut machine = Machine::with(&steps, vec![]);
    machine.set_value(key, "Number", "REG_DWORD", "7");
    machine.goes_on();
    machine.until_shutdown();
    let journal = machine.journal();
    assert_eq!(journal["variables"]["HELD"], "yes");
    assert!(journal["variables"]["MISSED"].is_null(), "{journal}");
    assert!(machine.log().contains("time limit"), "{}", machine.log());
    assert!(!machine.c("late.txt").exists(), "the child went on");
}

#[test]
fn sysprep_that_says_it_succeeded_and_has_not_fails_the_run() {
    let steps = step("prepare-os-for-capture", "");
    let machine = Machine::with(&steps, vec![]);
    // Wine has no sysprep; this one ends with 0 and does nothing.
    let folder = machine.c("windows/system32/sysprep");
    fs::create_dir_all(&folder).expect("a folder");
    fs::copy(
        machine.c("windows/system32/whoami.exe"),
        folder.join("sysprep.exe"),
    )
    .expect("a program");
    let output = machine.runtime("continue");
    assert_eq!(output.status.code(), Some(1));
    let log = machine.log();
    assert!(
        log.contains("Windows is not generalized although sysprep has ended with 0"),
        "{log}"
    );
    assert_eq!(machine.next(), None, "a failed run leads nowhere");
}

#[test]
fn a_member_of_a_domain_and_an_app_of_one_user_are_refused_before_sysprep_starts() {
    let machine = Machine::with(&step("prepare-os-for-capture", ""), vec![]);
    machine.joins_a_domain_and_gets_an_app();
    let output = machine.runtime("continue");
    assert_eq!(output.status.code(), Some(1));
    let log = machine.log();
    for part in [
        "the machine is a member of domain corp.example",
        "join-domain-or-workgroup",
        "provisioned for all: Contoso.Notes_1.0.0.0_x64__8wekyb3d8bbwe",
        "Remove-AppxPackage",
    ] {
        assert!(log.contains(part), "{part}: {log}");
    }
    assert!(!log.contains("sysprep ended"), "{log}");
    assert_eq!(machine.next(), None, "a failed run leads nowhere");
}
