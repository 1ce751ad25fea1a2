//! Time limits: of a step, for everything that it starts, and of a single program.

use std::time::{Duration, Instant};

use anyhow::bail;

use super::{Command, Processes, Result};

/// Until when something may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    end: Instant,
    limit: Duration,
}

impl Deadline {
    /// So long from now.
    pub fn after(limit: Duration) -> Self {
        Self {
            end: Instant::now() + limit,
            limit,
        }
    }

    /// Until when a command may run: its own time limit counts, else that of the step.
    pub fn of(command: &Command, step: Option<Self>) -> Option<Self> {
        command.timeout.map(Self::after).or(step)
    }

    /// What is left.
    pub fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Whether something is left.
    ///
    /// # Errors
    /// When nothing is.
    pub fn check(&self) -> Result<()> {
        if self.left().is_zero() {
            bail!(
                "it had not ended after {} seconds, its time limit",
                self.limit.as_secs()
            );
        }
        Ok(())
    }
}

/// Does something that is to end in that time, with all that it starts. What comes after it is not limited.
pub fn within<T>(
    processes: &(impl Processes + ?Sized),
    limit: Option<Duration>,
    work: impl FnOnce() -> T,
) -> T {
    processes.set_deadline(limit.map(Deadline::after));
    let done = work();
    processes.set_deadline(None);
    done
}

/// The time limit of a program that has one also where the step has none.
pub fn at_most(processes: &(impl Processes + ?Sized), limit: Duration) -> Option<Duration> {
    processes.deadline().is_none().then_some(limit)
}
