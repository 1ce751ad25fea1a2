//! Secrets that are asked for at the machine: a Windows that the run has started goes on without anybody to ask.

use super::given::Given;
use super::order::in_started_system;
use super::{EnabledStep, Installation, MediaFacts, PackageFacts, Problem, Severity, error};
use crate::model::{OperatingSystem, TaskSequence};
use crate::steps::{Action, Place};
use crate::variables::Variables;

pub(super) fn check(
    sequence: &TaskSequence,
    enabled: &[EnabledStep<'_>],
    media: &MediaFacts,
    given: &Given,
    problems: &mut Vec<Problem>,
) {
    if sequence.operating_system != OperatingSystem::Windows || media.asked.is_empty() {
        return;
    }
    let inside: Vec<bool> = in_started_system(enabled)
        .into_iter()
        .zip(enabled)
        // What begins in the boot image and ends in Windows needs its secrets in both.
        .map(|(inside, placed)| inside || placed.step.action.kind().place == Place::PeToOs)
        .collect();
    let Some(last) = inside.iter().rposition(|inside| *inside) else {
        return;
    };
    for name in &media.asked {
        if is_asked_at_every_start(sequence, media, name) {
            let message = format!("a condition or variable of it depends on {}", nobody(name));
            problems.push(Problem::of_sequence(Severity::Error, message));
        }
        for (placed, inside) in enabled.iter().zip(&inside).take(last + 1) {
            let action = &placed.step.action;
            // What a step has set from a secret is made again after a restart.
            if makes_of(action, name) || *inside && uses(action, name, media, given) {
                error(placed, format!("it needs {}", nobody(name)), problems);
            }
        }
    }
}

fn nobody(name: &str) -> String {
    format!(
        "the secret {name}, which is asked for at the machine, and inside Windows nobody can be asked: write \
         {{ env = \"NAME\" }} or {{ file = \"PATH\" }} in media.toml"
    )
}

fn makes_of(action: &Action, name: &str) -> bool {
    let Action::SetVariables(options) = action else {
        return false;
    };
    let mut values = options
        .declared()
        .filter_map(|declared| declared.value.as_deref());
    values.any(|value| Variables::refers_to(value, name))
}

/// Whether a step comes out differently with this secret than without it.
fn uses(action: &Action, name: &str, media: &MediaFacts, given: &Given) -> bool {
    let mut with = given.values().clone();
    if with.set_secret(name, "?").is_err() {
        return false;
    }
    let by_packages = match action {
        Action::InstallApplications(_) | Action::InstallPackage(_) | Action::SetupOs(_) => {
            media.packages.values().any(|facts| package_uses(facts, name))
        }
        _ => false,
    };
    by_packages || action.resolve(given.values()) != action.resolve(&with)
}

fn package_uses(facts: &PackageFacts, name: &str) -> bool {
    let own = match &facts.installation {
        Some(Installation::Command(line)) => Some(line),
        _ => None,
    };
    let programs = facts.programs.iter().flat_map(|programs| programs.values());
    own.into_iter()
        .chain(programs)
        .any(|line| Variables::refers_to(line, name))
}

/// What conditions and the first variables depend on is needed before any step.
fn is_asked_at_every_start(sequence: &TaskSequence, media: &MediaFacts, name: &str) -> bool {
    let of_sequence = sequence
        .variables
        .iter()
        .filter_map(|declared| declared.value.as_ref());
    let mut values = of_sequence.chain(media.variables.values());
    values.any(|value| Variables::refers_to(value, name)) || sequence.decides_by(name)
}
