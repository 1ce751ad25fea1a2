//! What the screen knows of the run, event by event. Pure, so that it can be tested.

use std::collections::VecDeque;
use std::time::Duration;

use media_format::event::{Environment, Event};

use super::line::{Line, Style};
use crate::context::code_text;

/// Steps that have ended and are still shown: with the others' lines, all fits a screen of 25 lines.
const SHOWN: usize = 11;
pub(super) const FAILED: &str = "THE TASK SEQUENCE HAS FAILED";

/// The run so far.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) organization: String,
    pub(super) sequence: String,
    pub(super) place: String,
    /// Nobody else writes to the terminal: in an installed system people log in there.
    pub(super) alone: bool,
    pub(super) step: String,
    pub(super) number: usize,
    pub(super) of: usize,
    pub(super) phase: String,
    pub(super) done: u64,
    pub(super) total: u64,
    pub(super) step_began: Duration,
    pub(super) running: bool,
    pub(super) ended: VecDeque<Line>,
    failure: Failure,
    pub(super) result: Option<Vec<String>>,
}

impl State {
    pub(super) fn is_running(&self) -> bool {
        !self.sequence.is_empty() && self.result.is_none()
    }

    pub(super) fn note(&mut self, event: &Event, elapsed: Duration) {
        match event {
            Event::Started {
                organization,
                sequence,
                environment,
                ..
            } => {
                self.organization.clone_from(organization);
                self.sequence.clone_from(sequence);
                self.place = place(*environment).into();
                self.alone = *environment == Environment::Pe;
            }
            Event::Step { number, of, name, .. } => {
                (self.number, self.of) = (*number, *of);
                self.step.clone_from(name);
                self.step_began = elapsed;
                self.running = true;
                // What has failed before was no reason to stop.
                self.failure = Failure::default();
                (self.phase, self.done, self.total) = (String::new(), 0, 0);
            }
            Event::Progress { phase, done, total } => {
                (self.phase, self.done, self.total) = (phase.clone(), *done, *total);
            }
            Event::StepEnded {
                name,
                outcome,
                code,
                reason,
            } => {
                if outcome == "failed" {
                    self.failure = Failure {
                        step: name.clone(),
                        reason: reason.clone().unwrap_or_default(),
                        code: *code,
                    };
                }
                self.ended(name, outcome, elapsed);
            }
            Event::Working => {}
            Event::Restart { target } => self.phase = format!("restarts into {}", place(*target)),
            Event::ShutDown { target } => {
                self.phase = format!("switches itself off, and goes on in {}", place(*target));
            }
            Event::Ended {
                succeeded,
                reason,
                captured,
                log,
            } => {
                self.result = Some(self.ending(*succeeded, reason, captured, log));
            }
            Event::LogCopied { log } => {
                if let Some(result) = &mut self.result {
                    result.push(copy(log));
                }
            }
        }
    }

    fn ended(&mut self, name: &str, outcome: &str, elapsed: Duration) {
        let style = match outcome {
            "done" => Style::Good,
            "failed" => Style::Bad,
            _ => Style::Unimportant,
        };
        // One that was skipped has not begun either.
        let took = match self.running {
            true => elapsed.saturating_sub(self.step_began),
            false => Duration::ZERO,
        };
        self.running = false;
        self.ended.push_back(Line::of_step((style, outcome), took, name));
        if self.ended.len() > SHOWN {
            self.ended.pop_front();
        }
    }

    fn ending(
        &self,
        succeeded: bool,
        reason: &Option<String>,
        captured: &Option<String>,
        log: &Option<String>,
    ) -> Vec<String> {
        let mut lines = Vec::new();
        if succeeded {
            lines.push("The task sequence has ended successfully.".into());
            lines.extend(captured.iter().map(|path| format!("Captured to {path}")));
        } else {
            lines.push(FAILED.into());
            lines.extend(self.failure.lines(reason.as_deref()));
        }
        lines.extend(log.iter().map(|path| format!("Log:    {path}")));
        lines
    }
}

/// Of a log.
pub(super) fn copy(place: &str) -> String {
    format!("Copy:   {place}")
}

fn place(environment: Environment) -> &'static str {
    match environment {
        Environment::Pe => "the boot image",
        Environment::Os => "the installed system",
    }
}

/// The step that failed last.
#[derive(Debug, Default)]
struct Failure {
    step: String,
    reason: String,
    code: i64,
}

impl Failure {
    /// What ended the run: this step where the run says the same, else what the run says.
    fn lines(&self, ended: Option<&str>) -> Vec<String> {
        let by_this = !self.step.is_empty() && ended.is_none_or(|ended| ended.contains(&self.reason));
        if !by_this {
            return ended.iter().map(|reason| format!("Reason: {reason}")).collect();
        }
        vec![
            format!("Step:   {}", self.step),
            format!("Reason: {}", self.reason),
            format!("Code:   {}", code_text(self.code)),
        ]
    }
}
