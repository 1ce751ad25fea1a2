//! The task sequences of a project.

use std::collections::BTreeSet;

use media_format::manifest::PackageKind;
use task_sequence::{MediaFacts, OperatingSystem, PackageFacts, PackageId, Severity, TaskSequence};

use super::packages::ResolvedPackage;
use crate::problem::Problems;
use crate::project::{Package, Project};
use crate::toml_problem::TomlProblem;

/// A task sequence.
#[derive(Debug, Clone)]
pub struct Sequence {
    /// Id: the stem of its file name.
    pub id: String,
    /// Its name, for the menu.
    pub name: String,
    /// Its file, as messages name it.
    pub file: String,
    /// The text of its file, as it goes to the media.
    pub text: String,
    /// What it says.
    pub parsed: TaskSequence,
}

impl Sequence {
    /// Whether it sets up or captures a Windows.
    pub fn is_for_windows(&self) -> bool {
        self.parsed.operating_system == OperatingSystem::Windows
    }
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
        let id = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default()
            .to_owned();
        let complain = |message: String| TomlProblem::at(project.place(named), message, None);
        if !super::packages::is_id(&id) {
            problems.push_diagnostic(complain(format!("the file name `{id}` cannot be the id of a task sequence: use letters, digits, `.`, `_` and `-`")));
        } else if !ids.insert(id.to_lowercase()) {
            problems.push_diagnostic(complain(format!(
                "two task sequences have the id `{id}`: rename one of the files"
            )));
        }
        match std::fs::read_to_string(&path) {
            Ok(text) => sequences.extend(parse(&path.display().to_string(), id, text, problems)),
            Err(error) => problems.push_diagnostic(complain(format!("reading {}: {error}", path.display()))),
        }
    }
    sequences
}

fn parse(file: &str, id: String, text: String, problems: &mut Problems) -> Option<Sequence> {
    match task_sequence::parse(file, &text) {
        Ok(parsed) => Some(Sequence {
            id,
            name: parsed.name.clone(),
            file: file.to_owned(),
            text,
            parsed,
        }),
        Err(diagnostics) => {
            diagnostics
                .into_iter()
                .for_each(|diagnostic| problems.push_diagnostic(diagnostic));
            None
        }
    }
}

/// The ids of the packages that the sequences refer to.
pub(super) fn referenced(project: &Project, sequences: &[Sequence]) -> BTreeSet<String> {
    let mut ids: BTreeSet<String> = BTreeSet::new();
    for sequence in sequences {
        let named = task_sequence::referenced_packages(&sequence.parsed);
        ids.extend(named.iter().map(|id| id.as_str().to_owned()));
        let drivers = task_sequence::validate::needs_all_driver_packages(&sequence.parsed);
        let drivers = project
            .settings
            .packages
            .iter()
            .filter(|package| drivers && package.kind == PackageKind::Driver);
        ids.extend(drivers.map(|package| package.id.get_ref().clone()));
    }
    ids
}

/// Checks the sequences against the packages; returns warnings.
pub(super) fn validate(
    project: &Project,
    sequences: &[Sequence],
    packages: &[ResolvedPackage],
    problems: &mut Problems,
) -> Vec<String> {
    let facts = facts(project, sequences, packages);
    let mut warnings = Vec::new();
    for sequence in sequences {
        for problem in task_sequence::validate(&sequence.parsed, &facts) {
            let place = if problem.path.is_empty() {
                "the sequence".into()
            } else {
                problem.path.join(" / ")
            };
            let text = format!("{}: {place}: {}", sequence.file, problem.message);
            match problem.severity {
                Severity::Error => problems.push(text),
                Severity::Warning => warnings.push(text),
            }
        }
    }
    warnings
}

fn facts(project: &Project, sequences: &[Sequence], packages: &[ResolvedPackage]) -> MediaFacts {
    let images = |id: &str| {
        let package = packages.iter().find(|package| package.entry.id == id)?;
        u32::try_from(package.wim.as_ref()?.images.len()).ok()
    };
    let fact = |package: &Package| {
        let id = package.id.get_ref();
        let facts = PackageFacts {
            kind: sequence_kind(package.kind),
            images: images(id),
        };
        (PackageId::new(id.clone()), facts)
    };
    MediaFacts {
        packages: project.settings.packages.iter().map(fact).collect(),
        sequences: Some(sequences.iter().map(|sequence| sequence.id.clone()).collect()),
        secrets: project.settings.secrets.keys().cloned().collect(),
    }
}

/// What a sequence calls the kinds of packages.
fn sequence_kind(kind: PackageKind) -> Option<task_sequence::PackageKind> {
    Some(match kind {
        PackageKind::Image => task_sequence::PackageKind::Image,
        PackageKind::Application => task_sequence::PackageKind::Application,
        PackageKind::Updates => task_sequence::PackageKind::Updates,
        PackageKind::Driver => task_sequence::PackageKind::Drivers,
        PackageKind::Files => task_sequence::PackageKind::Package,
        // An agent comes as files or as an application: a sequence may use it as either.
        PackageKind::Client => return None,
    })
}
