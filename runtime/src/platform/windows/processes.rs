//! The one place that runs external programs.

use std::io::{PipeReader, PipeWriter, Write as _, pipe};
use std::os::windows::io::OwnedHandle;
use std::os::windows::process::CommandExt as _;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::bindings::{self, Job, Logon};
use super::{Windows, logon};
use crate::in_windows::text;
use crate::platform::deadline::Deadline;
use crate::platform::output::Tail;
use crate::platform::{Command, Output, Processes, Result, waiting};

const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A service has no console, and the programs of a run show none.
const CREATE_NO_WINDOW: u32 = 0x0800_0000;

impl Processes for Windows {
    fn run(&self, command: &Command) -> Result<Output> {
        if let Some(root) = &command.root {
            bail!("a program of the system at {} cannot be run here", root.display());
        }
        let deadline = Deadline::of(command, self.deadline());
        deadline.map_or(Ok(()), |deadline| deadline.check())?;
        let running = Running::start(command)?;
        let job = job(&running.process, command)?;
        running.follow(job.as_ref(), command, deadline)
    }

    fn set_deadline(&self, deadline: Option<Deadline>) {
        self.deadline.set(deadline);
    }

    fn deadline(&self) -> Option<Deadline> {
        self.deadline.get()
    }
}

/// A program, with our ends of its pipes.
struct Running {
    process: OwnedHandle,
    stdin: PipeWriter,
    stdout: PipeReader,
    stderr: PipeReader,
    /// Of the account that it runs as.
    _logon: Option<Logon>,
}

impl Running {
    fn start(command: &Command) -> Result<Self> {
        let pipes = || Ok::<_, std::io::Error>((pipe()?, pipe()?, pipe()?));
        let ((input, stdin), (stdout, output), (stderr, errors)) =
            pipes().with_context(|| format!("making the pipes of {}", command.program))?;
        let theirs = [input.into(), output.into(), errors.into()];
        let (process, logon) = match &command.account {
            Some(account) => {
                let (process, logon) = logon::start(command, account, &theirs)?;
                (process, Some(logon))
            }
            None => (start(command, theirs)?, None),
        };
        Ok(Self {
            process,
            stdin,
            stdout,
            stderr,
            _logon: logon,
        })
    }

    fn follow(self, job: Option<&Job>, command: &Command, deadline: Option<Deadline>) -> Result<Output> {
        let (mut stdin, input) = (self.stdin, command.stdin.clone());
        // A program that does not read what it is given is no failure.
        std::thread::spawn(move || stdin.write_all(&input));
        let (out, err) = (
            Tail::of(Some(self.stdout), &command.only),
            Tail::of(Some(self.stderr), &[]),
        );
        let code = wait(&self.process, job, &command.program, deadline)?;
        Ok(Output {
            // The large ones are negative numbers of 32 bits in some tables that users look into, and unsigned in others.
            code: code.into(),
            stdout: text::decode(&out.take(), bindings::oem_text),
            stderr: text::decode(&err.take(), bindings::oem_text),
        })
    }
}

/// Starts a program as who we are.
fn start(command: &Command, [input, output, errors]: [OwnedHandle; 3]) -> Result<OwnedHandle> {
    let mut process = std::process::Command::new(&command.program);
    process.args(&command.arguments).envs(&command.environment);
    if !command.raw.is_empty() {
        process.raw_arg(&command.raw);
    }
    process
        .stdin(input)
        .stdout(output)
        .stderr(errors)
        .creation_flags(CREATE_NO_WINDOW);
    if let Some(folder) = &command.folder {
        process.current_dir(folder);
    }
    let child = process.spawn();
    Ok(child
        .with_context(|| format!("starting {}", command.program))?
        .into())
}

/// What a program starts belongs to the same job: a time limit ends all of it. One that has ended already takes no job.
fn job(process: &OwnedHandle, command: &Command) -> Result<Option<Job>> {
    match Job::of(process) {
        Ok(job) => Ok(Some(job)),
        Err(_) if matches!(bindings::exit_code(process, Some(Duration::ZERO)), Ok(Some(_))) => Ok(None),
        Err(error) => {
            bindings::end(process);
            Err(error).with_context(|| format!("putting {} into a job", command.program))
        }
    }
}

fn wait(process: &OwnedHandle, job: Option<&Job>, program: &str, deadline: Option<Deadline>) -> Result<u32> {
    let look_every = deadline.map(|_| LOOK_EVERY);
    loop {
        let code = bindings::exit_code(process, look_every);
        if let Some(code) = code.with_context(|| format!("waiting for {program}"))? {
            return Ok(code);
        }
        if let Some(Err(over)) = deadline.map(|deadline| deadline.check()) {
            job.map_or(Ok(()), Job::end)
                .with_context(|| format!("ending {program} at its time limit"))?;
            let gone = matches!(
                bindings::exit_code(process, Some(waiting::GONE_WITHIN)),
                Ok(Some(_))
            );
            let id = Some(bindings::process_id(process)).filter(|_| !gone);
            return Err(waiting::stopped(program, id, over));
        }
    }
}
