//! What is wrong with a setting or with an answer file.

use thiserror::Error;

/// No answer file can be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// A setting has a value that Windows would not accept. Values of secrets are not in the reason.
    #[error("`{setting}`: {why}")]
    Setting {
        /// The setting, in the spelling of a task sequence or as the path of its element.
        setting: String,
        /// What is wrong with it.
        why: String,
    },
    /// A place in an answer file is wrong.
    #[error("line {line}, column {column}: {why}")]
    File {
        /// Counted from 1.
        line: u32,
        /// In characters, counted from 1.
        column: u32,
        /// What is wrong there.
        why: String,
    },
    /// The file is not text that can be read.
    #[error("{0}")]
    Encoding(String),
}

impl Error {
    pub(super) fn setting(setting: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Setting {
            setting: setting.into(),
            why: why.into(),
        }
    }
}
