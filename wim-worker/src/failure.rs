//! Why the work failed, and what the user can do.

use std::fmt::Display;
use std::io;

use media_format::wim::protocol::Message;

use crate::libwim::LibError;

/// Ends the work.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: i32,
    pub(crate) error: String,
    pub(crate) hint: Option<String>,
}

impl Failure {
    /// A failure that is not libwim's.
    pub(crate) fn new(error: impl Display) -> Self {
        Self {
            code: 0,
            error: error.to_string(),
            hint: None,
        }
    }

    /// A failed system call.
    pub(crate) fn io(doing: impl Display, error: &io::Error) -> Self {
        let hint = (error.kind() == io::ErrorKind::StorageFull).then(|| FULL.to_owned());
        Self {
            code: 0,
            error: format!("{doing}: {error}"),
            hint,
        }
    }

    /// A failed call of libwim; what it printed is the cause.
    pub(crate) fn lib(doing: impl Display, error: &LibError) -> Self {
        Self {
            code: error.code,
            error: format!("{doing}: {}", uncapitalized(&error.text)),
            hint: hint(error.code),
        }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// Adds the errors that libwim printed, which name the file and the system's reason.
    pub(crate) fn because(mut self, printed: &[String]) -> Self {
        if !printed.is_empty() {
            self.error = format!("{}: {}", self.error, printed.join("; "));
        }
        if self.error.contains("No space left on device") || self.error.contains("Disk quota exceeded") {
            self.hint = Some(FULL.into());
        }
        if self.error.contains("File too large") {
            self.hint = Some(TOO_LARGE.into());
        }
        self
    }

    pub(crate) fn into_message(self) -> Message {
        Message::Failed {
            code: self.code,
            error: self.error,
            hint: self.hint,
        }
    }
}

const FULL: &str = "the destination is full: free space there, or choose another destination";
const TOO_LARGE: &str = "the destination cannot hold a file of this size (FAT32 ends at 4 GB): choose one with exFAT, NTFS or ext4";

/// libwim's texts are sentences; ours stand behind a colon.
fn uncapitalized(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_owned(),
    }
}

fn hint(code: i32) -> Option<String> {
    let hint = match code {
        2 | 13 | 17 | 20 | 21 | 28 | 55 | 65 | 73 => "the WIM is damaged: copy or capture it again",
        11 => "give every image a name of its own",
        14 => "correct the exclusion patterns",
        39 => "the WIM needs more memory than the limit allows: raise the limit, or distrust the WIM",
        43 => "choose a WIM file (.wim, .esd or .swm)",
        46 => {
            "the volume must be an unmounted, healthy NTFS volume: run chkdsk in Windows, or format it again"
        }
        62 => "name every part of the split WIM once, all from the same set",
        88 => "a file changed while it was captured: capture a volume that nothing writes to",
        _ => return None,
    };
    Some(hint.into())
}
