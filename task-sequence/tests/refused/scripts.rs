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
        ["editor", "reader", "silent", "suite", "tool"]
    );
    let moves = step("restart-computer", "target = 'os'")
        + &script(r#"echo "SMSTSRebootRequested=WinPE" >>"$SMSTS_VARIABLES_FILE""#)
        + &step("apply-data-image", "package = 'debian'");
    assert_eq!(found("linux", &moves, &media()), "");
}
