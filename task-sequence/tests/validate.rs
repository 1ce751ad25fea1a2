//! What is proven wrong before a machine is touched.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use task_sequence::{
    MediaFacts, PackageFacts, PackageId, PackageKind, Severity, SourceFile, TaskSequence, locate, parse,
    referenced_packages, render, validate,
};

const EXAMPLE: &str = include_str!("example.toml");

fn read(text: &str) -> TaskSequence {
    parse("sequence.toml", text).unwrap_or_else(|found| panic!("{}", render(&found)))
}

fn media() -> MediaFacts {
    let package = |id: &str, kind, images| {
        (
            PackageId::new(id),
            PackageFacts {
                kind: Some(kind),
                images,
                ..PackageFacts::default()
            },
        )
    };
    let packages = [
        package("debian", PackageKind::Image, Some(vec!["Debian".into()])),
        package("updates", PackageKind::Updates, None),
        package("library", PackageKind::Application, None),
        package("editor", PackageKind::Application, None),
    ];
    MediaFacts {
        packages: packages.into_iter().collect(),
        sequences: Some(["main".to_owned()].into()),
        variables: [("OTHER".to_owned(), "x".to_owned())].into(),
        secrets: ["Token", "KEY", "P"].map(str::to_owned).into(),
        ..MediaFacts::default()
    }
}

fn problems(text: &str) -> String {
    validate(&read(text), &media())
        .iter()
        .map(|problem| format!("{problem}\n"))
        .collect()
}

fn of_steps(steps: &str) -> String {
    problems(&format!("name = 's'\noperating-system = 'linux'\n{steps}"))
}

#[test]
fn the_example_has_one_warning_and_names_its_packages() {
    // It shows how a secret can be written into a sequence.
    let found = problems(EXAMPLE);
    assert!(
        found.starts_with("warning: sequence: the value of the secret `Token`") && found.lines().count() == 1,
        "{found}"
    );
    assert!(!found.contains("canary"), "{found}");
    let named = referenced_packages(&read(EXAMPLE), &media());
    let ids: Vec<&str> = named.iter().map(PackageId::as_str).collect();
    assert_eq!(ids, ["debian", "editor", "library", "updates"]);
}

const ALTERATIONS: &[(&str, &str, &str)] = &[
    (
        "package = \"debian\"",
        "package = \"debain\"",
        "package `debain` is not on the media: did you mean `debian`?",
    ),
    (
        "\"library\", ",
        "\"updates\", ",
        "contains updates, but the step needs application",
    ),
    ("index = 1", "index = 2", "image 2 does not exist"),
    ("index = 1", "index = 0", "counted from 1"),
    (
        "index = 1",
        "index = 1\n  all-volumes = true",
        "exclude each other",
    ),
    (
        "\"REF-01\"",
        "\"REFERENCE-MACHINE-01\"",
        "20 characters: 15 are possible",
    ),
    ("\"REF-01\"", "\"REF_01\"", "has `_` in it"),
    ("\"%OSDComputerName%\"", "\"\"", "name is empty"),
    (
        "join = \"workgroup\"",
        "join = \"domain\"\n  domain = \"d\"\n  account = \"a\"",
        "joins a domain before the capture",
    ),
    (
        "  [[steps.steps]]\n  type = \"setup-os\"\n",
        "",
        "put `setup-os` before it",
    ),
    (
        "\"media:captures/debian.wim\"",
        "\"media:../debian.wim\"",
        "leaves its folder",
    ),
    (
        "\"media:captures/debian.wim\"",
        "\"media:debian.iso\"",
        "does not end in .wim",
    ),
    (
        "applications = [\"library\", \"editor\"]",
        "applications = []",
        "`applications` is empty",
    ),
    (
        "\"prepare-os-for-capture\"",
        "\"restart-computer\"\n  target = \"pe\"",
        "nothing prepares the system",
    ),
    ("variable = \"OSDISK\"", "variable = \"_SMSTSDisk\"", "read-only"),
    ("size = \"512 MB\"", "size = \"10%\"", "110% of the disk"),
    (
        "file-system = \"fat32\"",
        "file-system = \"ext4\"",
        "firmware reads nothing else",
    ),
];

#[test]
fn alterations_of_the_example_are_refused() {
    for (from, to, wanted) in ALTERATIONS.iter().copied() {
        assert!(EXAMPLE.contains(from), "{from}");
        let found = problems(&EXAMPLE.replacen(from, to, 1));
        assert!(found.contains(wanted), "{wanted} in:\n{found}");
    }
}

