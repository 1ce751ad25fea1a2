//! The protocol between a program and `hive-worker`.
//!
//! The worker reads one [`Request`] as JSON from its standard input, writes one [`Message`] as a line to its standard
//! output, and ends: [`Message::Done`] with exit status 0, [`Message::Failed`] with 1. When neither was written the
//! worker was killed, or ran out of memory or time.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Edit, Key, Value};

/// What the worker is asked to do, and with how much memory and time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Cap on the worker's address space in bytes. A crafted hive can otherwise make it take gigabytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_limit: Option<u64>,
    /// Cap on the processor time in seconds. A crafted hive can otherwise keep it busy for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit: Option<u64>,
    /// The one thing to do.
    pub operation: Operation,
}

/// The one thing that a worker does in its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Answers questions about a hive.
    Read(Read),
    /// Edits a hive, or makes a new one.
    Write(Write),
}

/// Answers questions about a hive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// The hive.
    pub hive: PathBuf,
    /// The questions; they are answered in this order.
    pub queries: Vec<Query>,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Query {
    /// What does a value hold?
    Value {
        /// The path of its key.
        key: String,
        /// Its name.
        name: String,
    },
    /// What does a key hold?
    Key {
        /// Its path.
        key: String,
        /// How many levels of keys below it are answered with their values; the level below those has names only.
        #[serde(default)]
        depth: u32,
    },
}

impl Query {
    /// The most levels that can be asked for: JSON is read to a limited depth.
    pub const DEEPEST: u32 = 48;
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// To [`Query::Value`]; none when there is no such key or value.
    Value(Option<Value>),
    /// To [`Query::Key`]; none when there is no such key.
    Key(Option<Key>),
}

/// Edits a hive, or makes a new one. What is at `hive` stays as it is until its successor is complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// Where the result goes.
    pub hive: PathBuf,
    /// What is edited.
    pub source: Source,
    /// The changes, in this order.
    pub edits: Vec<Edit>,
}

/// What is edited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The hive that is already there.
    Itself,
    /// Another hive, which is not changed.
    Copy(PathBuf),
    /// A new hive that holds nothing.
    Nothing,
}

/// The worker's answer, one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "kebab-case")]
pub enum Message {
    /// The work is complete; what was written is on the disk.
    Done {
        /// The answers of [`Operation::Read`].
        answers: Vec<Answer>,
    },
    /// The work failed, and nothing was changed.
    Failed {
        /// What was being done, to what, and why it failed.
        error: String,
        /// What the user can do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_as_documented() {
        let json = r#"{"time_limit":60,"operation":{"write":{"hive":"BCD","source":{"copy":"BCD-Template"},
            "edits":[{"create-key":{"key":"Objects"}}]}}}"#;
        let request: Request = serde_json::from_str(json).unwrap();
        let Operation::Write(write) = &request.operation else {
            panic!("does not write")
        };
        assert_eq!(write.source, Source::Copy("BCD-Template".into()));
        let again: Request = serde_json::from_str(&serde_json::to_string(&request).unwrap()).unwrap();
        assert_eq!(request, again);
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        let json = r#"{"operation":{"read":{"hive":"a","queries":[{"key":{"key":"","dept":1}}]}}}"#;
        assert!(serde_json::from_str::<Request>(json).is_err());
    }

    #[test]
    fn the_deepest_answer_can_be_read_again() {
        let nest = |key: Key, _| Key {
            keys: vec![key],
            ..Key::default()
        };
        let deepest = (0..=Query::DEEPEST).fold(Key::default(), nest);
        let message = Message::Done {
            answers: vec![Answer::Key(Some(deepest))],
        };
        let json = serde_json::to_string(&message).unwrap();
        assert_eq!(serde_json::from_str::<Message>(&json).unwrap(), message);
    }
}
