//! The machine's console: which step runs, how far it is, and at the end the result.

use std::time::{Duration, Instant};

use media_format::event::{Environment, Event};

use crate::context::code_text;

/// Width of the bar in characters.
const BAR: usize = 50;

/// What the screen shows.
#[derive(Debug)]
pub struct Screen {
    began: Instant,
    /// What the parts of the run before the last restart took.
    earlier: Duration,
    state: State,
}

/// Every console has at least as many columns.
const COLUMNS: usize = 78;

/// The texts of the screen: pure, so that it can be tested.
#[derive(Debug, Default)]
struct State {
    sequence: String,
    place: String,
    step: String,
    number: usize,
    of: usize,
    phase: String,
    done: u64,
    total: u64,
    step_began: Duration,
    failure: Vec<String>,
    result: Option<Vec<String>>,
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}

impl Screen {
    /// An empty screen; its clock starts now.
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            earlier: Duration::ZERO,
            state: State::default(),
        }
    }

    /// The text that shows the run after an event, for a terminal.
    pub fn show(&mut self, event: &Event) -> String {
        if let Event::Started { elapsed, .. } = event {
            self.earlier = Duration::from_secs(*elapsed);
        }
        self.state.note(event, self.elapsed());
        self.drawn()
    }

    /// The text of the same a little later, while the run goes on.
    pub fn again(&self) -> Option<String> {
        self.state.is_running().then(|| self.drawn())
    }

    fn elapsed(&self) -> Duration {
        self.earlier + self.began.elapsed()
    }

    /// Line over line, because a screen that is cleared each second flickers.
    fn drawn(&self) -> String {
        let mut text = String::from("\x1b[H\x1b[?25l");
        for line in self.state.lines(self.elapsed()) {
            text.push_str(&line);
            text.push_str("\x1b[K\r\n");
        }
        text + "\x1b[J"
    }
}

impl State {
    fn is_running(&self) -> bool {
        !self.sequence.is_empty() && self.result.is_none()
    }

    fn note(&mut self, event: &Event, elapsed: Duration) {
        match event {
            Event::Started {
                sequence,
                environment,
                ..
            } => {
                self.sequence.clone_from(sequence);
                self.place = place(*environment).into();
            }
            Event::Step { number, of, name, .. } => {
                (self.number, self.of) = (*number, *of);
                self.step.clone_from(name);
                self.step_began = elapsed;
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
            } if outcome == "failed" => {
                self.failure = vec![
                    format!("Step:   {name}"),
                    format!("Reason: {}", reason.as_deref().unwrap_or_default()),
                    format!("Code:   {}", code_text(*code)),
                ];
            }
            Event::Working | Event::StepEnded { .. } => {}
            Event::Restart { target } => self.phase = format!("restarts into {}", place(*target)),
            Event::Ended {
                succeeded,
                reason,
                captured,
                log,
            } => {
                self.result = Some(self.ending(*succeeded, reason, captured, log));
            }
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
            lines.push("THE TASK SEQUENCE HAS FAILED".into());
            if self.failure.is_empty() {
                lines.extend(reason.iter().map(|reason| format!("Reason: {reason}")));
            }
            lines.extend(self.failure.iter().cloned());
        }
        lines.extend(log.iter().map(|path| format!("Log:    {path}")));
        lines
    }

    fn lines(&self, elapsed: Duration) -> Vec<String> {
        let mut lines = vec![
            String::new(),
            format!("  {}", self.sequence),
            format!("  in {}, {} elapsed", self.place, clock(elapsed)),
            String::new(),
        ];
        if let Some(result) = &self.result {
            lines.extend(result.iter().flat_map(|line| wrapped(line)));
            return lines;
        }
        lines.push(if self.of == 0 {
            "  Checks before the first step".to_owned()
        } else {
            format!("  Step {} of {}: {}", self.number, self.of, self.step)
        });
        lines.push(format!("  {}", self.phase));
        if self.total > 0 {
            lines.push(format!("  {}", self.bar(elapsed.saturating_sub(self.step_began))));
        }
        lines
    }

    fn bar(&self, in_step: Duration) -> String {
        let share = (self.done as f64 / self.total as f64).clamp(0.0, 1.0);
        let filled = (share * BAR as f64) as usize;
        let left = if share > 0.02 {
            in_step.mul_f64((1.0 - share) / share)
        } else {
            Duration::ZERO
        };
        let remaining = if left.is_zero() {
            String::new()
        } else {
            format!(", about {} left", clock(left))
        };
        format!(
            "[{}{}] {:3.0} %{remaining}",
            "#".repeat(filled),
            ".".repeat(BAR - filled),
            share * 100.0
        )
    }
}

/// Reasons are longer than a line of the screen; what follows stands below the text, not below its label.
fn wrapped(line: &str) -> Vec<String> {
    let options = textwrap::Options::new(COLUMNS)
        .initial_indent("  ")
        .subsequent_indent("          ");
    textwrap::wrap(line, options)
        .into_iter()
        .map(std::borrow::Cow::into_owned)
        .collect()
}

fn place(environment: Environment) -> &'static str {
    match environment {
        Environment::Pe => "the boot image",
        Environment::Os => "the installed system",
    }
}

fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(events: &[Event]) -> State {
        let mut state = State::default();
        events.iter().for_each(|event| state.note(event, Duration::ZERO));
        state
    }

    #[test]
    fn a_running_step_shows_its_progress_and_the_time_that_is_left() {
        let state = state(&[
            Event::Step {
                number: 3,
                of: 9,
                name: "Apply".into(),
                kind: "x".into(),
            },
            Event::Progress {
                phase: "applying".into(),
                done: 50,
                total: 100,
            },
        ]);
        let text = state.lines(Duration::from_secs(60)).join("\n");
        assert!(
            text.contains("Step 3 of 9: Apply") && text.contains(" 50 %, about 0:01:00 left"),
            "{text}"
        );
    }

    #[test]
    fn before_the_first_step_no_number_is_shown() {
        let verifying = Event::Progress {
            phase: "verifying".into(),
            done: 50,
            total: 100,
        };
        let text = state(&[verifying]).lines(Duration::ZERO).join("\n");
        assert!(
            text.contains("Checks before the first step") && !text.contains("of 0"),
            "{text}"
        );
    }

    #[test]
    fn a_long_reason_stays_on_the_screen() {
        let reason = "the image needs room and the volume has none ".repeat(6);
        let lines = state(&[Event::Ended {
            succeeded: false,
            reason: Some(reason.clone()),
            captured: None,
            log: None,
        }])
        .lines(Duration::ZERO);
        assert!(lines.iter().all(|line| line.len() <= COLUMNS), "{lines:#?}");
        let words: Vec<&str> = lines.iter().flat_map(|line| line.split_whitespace()).collect();
        assert!(words.join(" ").contains(reason.trim()), "{lines:#?}");
    }

    #[test]
    fn a_failure_shows_step_reason_code_and_log() {
        let state = state(&[
            Event::StepEnded {
                name: "Apply".into(),
                outcome: "failed".into(),
                code: 0x8000_4005,
                reason: Some("no room".into()),
            },
            Event::Ended {
                succeeded: false,
                reason: None,
                captured: None,
                log: Some("/x/smsts.log".into()),
            },
        ]);
        let text = state.lines(Duration::ZERO).join("\n");
        for part in [
            "Apply",
            "no room",
            "2147500037 (0x80004005)",
            "/x/smsts.log",
            "FAILED",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