#[test]
fn the_place_of_a_step_is_checked_only_where_it_is_certain() {
    let restart = |when: &str| {
        format!(
            "[[steps]]\ntype = 'restart-computer'\ntarget = 'os'\n{when}\n[[steps]]\ntype = 'apply-data-image'\npackage = 'debian'"
        )
    };
    assert!(of_steps(&restart("")).contains("the machine is in the installed system here"));
    assert_eq!(of_steps(&restart("when = { variable = 'A', exists = true }")), "");
    let pe = "[[steps]]\ntype = 'restart-computer'\ntarget = 'pe'\n[[steps]]\ntype = 'setup-os'\n\
              [[steps]]\ntype = 'install-updates'\npackages = ['updates']";
    assert_eq!(of_steps(pe), "");
}

#[test]
fn disks_are_checked() {
    let disk = |style: &str, partitions: &str| {
        of_steps(&format!(
            "[[steps]]\ntype = 'format-and-partition-disk'\nstyle = '{style}'\npartitions = [{partitions}]"
        ))
    };
    let primary = |count| "{ kind = 'primary', size = '1 GB' },".repeat(count);
    assert!(disk("mbr", &primary(4)).contains("room for 3 partitions"));
    assert_eq!(disk("gpt", &primary(5)), "");
    let efi = "{ kind = 'efi', size = '200 MB' },".to_owned() + &primary(3);
    assert_eq!(disk("mbr", &efi), "");
    let twice = "{ kind = 'primary', size = '1 GB', variable = 'A' },".repeat(2);
    assert!(disk("gpt", &twice).contains("two partitions use the variable `A`"));
    assert!(disk("gpt", &"{ kind = 'primary', size = 'rest' },".repeat(2)).contains("more than one"));
    for (point, good) in [
        ("/home", true),
        ("/", true),
        ("home", false),
        ("/a/../b", false),
        ("", false),
    ] {
        let found = disk(
            "gpt",
            &format!("{{ kind = 'primary', size = '1 GB', mount-point = '{point}' }}"),
        );
        assert_eq!(found.contains("is no mount point"), !good, "{point}: {found}");
    }
}

#[test]
fn settings_of_other_steps_are_checked() {
    let cases = [
        (
            "apply-os-settings",
            "product-key = 'AAAAA-BBBB'",
            "five groups of five",
        ),
        ("apply-os-settings", "administrator-password = 'x'", "warning"),
        ("apply-network-settings", "join = 'domain'", "`domain` is missing"),
        (
            "apply-network-settings",
            "adapters = [{ addresses = ['192.0.2.5'] }]",
            "prefix length",
        ),
        (
            "join-domain-or-workgroup",
            "join = 'workgroup'",
            "`workgroup` is missing",
        ),
        (
            "join-domain-or-workgroup",
            "join = 'workgroup'\nworkgroup = 'w'\norganizational-unit = 'x'",
            "LDAP",
        ),
        ("run-script", "inline = 'x'", "needs `interpreter`"),
        ("run-script", "file = 'x.sh'", "needs `package`"),
        ("run-task-sequence", "sequence = 'man'", "did you mean `main`?"),
        ("set-variables", "variables = { _SMSTSX = 'x' }", "read-only"),
        ("check-readiness", "", "checks nothing"),
        ("restart-computer", "", "no `target`"),
        (
            "connect-to-network-folder",
            "path = 'x'\nat = 'Z:'",
            "not a share",
        ),
        ("auto-apply-drivers", "", "Windows drivers"),
        ("capture-operating-system-image", "", "`destination` is missing"),
    ];
    for (type_name, settings, wanted) in cases {
        let found = of_steps(&format!("[[steps]]\ntype = '{type_name}'\n{settings}"));
        assert!(found.contains(wanted), "{wanted} in:\n{found}");
        let off = of_steps(&format!(
            "[[steps]]\ntype = '{type_name}'\ndisabled = true\n{settings}"
        ));
        assert!(!off.contains(wanted), "a disabled step is not looked at:\n{off}");
    }
    let message = "m".repeat(513);
    assert!(
        of_steps(&format!(
            "[[steps]]\ntype = 'restart-computer'\ntarget = 'pe'\nmessage = '{message}'"
        ))
        .contains("512")
    );
}

fn of_windows(type_name: &str, settings: &str) -> String {
    problems(&format!(
        "name = 's'\noperating-system = 'windows'\n[[steps]]\ntype = '{type_name}'\n{settings}"
    ))
}

