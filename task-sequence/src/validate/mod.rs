//! What can be proven wrong before a machine is touched.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::model::{Node, Step, TaskSequence};
use crate::package::PackageId;
use crate::setting::words;
use crate::steps::Action;

mod check;
mod kind;
mod names;
mod order;

pub(crate) use check::{Check, Join};
pub use names::{computer_name, product_key, workgroup_name};

words! {
    /// What a package contains.
    PackageKind {
        /// Images in a WIM file.
        Image = "image",
        /// An application with its commands.
        Application = "application",
        /// Files and programs.
        Package = "package",
        /// Drivers.
        Drivers = "drivers",
        /// Updates.
        Updates = "updates",
    }
}

/// What is known about a package of the media.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageFacts {
    /// What it contains; `None` where that is not known.
    pub kind: Option<PackageKind>,
    /// How many images its file has; `None` where that is not known.
    pub images: Option<u32>,
}

/// What is known about the media that the sequence travels on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MediaFacts {
    /// Its packages.
    pub packages: BTreeMap<PackageId, PackageFacts>,
    /// The ids of its sequences; `None` where they are not known.
    pub sequences: Option<BTreeSet<String>>,
    /// The names of the variables that the media declares secret.
    pub secrets: BTreeSet<String>,
}

words! {
    /// How bad a problem is.
    Severity {
        /// The sequence cannot run.
        Error = "error",
        /// The sequence can run; someone should look.
        Warning = "warning",
    }
}

/// Something wrong with a sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The names of the groups and of the step, from the outside inwards; empty for the sequence itself.
    pub path: Vec<String>,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.path.is_empty() {
            "sequence".to_owned()
        } else {
            self.path.join(" / ")
        };
        write!(f, "{}: {place}: {}", self.severity, self.message)
    }
}

/// Everything that can be proven wrong with a sequence. Disabled nodes are not looked at.
pub fn validate(sequence: &TaskSequence, media: &MediaFacts) -> Vec<Problem> {
    let mut problems = Vec::new();
    let enabled = enabled_steps(sequence);
    check_sequence(sequence, &enabled, &mut problems);
    let given = check::given_variables(sequence, &enabled);
    for placed in &enabled {
        let mut check = Check::new(placed, media, &given, &mut problems);
        check.packages(&placed.step.action);
        placed.step.action.check(&mut check);
    }
    check_groups(&sequence.steps, &mut Vec::new(), &mut problems);
    order::check(sequence.operating_system, &enabled, &mut problems);
    kind::check(sequence.operating_system, &enabled, &mut problems);
    problems
}

/// The packages that enabled steps refer to: what has to travel.
///
/// Ids with `%VARIABLES%` are not known before the run, and base variables are read where the
/// sequence itself gives their values.
pub fn referenced_packages(sequence: &TaskSequence) -> BTreeSet<PackageId> {
    let enabled = enabled_steps(sequence);
    let known = check::given_variables(sequence, &enabled);
    enabled
        .iter()
        .flat_map(|placed| known.packages(&placed.step.action))
        .collect()
}

/// Whether a step searches all driver packages of the media, so that all have to travel.
pub fn needs_all_driver_packages(sequence: &TaskSequence) -> bool {
    let searches_all =
        |step: &Step| matches!(&step.action, Action::AutoApplyDrivers(o) if o.packages.is_empty());
    enabled_steps(sequence)
        .iter()
        .any(|placed| searches_all(placed.step))
}

/// An enabled step with the names around it and what decides whether it runs.
pub(crate) struct Placed<'a> {
    pub(crate) step: &'a Step,
    pub(crate) path: Vec<String>,
    /// Whether a condition on it, or on a group around it, may keep it from running.
    pub(crate) conditional: bool,
}

fn enabled_steps(sequence: &TaskSequence) -> Vec<Placed<'_>> {
    let mut found = Vec::new();
    collect(&sequence.steps, &mut Vec::new(), false, &mut found);
    found
}

fn collect<'a>(nodes: &'a [Node], path: &mut Vec<String>, conditional: bool, found: &mut Vec<Placed<'a>>) {
    for node in nodes.iter().filter(|node| !node.common().disabled) {
        path.push(node.name().to_owned());
        let conditional = conditional || node.common().when.is_some();
        match node {
            Node::Group(group) => collect(&group.steps, path, conditional, found),
            Node::Step(step) => found.push(Placed {
                step,
                path: path.clone(),
                conditional,
            }),
        }
        path.pop();
    }
}

fn error(placed: &Placed<'_>, message: String, problems: &mut Vec<Problem>) {
    problems.push(Problem {
        severity: Severity::Error,
        path: placed.path.clone(),
        message,
    });
}

fn check_sequence(sequence: &TaskSequence, enabled: &[Placed<'_>], problems: &mut Vec<Problem>) {
    let mut error = |message: String| {
        problems.push(Problem {
            severity: Severity::Error,
            path: Vec::new(),
            message,
        });
    };
    if sequence.name.trim().is_empty() {
        error("`name` is empty".into());
    }
    if enabled.is_empty() {
        error("it has no enabled step".into());
    }
    if let Err(why) = sequence.initial_variables() {
        error(why.to_string());
    }
}

fn check_groups(nodes: &[Node], path: &mut Vec<String>, problems: &mut Vec<Problem>) {
    for node in nodes.iter().filter(|node| !node.common().disabled) {
        let Node::Group(group) = node else { continue };
        path.push(group.name.clone());
        if group.steps.is_empty() {
            problems.push(Problem {
                severity: Severity::Warning,
                path: path.clone(),
                message: "the group is empty".into(),
            });
        }
        check_groups(&group.steps, path, problems);
        path.pop();
    }
}
