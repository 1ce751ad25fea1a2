//! The one place that runs external programs.

use std::io::Write as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ExitStatus, Stdio};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process_group};

use super::Linux;
use super::bound::Bound;
use crate::platform::deadline::Deadline;
use crate::platform::output::Tail;
use crate::platform::{Command, Output, Processes, Result, waiting};

/// The boot image's first process has no search path, and a unit's is not the administrator's.
pub(super) const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Processes for Linux {
    fn run(&self, command: &Command) -> Result<Output> {
        let deadline = Deadline::of(command, self.deadline());
        deadline.map_or(Ok(()), |deadline| deadline.check())?;
        let bound = command.root.as_deref().map(Bound::system).transpose()?;
        let mut process = prepared(command);
        let ended = process
            .spawn()
            .with_context(|| missing(command))
            .and_then(|child| follow(child, command, deadline));
        bound.map_or(Ok(()), Bound::release)?;
        ended
    }

    fn set_deadline(&self, deadline: Option<Deadline>) {
        self.deadline.set(deadline);
    }

    fn deadline(&self) -> Option<Deadline> {
        self.deadline.get()
    }
}

fn missing(command: &Command) -> String {
    match &command.root {
        Some(root) => format!("starting {} inside {}", command.program, root.display()),
        None => format!("starting {}", command.program),
    }
}

fn prepared(command: &Command) -> std::process::Command {
    let (program, mut arguments) = (command.program.clone(), command.arguments.clone());
    let mut words = vec![program];
    words.append(&mut arguments);
    if let Some(account) = &command.account {
        words.splice(0..0, ["runuser", "-u", &account.user, "--"].map(str::to_owned));
    }
    if let Some(root) = &command.root {
        words.splice(0..0, ["chroot".to_owned(), root.display().to_string()]);
    }
    let mut process = std::process::Command::new(&words[0]);
    process
        .args(&words[1..])
        .env("PATH", SEARCH_PATH)
        .envs(&command.environment);
    process
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // A group of its own, so that a time limit ends what the program has started too.
    process.process_group(0);
    if let Some(folder) = &command.folder {
        process.current_dir(folder);
    }
    process
}

fn follow(mut child: Child, command: &Command, deadline: Option<Deadline>) -> Result<Output> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let input = command.stdin.clone();
    // A program that does not read what it is given is no failure.
    std::thread::spawn(move || stdin.map(|mut pipe| pipe.write_all(&input)));
    let (out, err) = (Tail::of(stdout, &command.only), Tail::of(stderr, &[]));
    let status = wait(child, &command.program, deadline)?;
    let code = status
        .code()
        .or(status.signal().map(|signal| 128 + signal))
        .unwrap_or(-1);
    Ok(Output {
        code: code.into(),
        stdout: String::from_utf8_lossy(&out.take()).into_owned(),
        stderr: String::from_utf8_lossy(&err.take()).into_owned(),
    })
}

/// Waits for the end of a program, and stops it at the deadline with everything that it started.
pub(super) fn wait(child: Child, program: &str, deadline: Option<Deadline>) -> Result<ExitStatus> {
    waiting::wait(child, program, deadline, |child| {
        stop(child);
        Ok(())
    })
}

/// Ends a program with everything that it started.
fn stop(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.kill();
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn shell(line: &str) -> Command {
        Command {
            program: "sh".into(),
            arguments: vec!["-c".into(), line.into()],
            ..Command::default()
        }
    }

    #[test]
    fn output_code_and_input_are_passed_on() {
        let mut command = shell("cat; echo said >&2; exit 7");
        command.stdin = b"given".to_vec();
        let output = Linux::new().run(&command).unwrap();
        assert_eq!(
            output,
            Output {
                code: 7,
                stdout: "given".into(),
                stderr: "said\n".into()
            }
        );
    }

    #[test]
    fn a_program_that_never_ends_is_stopped() {
        let mut command = shell("exec sleep 60");
        command.timeout = Some(Duration::from_millis(200));
        let error = Linux::new().run(&command).unwrap_err().to_string();
        assert!(error.contains("time limit"), "{error}");
    }

    /// mkfs, grub-install and apt are run by the machine itself, and none of them is given a time limit.
    #[test]
    fn the_deadline_of_a_step_is_that_of_every_program() {
        let machine = Linux::new();
        let began = Instant::now();
        machine.set_deadline(Some(Deadline::after(Duration::from_secs(3))));
        machine.run(&shell("true")).unwrap();
        let stopped = machine.run(&shell("exec sleep 60")).unwrap_err().to_string();
        assert!(
            stopped.contains("stopped") && stopped.contains("time limit"),
            "{stopped}"
        );
        let late = machine.run(&shell("true")).unwrap_err().to_string();
        assert!(late.contains("time limit"), "{late}");
        let mut own = shell("true");
        own.timeout = Some(Duration::from_secs(50));
        machine.run(&own).unwrap();
        machine.set_deadline(None);
        machine.run(&shell("true")).unwrap();
        assert!(began.elapsed() < Duration::from_secs(45));
    }

    #[test]
    fn what_a_program_started_is_stopped_with_it() {
        let mut command = shell("sleep 61 & sleep 60; true");
        command.timeout = Some(Duration::from_millis(200));
        let began = Instant::now();
        assert!(Linux::new().run(&command).is_err());
        assert!(began.elapsed() < Duration::from_secs(40));
    }

    #[test]
    fn a_daemon_that_a_program_leaves_behind_is_not_waited_for() {
        let began = Instant::now();
        let output = Linux::new().run(&shell("echo said; sleep 60 & exit 0")).unwrap();
        assert_eq!((output.code, output.stdout.as_str()), (0, "said\n"));
        assert!(began.elapsed() < Duration::from_secs(40));
    }

    #[test]
    fn a_missing_program_is_named() {
        let command = Command {
            program: "no-such-program".into(),
            ..Command::default()
        };
        assert!(
            Linux::new()
                .run(&command)
                .unwrap_err()
                .to_string()
                .contains("no-such-program")
        );
    }
}
