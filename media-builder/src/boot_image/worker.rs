//! Starts the workers that read and write WIMs and registry hives.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use media_format::hive::protocol as hive;
use media_format::wim::protocol as wim;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Error, Result};

/// Room for many compressing threads, and far from the host's memory.
const WIM_MEMORY: u64 = 6 << 30;
const HIVE_MEMORY: u64 = 1 << 30;
/// Seconds of processor time; a store takes a fraction of one.
const HIVE_SECONDS: u64 = 60;

/// Lets `wim-worker` do something; `progress` hears how much of how much is done.
pub(crate) fn wim(
    program: &Path,
    operation: wim::Operation,
    doing: &str,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<wim::Summary> {
    let request = wim::Request {
        memory_limit: Some(WIM_MEMORY),
        operation,
    };
    let mut end = None;
    talk(program, &request, doing, |message| match message {
        wim::Message::Progress { done, total, .. } => progress(done, total),
        wim::Message::Warning { .. } => {}
        other => end = Some(other),
    })?;
    match end {
        Some(wim::Message::Done { summary }) => Ok(summary),
        Some(wim::Message::Failed { error, hint, .. }) => Err(failed(doing, error, hint)),
        _ => Err(silent(program, doing)),
    }
}

/// Lets `hive-worker` write a hive.
pub(crate) fn write_hive(program: &Path, write: hive::Write, doing: &str) -> Result<()> {
    let request = hive::Request {
        memory_limit: Some(HIVE_MEMORY),
        time_limit: Some(HIVE_SECONDS),
        operation: hive::Operation::Write(write),
    };
    let mut end = None;
    talk(program, &request, doing, |message| end = Some(message))?;
    match end {
        Some(hive::Message::Done { .. }) => Ok(()),
        Some(hive::Message::Failed { error, hint }) => Err(failed(doing, error, hint)),
        None => Err(silent(program, doing)),
    }
}

/// Hands over the request and every line of the answer.
fn talk<M: DeserializeOwned>(
    program: &Path,
    request: &impl Serialize,
    doing: &str,
    mut each: impl FnMut(M),
) -> Result<()> {
    let request = serde_json::to_vec(request).map_err(|error| failed(doing, error.to_string(), None))?;
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(Error::io("starting", program))?;
    // A request fits into the pipe or is read at once; a worker that does neither has ended and says nothing.
    let written = child.stdin.take().map(|mut pipe| pipe.write_all(&request));
    let lines = child
        .stdout
        .take()
        .into_iter()
        .flat_map(|pipe| BufReader::new(pipe).lines());
    for line in lines {
        let line = line.map_err(Error::io("listening to", program))?;
        let message = serde_json::from_str(&line).map_err(|error| {
            failed(
                doing,
                format!("{} said {line:?}: {error}", program.display()),
                None,
            )
        })?;
        each(message);
    }
    child.wait().map_err(Error::io("waiting for", program))?;
    match written {
        Some(Err(error)) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::io("speaking to", program)(error))
        }
        _ => Ok(()),
    }
}

fn failed(doing: &str, error: String, hint: Option<String>) -> Error {
    let why = match hint {
        Some(hint) => format!("{error}; {hint}"),
        None => error,
    };
    Error::Worker {
        doing: doing.to_owned(),
        why,
    }
}

fn silent(program: &Path, doing: &str) -> Error {
    let why = format!(
        "{} ended without a result; the input may be damaged, or the memory too small",
        program.display()
    );
    failed(doing, why, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find() -> wim::Operation {
        wim::Operation::Info(wim::Info {
            wim: "boot.wim".into(),
        })
    }

    fn said(script: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("worker");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&program, mode).unwrap();
        // Another test's child may hold the script open for writing for a moment.
        for _ in 0..50 {
            match wim(&program, find(), "reading boot.wim", &mut |_, _| {}) {
                Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                    std::thread::sleep(std::time::Duration::from_millis(20));
                }
                other => return other.map_or_else(|error| error.to_string(), |_| "done".into()),
            }
        }
        "busy".into()
    }

    #[test]
    fn a_worker_that_fails_or_dies_is_an_error_with_the_work() {
        let failure = r#"cat >/dev/null; echo '{"message":"failed","code":2,"error":"damaged","hint":"copy it"}'; exit 1"#;
        assert_eq!(said(failure), "reading boot.wim: damaged; copy it");
        assert!(said("kill -9 $$").contains("ended without a result"));
        assert!(said("cat >/dev/null; echo nonsense").contains("said \"nonsense\""));
        let done = r#"cat >/dev/null; echo '{"message":"done","summary":{"files":1,"directories":0,"bytes":0,"wim_bytes":0,"warnings":0}}'"#;
        assert_eq!(said(done), "done");
    }
}
