//! QEMU's machine protocol over its standard input and output.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// The host may be flushing gigabytes to a slow disk.
const ANSWER: Duration = Duration::from_secs(120);

/// The end of the pipe comes with the end of QEMU, unless another program holds it open.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Why the machine stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// It restarted (QEMU ends instead, and is started again).
    Reset,
    /// It switched itself off.
    PowerOff,
}

/// A connection to QEMU.
pub struct Qmp {
    input: ChildStdin,
    messages: Receiver<Value>,
    /// What the machine did, once it did.
    stop: Option<Stop>,
}

impl Qmp {
    /// Greets QEMU.
    ///
    /// # Errors
    /// When QEMU does not answer, which it also does not when it found its arguments wrong.
    pub fn new(input: ChildStdin, output: ChildStdout) -> Result<Self> {
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let message = serde_json::from_str(&line).unwrap_or(Value::Null);
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut qmp = Self {
            input,
            messages,
            stop: None,
        };
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Runs a command.
    ///
    /// # Errors
    /// When QEMU refuses it or does not answer.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let line = json!({ "execute": command, "arguments": arguments });
        writeln!(self.input, "{line}").with_context(|| format!("telling QEMU to {command}"))?;
        let deadline = Instant::now() + ANSWER;
        while let Some(message) = self.next(deadline.saturating_duration_since(Instant::now()))? {
            if let Some(error) = message.get("error") {
                bail!(
                    "QEMU refuses {command}: {}",
                    error["desc"].as_str().unwrap_or("without a reason")
                );
            }
            if let Some(answer) = message.get("return") {
                return Ok(answer.clone());
            }
        }
        bail!(
            "QEMU did not answer to {command} within {} seconds",
            ANSWER.as_secs()
        )
    }

    fn next(&mut self, wait: Duration) -> Result<Option<Value>> {
        let message = match self.messages.recv_timeout(wait) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => return Ok(None),
            Err(RecvTimeoutError::Disconnected) => bail!("QEMU closed its monitor"),
        };
        self.stop = stop_of(&message).or(self.stop);
        Ok(Some(message))
    }

    /// Why the machine stopped, as far as QEMU, which has ended, has said so: its words are heard to the last.
    pub fn stop(&mut self) -> Option<Stop> {
        while let Ok(Some(_)) = self.next(LAST_WORDS) {}
        self.stop
    }

    /// Writes the screen to a file.
    ///
    /// # Errors
    /// When QEMU cannot.
    pub fn screenshot(&mut self, file: &Path) -> Result<()> {
        let format = match file.extension() {
            Some(extension) if extension == "ppm" => "ppm",
            _ => "png",
        };
        let doing = || format!("writing the screen to {}", file.display());
        self.execute("screendump", json!({ "filename": file, "format": format }))
            .with_context(doing)?;
        Ok(())
    }
}

fn stop_of(message: &Value) -> Option<Stop> {
    match (message["event"].as_str()?, message["data"]["reason"].as_str()?) {
        ("SHUTDOWN", "guest-reset") => Some(Stop::Reset),
        ("SHUTDOWN", _) => Some(Stop::PowerOff),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_is_told_from_a_power_off() {
        let event =
            |reason: &str| json!({ "event": "SHUTDOWN", "data": { "guest": true, "reason": reason } });
        assert_eq!(stop_of(&event("guest-reset")), Some(Stop::Reset));
        assert_eq!(stop_of(&event("guest-shutdown")), Some(Stop::PowerOff));
        assert_eq!(stop_of(&json!({ "event": "STOP" })), None);
    }
}
