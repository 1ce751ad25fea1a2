//! The worker's standard output: one message a line.

use std::io::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use media_format::wim::protocol::{Message, Phase};

const INTERVAL: Duration = Duration::from_millis(200);
const MOST_WARNINGS: u64 = 200;

/// Where messages go; shared by the thread that works and the one that reads libwim's warnings.
pub(crate) struct Report {
    state: Mutex<State>,
}

struct State {
    out: Box<dyn Write + Send>,
    last: Option<(Phase, Instant)>,
    warnings: u64,
    closed: bool,
}

impl Report {
    pub(crate) fn new(out: Box<dyn Write + Send>) -> Self {
        Self {
            state: Mutex::new(State {
                out,
                last: None,
                warnings: 0,
                closed: false,
            }),
        }
    }

    /// Tells how far the work is, unless that was told a moment ago. False: nobody listens any more.
    pub(crate) fn progress(&self, phase: Phase, done: u64, total: u64) -> bool {
        self.with(|state| {
            let now = Instant::now();
            let told = state
                .last
                .is_some_and(|(last, at)| last == phase && now - at < INTERVAL);
            if !told || (done == total && total != 0) {
                state.last = Some((phase, now));
                state.send(&Message::Progress { phase, done, total });
            }
            !state.closed
        })
    }

    /// Tells what did not stop the work. After many of them they are only counted.
    pub(crate) fn warn(&self, path: Option<String>, text: String) {
        self.with(|state| {
            state.warnings += 1;
            if state.warnings <= MOST_WARNINGS {
                state.send(&Message::Warning { path, text });
            }
        });
    }

    /// How many warnings there were.
    pub(crate) fn warnings(&self) -> u64 {
        self.with(|state| state.warnings)
    }

    pub(crate) fn send(&self, message: &Message) {
        self.with(|state| state.send(message));
    }

    fn with<T>(&self, action: impl FnOnce(&mut State) -> T) -> T {
        action(
            &mut self
                .state
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        )
    }
}

impl State {
    fn send(&mut self, message: &Message) {
        let sent = serde_json::to_vec(message)
            .map_err(std::io::Error::from)
            .and_then(|mut line| {
                line.push(b'\n');
                self.out.write_all(&line)?;
                self.out.flush()
            });
        self.closed |= sent.is_err();
    }
}
