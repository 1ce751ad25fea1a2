//! Registry hives, through the worker: a process of its own with capped memory and time.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, anyhow, bail};
use media_format::hive::protocol::{Answer, Message, Operation, Request};

use super::Linux;
use crate::platform::{Hives, Result};

const WORKER: &str = "hive-worker";
/// The largest hives of an installation have some 200 MB, and libhivex holds one twice while it is written.
const MEMORY_LIMIT: u64 = 1 << 30;
/// Seconds of processor time.
const TIME_LIMIT: u64 = 120;

impl Hives for Linux {
    fn hive(&self, operation: &Operation) -> Result<Vec<Answer>> {
        let mut command = Command::new(WORKER);
        command.env("PATH", super::processes::SEARCH_PATH);
        ask(command, operation)
    }
}

fn ask(mut command: Command, operation: &Operation) -> Result<Vec<Answer>> {
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
    let pipe = child.stdin.take();
    // A worker that does not read what it is to do says so, or ends.
    let writer = std::thread::spawn(move || pipe.map(|mut pipe| pipe.write_all(&request)));
    let output = child.wait_with_output().context("listening to the worker")?;
    let _ = writer.join();
    let text = String::from_utf8_lossy(&output.stdout);
    let message = text.lines().last().map(serde_json::from_str);
    match message.transpose().context("understanding the worker")? {
        Some(Message::Done { answers }) => Ok(answers),
        Some(Message::Failed { error, hint }) => {
            let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
            bail!("{error}{hint}")
        }
        None => Err(anyhow!(
            "{WORKER} ended ({}) without a result: it was killed, or ran out of memory or time",
            output.status
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use media_format::hive::protocol::Read;

    fn worker(script: &str) -> Result<Vec<Answer>> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let read = Read {
            hive: "SYSTEM".into(),
            queries: vec![],
        };
        ask(command, &Operation::Read(read))
    }

    #[test]
    fn a_worker_gives_its_answers_or_its_reason() {
        let done = serde_json::to_string(&Message::Done { answers: vec![] }).unwrap();
        assert!(worker(&format!("cat >/dev/null; echo '{done}'")).is_ok());
        let failed = Message::Failed {
            error: "opening SYSTEM: no hive".into(),
            hint: Some("restore it".into()),
        };
        let failed = serde_json::to_string(&failed).unwrap();
        let error = worker(&format!("echo '{failed}'; exit 1")).unwrap_err();
        assert_eq!(error.to_string(), "opening SYSTEM: no hive; restore it");
        let error = worker("exit 3").unwrap_err().to_string();
        assert!(error.contains("without a result"), "{error}");
    }
}
