//! The task sequences of a project.

use std::collections::{BTreeMap, BTreeSet};

use miette::Report;
use task_sequence::steps::CaptureDestination;
use task_sequence::{Action, MediaFacts, OperatingSystem, Severity, SourceFile, TaskSequence, Variables};

use crate::problem::{Problems, line};
use crate::project::Project;
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
    /// What it says, with the sequences that it runs.
    pub parsed: TaskSequence,
    /// The ids of those.
    runs: BTreeSet<String>,
}

impl Sequence {
    /// Whether it sets up or captures a Windows.
    pub fn is_for_windows(&self) -> bool {
        self.parsed.operating_system == OperatingSystem::Windows
    }

    /// Whether somebody can choose it; the others are looked at as parts of those that run them.
    pub fn is_offered(&self) -> bool {
        !self.parsed.hidden
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
        match crate::project::read_text(&path) {
            Ok(text) => sequences.extend(parse(&path.display().to_string(), id, text, problems)),
            Err(error) => problems.push_diagnostic(complain(format!("reading {}: {error}", path.display()))),
        }
    }
    embed(&mut sequences, problems);
    if sequences.len() == project.settings.sequences.len() {
        check_offered(&sequences, problems);
    }
    sequences
}

/// Puts the sequences that others run into these.
fn embed(sequences: &mut [Sequence], problems: &mut Problems) {
    let parsed = |sequence: &Sequence| (sequence.id.clone(), sequence.parsed.clone());
    let all: BTreeMap<_, _> = sequences.iter().map(parsed).collect();
    let mut found = Vec::new();
    for sequence in sequences.iter_mut() {
        let embedded = task_sequence::embed(&sequence.id, &sequence.parsed, &all);
        sequence.parsed = embedded.sequence;
        sequence.runs = embedded.runs;
        found.push((sequence.id.clone(), embedded.problems));
    }
    let sources = sources(sequences);
    for (id, problem) in found
        .iter()
        .flat_map(|(id, all)| all.iter().map(move |one| (id, one)))
    {
        problems.push_diagnostic(task_sequence::locate(&sources, id, problem));
    }
}

fn sources(sequences: &[Sequence]) -> BTreeMap<&str, SourceFile<'_>> {
    let entry = |sequence| {
        let Sequence { id, file, text, .. }: &Sequence = sequence;
        (id.as_str(), SourceFile { name: file, text })
    };
    sequences.iter().map(entry).collect()
}

fn check_offered(sequences: &[Sequence], problems: &mut Problems) {
    if !sequences.is_empty() && !sequences.iter().any(Sequence::is_offered) {
        problems.push("every task sequence is `hidden`, so there is none that the machine could run");
    }
}

fn parse(file: &str, id: String, text: String, problems: &mut Problems) -> Option<Sequence> {
    match task_sequence::parse(file, &text) {
        Ok(parsed) => Some(Sequence {
            id,
            name: parsed.name.clone(),
            file: file.to_owned(),
            text,
            parsed,
            runs: BTreeSet::new(),
        }),
        Err(diagnostics) => {
            diagnostics
                .into_iter()
                .for_each(|diagnostic| problems.push_diagnostic(diagnostic));
            None
        }
    }
}

/// The ids of the packages that the sequences need.
pub(super) fn referenced(sequences: &[Sequence], facts: &MediaFacts) -> BTreeSet<String> {
    let needed =
        offered(sequences).flat_map(|sequence| task_sequence::referenced_packages(&sequence.parsed, facts));
    needed.map(|id| id.as_str().to_owned()).collect()
}

/// The steps that capture onto the media, whatever the run finds.
pub(super) fn writers(sequences: &[Sequence], facts: &MediaFacts) -> Vec<String> {
    let of_sequence = |sequence: &Sequence| {
        let known = task_sequence::known_variables(&sequence.parsed, facts);
        let steps = sequence.parsed.enabled_steps();
        // One with a condition may be meant for other media only.
        let certain = steps.iter().filter(|enabled| enabled.conditions.is_empty());
        let writers = certain.map(|enabled| enabled.step);
        let writers = writers.filter(|step| captures_onto_media(&step.action, &known));
        let named = writers.map(|step| format!("{}: step \"{}\"", sequence.file, step.name()));
        named.collect::<Vec<_>>()
    };
    offered(sequences).flat_map(of_sequence).collect()
}

pub(super) fn offered(sequences: &[Sequence]) -> impl Iterator<Item = &Sequence> {
    sequences.iter().filter(|sequence| sequence.is_offered())
}

fn captures_onto_media(action: &Action, known: &Variables) -> bool {
    let Ok(Action::CaptureOperatingSystemImage(options)) = action.resolve(known) else {
        return false;
    };
    matches!(options.destination, Some(CaptureDestination::Media { .. }))
}

/// Checks the sequences against the media; returns warnings.
pub(super) fn validate(sequences: &[Sequence], facts: &MediaFacts, problems: &mut Problems) -> Vec<String> {
    let sources = sources(sequences);
    let mut warnings: Vec<String> = unused(sequences).collect();
    for sequence in offered(sequences) {
        for problem in task_sequence::validate(&sequence.parsed, facts) {
            let placed = task_sequence::locate(&sources, &sequence.id, &problem);
            match problem.severity {
                Severity::Error => problems.push_diagnostic(placed),
                Severity::Warning => warnings.push(line(&Report::new(placed))),
            }
        }
    }
    warnings
}

fn unused(sequences: &[Sequence]) -> impl Iterator<Item = String> {
    let runs: BTreeSet<&String> = offered(sequences).flat_map(|sequence| &sequence.runs).collect();
    let unused = sequences
        .iter()
        .filter(move |sequence| !sequence.is_offered() && !runs.contains(&sequence.id));
    unused.map(|sequence| {
        format!(
            "{}: the sequence is `hidden`, and no other one runs it",
            sequence.file
        )
    })
}
