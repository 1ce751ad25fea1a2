//! Secrets: in the clear, and asked for where somebody can answer.

use task_sequence::{Installation, MediaFacts, PackageId};

use crate::media::{found, media, step};

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
