//! The one place that runs external programs.

use std::io::Write as _;
use std::os::windows::process::CommandExt as _;
use std::process::{Child, ExitStatus, Stdio};

use anyhow::{Context as _, bail};

use super::Windows;
use super::bindings::{self, Job};
use crate::in_windows::text;
use crate::platform::deadline::Deadline;
use crate::platform::output::Tail;
use crate::platform::{Command, Output, Processes, Result, waiting};

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
        let deadline = Deadline::of(command, self.deadline());
        deadline.map_or(Ok(()), |deadline| deadline.check())?;
        let mut child = prepared(command)
            .spawn()
            .with_context(|| format!("starting {}", command.program))?;
        let job = job(&mut child, command)?;
        follow(child, job.as_ref(), command, deadline)
    }

    fn set_deadline(&self, deadline: Option<Deadline>) {
        self.deadline.set(deadline);
    }

    fn deadline(&self) -> Option<Deadline> {
        self.deadline.get()
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

fn follow(
    mut child: Child,
    job: Option<&Job>,
    command: &Command,
    deadline: Option<Deadline>,
) -> Result<Output> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let input = command.stdin.clone();
    // A program that does not read what it is given is no failure.
    std::thread::spawn(move || stdin.map(|mut pipe| pipe.write_all(&input)));
    let (out, err) = (Tail::of(stdout, &command.only), Tail::of(stderr, &[]));
    let status = waiting::wait(child, &command.program, deadline, |_| {
        Ok(job.map_or(Ok(()), Job::end)?)
    })?;
    Ok(Output {
        code: code(status),
        stdout: text::decode(&out.take(), bindings::oem_text),
        stderr: text::decode(&err.take(), bindings::oem_text),
    })
}

/// The code as users look it up: the large ones are negative numbers of 32 bits in some tables and unsigned in others;
/// here they are unsigned.
fn code(status: ExitStatus) -> i64 {
    status.code().map_or(-1, |code| i64::from(code.cast_unsigned()))
}
