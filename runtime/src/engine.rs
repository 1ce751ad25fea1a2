//! What happens next. Pure: a sequence, the progress so far and the answers to conditions go in, a decision
//! comes out; nothing is done here.

use std::collections::BTreeMap;

use media_format::event::Environment;
use serde::{Deserialize, Serialize};
use task_sequence::{AfterCut, Condition, Group, Node, Step, TaskSequence};

/// A sequence as a list: its steps in order, each with the groups around it.
#[derive(Debug)]
pub struct Program<'a> {
    /// The steps.
    pub steps: Vec<Placed<'a>>,
    groups: Vec<Enclosed<'a>>,
}

/// A step with the groups around it, the outermost first, by their number.
#[derive(Debug)]
pub struct Placed<'a> {
    /// The step.
    pub step: &'a Step,
    groups: Vec<usize>,
}

#[derive(Debug)]
struct Enclosed<'a> {
    group: &'a Group,
    /// Index of the first step after the group.
    end: usize,
}

impl<'a> Program<'a> {
    /// Lists the steps of a sequence.
    pub fn new(sequence: &'a TaskSequence) -> Self {
        let mut program = Self {
            steps: Vec::new(),
            groups: Vec::new(),
        };
        program.add(&sequence.steps, &[]);
        program
    }

    fn add(&mut self, nodes: &'a [Node], around: &[usize]) {
        for node in nodes {
            match node {
                Node::Step(step) => self.steps.push(Placed {
                    step,
                    groups: around.to_vec(),
                }),
                Node::Group(group) => {
                    let number = self.groups.len();
                    self.groups.push(Enclosed { group, end: 0 });
                    self.add(&group.steps, &[around, &[number]].concat());
                    self.groups[number].end = self.steps.len();
                }
            }
        }
    }
}

/// How far a run is; the journal keeps it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Progress {
    /// Index of the step that comes next or is running.
    pub position: usize,
    /// The step at `position` was begun and has not ended: the intent, written before the work.
    pub started: bool,
    /// The part of the step at `position` that comes next: counts its restarts.
    pub part: u32,
    /// A restart that was asked for and has not been seen yet.
    pub restart: Option<Environment>,
    /// Restarts since a step, or an item of its list, last ended: a cap on restart loops.
    pub restarts: u32,
    /// Groups whose condition was decided, by their number.
    pub groups: BTreeMap<usize, bool>,
    /// How the steps ended.
    pub results: Vec<StepResult>,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StepResult {
    /// Its index.
    pub step: usize,
    /// How.
    pub ended: Ended,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// It did what it was to do.
    Done,
    /// It did not run.
    Skipped(String),
    /// It failed.
    Failed {
        /// Exit code.
        code: i64,
        /// Why.
        reason: String,
    },
}

/// What a step says when it returns without an error. Steps never restart the machine themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The step is done.
    Done,
    /// There was nothing to do.
    Skipped(String),
    /// Done, after a restart there.
    RestartThenContinue(Environment),
    /// The step's next part runs after a restart there.
    RestartThenRetry(Environment),
    /// The step's next part runs there, after the machine was switched off and somebody has switched it on again.
    ShutDownThenRetry(Environment),
}

/// The decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Run the step at this index.
    Run(usize),
    /// Do not run it.
    Skip(usize, String),
    /// Nobody knows whether to run it.
    Undecided(usize, Undecided),
    /// The step was cut and its policy is to stop.
    Cut(usize),
    /// The restart that was asked for led elsewhere: try again.
    RestartAgain(Environment),
    /// Everything has run.
    End,
}

/// A condition that could not be decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecided {
    /// How many of the groups around the step it concerns, the outermost first; without it, it is the step's own.
    pub groups: Option<usize>,
    /// Why.
    pub reason: String,
}

/// A restart that never arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    /// The step at which the run stands.
    pub step: usize,
    /// Why.
    pub reason: String,
}

/// The run cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over;

/// More restarts than this, while no step and no item of a list ends, are a loop.
pub const MOST_RESTARTS: u32 = 8;

