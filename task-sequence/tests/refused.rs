//! What a machine would refuse, or pass over without a word, is found before a machine is touched.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use task_sequence::{
    Installation, MediaFacts, PackageFacts, PackageId, PackageKind, TaskSequence, parse, referenced_packages,
    render, validate,
};

fn read(system: &str, text: &str) -> TaskSequence {
    let text = format!("name = 's'\noperating-system = '{system}'\n{text}");
    parse("sequence.toml", &text).unwrap_or_else(|found| panic!("{}", render(&found)))
}

fn package(kind: PackageKind, installation: Installation, files: &[&str]) -> PackageFacts {
    PackageFacts {
        kind: Some(kind),
        installation: Some(installation),
        files: Some(files.iter().map(|file| (*file).to_owned()).collect()),
        ..PackageFacts::default()
    }
}

fn media() -> MediaFacts {
    let programs = [("setup", "setup.exe /q"), ("remove", "setup.exe /x")];
    let programs = programs.map(|(name, line)| (name.to_owned(), line.to_owned()));
    let packages = [
        ("debian", package(PackageKind::Image, Installation::None, &[])),
        ("windows", package(PackageKind::Image, Installation::None, &[])),
        (
            "editor",
            package(PackageKind::Application, Installation::Debian, &[]),
        ),
        (
            "reader",
            package(PackageKind::Application, Installation::Windows, &[]),
        ),
        (
            "silent",
            package(PackageKind::Application, Installation::None, &[]),
        ),
        (
            "suite",
            PackageFacts {
                depends: vec![PackageId::new("Silent")],
                ..package(PackageKind::Application, Installation::Debian, &[])
            },
        ),
        (
            "tool",
            PackageFacts {
                programs: Some(programs.into()),
                ..package(
                    PackageKind::Package,
                    Installation::None,
                    &["run.sh", "Scripts/Go.ps1"],
                )
            },
        ),
        (
            "debs",
            package(
                PackageKind::Updates,
                Installation::None,
                &["Packages.xz", "a.deb"],
            ),
        ),
        (
            "msus",
            package(PackageKind::Updates, Installation::None, &["optional/a.MSU"]),
        ),
    ];
    MediaFacts {
        packages: packages
            .into_iter()
            .map(|(id, facts)| (PackageId::new(id), facts))
            .collect(),
        ..MediaFacts::default()
    }
}

fn with_variables(variables: &[(&str, &str)]) -> MediaFacts {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    MediaFacts {
        variables: variables.collect::<BTreeMap<_, _>>(),
        ..media()
    }
}

