//! The one place that starts external programs.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Lines of the standard error output that an error repeats.
const TAIL: usize = 12;

/// A call of a program.
#[derive(Debug, Clone)]
pub struct Call {
    program: String,
    arguments: Vec<String>,
}

impl Call {
    /// A program with its arguments.
    pub fn new(program: &str, arguments: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            program: program.to_owned(),
            arguments: arguments.into_iter().map(Into::into).collect(),
        }
    }

    /// The call as a shell would read it, for the log.
    pub fn to_line(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.arguments);
        words.map(|word| quote(word)).collect::<Vec<_>>().join(" ")
    }

    /// Starts it; it ends at the latest when the handle is dropped.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self) -> Result<Running> {
        self.start_with(Stdio::piped())
    }

    fn start_with(&self, output: Stdio) -> Result<Running> {
        let mut command = self.command();
        command
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("starting {}", self.program))?;
        let tail = Arc::default();
        let reader = child
            .stderr
            .take()
            .map(|stderr| keep_tail(stderr, Arc::clone(&tail)));
        Ok(Running {
            program: self.program.clone(),
            child,
            tail,
            reader,
        })
    }

    /// Runs it to its end with the given standard input.
    ///
    /// # Errors
    /// When it cannot be started or fails.
    pub fn run(&self, input: &str) -> Result<()> {
        let mut running = self.start_with(Stdio::null())?;
        if let Some(mut stdin) = running.child.stdin.take() {
            // A program that ended early has said why on its standard error output.
            drop(stdin.write_all(input.as_bytes()));
        }
        let status = running
            .child
            .wait()
            .with_context(|| format!("waiting for {}", self.program))?;
        if !status.success() {
            bail!("{}", running.failure(status));
        }
        Ok(())
    }

    /// Where the kernel can be asked to, the program ends with us even when we are killed.
    fn command(&self) -> Command {
        match find("setpriv") {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command
                    .args(["--pdeathsig", "KILL", "--", &self.program])
                    .args(&self.arguments);
                command
            }
            None => {
                let mut command = Command::new(&self.program);
                command.args(&self.arguments);
                command
            }
        }
    }
}

/// A program that runs.
pub struct Running {
    program: String,
    child: Child,
    tail: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Running {
    /// Its standard input and output.
    pub fn pipes(&mut self) -> Option<(ChildStdin, ChildStdout)> {
        self.child.stdin.take().zip(self.child.stdout.take())
    }

    /// How it ended, if it did.
    ///
    /// # Errors
    /// When the system cannot say.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child
            .try_wait()
            .with_context(|| format!("waiting for {}", self.program))
    }

    /// The same, for one that is about to end.
    ///
    /// # Errors
    /// When the system cannot say.
    pub fn ended_within(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        let end = Instant::now() + limit;
        loop {
            let ended = self.ended()?;
            if ended.is_some() || Instant::now() >= end {
                return Ok(ended);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Says how it failed, with the end of what it wrote.
    pub fn failure(&mut self, status: ExitStatus) -> String {
        if let Some(reader) = self.reader.take() {
            drop(reader.join());
        }
        let tail = self
            .tail
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .join("\n  ");
        format!(
            "{} failed ({status}): {}",
            self.program,
            if tail.is_empty() { "it said nothing" } else { &tail }
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

fn keep_tail(stderr: ChildStderr, tail: Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
            tail.push(line);
            let surplus = tail.len().saturating_sub(TAIL);
            tail.drain(..surplus);
        }
    })
}

/// A program by name, also in the folders that only administrators have in their path.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

/// A word as the shell reads it.
pub fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+%@".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_repeats_what_the_program_said() {
        let error = Call::new("sh", ["-c", "echo no such thing >&2; exit 3"])
            .run("")
            .unwrap_err();
        assert!(error.to_string().contains("no such thing"), "{error}");
        assert!(Call::new("sh", ["-c", "read a; test $a = x"]).run("x\n").is_ok());
    }

    #[test]
    fn words_are_quoted_for_the_shell() {
        assert_eq!(Call::new("a", ["b c", "d'e"]).to_line(), "a 'b c' 'd'\\''e'");
    }
}
