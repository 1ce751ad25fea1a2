//! What `run-task-sequence` means: the steps of the other sequence take the place of the step, as a group with its name, its
//! condition and its `continue-on-error`. Validation, the journal and restarts then know one list of steps.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Group, Node, Step, TaskSequence};
use crate::steps::{Action, RunTaskSequence};
use crate::validate::{Problem, Severity};

/// More steps than this come of sequences that run each other again and again.
const MOST_STEPS: usize = 2000;

/// A sequence that contains those that it runs.
#[derive(Debug)]
pub struct Embedded {
    /// The sequence. It declares what they declare, unless it declares that itself.
    pub sequence: TaskSequence,
    /// The ids of the sequences that it runs, directly or through others.
    pub runs: BTreeSet<String>,
    /// What does not fit together.
    pub problems: Vec<Problem>,
}

/// Puts the other sequences of the media, by their ids, into the one with this id. A step whose sequence is not there stays:
/// [`validate`](crate::validate()) reports it. Disabled nodes stay as they are.
pub fn embed(id: &str, sequence: &TaskSequence, others: &BTreeMap<String, TaskSequence>) -> Embedded {
    let mut work = Work {
        others,
        whole: sequence.clone(),
        runs: BTreeSet::new(),
        problems: Vec::new(),
        steps: 0,
        full: false,
    };
    let around = Around {
        running: vec![id],
        names: Vec::new(),
        places: Vec::new(),
    };
    let steps = work.nodes(&sequence.steps, &around);
    Embedded {
        sequence: TaskSequence { steps, ..work.whole },
        runs: work.runs,
        problems: work.problems,
    }
}

struct Work<'a> {
    others: &'a BTreeMap<String, TaskSequence>,
    whole: TaskSequence,
    runs: BTreeSet<String>,
    problems: Vec<Problem>,
    steps: usize,
    /// That there are too many steps was said.
    full: bool,
}

/// What is around a node, from the outside inwards.
struct Around<'a> {
    /// The sequences that run here.
    running: Vec<&'a str>,
    names: Vec<&'a str>,
    places: Vec<usize>,
}

impl<'a> Around<'a> {
    fn at(&self, place: usize, name: &'a str) -> Self {
        Self {
            running: self.running.clone(),
            names: [&self.names[..], &[name]].concat(),
            places: [&self.places[..], &[place]].concat(),
        }
    }
}

impl<'a> Work<'a> {
    fn nodes(&mut self, nodes: &'a [Node], around: &Around<'a>) -> Vec<Node> {
        let nodes = nodes.iter().enumerate();
        nodes
            .map(|(place, node)| self.node(node, around.at(place, node.name())))
            .collect()
    }

    fn node(&mut self, node: &'a Node, mut here: Around<'a>) -> Node {
        self.steps += 1;
        match node {
            other if other.common().disabled => other.clone(),
            Node::Group(group) => Node::Group(Group {
                steps: self.nodes(&group.steps, &here),
                name: group.name.clone(),
                common: group.common.clone(),
            }),
            Node::Step(step) => match self.other(step, &here) {
                Some((id, sequence)) => {
                    here.running.push(id);
                    self.runs.insert(id.to_owned());
                    self.declare(sequence);
                    Node::Group(Group {
                        name: step.name().to_owned(),
                        common: step.common.clone(),
                        steps: self.nodes(&sequence.steps, &here),
                    })
                }
                None => node.clone(),
            },
        }
    }

    /// The sequence that the step runs, if it can.
    fn other(&mut self, step: &'a Step, here: &Around<'a>) -> Option<(&'a str, &'a TaskSequence)> {
        let Action::RunTaskSequence(RunTaskSequence { sequence: id }) = &step.action else {
            return None;
        };
        let sequence = self.others.get(id).filter(|_| !self.full)?;
        let wrong = self.wrong(step, id, sequence, here);
        let fits = wrong.is_empty();
        let problems = wrong.into_iter().map(|message| Problem {
            severity: Severity::Error,
            path: here.names.iter().map(|name| (*name).to_owned()).collect(),
            node: here.places.clone(),
            message,
        });
        self.problems.extend(problems);
        fits.then_some((id, sequence))
    }

    fn wrong(&mut self, step: &Step, id: &str, sequence: &TaskSequence, here: &Around<'_>) -> Vec<String> {
        let mut wrong = Vec::new();
        if here.running.contains(&id) {
            let circle = [&here.running[..], &[id]].concat().join("`, which runs `");
            wrong.push(format!("`{circle}`: that would never end"));
        } else if self.steps > MOST_STEPS {
            self.full = true;
            wrong.push(format!(
                "with the sequences that it runs, this one has more than {MOST_STEPS} steps"
            ));
        }
        if sequence.operating_system != self.whole.operating_system {
            wrong.push(format!(
                "sequence `{id}` is for {}, and the one that runs it for {}",
                sequence.operating_system, self.whole.operating_system
            ));
        }
        let settings = [
            ("retry", step.retry.is_some()),
            ("timeout", step.timeout.is_some()),
            ("after-cut", step.own_after_cut.is_some()),
        ];
        let given = settings.into_iter().filter(|(_, given)| *given);
        wrong.extend(given.map(|(name, _)| {
            format!("`{name}` has no effect on a whole sequence: give it to the steps of `{id}`")
        }));
        wrong
    }

    fn declare(&mut self, other: &TaskSequence) {
        for declared in &other.variables {
            let mut known = self.whole.variables.iter();
            if !known.any(|own| own.name.eq_ignore_ascii_case(&declared.name)) {
                self.whole.variables.push(declared.clone());
            }
        }
    }
}
