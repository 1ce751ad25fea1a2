//! What the machine writes to its serial port, line by line, while it writes.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context, Result};

/// A line that is longer is cut: a machine gone mad must not fill our memory.
const MAX_LINE: usize = 64 * 1024;

/// Reads a growing file.
pub struct Serial {
    file: File,
    pending: Vec<u8>,
}

/// What came since the last time.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Complete lines.
    pub lines: Vec<String>,
    /// The line that has no end yet: prompts look like this.
    pub unfinished: String,
    /// Whether anything came.
    pub anything: bool,
}

impl Serial {
    /// Opens the file, which is made if there is none.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        let doing = || format!("opening the serial log {}", path.display());
        File::options()
            .create(true)
            .append(true)
            .open(path)
            .with_context(doing)?;
        Ok(Self {
            file: File::open(path).with_context(doing)?,
            pending: vec![],
        })
    }

    /// Opens the file and leaves out what is in it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open_at_end(path: &Path) -> Result<Self> {
        let mut serial = Self::open(path)?;
        serial
            .file
            .seek(SeekFrom::End(0))
            .context("reading the serial log")?;
        Ok(serial)
    }

    /// What came since the last time.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn hear(&mut self) -> Result<Heard> {
        let start = self.pending.len();
        self.file
            .read_to_end(&mut self.pending)
            .context("reading the serial log")?;
        let anything = self.pending.len() > start;
        let mut lines = Vec::new();
        while let Some(end) = self.line_end() {
            let rest = self.pending.split_off(end);
            lines.push(text(&self.pending));
            self.pending = rest;
        }
        Ok(Heard {
            lines,
            unfinished: text(&self.pending),
            anything,
        })
    }

    fn line_end(&self) -> Option<usize> {
        let newline = self
            .pending
            .iter()
            .position(|byte| *byte == b'\n')
            .map(|at| at + 1);
        newline.or((self.pending.len() > MAX_LINE).then_some(MAX_LINE))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .trim_end_matches(['\r', '\n'])
        .to_owned()
}

/// The last lines of a log without the control characters that would disturb a terminal.
pub fn tail(path: &Path, count: usize) -> Vec<String> {
    let bytes = std::fs::read(path).unwrap_or_default();
    let log = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = log
        .lines()
        .map(printable)
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(count)..].to_vec()
}

/// Leaves escape sequences and control characters out.
fn printable(line: &str) -> String {
    let mut plain = String::new();
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' if characters.peek() == Some(&'[') => {
                let _ = characters.by_ref().find(char::is_ascii_alphabetic);
            }
            '\t' => plain.push(' '),
            c if c.is_control() => {}
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn lines_arrive_whole_and_prompts_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serial");
        let mut serial = Serial::open(&path).unwrap();
        let mut file = File::options().append(true).open(&path).unwrap();
        assert!(!serial.hear().unwrap().anything);
        file.write_all(b"one\r\ntw").unwrap();
        let heard = serial.hear().unwrap();
        assert_eq!(
            (heard.lines, heard.unfinished),
            (vec!["one".to_owned()], "tw".to_owned())
        );
        file.write_all(b"o\nlogin: ").unwrap();
        let heard = serial.hear().unwrap();
        assert_eq!(
            (heard.lines, heard.unfinished),
            (vec!["two".to_owned()], "login: ".to_owned())
        );
    }

    #[test]
    fn a_tail_does_not_disturb_the_terminal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serial");
        std::fs::write(&path, "first\n\x1b[2J\x1b[01;31mred\x07\n\n").unwrap();
        assert_eq!(tail(&path, 1), ["red"]);
    }
}
