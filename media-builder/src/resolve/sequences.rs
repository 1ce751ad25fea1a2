//! The task sequences of a project.

use std::collections::BTreeSet;

use super::packages::ResolvedPackage;
use crate::problem::Problems;
use crate::project::Project;
use crate::toml_problem::TomlProblem;

/// A task sequence.
#[derive(Debug, Clone)]
pub struct Sequence {
    /// Id: the stem of its file name.
    pub id: String,
    /// Its name, for the menu.
    pub name: String,
    /// The text of its file, as it goes to the media.
    pub text: String,
}

/// Reads all sequences.
pub(super) fn read(project: &Project, problems: &mut Problems) -> Vec<Sequence> {
    let mut ids = BTreeSet::new();
    let mut sequences = Vec::new();
    if project.settings.sequences.is_empty() {
        problems.push("the project has no task sequence: name one in `sequences`");
    }
    for named in &project.settings.sequences {
        let path = project.folder.join(named.get_ref());
        let id = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        let complain = |message: String| TomlProblem::at(project.place(named), message, None);
        if !super::packages::is_id(&id) {
            problems.push_diagnostic(complain(format!("the file name `{id}` cannot be the id of a task sequence: use letters, digits, `.`, `_` and `-`")));
        } else if !ids.insert(id.to_lowercase()) {
            problems.push_diagnostic(complain(format!("two task sequences have the id `{id}`: rename one of the files")));
        }
        match std::fs::read_to_string(&path) {
            Ok(text) => sequences.extend(parse(&path.display().to_string(), id, text, problems)),
            Err(error) => problems.push_diagnostic(complain(format!("reading {}: {error}", path.display()))),
        }
    }
    sequences
}

fn parse(_file: &str, id: String, text: String, _problems: &mut Problems) -> Option<Sequence> {
    Some(Sequence { name: id.clone(), id, text })
}

/// The ids of the packages that the sequences refer to.
pub(super) fn referenced(project: &Project, _sequences: &[Sequence]) -> BTreeSet<String> {
    project.settings.packages.iter().map(|package| package.id.get_ref().clone()).collect()
}

/// Checks the sequences against the packages; returns warnings.
pub(super) fn validate(
    _project: &Project,
    _sequences: &[Sequence],
    _packages: &[ResolvedPackage],
    _problems: &mut Problems,
) -> Vec<String> {
    vec![]
}
