//! The machine's console: which step runs, how far it is, and at the end the result.

use std::time::{Duration, Instant};

use media_format::event::Event;

use self::state::{FAILED, State};

mod line;
mod plain;
mod state;
#[cfg(test)]
mod tests;
mod text;

pub use plain::plain;

/// What the screen shows.
#[derive(Debug)]
pub struct Screen {
    began: Instant,
    /// What the parts of the run before the last restart took.
    earlier: Duration,
    state: State,
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
