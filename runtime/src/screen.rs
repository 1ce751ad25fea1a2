//! The machine's console: which step runs, how far it is, and at the end the result.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use media_format::event::{Environment, Event};

use crate::context::code_text;

/// Width of the bar in characters.
const BAR: usize = 30;
/// Steps that have ended and are still shown: with the others' lines, all fits a screen of 25 lines.
const SHOWN: usize = 11;
/// What stands before the name of a step: how it ended, and how long it took.
const MARK: usize = 8;

/// What the screen shows.
#[derive(Debug)]
pub struct Screen {
    began: Instant,
    /// What the parts of the run before the last restart took.
    earlier: Duration,
    state: State,
}

const FAILED: &str = "THE TASK SEQUENCE HAS FAILED";
/// Every console has at least as many columns.
const COLUMNS: usize = 78;

/// The texts of the screen: pure, so that it can be tested.
#[derive(Debug, Default)]
struct State {
    sequence: String,
    place: String,
    /// Nobody else writes to the terminal: in an installed system people log in there.
    alone: bool,
    step: String,
    number: usize,
    of: usize,
    phase: String,
    done: u64,
    total: u64,
    step_began: Duration,
    running: bool,
    ended: VecDeque<Line>,
    failure: Failure,
    result: Option<Vec<String>>,
}

/// How a part of a line looks: the parameter of the terminal's "select graphic rendition".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Style {
    #[default]
    Plain = 0,
    Bold = 1,
    Bad = 31,
    Good = 32,
    Unimportant = 36,
}

/// A line of the screen.
#[derive(Debug, Clone, Default)]
struct Line {
    /// What stands in front, such as how a step ended.
    mark: (Style, String),
    text: (Style, String),
}

impl Line {
    fn new(style: Style, text: impl Into<String>) -> Self {
        Self {
            text: (style, text.into()),
            ..Self::default()
        }
    }

    /// A step with its state and the time that it takes.
    fn of_step((style, state): (Style, &str), time: Duration, name: &str) -> Self {
        Self {
            mark: (style, format!("  {state:<MARK$} ")),
            text: (Style::Plain, format!("{}  {name}", clock(time))),
        }
    }

