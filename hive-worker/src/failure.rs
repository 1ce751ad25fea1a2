//! Why the work failed, and what the user can do.

use std::fmt::Display;
use std::io;

use media_format::hive::protocol::Message;

/// Ends the work.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    error: String,
    hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(error: impl Display) -> Self {
        Self {
            error: error.to_string(),
            hint: None,
        }
    }

    /// A failed call of the system or of libhivex, which reports the system's error numbers.
    pub(crate) fn io(doing: impl Display, error: &io::Error) -> Self {
        let hint = match error.kind() {
            io::ErrorKind::StorageFull => "the volume is full: free space on it",
            io::ErrorKind::ReadOnlyFilesystem => "the volume is mounted read-only: mount it for writing",
            io::ErrorKind::OutOfMemory => "raise the limit of memory, or distrust the hive",
            _ => return Self::new(format!("{doing}: {error}")),
        };
        Self::new(format!("{doing}: {error}")).hint(hint)
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    pub(crate) fn into_message(self) -> Message {
        Message::Failed {
            error: self.error,
            hint: self.hint,
        }
    }
}