fn found(system: &str, text: &str, media: &MediaFacts) -> String {
    let problems = validate(&read(system, text), media);
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

fn step(type_name: &str, settings: &str) -> String {
    format!("[[steps]]\ntype = '{type_name}'\n{settings}\n")
}

#[test]
fn variables_and_secrets_of_the_media_fill_settings() {
    let steps = step("restart-computer", "")
        + &step(
            "join-domain-or-workgroup",
            "join = 'domain'\ndomain = 'd.example'",
        )
        + &step("restart-computer", "target = 'pe'")
        + &step("prepare-client-for-capture", "");
    let capture = step("capture-operating-system-image", "");
    let missing = found("linux", &(steps.clone() + &capture), &media());
    for part in ["no `target`", "`account` is missing", "`destination` is missing"] {
        assert!(missing.contains(part), "{missing}");
    }
    let mut media = with_variables(&[
        ("SMSRebootTarget", "os"),
        ("OSDCaptureDestination", "media:a.wim"),
    ]);
    media.secrets.insert("osdjoinaccount".into());
    let given = found("linux", &(steps + &capture), &media);
    for part in ["no `target`", "is missing"] {
        assert!(!given.contains(part), "{given}");
    }
    let output = step(
        "run-command-line",
        "command = 'x'\noutput-variable = 'OSDCaptureDestination'",
    );
    let given = found("linux", &(output + &capture), &media);
    assert!(!given.contains("is missing"), "{given}");
}

#[test]
fn the_value_of_the_media_counts_more_than_that_of_the_sequence() {
    let text = format!(
        "variables = {{ OSDComputerName = 'GOOD' }}\n{}",
        step("apply-os-settings", "")
    );
    let media = with_variables(&[("osdcomputername", "NOT_GOOD")]);
    assert!(found("linux", &text, &media).contains("`NOT_GOOD` has `_` in it"));
    assert_eq!(found("linux", &text, &self::media()), "");
}

fn ids(text: &str, media: &MediaFacts) -> Vec<String> {
    let needed = referenced_packages(&read("linux", text), media);
    needed.iter().map(ToString::to_string).collect()
}

#[test]
fn packages_behind_variables_travel() {
    let apply = step("apply-operating-system-image", "package = '%IMAGE%'");
    let media = with_variables(&[("Image", "debian")]);
    assert_eq!(ids(&apply, &media), ["debian"]);
    assert_eq!(found("linux", &apply, &media), "");
    let choose = step("set-variables", "variables = { IMAGE = 'windows' }") + &apply;
    assert_eq!(ids(&choose, &media), ["debian", "windows"]);
    let wrong = step("set-variables", "variables = { IMAGE = 'widnows' }") + &apply;
    assert!(found("linux", &wrong, &media).contains("did you mean `windows`?"));
    let list = step("install-applications", "base-variable = 'APP'");
    let media = with_variables(&[("APP01", "editor"), ("APP02", "")]);
    let rule = "rules = [{ make = 'Dell*', variables = { APP03 = 'suite' } }]";
    assert_eq!(
        ids(&(step("set-variables", rule) + &list), &media),
        ["editor", "suite"]
    );
}

#[test]
fn what_only_the_run_knows_takes_all_of_the_kind_along() {
    let asks = step("run-command-line", "command = 'x'\noutput-variable = 'IMAGE'");
    let apply = asks + &step("apply-operating-system-image", "package = '%IMAGE%'");
    assert_eq!(ids(&apply, &media()), ["debian", "windows"]);
    let said = found("linux", &apply, &media());
    assert!(
        said.starts_with("warning: ") && said.contains("all packages of kind image travel (debian, windows)"),
        "{said}"
    );
    let list = step(
        "run-script",
        "interpreter = 'sh'\ninline = 'x'\noutput-variable = 'APP02'",
    ) + &step("install-applications", "base-variable = 'APP'");
    let media = with_variables(&[("APP01", "editor")]);
    assert_eq!(ids(&list, &media), ["editor", "reader", "silent", "suite"]);
    assert!(found("linux", &list, &media).contains("which package `%APP02%` is"));
    let drivers = step("apply-driver-package", "package = '%_SMSTSModel%'");
    assert!(found("windows", &drivers, &media).contains("the media has none of kind drivers"));
    let empty = step("install-applications", "base-variable = 'NONE'");
    assert!(found("linux", &empty, &media).contains("nothing gives `NONE01` a value"));
}

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
    let account = step("run-command-line", "command = 'x'\naccount = 'a'");
    assert_eq!(found("linux", &account, &media()), "");
    assert!(found("windows", &account, &media()).contains("run as SYSTEM"));
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
fn extended_logical_and_hidden_partitions_are_made_where_the_table_has_them() {
    let disk = |style: &str, partitions: &str| {
        // A semicolon stands between the settings of one partition.
        let one = |text: &str| format!("{{ {} }}", text.replace(';', ","));
        let list: Vec<String> = partitions.split(", ").map(one).collect();
        let settings = format!("{style}\npartitions = [{}]", list.join(", "));
        found("linux", &step("format-and-partition-disk", &settings), &media())
    };
    let (any, gpt, mbr) = ("", "style = 'gpt'", "style = 'mbr'");
    let primary = "kind = 'primary'; size = '10%'";
    let extended = "kind = 'extended'; size = 'rest'";
    let logical = "kind = 'logical'; size = '1 GB'";
    let hidden = "kind = 'hidden'; size = '1 GB'";
    let with = |kind: &str, setting: &str| format!("{kind}; {setting}");
    let list = |all: &[&str]| all.join(", ");
    let six = list(&[primary, primary, extended, logical, logical, logical]);
    let rest = "kind = 'logical'; size = 'rest'";
    for (style, partitions, wanted) in [
        (any, list(&[extended, logical, rest]), ""),
        (mbr, six.clone(), ""),
        (gpt, hidden.to_owned(), ""),
        (mbr, list(&[hidden, extended, logical]), ""),
        (gpt, list(&[extended, logical]), "exist only on MBR disks"),
        (mbr, list(&[primary, six.as_str()]), "has room for 3 partitions"),
        (
            any,
            list(&[logical, extended]),
            "directly behind a partition of the kind `extended`",
        ),
        (
            any,
            list(&[extended, logical, primary, logical]),
            "directly behind",
        ),
        (
            any,
            list(&[extended, logical, "kind = 'extended'; size = '1 GB'"]),
            "one `extended` partition at most",
        ),
        (
            any,
            list(&[extended, rest, rest]),
            "rest of the extended partition",
        ),
        (
            any,
            with(extended, "file-system = 'ntfs'"),
            "holds nothing but the logical ones",
        ),
        (
            any,
            with(extended, "label = 'X'"),
            "holds nothing but the logical ones",
        ),
        (any, with(hidden, "mount-point = '/home'"), "is mounted nowhere"),
    ] {
        let said = disk(style, &partitions);
        assert!(
            said.contains(wanted) && said.is_empty() == wanted.is_empty(),
            "{partitions}: {said}"
        );
    }
}

#[test]
fn a_run_has_one_target_disk() {
    let disk = |when: &str| step("format-and-partition-disk", when);
    let uefi = "when = { firmware = 'uefi' }";
    let bios = "when = { firmware = 'bios' }";
    for (first, second, good) in [
        ("", "", false),
        (uefi, "", false),
        (uefi, uefi, false),
        (uefi, bios, true),
        ("", "disabled = true", true),
    ] {
        let said = found("linux", &(disk(first) + &disk(second)), &media());
        assert_eq!(
            !said.contains("one target disk"),
            good,
            "{first} / {second}: {said}"
        );
    }
    let group = "[[steps]]\ngroup = 'g'\nwhen = { firmware = 'uefi' }\n[[steps.steps]]\ntype = 'format-and-partition-disk'\n\
                 [[steps.steps]]\ntype = 'format-and-partition-disk'\n";
    assert!(found("linux", group, &media()).contains("one target disk"));
}

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

/// System, type of step, settings, and what is wrong with them.
const LOOKS: &[(&str, &str, &str, &str)] = &[
    (
        "linux",
        "install-package",
        "package = 'tool'\nprogram = 'stup'",
        "has no program `stup`: did you mean `setup`?",
    ),
    (
        "linux",
        "run-script",
        "package = 'tool'\nfile = 'rnu.sh'",
        "has no file `rnu.sh`: did you mean `run.sh`?",
    ),
    (
        "linux",
        "run-script",
        "package = 'tool'\nfile = 'scripts/go.ps1'",
        "has no file",
    ),
    (
        "linux",
        "run-script",
        "package = 'tool'\nfile = 'a/../../run.sh'",
        "does not lie in the package",
    ),
    (
        "linux",
        "run-script",
        "package = 'tool'\nfile = '/bin/run.sh'",
        "does not lie in the package",
    ),
    (
        "linux",
        "install-applications",
        "applications = ['silent']",
        "does not say how",
    ),
    (
        "linux",
        "install-applications",
        "applications = ['suite']",
        "package `Silent` does not say how",
    ),
    (
        "linux",
        "install-applications",
        "applications = ['reader']",
        "installed by Windows",
    ),
    (
        "windows",
        "install-applications",
        "applications = ['editor']",
        "as Debian packages",
    ),
    ("linux", "install-updates", "packages = ['msus']", "has no index"),
    (
        "windows",
        "install-updates",
        "packages = ['debs']",
        "has no update",
    ),
];

#[test]
fn steps_find_in_packages_what_they_look_for() {
    for (system, type_name, settings, wanted) in LOOKS {
        let said = found(system, &step(type_name, settings), &media());
        assert!(
            said.contains("error: ") && said.contains(wanted),
            "{wanted}: {said}"
        );
    }
    for (system, type_name, settings) in [
        ("linux", "install-package", "package = 'tool'\nprogram = 'SETUP'"),
        ("linux", "run-script", "package = 'tool'\nfile = './run.sh'"),
        (
            "windows",
            "run-script",
            "package = 'tool'\nfile = 'scripts\\go.ps1'",
        ),
        ("linux", "install-applications", "applications = ['Editor']"),
        ("linux", "install-updates", "packages = ['debs']"),
        ("windows", "install-updates", "packages = ['msus']"),
    ] {
        assert_eq!(
            found(system, &step(type_name, settings), &media()),
            "",
            "{settings}"
        );
    }
}

#[test]
fn secrets_in_the_clear_are_pointed_out() {
    let step = step("set-variables", "variables = { OSDJoinPassword = 'canary' }");
    for text in [
        &step,
        "variables = { OSDJoinPassword = 'canary' }\n[[steps]]\ntype = 'prepare-client-for-capture'",
    ] {
        let said = found("linux", text, &media());
        assert!(
            said.starts_with("warning: ")
                && said.contains("secret `OSDJoinPassword`")
                && !said.contains("canary"),
            "{said}"
        );
    }
    let named = "variables = { OSDJoinPassword = '%TOKEN%' }\n[[steps]]\ntype = 'prepare-client-for-capture'";
    assert_eq!(found("linux", named, &media()), "");
}

fn asking(name: &str) -> MediaFacts {
    MediaFacts {
        secrets: [name.to_owned()].into(),
        asked: [name.to_owned()].into(),
        ..media()
    }
}

#[test]
fn nobody_is_asked_in_a_windows_that_the_run_has_started() {
    let uses = |settings: &str| step("run-command-line", &format!("command = 'x %TOKEN%'\n{settings}"));
    let set_up = step("setup-os", "");
    let away = step("restart-computer", "target = 'pe'");
    let made = step("set-variables", "variables = { Made = 'x%Token%' }");
    let decides = uses("when = { variable = 'TOKEN', equals = 'x' }");
    for (steps, good) in [
        (uses(""), true),
        (uses("") + &set_up, true),
        (set_up.clone() + &uses(""), false),
        (set_up.clone() + &away + &uses(""), true),
        (set_up.clone() + &uses("disabled = true"), true),
        (made.clone() + &set_up, false),
        (set_up.clone() + &away + &made, true),
        (decides.clone(), true),
        (decides + &set_up, false),
        (
            step(
                "setup-os",
                "client-package = 'tool'\nclient-properties = '%Token%'",
            ),
            false,
        ),
        // Somebody has started the run in this Windows.
        (step("prepare-client-for-capture", "") + &uses(""), true),
    ] {
        let said = found("windows", &steps, &asking("Token"));
        assert_eq!(!said.contains("nobody can be asked"), good, "{steps}: {said}");
        let said = found("linux", &steps, &asking("Token"));
        assert!(!said.contains("nobody can be asked"), "{said}");
    }
}

#[test]
fn the_secrets_of_packages_and_of_first_variables_are_asked_for_in_windows_too() {
    let mut media = asking("Token");
    let reader = media.packages.get_mut(&PackageId::new("reader")).unwrap();
    reader.installation = Some(Installation::Command("setup /key %TOKEN%".into()));
    let install = step("setup-os", "") + &step("install-applications", "applications = ['reader']");
    let said = found("windows", &install, &media);
    assert!(said.contains("nobody can be asked"), "{said}");
    let text = format!("variables = {{ Key = '%token%' }}\n{}", step("setup-os", ""));
    let said = found("windows", &text, &asking("Token"));
    assert!(said.contains("a condition or variable of it"), "{said}");
}

#[test]
fn a_name_that_nothing_gives_a_value_is_pointed_out() {
    let media = with_variables(&[("ComputerRoom", "12")]);
    let named = |name: &str| step("apply-os-settings", &format!("registered-user = 'room {name}'"));
    for (name, wanted) in [
        ("%ComputerRom%", "did you mean `%ComputerRoom%`?"),
        ("%Nope%", "nothing gives `%Nope%` a value"),
        (
            "%_SMSTSUserStarted%",
            "nothing gives `%_SMSTSUserStarted%` a value",
        ),
    ] {
        let said = found("linux", &named(name), &media);
        assert!(said.starts_with("warning: ") && said.contains(wanted), "{said}");
    }
    for name in [
        "%COMPUTERROOM%",
        "%_SMSTSMake%",
        "%_OSDDetectedWinDir%",
        "%_osddetectedwindrive%",
        "%OSDTimeZone%",
        "%OSDPartitions12Size%",
        "100%",
    ] {
        assert_eq!(found("linux", &named(name), &media), "", "{name}");
    }
    // A shell has percent signs of its own.
    let shell = |line: &str| step("run-command-line", &format!("command = '{line}'"));
    for line in ["date +%Y%m%d", "echo %TEMP% %ProgramFiles%"] {
        assert_eq!(found("windows", &shell(line), &media), "", "{line}");
    }
    let said = found("windows", &shell("echo %ComputerRom%"), &media);
    assert!(said.contains("did you mean `%ComputerRoom%`?"), "{said}");
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

#[test]
fn an_image_onto_a_volume_that_there_will_not_be() {
    let said = |disk: &str, destination: &str| {
        let text = format!(
            "[[steps]]\ntype = 'format-and-partition-disk'\n{disk}\n\
             [[steps]]\ntype = 'apply-operating-system-image'\npackage = 'debian'\ndestination = {destination}\n"
        );
        found("linux", &text, &media())
    };
    let disk = "disk = { number = 0 }\npartitions = [{ kind = 'primary', size = '2 GB', variable = 'ROOT' }]";
    for (destination, wanted) in [
        (
            "{ disk = 1, partition = 2 }",
            "names disk 1, and the sequence partitions disk 0",
        ),
        ("{ disk = 0, partition = 7 }", "names partition 7"),
        ("{ variable = 'ROOM' }", "nothing gives the variable ROOM"),
    ] {
        let said = said(disk, destination);
        assert!(said.contains(wanted), "{destination}:\n{said}");
    }
    let logical = "disk = { number = 0 }\nstyle = 'mbr'\npartitions = [{ kind = 'extended', size = 'rest' }, \
                   { kind = 'logical', size = 'rest' }]";
    for (disk, destination) in [
        (disk, "{ disk = 0, partition = 2 }"),
        (logical, "{ disk = 0, partition = 5 }"),
        (disk, "{ variable = 'root' }"),
        (disk, "{ variable = 'OSDTargetSystemDrive' }"),
        // Which disk this is only the machine knows.
        ("disk = { only = true }", "{ disk = 1, partition = 2 }"),
    ] {
        assert_eq!(said(disk, destination), "", "{disk} {destination}");
    }
}

/// ConfigMgr's variables give the partitions where the step lists none.
#[test]
fn volumes_that_variables_describe_are_no_mistake() {
    let given = "OSDPartitions = '1'\nOSDPartitions0Type = 'Primary'\nOSDPartitions0FileSystem = 'ext4'\n\
                 OSDPartitions0VolumeLetterVariable = 'OSDISK'\n";
    let steps = "[[steps]]\ntype = 'format-and-partition-disk'\ndisk = { number = 0 }\n\
                 [[steps]]\ntype = 'apply-operating-system-image'\npackage = 'debian'\ndestination = { variable = 'OSDISK' }\n";
    assert_eq!(
        found("linux", &format!("[variables]\n{given}{steps}"), &media()),
        ""
    );
    let set = format!("[[steps]]\ntype = 'set-variables'\n[steps.variables]\n{given}{steps}");
    let set = set.replace("{ variable = 'OSDISK' }", "{ disk = 0, partition = 7 }");
    assert_eq!(found("linux", &set, &media()), "");
}

#[test]
fn a_linux_is_not_joined_to_a_domain_by_variables_either() {
    let variables = [
        ("OSDNetworkJoinType", "0"),
        ("OSDDomainName", "d.example"),
        ("OSDJoinAccount", "joiner"),
    ];
    let text = step("apply-network-settings", "");
    let said = found("linux", &text, &with_variables(&variables));
    assert!(said.contains("while it runs"), "{said}");
    let workgroup = [("OSDNetworkJoinType", "1"), ("OSDWorkgroupName", "W")];
    assert_eq!(found("linux", &text, &with_variables(&workgroup)), "");
}

#[test]
fn settings_that_a_linux_could_not_follow() {
    let said = |settings: &str, variables: &[(&str, &str)]| {
        found(
            "linux",
            &step("apply-os-settings", settings),
            &with_variables(variables),
        )
    };
    let enabled = "administrator = 'enabled'";
    assert!(said(enabled, &[]).contains("needs `administrator-password`"));
    let mut media = media();
    media.secrets.insert("OSDLocalAdminPassword".into());
    assert_eq!(found("linux", &step("apply-os-settings", enabled), &media), "");
    assert_eq!(said("administrator = 'disabled'", &[]), "");

    let unknown = [("OSDWindowsSettingsInputLocale", "0409:00140C00")];
    assert!(said("", &unknown).contains("keyboard 00140C00"));
    assert_eq!(said("keyboard = 'us'", &unknown), "");
    assert_eq!(said("input-locale = '0409:00000409'", &[]), "");
}
