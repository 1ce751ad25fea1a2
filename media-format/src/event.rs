//! What the runtime reports on the machine's consoles, one line an event, so that a lab can follow a run over a
//! serial port: `@media-runtime {"event":…}`. No event carries a secret.

use serde::{Deserialize, Serialize};

/// Starts every line that carries an event.
pub const PREFIX: &str = "@media-runtime ";

/// Where the runtime runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// The boot image.
    Pe,
    /// The installed system.
    Os,
}

/// One event of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Event {
    /// The runtime has found its media and goes to work, for the first time or after a restart.
    Started {
        /// The media's id.
        media: String,
        /// Name of the organization, where the media has one.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        organization: String,
        /// Name of the task sequence.
        sequence: String,
        /// Boot image or installed system.
        environment: Environment,
        /// Whether an earlier part of the run was found.
        resumed: bool,
        /// How many seconds the earlier parts took.
        #[serde(default)]
        elapsed: u64,
    },
    /// A step begins.
    Step {
        /// Counts the steps that can run, from 1.
        number: usize,
        /// How many there are.
        of: usize,
        /// The step's name.
        name: String,
        /// The step's type.
        kind: String,
    },
    /// How far a step is.
    Progress {
        /// What is being done.
        phase: String,
        /// Bytes (or items) done.
        done: u64,
        /// Bytes (or items) in all; 0 when unknown.
        total: u64,
    },
    /// The run goes on. Said when nothing else was for a while, so that silence means that the machine is dead.
    Working,
    /// A step ended.
    StepEnded {
        /// The step's name.
        name: String,
        /// `done`, `skipped`, `failed`, `restart` or `shutdown`.
        outcome: String,
        /// The exit code that the log shows.
        code: i64,
        /// Why, where there is something to say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The machine restarts and the run goes on there.
    Restart {
        /// Where.
        target: Environment,
    },
    /// The machine switches itself off, and the run goes on there when somebody switches it on again.
    ShutDown {
        /// Where.
        target: Environment,
    },
    /// The run is over.
    Ended {
        /// Whether all of it succeeded.
        succeeded: bool,
        /// The step that failed and why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Where the captured image is, as the machine saw it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        captured: Option<String>,
        /// Where the log is, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        log: Option<String>,
    },
    /// After the end of a start that failed before its run: its log was copied, too.
    LogCopied {
        /// Where to, in words.
        log: String,
    },
}

impl Event {
    /// The event with its texts changed: those that are made of what people wrote, or of what happened.
    #[must_use]
    pub fn map_texts(self, change: impl Fn(&str) -> String) -> Self {
        let text = |text: String| change(&text);
        match self {
            Self::Started {
                media,
                organization,
                sequence,
                environment,
                resumed,
                elapsed,
            } => Self::Started {
                media,
                organization: text(organization),
                sequence: text(sequence),
                environment,
                resumed,
                elapsed,
            },
            Self::Step {
                number,
                of,
                name,
                kind,
            } => Self::Step {
                number,
                of,
                name: text(name),
                kind,
            },
            Self::Progress { phase, done, total } => Self::Progress {
                phase: text(phase),
                done,
                total,
            },
            Self::StepEnded {
                name,
                outcome,
                code,
                reason,
            } => Self::StepEnded {
                name: text(name),
                outcome,
                code,
                reason: reason.map(text),
            },
            Self::Ended {
                succeeded,
                reason,
                captured,
                log,
            } => Self::Ended {
                succeeded,
                reason: reason.map(text),
                captured: captured.map(text),
                log: log.map(text),
            },
            Self::LogCopied { log } => Self::LogCopied { log: text(log) },
            Self::Working | Self::Restart { .. } | Self::ShutDown { .. } => self,
        }
    }

    /// The line, without its end.
    ///
    /// # Panics
    /// Never: every event is plain data.
    pub fn to_line(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        format!("{PREFIX}{json}")
    }

    /// The event in a line of a serial log, if it carries one (a console may have put other text before it).
    pub fn from_line(line: &str) -> Option<Self> {
        let start = line.find(PREFIX)? + PREFIX.len();
        let mut values = serde_json::Deserializer::from_str(&line[start..]).into_iter();
        values.next()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_survives_a_noisy_console() {
        let event = Event::Restart {
            target: Environment::Os,
        };
        let line = format!("[    1.0] {}\r", event.to_line());
        assert_eq!(Event::from_line(&line), Some(event));
        assert_eq!(Event::from_line("login:"), None);
        assert_eq!(Event::from_line("@media-runtime {\"event\":"), None);
    }
}
