//! What can be proven wrong before a machine is touched.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::model::{EnabledStep, Node, TaskSequence};
use crate::package::PackageId;
use crate::setting::words;
use crate::steps::Action;
use crate::variables::Variables;

mod accounts;
mod check;
mod conditions;
mod contents;
mod destinations;
mod effect;
mod given;
mod keyboards;
mod kind;
mod locate;
mod names;
mod order;
mod questions;
mod unknown;
mod winpe;

pub(crate) use check::{Check, Join};
use given::Given;
pub use keyboards::{Keyboard, keyboard};
pub use locate::{SourceFile, locate};
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
/// Everything is `None` where it is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageFacts {
    /// What it contains.
    pub kind: Option<PackageKind>,
    /// The names of the images that its file has, in order.
    pub images: Option<Vec<String>>,
    /// How it is installed.
    pub installation: Option<Installation>,
    /// Its programs with their command lines.
    pub programs: Option<BTreeMap<String, String>>,
    /// The packages that are installed before it.
    pub depends: Vec<PackageId>,
    /// The paths of its files beneath its folder, with `/`; none where the package is a single file.
    pub files: Option<BTreeSet<String>>,
}

/// How a package is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Installation {
    /// It does not say.
    None,
    /// By a command line.
    Command(String),
    /// As Debian packages.
    Debian,
    /// As RPM packages.
    Rpm,
    /// By the installers of Windows.
    Windows,
}

/// What is known about the media that the sequence travels on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MediaFacts {
    /// Its packages.
    pub packages: BTreeMap<PackageId, PackageFacts>,
    /// The ids of its sequences; `None` where they are not known.
    pub sequences: Option<BTreeSet<String>>,
    /// Its variables with their values, which count more than those of a sequence.
    pub variables: BTreeMap<String, String>,
    /// The names of the variables that the media declares secret; it has their values, or asks for them.
    pub secrets: BTreeSet<String>,
    /// Those of them whose values it asks for at the machine.
    pub asked: BTreeSet<String>,
    /// Whether its boot image is a WinPE.
    pub winpe: bool,
}

impl MediaFacts {
    /// What is known about a package; ids ignore case.
    fn package(&self, id: &PackageId) -> Option<&PackageFacts> {
        let mut packages = self.packages.iter();
        let found = packages.find(|(known, _)| known.as_str().eq_ignore_ascii_case(id.as_str()));
        found.map(|(_, facts)| facts)
    }

    /// The packages that may be of a kind; all where none is asked for.
    fn of_kind(&self, kind: Option<PackageKind>) -> impl Iterator<Item = &PackageId> {
        let fits = move |facts: &PackageFacts| match kind {
            None => true,
            // What has no kind of its own can be installed like an application.
            Some(PackageKind::Application) if facts.kind.is_none() => true,
            kind => facts.kind == kind,
        };
        self.packages
            .iter()
            .filter(move |(_, facts)| fits(facts))
            .map(|(id, _)| id)
    }
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
    /// The same as positions among their siblings, counted from 0. Those behind a step that runs another sequence are in that one.
    pub node: Vec<usize>,
    /// What is wrong and what to do.
    pub message: String,
}

impl Problem {
    fn of_sequence(severity: Severity, message: impl Into<String>) -> Self {
        Self {
            severity,
            path: Vec::new(),
            node: Vec::new(),
            message: message.into(),
        }
    }

    fn of_step(severity: Severity, placed: &EnabledStep<'_>, message: impl Into<String>) -> Self {
        Self {
            path: placed.path.iter().map(|name| (*name).to_owned()).collect(),
            node: placed.node.clone(),
            ..Self::of_sequence(severity, message)
        }
    }
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
    let enabled = sequence.enabled_steps();
    check_sequence(sequence, &enabled, &mut problems);
    let given = Given::new(sequence, &enabled, media);
    check_clear(sequence, &given, &mut problems);
    for placed in &enabled {
        let mut check = Check::new(placed, media, &given, &mut problems);
        check.packages(&placed.step.action);
        placed.step.action.check(&mut check);
    }
    check_groups(&sequence.steps, (&[], &[]), &mut problems);
    order::check(sequence.operating_system, &enabled, media, &given, &mut problems);
    kind::check(sequence.operating_system, &enabled, &given, &mut problems);
    questions::check(sequence, &enabled, media, &given, &mut problems);
    destinations::check(&enabled, &given, &mut problems);
    unknown::check(&enabled, &given, &mut problems);
    conditions::check(sequence, &given, &mut problems);
    accounts::check(sequence.operating_system, &enabled, &given, &mut problems);
    contents::check(sequence.operating_system, &enabled, media, &given, &mut problems);
    effect::check(sequence.operating_system, &enabled, &given, &mut problems);
    winpe::check(&enabled, media, &given, &mut problems);
    problems
}

/// The variables whose values are the same in the whole run, as the sequence and the media give them.
pub fn known_variables(sequence: &TaskSequence, media: &MediaFacts) -> Variables {
    let enabled = sequence.enabled_steps();
    Given::new(sequence, &enabled, media).into_values()
}

/// The packages that enabled steps need: what has to travel.
///
/// Where only the run knows which package a step means, these are all of that kind.
pub fn referenced_packages(sequence: &TaskSequence, media: &MediaFacts) -> BTreeSet<PackageId> {
    let enabled = sequence.enabled_steps();
    let given = Given::new(sequence, &enabled, media);
    enabled
        .iter()
        .flat_map(|placed| needed(&placed.step.action, &given, media))
        .collect()
}

fn needed(action: &Action, given: &Given, media: &MediaFacts) -> Vec<PackageId> {
    let packages = given.packages(action);
    let mut kinds: Vec<_> = packages.open.into_iter().map(|(_, kind)| kind).collect();
    if matches!(action, Action::AutoApplyDrivers(options) if options.packages.is_empty()) {
        kinds.push(Some(PackageKind::Drivers));
    }
    let all = kinds.into_iter().flat_map(|kind| media.of_kind(kind)).cloned();
    packages
        .named
        .into_iter()
        .map(|named| named.id)
        .chain(all)
        .collect()
}

fn error(placed: &EnabledStep<'_>, message: String, problems: &mut Vec<Problem>) {
    problems.push(Problem::of_step(Severity::Error, placed, message));
}

fn check_sequence(sequence: &TaskSequence, enabled: &[EnabledStep<'_>], problems: &mut Vec<Problem>) {
    let mut error = |message: String| problems.push(Problem::of_sequence(Severity::Error, message));
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

/// Secrets that everybody can read.
fn check_clear(sequence: &TaskSequence, given: &Given, problems: &mut Vec<Problem>) {
    let clear = sequence
        .variables
        .iter()
        .filter_map(|declared| given.in_the_clear(declared));
    problems.extend(clear.map(|message| Problem::of_sequence(Severity::Warning, message)));
}

fn check_groups(nodes: &[Node], (names, places): (&[&str], &[usize]), problems: &mut Vec<Problem>) {
    for (place, node) in nodes.iter().enumerate() {
        let Node::Group(group) = node else { continue };
        if group.common.disabled {
            continue;
        }
        let names = [names, &[&group.name]].concat();
        let places = [places, &[place]].concat();
        if group.steps.is_empty() {
            problems.push(Problem {
                path: names.iter().map(|name| (*name).to_owned()).collect(),
                node: places.clone(),
                ..Problem::of_sequence(Severity::Warning, "the group is empty")
            });
        }
        check_groups(&group.steps, (&names, &places), problems);
    }
}
