//! The one place that runs external programs.

use std::io::{Read, Write as _};
use std::os::windows::process::CommandExt as _;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::Windows;
use super::bindings::{self, Job};
use crate::in_windows::text;
use crate::platform::{Command, Output, Processes, Result};

/// Output beyond this is dropped: a program that talks for hours must not fill the memory.
const MOST_OUTPUT: usize = 1 << 20;
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// After a program has ended, what it wrote arrives within this time.
const OUTPUT_WITHIN: Duration = Duration::from_secs(2);
/// A service has no console, and the programs of a run show none.
const CREATE_NO_WINDOW: u32 = 0x0800_0000;

impl Processes for Windows {
    fn run(&self, command: &Command) -> Result<Output> {
        if command.user.is_some() {
            bail!("a program cannot be run as another user inside Windows; leave `account` out");
        }
        if let Some(root) = &command.root {
            bail!("a program of the system at {} cannot be run here", root.display());
        }
        let mut child = prepared(command)
            .spawn()
            .with_context(|| format!("starting {}", command.program))?;
        let job = job(&mut child, command)?;
        follow(child, job.as_ref(), command)
    }
}

/// What a program starts belongs to the same job: a time limit ends all of it. One that has ended already takes no job.
fn job(child: &mut Child, command: &Command) -> Result<Option<Job>> {
    match Job::of(child) {
        Ok(job) => Ok(Some(job)),
        Err(_) if matches!(child.try_wait(), Ok(Some(_))) => Ok(None),
        Err(error) => {
            let _ = child.kill();
            Err(error).with_context(|| format!("putting {} into a job", command.program))
        }
    }
}

fn prepared(command: &Command) -> std::process::Command {
    let mut process = std::process::Command::new(&command.program);
    process.args(&command.arguments).envs(&command.environment);
    if !command.raw.is_empty() {
        process.raw_arg(&command.raw);
    }
    process
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .creation_flags(CREATE_NO_WINDOW);
    if let Some(folder) = &command.folder {
        process.current_dir(folder);
    }
    process
}

fn follow(mut child: Child, job: Option<&Job>, command: &Command) -> Result<Output> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let input = command.stdin.clone();
    // A program that does not read what it is given is no failure.
    std::thread::spawn(move || stdin.map(|mut pipe| pipe.write_all(&input)));
    let (out, err) = (Tail::of(stdout), Tail::of(stderr));
    let status = wait(&mut child, job, command)?;
    Ok(Output {
        code: code(status),
        stdout: out.take(),
        stderr: err.take(),
    })
}

/// The code as users look it up: the large ones are negative numbers of 32 bits in some tables and unsigned in others;
/// here they are unsigned.
fn code(status: ExitStatus) -> i64 {
    status.code().map_or(-1, |code| i64::from(code.cast_unsigned()))
}

fn wait(child: &mut Child, job: Option<&Job>, command: &Command) -> Result<ExitStatus> {
    let Some(limit) = command.timeout else {
        return child
            .wait()
            .with_context(|| format!("waiting for {}", command.program));
    };
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() >= end {
            job.map_or(Ok(()), Job::end)
                .with_context(|| format!("ending {} at its time limit", command.program))?;
            let _ = child.wait();
            bail!(
                "{} was stopped: it had not ended after {} seconds (the step's time limit)",
                command.program,
                limit.as_secs()
            );
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// What a program writes: the last of it where it is too much.
struct Tail {
    kept: Arc<Mutex<Vec<u8>>>,
    ended: Receiver<()>,
}

impl Tail {
    fn of(pipe: Option<impl Read + Send + 'static>) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let (sender, ended) = channel();
        let into = Arc::clone(&kept);
        std::thread::spawn(move || {
            if let Some(pipe) = pipe {
                collect(pipe, &into);
            }
            let _ = sender.send(());
        });
        Self { kept, ended }
    }

    /// A program may leave others behind that hold its output open: they are not waited for.
    fn take(self) -> String {
        let _ = self.ended.recv_timeout(OUTPUT_WITHIN);
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        text::decode(&kept, bindings::oem_text)
    }
}

fn collect(mut pipe: impl Read, into: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 8192];
    while let Ok(count @ 1..) = pipe.read(&mut buffer) {
        let mut kept = into.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&buffer[..count]);
        if kept.len() > 2 * MOST_OUTPUT {
            let old = kept.len() - MOST_OUTPUT;
            kept.drain(..old);
        }
    }
}
