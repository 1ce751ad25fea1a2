//! Waits for the end of programs, and stops those that take too long.

use std::fmt::Display;
#[cfg(unix)]
use std::process::{Child, ExitStatus};
#[cfg(unix)]
use std::sync::mpsc::channel;
use std::time::Duration;
#[cfg(unix)]
use std::time::Instant;

#[cfg(unix)]
use anyhow::Context as _;
use anyhow::{Error, anyhow};

#[cfg(unix)]
use super::Result;
#[cfg(unix)]
use super::deadline::Deadline;

/// How long is waited for what writes to a disk and says nothing: a slow stick takes minutes for what the memory holds for it.
#[cfg(unix)]
pub(super) const PATIENCE: Duration = Duration::from_secs(30 * 60);
#[cfg(unix)]
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// What was stopped is gone within this time, unless the system itself holds it.
pub(super) const GONE_WITHIN: Duration = Duration::from_secs(10);

/// Waits for the end of a program, and stops it at the deadline.
#[cfg(unix)]
pub(super) fn wait(
    mut child: Child,
    program: &str,
    deadline: Option<Deadline>,
    stop: impl FnOnce(&mut Child) -> Result<()>,
) -> Result<ExitStatus> {
    let Some(deadline) = deadline else {
        return child.wait().with_context(|| format!("waiting for {program}"));
    };
    loop {
        let ended = child.try_wait();
        if let Some(status) = ended.with_context(|| format!("waiting for {program}"))? {
            return Ok(status);
        }
        if let Err(over) = deadline.check() {
            stop(&mut child).with_context(|| format!("stopping {program} at its time limit"))?;
            return Err(collect(child, program, over));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// That a program was stopped, and why, once it is gone. One that waits for a disk inside the kernel cannot be stopped:
/// nobody knows when that ends, so the run does not wait for it, and says so.
#[cfg(unix)]
pub(super) fn collect(mut child: Child, program: &str, why: impl Display) -> Error {
    let left = Some(child.id()).filter(|_| !is_gone(&mut child));
    if left.is_some() {
        // Whenever it ends: it is collected then.
        std::thread::spawn(move || child.wait());
    }
    stopped(program, left, why)
}

/// That a program was stopped, and why; with the process that has not gone within [`GONE_WITHIN`], if so.
pub(super) fn stopped(program: &str, left: Option<u32>, why: impl Display) -> Error {
    let Some(id) = left else {
        return anyhow!("{program} was stopped: {why}");
    };
    anyhow!(
        "{program} (process {id}) may still run and write: {why}, and {} seconds after it was stopped it was not gone; \
         the system waits inside it, mostly for a disk, the media or a share that does not answer. Look at these and \
         their cables, and switch the machine off before you try again",
        GONE_WITHIN.as_secs()
    )
}

#[cfg(unix)]
fn is_gone(child: &mut Child) -> bool {
    let began = Instant::now();
    while matches!(child.try_wait(), Ok(None)) {
        if began.elapsed() >= GONE_WITHIN {
            return false;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    true
}

/// Whether that is done within this time; it goes on where it is not.
#[cfg(unix)]
pub(super) fn is_done_within(limit: Duration, work: impl FnOnce() + Send + 'static) -> bool {
    let (sender, done) = channel();
    std::thread::spawn(move || {
        work();
        sender.send(())
    });
    done.recv_timeout(limit).is_ok()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::process::Command;

    use rustix::process::{Pid, Signal, kill_process};

    use super::*;

    /// Much longer than a machine under load needs for a test.
    fn sleeping() -> Child {
        Command::new("sleep").arg("600").spawn().unwrap()
    }

    /// Nothing stops this one, as one that the kernel holds.
    #[test]
    fn what_is_not_gone_when_it_was_stopped_is_named_and_not_waited_for() {
        let child = sleeping();
        let id = Pid::from_child(&child);
        let began = Instant::now();
        let deadline = Some(Deadline::after(Duration::from_millis(100)));
        let error = wait(child, "mkfs.ext4", deadline, |_| Ok(()))
            .unwrap_err()
            .to_string();
        let says = format!(
            "mkfs.ext4 (process {}) may still run and write: it had not",
            id.as_raw_pid()
        );
        assert!(error.starts_with(&says), "{error}");
        assert!(began.elapsed() < Duration::from_secs(500));
        kill_process(id, Signal::KILL).unwrap();
    }

    #[test]
    fn work_that_the_system_holds_is_not_waited_for() {
        let began = Instant::now();
        let hangs = || std::thread::sleep(Duration::from_secs(600));
        assert!(!is_done_within(Duration::from_millis(50), hangs));
        assert!(is_done_within(Duration::from_secs(500), || {}));
        assert!(began.elapsed() < Duration::from_secs(500));
    }

    #[test]
    fn what_is_gone_was_stopped() {
        let mut child = sleeping();
        child.kill().unwrap();
        let error = collect(child, "mkfs.ext4", "it took too long").to_string();
        assert_eq!(error, "mkfs.ext4 was stopped: it took too long");
    }
}
