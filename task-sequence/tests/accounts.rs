//! Who can log on to a Windows when its sequence is over.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

use task_sequence::{MediaFacts, PackageFacts, PackageId, PackageKind, parse, render, validate};

const PASSWORD: &str = "OSDLocalAdminPassword";

fn media(secrets: &[&str]) -> MediaFacts {
    let package = |id: &str, kind| {
        let facts = PackageFacts {
            kind: Some(kind),
            ..PackageFacts::default()
        };
        (PackageId::new(id), facts)
    };
    MediaFacts {
        packages: [
            package("windows", PackageKind::Image),
            package("answers", PackageKind::Package),
        ]
        .into(),
        secrets: secrets.iter().map(|name| (*name).to_owned()).collect(),
        ..MediaFacts::default()
    }
}

fn step(type_name: &str, settings: &str) -> String {
    format!("[[steps]]\ntype = '{type_name}'\n{settings}\n")
}

fn found(steps: &[String], media: &MediaFacts) -> String {
    let text = format!("name = 's'\noperating-system = 'windows'\n{}", steps.concat());
    let sequence = parse("s.toml", &text).unwrap_or_else(|found| panic!("{}", render(&found)));
    let problems = validate(&sequence, media);
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

/// Sets a Windows up with these settings, and then those steps.
fn deploys(image: &str, settings: &str, more: &[String], secrets: &[&str]) -> String {
    let mut steps = vec![
        step("format-and-partition-disk", "disk = { only = true }"),
        step(
            "apply-operating-system-image",
            &format!("package = 'windows'\n{image}"),
        ),
        step("apply-os-settings", settings),
        step("setup-os", ""),
    ];
    steps.extend(more.iter().cloned());
    found(&steps, &media(secrets))
}

const DISABLED: &str = "administrator = 'disabled'\nrandom-administrator-password = true";

#[test]
fn a_windows_that_nobody_can_log_on_to_is_worth_a_warning() {
    for settings in ["", DISABLED, "administrator = 'disabled'"] {
        let said = deploys("", settings, &[], &[]);
        assert!(
            said.starts_with("warning: Setup Windows and ConfigMgr: nobody can log on"),
            "{settings}: {said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let workgroup = step("join-domain-or-workgroup", "join = 'workgroup'\nworkgroup = 'W'");
    assert!(deploys("", DISABLED, &[workgroup], &[]).contains("nobody can log on"));
}

#[test]
fn whoever_can_log_on_is_seen() {
    assert_eq!(deploys("", "administrator = 'enabled'", &[], &[PASSWORD]), "");
    assert_eq!(deploys("", "", &[], &[PASSWORD]), "");
    assert_eq!(deploys("", "administrator-password = '%P%'", &[], &["P"]), "");
    let own = "answer-package = 'answers'\nanswer-file = 'own.xml'";
    assert_eq!(deploys(own, DISABLED, &[], &[]), "");
    let domain = "join = 'domain'\ndomain = 'd.example'\naccount = 'a'\npassword = '%P%'";
    assert_eq!(
        deploys("", DISABLED, &[step("join-domain-or-workgroup", domain)], &["P"]),
        ""
    );
    let makes = step("run-command-line", "command = 'net user somebody /add /random'");
    assert_eq!(deploys("", DISABLED, &[makes], &[]), "");
}

#[test]
fn a_windows_that_is_captured_needs_nobody() {
    let more = [
        step("prepare-os-for-capture", ""),
        step(
            "capture-operating-system-image",
            "destination = 'media:captures/a.wim'\nimage-name = 'a'",
        ),
    ];
    assert_eq!(deploys("", DISABLED, &more, &[]), "");
}

#[test]
fn an_administrator_that_is_enabled_needs_a_password() {
    let enabled = "administrator = 'enabled'";
    assert!(
        deploys("", enabled, &[], &[])
            .contains("error: Apply Windows Settings: `administrator = \"enabled\"` needs")
    );
    let named = format!("{enabled}\nadministrator-password = '%{PASSWORD}%'");
    assert!(deploys("", &named, &[], &[]).contains("needs `administrator-password`"));
    assert_eq!(deploys("", &named, &[], &[PASSWORD]), "");
}

#[test]
fn a_password_that_would_be_dropped_is_refused() {
    let written = "administrator = 'disabled'\nadministrator-password = '%P%'";
    for said in [
        deploys("", written, &[], &["P"]),
        deploys("", "administrator = 'disabled'", &[], &[PASSWORD]),
    ] {
        assert!(
            said.contains("error: Apply Windows Settings: `administrator = \"disabled\"` with a password"),
            "{said}"
        );
    }
    // By name nobody is to know it, and another sequence of the media may need the variable.
    assert!(!deploys("", DISABLED, &[], &[PASSWORD]).contains("error"));
}
