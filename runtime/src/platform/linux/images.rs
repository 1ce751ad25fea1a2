//! WIM files, through the worker: a process of its own with capped memory.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context as _, Error, anyhow, bail};
use media_format::wim::info::WimInfo;
use media_format::wim::protocol::{Message, Request, Summary};

use super::{Linux, processes};
use crate::platform::deadline::Deadline;
use crate::platform::waiting::{self, PATIENCE};
use crate::platform::{Drivers, Images, Processes as _, Result};

const WORKER: &str = "wim-worker";

/// The drivers are placed file by file.
impl Drivers for Linux {}

impl Images for Linux {
    fn image_info(&self, wim: &Path) -> Result<WimInfo> {
        let file = File::open(wim).with_context(|| format!("opening {}", wim.display()))?;
        WimInfo::read(&mut BufReader::new(file)).with_context(|| format!("reading {}", wim.display()))
    }

    fn image_request(&self, request: &Request, progress: &mut dyn FnMut(&Message)) -> Result<Summary> {
        let mut command = Command::new(WORKER);
        command.env("PATH", processes::SEARCH_PATH);
        let request = serde_json::to_vec(request)?;
        let patience = Patience {
            deadline: self.deadline(),
            // It tells its progress several times a second, except while what it has written goes to a slow stick.
            silence: PATIENCE,
        };
        follow(command, request, patience, progress)
    }
}

/// How long the worker is waited for.
struct Patience {
    deadline: Option<Deadline>,
    silence: Duration,
}

/// What the worker does next.
enum Next {
    Line(String),
    End,
    /// Nothing, for too long.
    Over(Error),
}

impl Patience {
    fn next(&self, lines: &Receiver<std::io::Result<String>>) -> Result<Next> {
        let left = self.deadline.map(|deadline| deadline.left());
        if left.is_none_or(|left| !left.is_zero()) {
            match lines.recv_timeout(left.unwrap_or(self.silence).min(self.silence)) {
                Ok(line) => return Ok(Next::Line(line.context("listening to the worker")?)),
                Err(RecvTimeoutError::Disconnected) => return Ok(Next::End),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        Ok(Next::Over(self.over()))
    }

    fn over(&self) -> Error {
        let limit = self.deadline.and_then(|deadline| deadline.check().err());
        limit.unwrap_or_else(|| {
            anyhow!(
                "it had said nothing for {} seconds; a disk, the media or the share may not answer",
                self.silence.as_secs()
            )
        })
    }

    /// Until when a worker that has said all has to be gone.
    fn of_the_end(&self) -> Deadline {
        self.deadline.unwrap_or_else(|| Deadline::after(self.silence))
    }
}

/// The worker, which ends with whoever waits for it.
struct Worker(Option<Child>);

impl Worker {
    fn wait(mut self, patience: &Patience) -> Result<ExitStatus> {
        let child = self.0.take().context("the worker has ended")?;
        processes::wait(child, WORKER, Some(patience.of_the_end()))
    }

    fn stop(mut self, why: Error) -> Error {
        let Some(mut child) = self.0.take() else {
            return why;
        };
        let _ = child.kill();
        waiting::collect(child, WORKER, why)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            // One that hangs in a disk ends when the disk answers: nobody waits for that.
            std::thread::spawn(move || child.wait());
        }
    }
}

fn follow(
    mut command: Command,
    request: Vec<u8>,
    patience: Patience,
    progress: &mut dyn FnMut(&Message),
) -> Result<Summary> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {WORKER}"))?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let worker = Worker(Some(child));
    let stdout = stdout.context("the worker has no output")?;
    // A worker that does not read what it is to do says so, or ends.
    std::thread::spawn(move || stdin.map(|mut pipe| pipe.write_all(&request)));
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        let mut lines = BufReader::new(stdout).lines();
        while lines.next().is_some_and(|line| sender.send(line).is_ok()) {}
    });
    let mut end = None;
    loop {
        match patience.next(&lines)? {
            Next::Line(line) => heard(&line, &mut end, progress)?,
            Next::End => return result(end, worker.wait(&patience)?),
            Next::Over(why) => return Err(worker.stop(why)),
        }
    }
}

/// Passes on what the worker says, and keeps its last word.
fn heard(line: &str, end: &mut Option<Message>, progress: &mut dyn FnMut(&Message)) -> Result<()> {
    let message: Message = serde_json::from_str(line).context("understanding the worker")?;
    progress(&message);
    if matches!(message, Message::Done { .. } | Message::Failed { .. }) {
        *end = Some(message);
    }
    Ok(())
}

fn result(end: Option<Message>, status: ExitStatus) -> Result<Summary> {
    match end {
        Some(Message::Done { summary }) => Ok(summary),
        Some(Message::Failed { code, error, hint }) => {
            let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
            let code = if code == 0 {
                String::new()
            } else {
                format!(" (libwim error {code})")
            };
            bail!("{error}{code}{hint}")
        }
        _ => Err(anyhow!(
            "{WORKER} ended ({status}) without a result: it was killed or ran out of memory"
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn worker(script: &str, limit: Option<u64>, silence: u64) -> Result<Summary> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let patience = Patience {
            deadline: limit.map(|limit| Deadline::after(Duration::from_millis(limit))),
            silence: Duration::from_millis(silence),
        };
        follow(command, b"{}".to_vec(), patience, &mut |_| {})
    }

    fn done() -> String {
        let summary = Summary::default();
        serde_json::to_string(&Message::Done { summary }).unwrap()
    }

    fn progress() -> String {
        serde_json::to_string(&Message::Warning {
            path: None,
            text: "still here".into(),
        })
        .unwrap()
    }

    #[test]
    fn a_worker_that_ends_gives_its_result() {
        assert!(
            worker(
                &format!("cat >/dev/null; echo '{}'", done()),
                Some(60_000),
                60_000
            )
            .is_ok()
        );
        let error = worker("exit 3", None, 60_000).unwrap_err().to_string();
        assert!(error.contains("without a result"), "{error}");
    }

    #[test]
    fn a_worker_that_says_nothing_is_ended() {
        let pid = tempfile::NamedTempFile::new().unwrap();
        let script = format!("echo $$ >{}; exec sleep 60", pid.path().display());
        let began = Instant::now();
        let error = worker(&script, None, 5_000).unwrap_err().to_string();
        assert!(error.contains("said nothing"), "{error}");
        let number = std::fs::read_to_string(pid.path()).unwrap();
        assert!(!number.is_empty(), "it had not begun");
        let process = format!("/proc/{}", number.trim());
        while Path::new(&process).exists() {
            assert!(began.elapsed() < Duration::from_secs(60), "it still runs");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[test]
    fn a_worker_that_talks_for_ever_is_ended_by_the_steps_time_limit() {
        let script = format!("while echo '{}'; do :; done", progress());
        let error = worker(&script, Some(300), 60_000).unwrap_err().to_string();
        assert!(error.contains("time limit"), "{error}");
    }
    /// One that has closed its output and hangs when it ends, as in the last write to a disk.
    #[test]
    fn a_worker_that_has_said_all_and_stays_is_ended() {
        let script = format!("echo '{}'; exec >&-; exec sleep 60", done());
        for (limit, silence) in [(Some(1_000), 60_000), (None, 1_000)] {
            let error = worker(&script, limit, silence).unwrap_err().to_string();
            assert!(error.starts_with("wim-worker was stopped: "), "{error}");
        }
    }
}
