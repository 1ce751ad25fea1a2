//! What a run brought.

use std::path::Path;

use anyhow::{Error, anyhow};
use serde_json::json;

use super::collect::Collected;
use super::serial;

/// Lines of the serial log that an error repeats.
const TAIL: usize = 25;

/// What a run that succeeded brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How long it took.
    pub seconds: u64,
    /// What it left.
    pub collected: Vec<Collected>,
}

impl Report {
    /// One line of JSON.
    pub fn to_json(&self) -> String {
        let files = self.collected.iter().map(|file| {
            json!({
                "path": file.path.display().to_string(),
                "size": file.size,
                "sha256": file.sha256,
            })
        });
        json!({ "event": "result", "seconds": self.seconds, "files": files.collect::<Vec<_>>() }).to_string()
    }

    /// Lines for people.
    pub fn to_text(&self) -> String {
        let mut text = format!("The run succeeded in {} seconds.\n", self.seconds);
        for file in &self.collected {
            text.push_str(&format!("{:>14}  {}\n", file.size, file.path.display()));
        }
        text
    }
}

/// Adds the end of the serial log and its place to an error.
pub(super) fn with_log(error: Error, log: &Path) -> Error {
    let tail = serial::tail(log, TAIL).join("\n  ");
    anyhow!(
        "{error:#}\nthe end of the machine's serial log {}:\n  {tail}",
        log.display()
    )
}
