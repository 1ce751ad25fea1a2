//! How the machine leaves the system that runs while the run is not over: by a restart, or switched off.

use media_format::event::{Environment, Event};
use media_format::state::Next;

use crate::engine::Outcome;
use crate::platform::{Firmware, Result};
use crate::run::{Finished, Run};
use crate::{boot_state, connections, winpe_boot};

/// How it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// It restarts.
    Restart,
    /// It switches itself off, and somebody switches it on again.
    ShutDown,
}

impl Leaving {
    /// What a step's end asks for, and where the run goes on after it.
    pub fn of(outcome: &Outcome) -> Option<(Self, Environment)> {
        match outcome {
            Outcome::Done | Outcome::Skipped(_) => None,
            Outcome::RestartThenContinue(target) | Outcome::RestartThenRetry(target) => {
                Some((Self::Restart, *target))
            }
            Outcome::ShutDownThenRetry(target) => Some((Self::ShutDown, *target)),
        }
    }

    fn finished(self, target: Environment) -> (Event, Finished) {
        match self {
            Self::Restart => (Event::Restart { target }, Finished::Restart(target)),
            Self::ShutDown => (Event::ShutDown { target }, Finished::ShutDown(target)),
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::Restart => "the machine restarts",
            Self::ShutDown => {
                "the machine switches itself off, and the run goes on when it is switched on again"
            }
        }
    }
}

/// Writes everything down that the next start goes on with, and leads it there.
///
/// # Errors
/// When it cannot be written.
pub fn leave(run: &mut Run<'_>, how: Leaving, target: Environment) -> Result<Finished> {
    let next = match target {
        Environment::Os => Next::Os,
        Environment::Pe => Next::Pe,
    };
    connections::close(run);
    run.keep()?;
    boot_state::set_next(run.platform, &run.journal, next)?;
    let out_of_system = run.here == Environment::Os && target == Environment::Pe;
    if out_of_system || winpe_boot::tells_firmware(run.platform, run.here) {
        lead_to(run, target);
    }
    run.log
        .info(format!("{}, next: {}", how.in_words(), next.as_str()));
    let (event, finished) = how.finished(target);
    run.reporter.event(&event);
    Ok(finished)
}

/// An installed system may have put its own entry before ours. Where the firmware refuses, the media leads there.
fn lead_to(run: &Run<'_>, target: Environment) {
    let there = match target {
        Environment::Pe => "the boot image",
        Environment::Os => "the installed system",
    };
    match run.platform.start_next(winpe_boot::entry(target)) {
        Ok(true) => run.log.info(format!("the firmware starts {there} next")),
        Ok(false) if run.platform.firmware() == Firmware::Uefi => run.log.warning(format!(
            "the firmware has no entry for {there} any more, so the boot order decides"
        )),
        Ok(false) => {}
        Err(error) => run.log.warning(format!(
            "the firmware does not take what it is to start next, so the boot order decides: {error:#}"
        )),
    }
}
