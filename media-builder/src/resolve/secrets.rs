//! The values of secret variables, which are never shown.

use std::collections::BTreeMap;
use std::fmt;

use task_sequence::Variables;

use crate::problem::Problems;
use crate::project::{Project, Secret};

/// Values by variable; its debug form names only the variables.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(pub BTreeMap<String, String>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Reads the values, and says what it means to carry them.
pub(super) fn resolve(project: &Project, problems: &mut Problems) -> (Secrets, Vec<String>) {
    let mut secrets = Secrets::default();
    for (name, source) in &project.settings.secrets {
        if project.settings.unattended && matches!(source, Secret::Ask(_)) {
            problems.push(format!(
                "the secret {name} is asked for at the machine, but the media is unattended: nobody would answer"
            ));
        }
        match read(project, source) {
            Ok(Some(value)) => drop(secrets.0.insert(name.clone(), value)),
            Ok(None) => {}
            Err(why) => problems.push(format!("the secret {name}: {why}")),
        }
    }
    let names: Vec<&str> = secrets.0.keys().map(String::as_str).collect();
    let warning = (!names.is_empty()).then(|| {
        format!("whoever holds the media can read the values of {}: use {{ ask = true }} where an operator is present",
            names.join(", "))
    });
    (
        secrets,
        warning.into_iter().chain(in_the_clear(project)).collect(),
    )
}

/// Variables that are secret by their names, and whose values everybody can read.
fn in_the_clear(project: &Project) -> impl Iterator<Item = String> {
    let by_name = Variables::new();
    let clear = project.settings.variables.iter().filter(move |(name, value)| {
        by_name.is_secret(name) && !value.is_empty() && !task_sequence::Secret::new(*value).is_reference()
    });
    clear.map(|(name, _)| {
        format!(
            "the value of the secret {name} is written in media.toml: whoever finds the file or the media can read it; \
             name it under [secrets] instead, with {{ env = \"NAME\" }}, {{ file = \"PATH\" }} or {{ ask = true }}"
        )
    })
}

fn read(project: &Project, source: &Secret) -> Result<Option<String>, String> {
    match source {
        Secret::Ask(_) => Ok(None),
        Secret::Env(name) => std::env::var(name)
            .map(Some)
            .map_err(|_| format!("the environment variable {name} is not set")),
        Secret::File(path) => {
            let path = project.folder.join(path);
            let text = std::fs::read_to_string(&path)
                .map_err(|error| format!("reading {}: {error}", path.display()))?;
            Ok(Some(
                text.strip_suffix('\n')
                    .unwrap_or(&text)
                    .trim_end_matches('\r')
                    .to_owned(),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_debug_form_shows_no_value() {
        let secrets = Secrets(BTreeMap::from([("OSDJoinPassword".into(), "hunter2".into())]));
        assert_eq!(format!("{secrets:?}"), "{\"OSDJoinPassword\"}");
    }

    #[test]
    fn a_password_among_the_variables_is_pointed_out_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("media.toml");
        let variables = "OSDJoinPassword = 'hunter2'\nMyPassword = '%Token%'\nOSDComputerName = 'x'\n";
        let text = format!("name = 'm'\nsequences = ['a.toml']\n[variables]\n{variables}");
        std::fs::write(&file, text).unwrap();
        let mut problems = Problems(Vec::new());
        let (_, warnings) = resolve(&Project::read(&file).unwrap(), &mut problems);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("OSDJoinPassword") && !warnings[0].contains("hunter2"));
    }

    #[test]
    fn nobody_is_asked_on_unattended_media() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("media.toml");
        let asks = "name = 'm'\nsequences = ['a.toml']\n[secrets]\nToken = { ask = true }\n";
        for (text, expected) in [(asks.to_owned(), 0), (format!("unattended = true\n{asks}"), 1)] {
            std::fs::write(&file, text).unwrap();
            let mut problems = Problems(Vec::new());
            resolve(&Project::read(&file).unwrap(), &mut problems);
            assert_eq!(problems.0.len(), expected, "{problems}");
        }
    }
}