/// Decides what happens next, and notes in `progress` what was decided on the way (groups, an arrived restart).
///
/// # Errors
/// When restarts lead nowhere.
pub fn next(
    program: &Program<'_>,
    progress: &mut Progress,
    here: Environment,
    evaluate: &mut dyn FnMut(&Condition) -> Result<bool, String>,
) -> Result<Next, Stuck> {
    if let Some(again) = arrive(progress, here)? {
        return Ok(again);
    }
    let Some(placed) = program.steps.get(progress.position) else {
        return Ok(Next::End);
    };
    let index = progress.position;
    if progress.started {
        return Ok(match placed.step.after_cut() {
            AfterCut::Stop => Next::Cut(index),
            AfterCut::Repeat | AfterCut::Probe => Next::Run(index),
        });
    }
    if progress.part > 0 {
        return Ok(Next::Run(index));
    }
    for (outer, &number) in placed.groups.iter().enumerate() {
        let group = program.groups[number].group;
        let known = progress.groups.get(&number).copied();
        let decided = known.map_or_else(|| runs(&group.common, evaluate).map(|why| why.is_none()), Ok);
        let enter = match decided {
            Ok(enter) => enter,
            Err(why) => {
                let reason = format!("the condition of group \"{}\": {why}", group.name);
                let groups = Some(outer + 1);
                return Ok(Next::Undecided(index, Undecided { groups, reason }));
            }
        };
        progress.groups.insert(number, enter);
        if !enter {
            let reason = if group.common.disabled {
                format!("group \"{}\" is disabled", group.name)
            } else {
                format!("the condition of group \"{}\" does not hold", group.name)
            };
            return Ok(Next::Skip(index, reason));
        }
    }
    Ok(match runs(&placed.step.common, evaluate) {
        Ok(None) => Next::Run(index),
        Ok(Some(reason)) => Next::Skip(index, reason),
        Err(reason) => Next::Undecided(index, Undecided { groups: None, reason }),
    })
}

fn arrive(progress: &mut Progress, here: Environment) -> Result<Option<Next>, Stuck> {
    let Some(target) = progress.restart else {
        return Ok(None);
    };
    if target == here {
        progress.restart = None;
        return Ok(None);
    }
    if progress.restarts >= MOST_RESTARTS {
        let place = |environment| match environment {
            Environment::Pe => "the boot image",
            Environment::Os => "the installed system",
        };
        let reason = format!(
            "the machine was to restart into {} and came back in {} {MOST_RESTARTS} times; check that the installed \
             system starts by itself",
            place(target),
            place(here)
        );
        return Err(Stuck {
            step: progress.position,
            reason,
        });
    }
    progress.restarts += 1;
    Ok(Some(Next::RestartAgain(target)))
}

/// Nothing when the node runs, else why it does not.
fn runs(
    common: &task_sequence::Common,
    evaluate: &mut dyn FnMut(&Condition) -> Result<bool, String>,
) -> Result<Option<String>, String> {
    if common.disabled {
        return Ok(Some("disabled".into()));
    }
    match &common.when {
        Some(condition) if !evaluate(condition)? => Ok(Some("its condition does not hold".into())),
        _ => Ok(None),
    }
}

impl Progress {
    /// Notes that the step at `position` begins.
    pub fn begin(&mut self) {
        self.started = true;
    }

    /// Notes how the step at `position` ended and moves on. A failure that a `continue-on-error` covers moves to the
    /// step, or past the group, where the sequence goes on.
    ///
    /// # Errors
    /// When a failure ends the run, which then stands before the part of the step that failed.
    pub fn end(&mut self, program: &Program<'_>, ended: Ended) -> Result<(), Over> {
        let target = match ended {
            Ended::Failed { .. } => after_failure(program, self.position, None),
            Ended::Done | Ended::Skipped(_) => Some(self.position + 1),
        };
        self.go_on(ended, target)
    }

    /// Notes that the step at `position` failed because nobody knows whether it was to run. Where that is so of a group around
    /// it, what the step itself says of its failures does not count.
    ///
    /// # Errors
    /// As for [`Progress::end`].
    pub fn end_undecided(
        &mut self,
        program: &Program<'_>,
        groups: Option<usize>,
        ended: Ended,
    ) -> Result<(), Over> {
        let target = after_failure(program, self.position, groups);
        self.go_on(ended, target)
    }