    /// As a terminal shows it; a longer line would move all that follows.
    fn drawn(&self) -> String {
        let room = COLUMNS.saturating_sub(self.mark.1.chars().count());
        let text: String = self.text.1.chars().take(room).collect();
        [(self.mark.0, self.mark.1.as_str()), (self.text.0, &text)]
            .iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(style, text)| match style {
                Style::Plain => (*text).to_owned(),
                other => format!("\x1b[{}m{text}\x1b[0m", *other as u8),
            })
            .collect()
    }

    #[cfg(test)]
    fn plain(&self) -> String {
        format!("{}{}", self.mark.1, self.text.1)
    }
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

    /// What stands on the screen of a run that has ended in a failure, without its form: for a window.
    pub fn failure(&self) -> Option<String> {
        let result = self.state.result.as_ref()?;
        let failed = result.first().is_some_and(|first| first.starts_with(FAILED));
        failed.then(|| result.join("\n"))
    }

    /// The text of the same a little later, while the run goes on.
    pub fn again(&self) -> Option<String> {
        let text = self.state.is_running().then(|| self.drawn())?;
        if self.state.alone {
            return Some(text);
        }
        // Somebody may be typing below: the cursor goes back there, and what is below stays.
        let text = text.trim_end_matches("\x1b[J").replace("\x1b[?25l", "");
        Some(format!("\x1b7{text}\x1b8"))
    }

    fn elapsed(&self) -> Duration {
        self.earlier + self.began.elapsed()
    }

    /// Line over line, because a screen that is cleared each second flickers.
    fn drawn(&self) -> String {
        let mut text = String::from("\x1b[H\x1b[?25l");
        for line in self.state.lines(self.elapsed()) {
            text.push_str(&line.drawn());
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

    fn lines(&self, elapsed: Duration) -> Vec<Line> {
        let step = match self.of {
            0 => String::new(),
            of => format!("step {} of {of}, ", self.number),
        };
        let mut lines = vec![
            Line::default(),
            Line::new(Style::Bold, format!("  {}", self.sequence)),
            Line::new(
                Style::Plain,
                format!("  {step}in {}, {} elapsed", self.place, clock(elapsed)),
            ),
            Line::default(),
        ];
        lines.extend(self.ended.iter().cloned());
        match &self.result {
            Some(result) => lines.extend(self.result_lines(result)),
            None => lines.extend(self.current(elapsed)),
        }
        lines
    }

    fn result_lines(&self, result: &[String]) -> Vec<Line> {
        let style = match result.first() {
            Some(first) if first.starts_with(FAILED) => Style::Bad,
            _ => Style::Good,
        };
        let first = result
            .iter()
            .take(1)
            .map(|line| Line::new(style, format!("  {line}")));
        let rest = result.iter().skip(1).flat_map(|line| wrapped(line));
        let rest = rest.map(|line| Line::new(Style::Plain, line));
        std::iter::once(Line::default())
            .chain(first)
            .chain(rest)
            .collect()
    }

    /// What is done now.
    fn current(&self, elapsed: Duration) -> Vec<Line> {
        let in_step = elapsed.saturating_sub(self.step_began);
        let mut lines = Vec::new();
        let indent = " ".repeat(MARK + 3);
        if self.of == 0 {
            lines.push(Line::new(Style::Bold, "  Checks before the first step"));
        } else if self.running {
            let mut line = Line::of_step((Style::Bold, "runs"), in_step, &self.step);
            line.text.0 = Style::Bold;
            lines.push(line);
        }
        if !self.phase.is_empty() {
            lines.push(Line::new(Style::Plain, format!("{indent}{}", self.phase)));
        }
        if self.total > 0 {
            lines.push(Line::new(Style::Plain, format!("{indent}{}", self.bar(in_step))));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn state(events: &[Event]) -> State {
        let mut state = State::default();
        events.iter().for_each(|event| state.note(event, Duration::ZERO));
        state
    }

    fn text(state: &State, seconds: u64) -> String {
        let lines = state.lines(Duration::from_secs(seconds));
        lines.iter().map(|line| line.plain() + "\n").collect()
    }

    fn ended(name: &str, outcome: &str) -> Event {
        Event::StepEnded {
            name: name.into(),
            outcome: outcome.into(),
            code: 0,
            reason: None,
        }
    }

    #[test]
    fn what_has_ended_stands_above_with_its_time_and_never_fills_the_screen() {
        let mut state = State::default();
        let step = Event::Step {
            number: 2,
            of: 30,
            name: "Apply".into(),
            kind: "x".into(),
        };
        state.note(&ended("Restart", "skipped"), Duration::from_secs(5));
        state.note(&step, Duration::from_secs(5));
        state.note(&ended("Apply", "done"), Duration::from_secs(70));
        let shown = text(&state, 71);
        assert!(
            shown.contains("  skipped  0:00:00  Restart\n  done     0:01:05  Apply\n"),
            "{shown}"
        );
        for number in 0..30 {
            state.note(&step, Duration::ZERO);
            state.note(
                &ended(&format!("{number} {}", "long ".repeat(20)), "done"),
                Duration::ZERO,
            );
        }
        state.note(&step, Duration::ZERO);
        let lines = state.lines(Duration::ZERO);
        assert!(lines.len() <= 24, "{lines:#?}");
        let widest = lines
            .iter()
            .map(|line| without_styles(&line.drawn()).chars().count())
            .max();
        assert!(widest <= Some(COLUMNS), "{widest:?}");
        assert!(text(&state, 0).contains("29 long"));
    }

    /// What a terminal shows of a text.
    fn without_styles(text: &str) -> String {
        let mut parts = text.split('\x1b');
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |shown, part| {
            shown + part.split_once('m').map_or("", |(_, rest)| rest)
        })
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
        let text = text(&state, 60);
        assert!(
            text.contains("step 3 of 9, in ") && text.contains(" 50 %, about 0:01:00 left"),
            "{text}"
        );
        assert!(text.contains("  runs     0:01:00  Apply\n"), "{text}");
    }

    #[test]
    fn in_an_installed_system_the_cursor_stays_where_somebody_types() {
        let mut screen = Screen::new();
        for (environment, moved) in [(Environment::Pe, false), (Environment::Os, true)] {
            screen.show(&Event::Started {
                media: "m".into(),
                sequence: "Build".into(),
                environment,
                resumed: false,
                elapsed: 0,
            });
            let again = screen.again().unwrap_or_default();
            assert!(again.contains("Build"), "{again:?}");
            assert_eq!(again.starts_with("\x1b7") && again.ends_with("\x1b8"), moved);
            assert_eq!(again.ends_with("\x1b[J"), !moved);
        }
    }

    #[test]
    fn before_the_first_step_no_number_is_shown() {
        let verifying = Event::Progress {
            phase: "verifying".into(),
            done: 50,
            total: 100,
        };
        let text = text(&state(&[verifying]), 0);
        assert!(
            text.contains("Checks before the first step") && !text.contains("of 0"),
            "{text}"
        );
    }

    #[test]
    fn a_long_reason_stays_on_the_screen() {
        let reason = "the image needs room and the volume has none ".repeat(6);
        let state = state(&[Event::Ended {
            succeeded: false,
            reason: Some(reason.clone()),
            captured: None,
            log: None,
        }]);
        let lines: Vec<_> = state.lines(Duration::ZERO).iter().map(Line::plain).collect();
        assert!(lines.iter().all(|line| line.len() <= COLUMNS), "{lines:#?}");
        let words: Vec<&str> = lines.iter().flat_map(|line| line.split_whitespace()).collect();
        assert!(words.join(" ").contains(reason.trim()), "{lines:#?}");
    }

    /// The run went on after the step, and then something else ended it.
    #[test]
    fn the_reason_shown_is_the_one_that_ended_the_run() {
        let failed = Event::StepEnded {
            name: "Optional".into(),
            outcome: "failed".into(),
            code: 1,
            reason: Some("no such package".into()),
        };
        let ended = |reason: &str| Event::Ended {
            succeeded: false,
            reason: Some(reason.into()),
            captured: None,
            log: None,
        };
        let other = text(
            &state(&[failed.clone(), ended("the machine restarts for ever")]),
            0,
        );
        assert!(other.contains("Reason: the machine restarts for ever"), "{other}");
        assert!(!other.contains("no such package"), "{other}");
        let same = text(
            &state(&[failed, ended("step \"Optional\" failed with 1: no such package")]),
            0,
        );
        assert!(
            same.contains("Step:   Optional") && same.contains("Code:   1"),
            "{same}"
        );
    }

    #[test]
    fn a_failure_shows_step_reason_code_and_log() {
        let events = [
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
        ];
        let text = text(&state(&events), 0);
        for part in [
            "Apply",
            "no room",
            "2147500037 (0x80004005)",
            "/x/smsts.log",
            "FAILED",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let mut screen = Screen::new();
        screen.show(&events[0]);
        assert_eq!(screen.failure(), None, "it may go on");
        screen.show(&events[1]);
        let window = "THE TASK SEQUENCE HAS FAILED\nStep:   Apply\nReason: no room\n\
                      Code:   2147500037 (0x80004005)\nLog:    /x/smsts.log";
        assert_eq!(screen.failure().as_deref(), Some(window));
    }

    #[test]
    fn a_success_is_no_failure() {
        let mut screen = Screen::new();
        screen.show(&Event::Ended {
            succeeded: true,
            reason: None,
            captured: None,
            log: None,
        });
        assert_eq!(screen.failure(), None);
    }
}
