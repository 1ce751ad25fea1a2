//! Scripts and commands: what runs them, as whom, and what they may do to the run.

use task_sequence::MediaFacts;

use crate::media::{found, ids, media, step, with_variables};

#[test]
fn a_script_needs_its_interpreter() {
    let script = |target: &str, settings: &str| {
        step("restart-computer", &format!("target = '{target}'")) + &step("run-script", settings)
    };
    let inline = "interpreter = 'powershell'\ninline = 'x'";
    let file = "package = 'tool'\nfile = 'Scripts/Go.ps1'";
    for settings in [inline, file] {
        for system in ["linux", "windows"] {
            let said = found(system, &script("pe", settings), &media());
            assert!(said.contains("Linux PE does not have"), "{said}");
        }
        assert_eq!(found("windows", &script("os", settings), &media()), "");
    }
    let sh = "package = 'tool'\nfile = 'run.sh'";
    assert_eq!(found("windows", &script("pe", sh), &media()), "");
    assert!(found("windows", &script("os", sh), &media()).contains("write it for PowerShell"));
    let winpe = MediaFacts {
        winpe: true,
        ..media()
    };
    assert_eq!(found("windows", &script("pe", inline), &winpe), "");
    assert!(found("windows", &script("pe", sh), &winpe).contains("write it for PowerShell"));
    // What the step says counts, and not the name of its file.
    let said = format!("{file}\ninterpreter = 'sh'");
    assert_eq!(found("linux", &script("pe", &said), &media()), "");
    assert!(found("windows", &script("os", &said), &media()).contains("write it for PowerShell"));
}

#[test]
fn windows_runs_a_program_as_an_account_only_with_its_password() {
    let programs = [
        ("run-command-line", "command = 'x'"),
        ("run-script", "interpreter = 'powershell'\ninline = 'x'"),
    ];
    let mut with_secret = media();
    with_secret.secrets.insert("p".into());
    for (type_name, program) in programs {
        let said = |system: &str, settings: &str| {
            let settings = format!("{program}\n{settings}");
            found(system, &step(type_name, &settings), &with_secret)
        };
        assert!(said("windows", "account = 'a'").contains("`password` is missing"));
        assert!(said("windows", "password = '%P%'").contains("no effect without `account`"));
        assert_eq!(said("windows", "account = 'd\\a'\npassword = '%P%'"), "");
        assert_eq!(said("linux", "account = 'a'"), "");
    }
    let in_the_clear = step("run-command-line", "command = 'x'\naccount = 'a'\npassword = 'p'");
    let said = found("windows", &in_the_clear, &media());
    assert!(said.contains("whoever finds the media can read it"), "{said}");
}

#[test]
fn a_boot_image_has_no_accounts() {
    let script = |target: &str, step: &str| {
        format!(
            "[[steps]]\ntype = 'restart-computer'\ntarget = '{target}'\n[[steps]]\n{step}\naccount = 'builder'\n"
        )
    };
    for step in [
        "type = 'run-command-line'\ncommand = 'true'",
        "type = 'run-script'\ninline = 'true'\ninterpreter = 'sh'",
    ] {
        let said = found("linux", &script("pe", step), &media());
        assert!(said.contains("which has no accounts"), "{said}");
        assert_eq!(found("linux", &script("os", step), &media()), "");
    }
    let step = "type = 'run-command-line'\ncommand = 'x'\npassword = '%P%'";
    let winpe = MediaFacts {
        winpe: true,
        secrets: ["p".to_owned()].into(),
        ..media()
    };
    let said = found("windows", &script("pe", step), &winpe);
    assert!(said.contains("which has no accounts"), "{said}");
    assert_eq!(found("windows", &script("os", step), &winpe), "");
}

#[test]
fn scripts_may_set_variables_and_restart_the_machine() {
    let script = |line: &str| step("run-script", &format!("interpreter = 'sh'\ninline = '{line}'"));
    let sets = script(r#"echo "OSDCaptureDestination=media:a.wim" >>"$SMSTS_VARIABLES_FILE""#);
    let capture = step("capture-operating-system-image", "");
    assert!(!found("linux", &(sets + &capture), &media()).contains("is missing"));
    let sets = script(r#"echo "IMAGE=debian" >>"$SMSTS_VARIABLES_FILE""#);
    let apply = step("apply-operating-system-image", "package = '%IMAGE%'");
    let known = with_variables(&[("IMAGE", "debian")]);
    assert_eq!(ids(&(sets + &apply), &known), ["debian", "windows"]);
    let unseen = step("run-script", "package = 'tool'\nfile = 'run.sh'");
    let said = found("linux", &(unseen.clone() + &capture), &media());
    assert!(
        said.contains("else a script has to set OSDCaptureDestination") && !said.contains("error: "),
        "{said}"
    );
    let named = step("apply-os-settings", "registered-user = '%Nope%'");
    assert_eq!(found("linux", &(unseen.clone() + &named), &media()), "");
    let list = unseen + &step("install-applications", "base-variable = 'NONE'");
    assert_eq!(
        ids(&list, &media()),
        ["editor", "reader", "silent", "suite", "tool", "viewer"]
    );
    let moves = step("restart-computer", "target = 'os'")
        + &script(r#"echo "SMSTSRebootRequested=WinPE" >>"$SMSTS_VARIABLES_FILE""#)
        + &step("apply-data-image", "package = 'debian'");
    assert_eq!(found("linux", &moves, &media()), "");
}
