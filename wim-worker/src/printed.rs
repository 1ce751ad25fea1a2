//! What libwim prints: its warnings become messages, its errors the reason of a failure.

use std::io::{BufRead, BufReader, PipeReader};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::failure::Failure;
use crate::libwim;
use crate::report::Report;

/// Only the last errors are kept: the first of many are usually the same.
const MOST_ERRORS: usize = 10;

/// Reads what libwim prints until [`Printed::finish`].
pub(crate) struct Printed {
    reader: JoinHandle<Vec<String>>,
}

impl Printed {
    /// Starts to listen. The library opens the pipe by its name, so that no C file is handled here.
    pub(crate) fn start(report: Arc<Report>) -> Result<Self, Failure> {
        let (reader, writer) = std::io::pipe().map_err(|e| Failure::io("making a pipe", &e))?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", writer.as_raw_fd()));
        libwim::print_errors_to(&path)
            .map_err(|e| Failure::lib("opening a pipe for libwim's warnings", &e).hint("mount /proc"))?;
        Ok(Self {
            reader: std::thread::spawn(move || read(reader, &report)),
        })
    }

    /// Stops listening; gives the errors that were printed.
    pub(crate) fn finish(self) -> Vec<String> {
        libwim::stop_printing_errors();
        self.reader.join().unwrap_or_default()
    }
}

fn read(pipe: PipeReader, report: &Report) -> Vec<String> {
    let mut errors = Vec::new();
    for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
        let line = text(&line);
        match classify(&line) {
            Line::Warning(text) => {
                let (path, text) = split_path(text);
                report.warn(path, text);
            }
            Line::Error(text) => errors.push(text.to_owned()),
            Line::Continued(text) => extend_last(&mut errors, text),
        }
        if errors.len() > MOST_ERRORS {
            errors.remove(0);
        }
    }
    errors
}

#[derive(Debug, PartialEq, Eq)]
enum Line<'a> {
    Warning(&'a str),
    Error(&'a str),
    Continued(&'a str),
}

fn classify(line: &str) -> Line<'_> {
    let line = line.trim();
    if let Some(text) = line.strip_prefix("[WARNING] ") {
        return Line::Warning(text);
    }
    line.strip_prefix("[ERROR] ")
        .map_or(Line::Continued(line), Line::Error)
}

fn extend_last(errors: &mut [String], text: &str) {
    if let Some(last) = errors.last_mut().filter(|_| !text.is_empty()) {
        last.push(' ');
        last.push_str(text);
    }
}

/// `"/a/b": reason` is how most messages about a file begin.
fn split_path(text: &str) -> (Option<String>, String) {
    match text.strip_prefix('"').and_then(|rest| rest.split_once("\": ")) {
        Some((path, reason)) => (Some(path.to_owned()), reason.to_owned()),
        None => (None, text.to_owned()),
    }
}

/// Text for people from bytes that may not be UTF-8: what is not is written as `\xNN`.
pub(crate) fn text(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        chunk
            .invalid()
            .iter()
            .for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart() {
        assert_eq!(classify("\r[WARNING] \"/a\": odd"), Line::Warning("\"/a\": odd"));
        assert_eq!(classify("\r[ERROR] no"), Line::Error("no"));
        assert_eq!(classify("   more"), Line::Continued("more"));
        assert_eq!(split_path("\"/a\": odd"), (Some("/a".into()), "odd".into()));
        assert_eq!(split_path("odd"), (None, "odd".into()));
    }

    #[test]
    fn bytes_that_are_not_text_can_still_be_read() {
        assert_eq!(text(b"caf\xe9/\xc3\xa9"), "caf\\xe9/\u{e9}");
    }
}
