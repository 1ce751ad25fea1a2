//! Settings and variables that nothing follows.

use crate::media::{found, media, step, with_variables};

#[test]
fn settings_without_effect_are_refused_and_those_that_say_what_happens_anyway_are_not() {
    let cases = [
        (
            "prepare-os-for-capture",
            "sysprep-package = 'tool'",
            "`sysprep-package`",
        ),
        (
            "run-command-line",
            "command = 'x'\naccount = 'a'\npassword = '%P%'",
            "`password`",
        ),
        (
            "run-script",
            "interpreter = 'sh'\ninline = 'x'\npassword = '%P%'",
            "`password`",
        ),
    ];
    for (type_name, settings, wanted) in cases {
        let said = found("linux", &step(type_name, settings), &media());
        assert!(
            said.contains("error: ") && said.contains(wanted),
            "{wanted}: {said}"
        );
    }
    let disk = "boot-disk = true\npartitions = [{ kind = 'primary', size = 'rest', bootable = false }]";
    assert_eq!(
        found("linux", &step("format-and-partition-disk", disk), &media()),
        ""
    );
    for shut_down in ["shut-down = false", "shut-down = true"] {
        let prepare = step("prepare-os-for-capture", shut_down);
        assert_eq!(found("linux", &prepare, &media()), "", "{shut_down}");
    }
}

#[test]
fn what_sequences_of_configmgr_say_and_no_run_needs_is_a_warning_at_most() {
    let capture =
        |root: &str| format!("destination = 'media:x.wim'\nimage-name = 'x'\nsystem-root = '{root}'");
    let prepared = step("prepare-os-for-capture", "");
    let captures = |root: &str| prepared.clone() + &step("capture-operating-system-image", &capture(root));
    let disk = |settings: &str| step("format-and-partition-disk", settings);
    let partition = |kind: &str| {
        disk(&format!(
            "partitions = [{{ kind = '{kind}', size = '512 MB', bootable = true }}, {{ kind = 'primary', size = 'rest' }}]"
        ))
    };
    for (text, wanted) in [
        (disk("boot-disk = false"), "`boot-disk`"),
        (disk("efi-volume = 'S:'"), "`efi-volume`"),
        (partition("primary"), "`bootable`"),
        (captures("E:\\System"), "`system-root`"),
    ] {
        let said = found("windows", &text, &media());
        assert!(
            said.contains(wanted) && said.lines().count() == 1,
            "{wanted}: {said}"
        );
        assert!(said.starts_with("warning: "), "{said}");
    }
    for text in [
        partition("efi"),
        captures("C:\\Windows"),
        captures("d:\\WINDOWS\\"),
    ] {
        assert_eq!(found("windows", &text, &media()), "", "{text}");
    }
}

#[test]
fn the_drive_for_downloads_is_pointed_out_once_wherever_it_is_set() {
    let does = step("run-command-line", "command = 'x'");
    let sets = step("set-variables", "variables = { smstslocaldatadrive = 'D:' }");
    let rule = "rules = [{ make = 'Dell*', variables = { SMSTSLocalDataDrive = 'D:' } }]";
    let of_sequence = format!("variables = {{ SMSTSLocalDataDrive = 'D:' }}\n{does}");
    let of_media = with_variables(&[("SMSTSLocalDataDrive", "D:")]);
    for (text, media) in [
        (sets, media()),
        (step("set-variables", rule), media()),
        (of_sequence, media()),
        (does.clone(), of_media),
    ] {
        let said = found("windows", &text, &media);
        assert!(
            said.starts_with("warning: ") && said.contains("`SMSTSLocalDataDrive` is not looked at"),
            "{text}: {said}"
        );
        assert_eq!(said.lines().count(), 1, "{text}: {said}");
    }
    assert_eq!(found("windows", &does, &media()), "");
}

#[test]
fn variables_that_ask_for_something_without_effect_are_seen_too() {
    let disk = step("format-and-partition-disk", "");
    let media = with_variables(&[
        ("OSDGPTBootDisk", "false"),
        ("TSUEFIDrive", "S:"),
        ("OSDPartitions", "1"),
        ("OSDPartitions0Type", "Hidden"),
        ("OSDPartitions0Bootable", "TRUE"),
    ]);
    let said = found("linux", &disk, &media);
    for part in ["OSDGPTBootDisk", "TSUEFIDrive", "OSDPartitions#Bootable"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn only_steps_that_look_whether_their_work_is_done_are_asked_to() {
    let said = |type_name: &str, settings: &str| {
        let settings = format!("after-cut = 'probe'\n{settings}");
        found("linux", &step(type_name, &settings), &media())
    };
    for (type_name, settings) in [
        ("run-command-line", "command = 'x'"),
        ("install-package", "package = 'tool'\nprogram = 'setup'"),
        ("restart-computer", "target = 'pe'"),
    ] {
        let said = said(type_name, settings);
        assert!(
            said.contains("error: ")
                && said.contains("`after-cut`: a step of type")
                && said.contains("\"repeat\""),
            "{said}"
        );
    }
    for (type_name, settings) in [
        ("setup-os", ""),
        ("install-applications", "applications = ['editor']"),
        ("join-domain-or-workgroup", "join = 'workgroup'\nworkgroup = 'w'"),
        ("prepare-os-for-capture", ""),
    ] {
        assert_eq!(said(type_name, settings), "", "{type_name}");
    }
}