#[test]
fn settings_of_one_operating_system_are_refused_on_the_other() {
    let windows_only = [
        (
            "apply-operating-system-image",
            "package = 'debian'\nanswer-package = 'debian'\nanswer-file = 'a.xml'",
        ),
        ("apply-os-settings", "product-key = '%KEY%'"),
        ("apply-os-settings", "licensing = 'per-seat'"),
        ("apply-os-settings", "license-connections = 5"),
        ("apply-os-settings", "ui-language-fallback = 'en-US'"),
        ("apply-network-settings", "dns-domain = 'd.example'"),
        ("apply-network-settings", "dns-suffixes = ['d.example']"),
        ("apply-network-settings", "adapters = [{ name = 'Lab' }]"),
        ("apply-network-settings", "adapters = [{ wins = ['192.0.2.7'] }]"),
        ("apply-network-settings", "adapters = [{ netbios = 'disabled' }]"),
        (
            "apply-network-settings",
            "adapters = [{ register-in-dns = true }]",
        ),
        ("prepare-os-for-capture", "keep-activation = true"),
    ];
    for (type_name, settings) in windows_only {
        let found = of_steps(&format!("[[steps]]\ntype = '{type_name}'\n{settings}"));
        assert!(found.contains("exists only in Windows"), "{settings}:\n{found}");
        assert_eq!(of_windows(type_name, settings), "", "{settings}");
    }
    let keyboard = of_windows("apply-os-settings", "keyboard = 'us'");
    assert!(keyboard.contains("write `input-locale`"), "{keyboard}");
    assert_eq!(
        of_steps("[[steps]]\ntype = 'apply-os-settings'\nkeyboard = 'us'"),
        ""
    );
    let domain = "join = 'domain'\ndomain = 'd.example'\naccount = 'd\\j'\npassword = '%P%'";
    assert!(
        of_steps(&format!("[[steps]]\ntype = 'apply-network-settings'\n{domain}")).contains("while it runs")
    );
    assert_eq!(of_windows("apply-network-settings", domain), "");
}

#[test]
fn the_settings_of_windows_are_checked() {
    let cases = [
        (
            "computer-name = 'SIXTEEN-CHARS-XX'",
            "16 characters: 15 are possible",
        ),
        ("product-key = 'BCDFG-HJKMN-PQRTV-WXY23'", "five groups of five"),
        ("product-key = 'BCDFGHJKMNPQRTVWXY2346789'", "five groups of five"),
        ("product-key = 'AAAAA-HJKMN-PQRTV-WXY23-46789'", "has `A` in it"),
        // What an encoded volume key begins with, one character too short, and one that is no base64.
        (
            "product-key = 'QkNERkctSEpLTU4tUFFSVFYtV1hZMjMtNDY3ODk'",
            "five groups of five",
        ),
        (
            "product-key = 'QkNERkctSEpLTU4tUFFSVFYtV1hZMjMtNDY3ODk!'",
            "five groups of five",
        ),
        ("system-locale = 'C.UTF-8'", "not a language of Windows"),
        (
            "random-administrator-password = true\nadministrator = 'enabled'",
            "nobody could log on",
        ),
        ("licensing = 'per-server'", "needs `license-connections`"),
    ];
    for (settings, wanted) in cases {
        let found = of_windows("apply-os-settings", settings);
        assert!(found.contains(wanted), "{wanted} in:\n{found}");
        assert!(!found.contains("HJKMN-PQRTV"), "no key is shown:\n{found}");
    }
    for good in [
        "product-key = 'QkNERkctSEpLTU4tUFFSVFYtV1hZMjMtNDY3ODk='",
        "computer-name = 'FIFTEEN-CHARS-X'\nproduct-key = 'BCDFG-HJKMN-PQRTV-WXY23-46789'",
        "licensing = 'per-server'\nlicense-connections = 5\nui-language = 'sr-Latn-RS'",
        "random-administrator-password = true\nadministrator = 'disabled'",
    ] {
        assert_eq!(of_windows("apply-os-settings", good), "");
    }
    let long = of_windows(
        "apply-network-settings",
        "join = 'workgroup'\nworkgroup = 'SIXTEEN-CHARS-XX'",
    );
    assert!(long.contains("16 characters"), "{long}");
}

#[test]
fn an_installed_windows_runs_no_shell_script() {
    let steps = |target: &str, interpreter: &str| {
        problems(&format!(
            "name = 's'\noperating-system = 'windows'\n[[steps]]\ntype = 'restart-computer'\ntarget = '{target}'\n\
             [[steps]]\ntype = 'run-script'\ninterpreter = '{interpreter}'\ninline = 'exit 0'"
        ))
    };
    assert!(steps("os", "sh").contains("PowerShell"));
    assert_eq!(steps("os", "powershell"), "");
    assert_eq!(steps("pe", "sh"), "");
}

