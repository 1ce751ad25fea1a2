//! What the user sees of a run: the steps as lines, the step's progress as a bar.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use media_format::event::{Environment, Event};

/// Shows a run.
pub struct Display {
    json: bool,
    start: Instant,
    bar: ProgressBar,
}

impl Display {
    /// Shows a bar on a terminal, only lines elsewhere, and JSON on request.
    pub fn new(json: bool) -> Self {
        let target = if json {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(
            ProgressStyle::with_template("{spinner} {elapsed} {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        Self {
            json,
            start: Instant::now(),
            bar,
        }
    }

    /// Since the begin.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Something that happened outside of the machine.
    pub fn note(&self, text: &str) {
        if !self.json {
            self.line(text);
        }
    }

    /// Something that the machine reported.
    pub fn event(&self, event: &Event) {
        if self.json {
            println!("{}", serde_json::to_string(event).unwrap_or_default());
        } else if let Event::Progress { phase, done, total } = event {
            self.bar
                .set_message(format!("{phase} {}", share_of(*done, *total)));
        } else {
            self.bar.set_message("");
            self.line(&describe(event));
        }
    }

    /// Keeps the bar moving.
    pub fn tick(&self) {
        self.bar.tick();
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn line(&self, text: &str) {
        let line = format!("{:>5} s  {text}", self.start.elapsed().as_secs());
        match self.bar.is_hidden() {
            true => eprintln!("{line}"),
            false => self.bar.println(line),
        }
    }
}

fn share_of(done: u64, total: u64) -> String {
    match total {
        0 => done.to_string(),
        total => format!("{} %", done.saturating_mul(100) / total),
    }
}

fn describe(event: &Event) -> String {
    let place = |environment: &Environment| match environment {
        Environment::Pe => "the boot image",
        Environment::Os => "the installed system",
    };
    let because = |reason: &Option<String>| reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    match event {
        Event::Started {
            sequence,
            environment,
            resumed,
            ..
        } => {
            let verb = if *resumed { "goes on" } else { "starts" };
            format!("{sequence:?} {verb} in {}", place(environment))
        }
        Event::Step {
            number,
            of,
            name,
            kind,
        } => format!("step {number} of {of}: {name} ({kind})"),
        Event::Working => "works".to_owned(),
        Event::Progress { phase, done, total } => format!("{phase} {}", share_of(*done, *total)),
        Event::StepEnded {
            name,
            outcome,
            code: 0,
            reason,
        } => format!("  {outcome}: {name}{}", because(reason)),
        Event::StepEnded {
            name,
            outcome,
            code,
            reason,
        } => {
            format!("  {outcome}: {name} (exit code {code}){}", because(reason))
        }
        Event::Restart { target } => format!("restarts into {}", place(target)),
        Event::ShutDown { target } => format!("switches itself off, and goes on in {}", place(target)),
        Event::Ended { succeeded: true, .. } => "the run succeeded".to_owned(),
        Event::Ended { reason, .. } => format!("the run failed{}", because(reason)),
        Event::LogCopied { log } => format!("the log was copied: {log}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_and_a_failure_read_like_sentences() {
        let step = Event::Step {
            number: 2,
            of: 9,
            name: "Apply".into(),
            kind: "apply-data-image".into(),
        };
        assert_eq!(describe(&step), "step 2 of 9: Apply (apply-data-image)");
        let reason = Some("no disk".to_owned());
        let ended = Event::Ended {
            succeeded: false,
            reason,
            captured: None,
            log: None,
        };
        assert_eq!(describe(&ended), "the run failed: no disk");
        assert_eq!(share_of(1, 3), "33 %");
        assert_eq!(share_of(u64::MAX, 1), format!("{} %", u64::MAX));
    }
}
