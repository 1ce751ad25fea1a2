//! A problem in a TOML file with its place, and the nearest known key where one was misspelt.

use std::ops::Range;

use miette::{Diagnostic, NamedSource, SourceSpan};
use task_sequence::{masked, plain, without_secrets};
use thiserror::Error;

/// A place in a file.
#[derive(Debug, Clone)]
pub struct Place {
    /// The file as the user named it.
    pub file: String,
    /// Its whole text.
    pub text: String,
    /// Bytes of the text.
    pub span: Range<usize>,
}

/// What is wrong at a place.
#[derive(Debug, Error, Diagnostic)]
#[error("{message}")]
pub struct TomlProblem {
    message: String,
    #[source_code]
    source_code: NamedSource<String>,
    #[label]
    span: Option<SourceSpan>,
    #[help]
    help: Option<String>,
}

impl TomlProblem {
    /// The problem that the parser found.
    pub fn new(file: &str, text: &str, error: &toml::de::Error) -> Self {
        let message = masked(&plain(error.message()), text, &error.span().unwrap_or_default());
        Self {
            help: suggestion(&message),
            span: error.span().map(SourceSpan::from),
            source_code: NamedSource::new(file, without_secrets(text)),
            message,
        }
    }

    /// A problem that was found at a place, with what the user can do.
    pub fn at(place: Place, message: impl Into<String>, help: Option<String>) -> Self {
        Self {
            message: message.into(),
            source_code: NamedSource::new(place.file, without_secrets(&place.text)),
            span: Some(place.span.into()),
            help,
        }
    }
}

/// Serde says "unknown field `x`, expected one of `a`, `b`": the nearest of them.
fn suggestion(message: &str) -> Option<String> {
    let (unknown, known) = message.strip_prefix("unknown ")?.split_once(", expected ")?;
    let unknown = unknown.split('`').nth(1)?;
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    let nearest = known
        .iter()
        .min_by_key(|name| strsim::damerau_levenshtein(unknown, name))?;
    let close = strsim::damerau_levenshtein(unknown, nearest) <= (unknown.chars().count() / 2).max(2);
    Some(if close {
        format!("did you mean `{nearest}`?")
    } else {
        format!("known here: {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_suggested_only_when_it_is_near() {
        let message = "unknown field `nme`, expected one of `name`, `sequences`";
        assert_eq!(suggestion(message).as_deref(), Some("did you mean `name`?"));
        let message = "unknown field `zzzzzz`, expected one of `name`, `sequences`";
        assert_eq!(
            suggestion(message).as_deref(),
            Some("known here: name, sequences")
        );
        assert_eq!(suggestion("missing field `name`"), None);
    }
}