#[test]
fn a_key_and_a_name_from_variables_are_checked_too() {
    let text = "name = 's'\noperating-system = 'windows'\n\
                variables = { OSDProductKey = 'BCDFG', OSDComputerName = 'SIXTEEN-CHARS-XX' }\n\
                [[steps]]\ntype = 'apply-os-settings'";
    let found = problems(text);
    assert!(
        found.contains("five groups of five") && found.contains("16 characters"),
        "{found}"
    );
}

#[test]
fn no_domain_is_joined_before_windows_is_captured() {
    for step in ["apply-network-settings", "join-domain-or-workgroup"] {
        let text = format!(
            "name = 's'\noperating-system = 'windows'\n[[steps]]\ntype = '{step}'\njoin = 'domain'\n\
             domain = 'd.example'\naccount = 'd\\j'\n[[steps]]\ntype = 'prepare-os-for-capture'\n[[steps]]\n\
             type = 'capture-operating-system-image'\ndestination = 'media:x.wim'"
        );
        let found = problems(&text);
        assert!(found.contains("joins a domain before the capture"), "{found}");
    }
}

#[test]
fn a_base_variable_names_packages() {
    let text = "name = 's'\noperating-system = 'linux'\nvariables = { APP01 = 'one', APP02 = 'two', APP04 = 'four' }\n\
                [[steps]]\ntype = 'install-applications'\nbase-variable = 'APP'";
    let found: Vec<String> = referenced_packages(&read(text), &media())
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(found, ["one", "two"]);
    assert!(
        validate(&read(text), &media())
            .iter()
            .any(|problem| problem.severity == Severity::Error)
    );
}

#[test]
fn secrets_in_command_lines_are_pointed_out() {
    for (settings, wanted) in [
        (
            "type = 'run-command-line'\ncommand = 'login %TOKEN%'",
            "warning: ",
        ),
        (
            "type = 'run-script'\npackage = 'editor'\nfile = 'a.sh'\narguments = ['%OSDJoinPassword%']",
            "error: ",
        ),
    ] {
        let found = of_steps(&format!("[[steps]]\n{settings}"));
        assert!(
            found.contains("list of processes") && found.starts_with(wanted),
            "{found}"
        );
    }
    let plain = of_steps("[[steps]]\ntype = 'run-command-line'\ncommand = 'login %Other%'");
    assert_eq!(plain, "");
}

#[test]
fn a_problem_points_at_the_setting_that_it_names_else_at_the_step() {
    for (text, marked) in [
        (
            "[[steps]]\ngroup = 'A'\n[[steps.steps]]\ntype = 'restart-computer'\n\
             [[steps.steps]]\ntype = 'install-applications'\napplications = ['editor', 'edtor']",
            "'edtor'",
        ),
        (
            "[[steps]]\ntype = 'restart-computer'\ndisabled = true\n[[steps]]\ntype = 'apply-operating-system-image'\n\
             package = 'debian'\nindex = 7",
            "index",
        ),
        (
            "[[steps]]\ntype = 'join-domain-or-workgroup'\njoin = 'workgroup'",
            "'workgroup'",
        ),
        (
            "[[steps]]\ntype = 'connect-to-network-folder'\nat = '/mnt/share'\npath = 'C:\\x'",
            "path",
        ),
        (
            "[[steps]]\ntype = 'run-command-line'\ncommand = 'true'\n[[steps]]\ngroup = 'B'",
            "'B'",
        ),
    ] {
        let text = format!("name = 'n'\noperating-system = 'linux'\n{text}\n");
        let found = validate(&read(&text), &media());
        let placed: Vec<_> = found
            .iter()
            .map(|problem| locate(&sources(&text), "s", problem))
            .collect();
        let marks: Vec<_> = placed.iter().map(|placed| &text[placed.span.clone()]).collect();
        assert!(marks.contains(&marked), "{marks:?}: {}", render(&placed));
    }
}

fn sources(text: &str) -> BTreeMap<&'static str, SourceFile<'_>> {
    BTreeMap::from([("s", SourceFile { name: "s.toml", text })])
}

#[test]
fn what_is_wrong_with_the_sequence_itself_points_at_its_beginning_or_its_variable() {
    let text = "name = ' '\noperating-system = 'linux'\n[variables]\nToken = 'x'\n\
                [[steps]]\ntype = 'run-command-line'\ncommand = 'true'\n";
    let found = validate(&read(text), &media());
    let placed = found.iter().map(|problem| locate(&sources(text), "s", problem));
    let lines: Vec<_> = placed.map(|placed| (placed.line, placed.message)).collect();
    assert_eq!(lines[0], (1, "`name` is empty".to_owned()));
    assert!(lines[1].0 == 4 && lines[1].1.contains("Token"), "{lines:?}");
}
