//! Conditions that ask for what there never is.

use crate::media::{found, media, step, with_variables};

fn on_step(system: &str, when: &str) -> String {
    let text = step("prepare-client-for-capture", &format!("when = {{ {when} }}"));
    found(system, &text, &with_variables(&[("ComputerRoom", "12")]))
}

#[test]
fn a_linux_has_no_registry() {
    let key = "registry = 'HKLM\\SOFTWARE\\Example'";
    for when in [
        key.to_owned(),
        format!("{key}, exists = false"),
        format!("any = [{{ firmware = 'uefi' }}, {{ none = [{{ {key} }}] }}]"),
    ] {
        let said = on_step("linux", &when);
        assert!(
            said.starts_with("error: ") && said.contains("`registry` asks for the registry of Windows"),
            "{when}: {said}"
        );
        assert_eq!(on_step("windows", &when), "", "{when}");
    }
    let rule = format!("rules = [{{ when = {{ {key} }}, variables = {{ A = 'x' }} }}]");
    let said = found("linux", &step("set-variables", &rule), &media());
    assert!(said.contains("`registry`"), "{said}");
}

#[test]
fn a_condition_of_a_group_is_pointed_out_once_and_there() {
    let text = format!(
        "[[steps]]\ngroup = 'Outer'\nwhen = {{ registry = 'HKLM\\X' }}\n{0}{0}",
        "[[steps.steps]]\ntype = 'run-command-line'\ncommand = 'x'\n"
    );
    let said = found("linux", &text, &media());
    assert!(
        said.starts_with("error: Outer: ") && said.lines().count() == 1,
        "{said}"
    );
    let off = text.replace("when =", "disabled = true\nwhen =");
    assert!(!found("linux", &off, &media()).contains("registry"));
}

#[test]
fn names_in_conditions_that_nothing_gives_a_value() {
    for (when, wanted) in [
        (
            "variable = '_SMSTSModell', like = 'X*'",
            "nothing gives `_SMSTSModell` a value, so it never exists: did you mean `_SMSTSModel`?",
        ),
        (
            "none = [{ variable = '_SMSTSUserStarted', exists = true }]",
            "nothing gives `_SMSTSUserStarted` a value, so it never exists\n",
        ),
        (
            "variable = 'Room', equals = '%ComputerRom%'",
            "did you mean `%ComputerRoom%`?",
        ),
        (
            "file = '%Folder%/a'",
            "nothing gives `%Folder%` a value, so it stays as it is written",
        ),
        (
            "query = \"select * from Win32_BIOS where SerialNumber = '%_SMSTSSerialNumbr%'\"",
            "did you mean `%_SMSTSSerialNumber%`?",
        ),
    ] {
        let said = on_step("windows", when);
        assert!(
            said.starts_with("warning: ") && said.contains(wanted),
            "{when}: {said}"
        );
        assert_eq!(said.lines().count(), 1, "{when}: {said}");
    }
    for when in [
        "variable = '_smstsinwinpe', equals = 'true'",
        "variable = 'ComputerRom', exists = false",
        "variable = 'Room', equals = '%COMPUTERROOM%'",
        "query = \"select * from Win32_ComputerSystem where Model like '%Latitude%'\"",
    ] {
        assert_eq!(on_step("windows", when), "", "{when}");
    }
    let rule = "rules = [{ when = { variable = 'Room', equals = '%Nope%' }, variables = { A = 'x' } }]";
    let said = found("windows", &step("set-variables", rule), &media());
    assert!(
        said.contains("nothing gives `%Nope%`") && said.lines().count() == 1,
        "{said}"
    );
}
