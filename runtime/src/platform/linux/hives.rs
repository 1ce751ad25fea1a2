//! Registry hives, through the worker: a process of its own with capped memory and time.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;

use anyhow::{Context as _, anyhow, bail};
use media_format::hive::protocol::{Answer, Message, Operation, Request};

use super::{Linux, processes};
use crate::platform::deadline::Deadline;
use crate::platform::waiting::PATIENCE;
use crate::platform::{Hives, Processes as _, Result};

const WORKER: &str = "hive-worker";
/// The largest hives of an installation have some 200 MB, and libhivex holds one twice while it is written.
const MEMORY_LIMIT: u64 = 1 << 30;
/// Seconds of processor time.
const TIME_LIMIT: u64 = 120;

impl Hives for Linux {
    fn hive(&self, operation: &Operation) -> Result<Vec<Answer>> {
        let mut command = Command::new(WORKER);
        command.env("PATH", processes::SEARCH_PATH);
        // A worker that waits for a disk uses no processor time.
        let deadline = self.deadline().unwrap_or_else(|| Deadline::after(PATIENCE));
        ask(command, operation, deadline)
    }
}

fn ask(mut command: Command, operation: &Operation, deadline: Deadline) -> Result<Vec<Answer>> {
    let request = serde_json::to_vec(&Request {
        memory_limit: Some(MEMORY_LIMIT),
        time_limit: Some(TIME_LIMIT),
        operation: operation.clone(),
    })?;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {WORKER}"))?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    // A worker that does not read what it is to do says so, or ends.
    std::thread::spawn(move || stdin.map(|mut pipe| pipe.write_all(&request)));
    let mut stdout = stdout.context("the worker has no output")?;
    let (sender, said) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        sender.send(stdout.read_to_end(&mut bytes).map(|_| bytes))
    });
    let status = processes::wait(child, WORKER, Some(deadline))?;
    let said = said.recv()?.context("listening to the worker")?;
    let text = String::from_utf8_lossy(&said);
    let message = text.lines().last().map(serde_json::from_str);
    match message.transpose().context("understanding the worker")? {
        Some(Message::Done { answers }) => Ok(answers),
        Some(Message::Failed { error, hint }) => {
            let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
            bail!("{error}{hint}")
        }
        None => Err(anyhow!(
            "{WORKER} ended ({status}) without a result: it was killed, or ran out of memory or time"
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use media_format::hive::protocol::Read;

    fn worker(script: &str, limit: Duration) -> Result<Vec<Answer>> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let read = Read {
            hive: "SYSTEM".into(),
            queries: vec![],
        };
        ask(command, &Operation::Read(read), Deadline::after(limit))
    }

    #[test]
    fn a_worker_gives_its_answers_or_its_reason() {
        let done = serde_json::to_string(&Message::Done { answers: vec![] }).unwrap();
        assert!(worker(&format!("cat >/dev/null; echo '{done}'"), PATIENCE).is_ok());
        let failed = Message::Failed {
            error: "opening SYSTEM: no hive".into(),
            hint: Some("restore it".into()),
        };
        let failed = serde_json::to_string(&failed).unwrap();
        let error = worker(&format!("echo '{failed}'; exit 1"), PATIENCE).unwrap_err();
        assert_eq!(error.to_string(), "opening SYSTEM: no hive; restore it");
        let error = worker("exit 3", PATIENCE).unwrap_err().to_string();
        assert!(error.contains("without a result"), "{error}");
    }

    #[test]
    fn a_worker_that_does_not_end_is_stopped_at_the_time_limit() {
        let limit = Duration::from_millis(200);
        let error = worker("exec sleep 60", limit).unwrap_err().to_string();
        assert!(
            error.starts_with("hive-worker was stopped: ") && error.contains("time limit"),
            "{error}"
        );
    }
}
