//! Names in `media.toml` that cannot be used, or that mean two things.

use std::collections::BTreeMap;

use task_sequence::Variables;

use crate::problem::Problems;
use crate::project::Project;

/// Complains about the name of the media, and about those of its variables and secrets.
pub(super) fn check(project: &Project, problems: &mut Problems) {
    let settings = &project.settings;
    if settings.name.trim().is_empty() {
        problems.push("media.toml: `name` is empty: it is what the machine's screen shows");
    }
    for (key, text) in [("name", &settings.name), ("organization", &settings.organization)] {
        if text.chars().any(char::is_control) {
            problems.push(format!(
                "media.toml: `{key}` has a line break or another control character in it"
            ));
        }
    }
    if settings.usb.free.is_some() && settings.usb.size.is_some() {
        problems.push(
            "media.toml: [usb]: `free` and `size` exclude each other: `size` is that of the whole image",
        );
    }
    check_variables(project, problems);
}

fn check_variables(project: &Project, problems: &mut Problems) {
    let of_variables = project
        .settings
        .variables
        .keys()
        .map(|name| ("[variables]", name));
    let of_secrets = project.settings.secrets.keys().map(|name| ("[secrets]", name));
    let mut seen: BTreeMap<String, (&str, &String)> = BTreeMap::new();
    for (table, name) in of_variables.chain(of_secrets) {
        if let Some(why) = impossible(name) {
            problems.push(format!("media.toml: {table}: the variable `{name}` {why}"));
        }
        if let Some((other, before)) = seen.insert(name.to_lowercase(), (table, name)) {
            let message = if other == table {
                format!("`{before}` and `{name}` are one variable: names ignore case")
            } else {
                format!("`{name}` is under {other} too: remove one of the two")
            };
            problems.push(format!("media.toml: {table}: {message}"));
        }
    }
}

fn impossible(name: &str) -> Option<&'static str> {
    if !Variables::is_name(name) || name.contains(char::is_whitespace) {
        return Some(
            "cannot be set: a name is not empty and has no space, `=`, `%` or control character in it",
        );
    }
    Variables::is_read_only(name)
        .then_some("is read-only: names that begin with _SMSTS, _OSD or _TS are set by the engine")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("media.toml");
        let head = if text.contains("name = ") {
            ""
        } else {
            "name = 'm'\n"
        };
        std::fs::write(&file, format!("{head}sequences = ['a.toml']\n{text}")).unwrap();
        let mut problems = Problems(Vec::new());
        check(&Project::read(&file).unwrap(), &mut problems);
        problems.to_string()
    }

    #[test]
    fn names_of_variables_can_be_set_and_mean_one_thing() {
        for name in ["", "a b", "a=b", "a%b", " "] {
            let said = problems(&format!("[variables]\n'{name}' = 'x'"));
            assert!(said.contains("cannot be set"), "{name}: {said}");
        }
        for (text, wanted) in [
            ("[variables]\n_SMSTSMake = 'x'", "read-only"),
            ("[secrets]\n_OSDThing = { ask = true }", "read-only"),
            ("[variables]\nName = 'x'\nNAME = 'y'", "are one variable"),
            (
                "[variables]\nToken = 'x'\n[secrets]\ntoken = { ask = true }",
                "too",
            ),
        ] {
            assert!(problems(text).contains(wanted), "{text}");
        }
        let good = "[variables]\nOSDComputerName = 'x'\n[secrets]\nOSDJoinPassword = { ask = true }";
        assert_eq!(problems(good), "");
    }

    #[test]
    fn the_media_has_a_name_and_a_stick_one_size() {
        for (text, wanted) in [
            ("name = ' '", "`name` is empty"),
            ("name = \"a\\nb\"", "line break"),
            ("organization = \"a\\u0007\"", "`organization` has"),
            ("[usb]\nfree = '1 GB'\nsize = '8 GB'", "exclude each other"),
        ] {
            assert!(problems(text).contains(wanted), "{text}");
        }
        assert_eq!(problems("[usb]\nsize = '8 GB'"), "");
    }
}
