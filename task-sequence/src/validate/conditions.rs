//! Conditions that ask for what there never is.

use super::unknown::Known;
use super::{Given, Problem, Severity};
use crate::condition::{Condition, Test};
use crate::model::{Node, OperatingSystem, Step, TaskSequence};
use crate::steps::Action;

const NO_REGISTRY: &str = "`registry` asks for the registry of Windows, but the sequence is for Linux: ask for a `file` or for `software`";

pub(super) fn check(sequence: &TaskSequence, given: &Given, problems: &mut Vec<Problem>) {
    let look = Look {
        system: sequence.operating_system,
        known: Known::new(given),
    };
    look.at(&sequence.steps, (&[], &[]), problems);
}

struct Look<'a> {
    system: OperatingSystem,
    known: Known<'a>,
}

impl Look<'_> {
    /// A condition is reported at the group or step that has it.
    fn at(&self, nodes: &[Node], (names, places): (&[&str], &[usize]), problems: &mut Vec<Problem>) {
        for (place, node) in nodes.iter().enumerate() {
            if node.common().disabled {
                continue;
            }
            let names = [names, &[node.name()]].concat();
            let places = [places, &[place]].concat();
            let found = self.found(node).into_iter();
            problems.extend(found.map(|(severity, message)| Problem {
                path: names.iter().map(|name| (*name).to_owned()).collect(),
                node: places.clone(),
                ..Problem::of_sequence(severity, message)
            }));
            if let Node::Group(group) = node {
                self.at(&group.steps, (&names, &places), problems);
            }
        }
    }

    fn found(&self, node: &Node) -> Vec<(Severity, String)> {
        let of_tests = conditions(node).into_iter().flat_map(Condition::tests);
        let mut found: Vec<_> = of_tests.filter_map(|test| self.of_test(test)).collect();
        // The names in rules are looked at with the other settings of their step.
        let when = node.common().when.iter();
        let names = when.flat_map(|condition| self.known.unknown_in(condition));
        found.extend(names.map(|message| (Severity::Warning, message)));
        found
    }

    fn of_test(&self, test: &Test) -> Option<(Severity, String)> {
        match test {
            Test::Registry { .. } if self.system == OperatingSystem::Linux => {
                Some((Severity::Error, NO_REGISTRY.to_owned()))
            }
            Test::Variable { name, .. } => {
                let message = self.known.unknown_of_engine(name)?;
                Some((Severity::Warning, message))
            }
            _ => None,
        }
    }
}

/// Its own, and those of the rules in it.
fn conditions(node: &Node) -> Vec<&Condition> {
    let rules = match node {
        Node::Step(Step {
            action: Action::SetVariables(options),
            ..
        }) => &options.rules[..],
        _ => &[],
    };
    let of_rules = rules.iter().filter_map(|rule| rule.when.as_ref());
    node.common().when.iter().chain(of_rules).collect()
}