    fn go_on(&mut self, ended: Ended, target: Option<usize>) -> Result<(), Over> {
        let step = self.position;
        self.started = false;
        // A run that is kept in spite of it goes on with this part of the step.
        self.position = target.ok_or(Over)?;
        self.results.push(StepResult { step, ended });
        self.part = 0;
        self.restarts = 0;
        Ok(())
    }

    /// Notes that an item of the step's list has ended: the restarts before it were no loop.
    pub fn end_item(&mut self) {
        self.restarts = 0;
    }

    /// Notes that the step asks for a restart.
    ///
    /// # Errors
    /// When there were too many of them, and no step and no item of a list has ended in between.
    pub fn ask_restart(
        &mut self,
        program: &Program<'_>,
        target: Environment,
        retry: bool,
    ) -> Result<(), Over> {
        if retry {
            self.started = false;
            self.part += 1;
            self.restarts += 1;
        } else {
            self.end(program, Ended::Done)?;
        }
        self.restart = Some(target);
        if self.restarts > MOST_RESTARTS {
            Err(Over)
        } else {
            Ok(())
        }
    }
}

/// Where the sequence goes on after a failure of a step, or of so many of the groups around it.
fn after_failure(program: &Program<'_>, index: usize, groups: Option<usize>) -> Option<usize> {
    let placed = &program.steps[index];
    if groups.is_none() && placed.step.common.continue_on_error {
        return Some(index + 1);
    }
    let around = &placed.groups[..groups.unwrap_or(placed.groups.len())];
    let forgiving = around.iter().rev().map(|&number| &program.groups[number]);
    forgiving
        .into_iter()
        .find(|enclosed| enclosed.group.common.continue_on_error)
        .map(|enclosed| enclosed.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEQUENCE: &str = r#"
        name = "test"
        operating-system = "linux"
        [[steps]]
        type = "run-command-line"
        command = "one"
        after-cut = "repeat"
        [[steps]]
        group = "forgiving"
        continue-on-error = true
        when = { variable = "enter", equals = "yes" }
          [[steps.steps]]
          type = "run-command-line"
          command = "two"
          [[steps.steps]]
          type = "run-command-line"
          command = "three"
          when = { variable = "three", equals = "yes" }
        [[steps]]
        type = "run-command-line"
        command = "four"
        disabled = true
        [[steps]]
        type = "run-command-line"
        command = "five"
        after-cut = "stop"
    "#;

    fn sequence() -> TaskSequence {
        task_sequence::parse("test.toml", SEQUENCE).unwrap()
    }

    fn decide(program: &Program<'_>, progress: &mut Progress, answer: bool) -> Next {
        next(program, progress, Environment::Pe, &mut |_| Ok(answer)).unwrap()
    }

    #[test]
    fn steps_run_in_order_and_disabled_ones_do_not() {
        let sequence = sequence();
        let program = Program::new(&sequence);
        let mut progress = Progress::default();
        let mut ran = Vec::new();
        loop {
            match decide(&program, &mut progress, true) {
                Next::Run(index) => {
                    ran.push(index);
                    progress.begin();
                    progress.end(&program, Ended::Done).unwrap();
                }
                Next::Skip(_, reason) => progress.end(&program, Ended::Skipped(reason)).unwrap(),
                Next::End => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(ran, [0, 1, 2, 4]);
    }

    #[test]
    fn a_groups_condition_is_decided_once() {
        let sequence = sequence();
        let program = Program::new(&sequence);
        let mut progress = Progress {
            position: 1,
            ..Progress::default()
        };
        let mut asked = 0;
        let mut evaluate = |_: &Condition| {
            asked += 1;
            Ok(false)
        };
        assert!(matches!(
            next(&program, &mut progress, Environment::Pe, &mut evaluate),
            Ok(Next::Skip(1, _))
        ));
        progress.position = 2;
        assert!(matches!(
            next(&program, &mut progress, Environment::Pe, &mut evaluate),
            Ok(Next::Skip(2, _))
        ));
        assert_eq!(asked, 1);
    }

    #[test]
    fn a_failure_ends_the_run_or_leaves_the_forgiving_group() {
        let sequence = sequence();
        let program = Program::new(&sequence);
        let failed = || Ended::Failed {
            code: 1,
            reason: "no".into(),
        };
        let mut progress = Progress::default();
        assert_eq!(progress.end(&program, failed()), Err(Over));
        assert_eq!(progress.position, 0);
        let mut progress = Progress {
            position: 1,
            ..Progress::default()
        };
        assert_eq!(progress.end(&program, failed()), Ok(()));
        assert_eq!(progress.position, 3, "the rest of the group is passed over");
    }

    #[test]
    fn a_condition_that_cannot_be_decided_is_a_failure_of_the_step_or_group_that_has_it() {
        let sequence = sequence();
        let program = Program::new(&sequence);
        let failed = || Ended::Failed {
            code: 1,
            reason: "no".into(),
        };
        for (position, broken, groups, goes_on_at) in [(1, "enter", Some(1), 3), (2, "three", None, 3)] {
            let mut progress = Progress {
                position,
                ..Progress::default()
            };
            let mut evaluate = |condition: &Condition| match format!("{condition:?}").contains(broken) {
                true => Err("input/output error".to_owned()),
                false => Ok(true),
            };
            let Ok(Next::Undecided(index, undecided)) =
                next(&program, &mut progress, Environment::Pe, &mut evaluate)
            else {
                panic!("{broken} was decided")
            };
            assert_eq!((index, undecided.groups), (position, groups));
            assert_eq!(progress.end_undecided(&program, groups, failed()), Ok(()));
            assert_eq!(progress.position, goes_on_at);
        }
    }

    #[test]
    fn a_step_that_may_fail_does_not_forgive_the_condition_of_its_group() {
        let text = SEQUENCE
            .replace("continue-on-error = true\n", "")
            .replace("command = \"two\"", "command = \"two\"\ncontinue-on-error = true");
        let sequence = task_sequence::parse("test.toml", &text).unwrap();
        let program = Program::new(&sequence);
        let failed = || Ended::Failed {
            code: 1,
            reason: "no".into(),
        };
        let mut progress = Progress {
            position: 1,
            ..Progress::default()
        };
        let mut of_group = progress.clone();
        assert_eq!(of_group.end_undecided(&program, Some(1), failed()), Err(Over));
        assert_eq!(progress.end_undecided(&program, None, failed()), Ok(()));
        assert_eq!(progress.position, 2);
    }

    #[test]
    fn a_cut_step_runs_again_or_stops_as_it_declares() {
        let sequence = sequence();
        let program = Program::new(&sequence);
        let mut progress = Progress {
            position: 0,
            started: true,
            ..Progress::default()
        };
        assert_eq!(decide(&program, &mut progress, true), Next::Run(0));
        progress.position = 4;
        assert_eq!(decide(&program, &mut progress, true), Next::Cut(4));
    }

    #[test]
    fn a_restart_that_leads_elsewhere_is_tried_again_and_then_given_up() {
        let sequence = sequence();
        let program = Program::new(&sequence);
        let mut progress = Progress::default();
        progress.begin();
        progress.ask_restart(&program, Environment::Os, true).unwrap();
        assert_eq!((progress.part, progress.started), (1, false));
        let mut arrived = progress.clone();
        let mut yes = |_: &Condition| Ok(true);
        assert_eq!(
            next(&program, &mut arrived, Environment::Os, &mut yes),
            Ok(Next::Run(0))
        );
        let mut again = 0;
        let stuck = loop {
            match next(&program, &mut progress, Environment::Pe, &mut yes) {
                Ok(Next::RestartAgain(Environment::Os)) => again += 1,
                Err(stuck) => break stuck,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(again, MOST_RESTARTS - 1);
        assert!(stuck.reason.contains("came back in the boot image"));
    }

    #[test]
    fn a_step_that_restarts_for_ever_is_stopped() {
        let sequence = sequence();
        let program = Program::new(&sequence);
        let mut progress = Progress::default();
        let restarts = (0..100).take_while(|_| progress.ask_restart(&program, Environment::Pe, true).is_ok());
        assert_eq!(restarts.count(), MOST_RESTARTS as usize);
    }

    #[test]
    fn a_step_may_restart_for_each_item_of_its_list() {
        let sequence = sequence();
        let program = Program::new(&sequence);
        let mut progress = Progress::default();
        for item in 0..100 {
            progress.begin();
            progress.end_item();
            let asked = progress.ask_restart(&program, Environment::Pe, true);
            assert_eq!(asked, Ok(()), "item {item}");
        }
    }
}
