//! One run: starts the machine, follows it over its restarts, and stops it.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use media_format::event::Event;

use super::display::Display;
use super::follow::{Decision, Follower, Limits, Verdict, time};
use super::interrupt::Interrupt;
use super::machine::{Accelerator, Machine};
use super::panics::{Panicked, Panics};
use super::preflight::QEMU;
use super::process::{Call, Running};
use super::qmp::Qmp;
use super::serial::Serial;

const PAUSE: Duration = Duration::from_millis(50);
/// A system under emulation takes a while to stop its services.
const SHUT_DOWN_WITHIN: Duration = Duration::from_secs(600);
/// A press that comes before the system listens to its power button is lost.
const PRESS_AGAIN: Duration = Duration::from_secs(10);

const REVIVED: &str =
    "the machine's kernel panicked, which translation causes at times: power is cut, and comes back";

const TRANSLATED: &str =
    "the machine does not start by KVM on this computer: it is started again by translation";
/// QEMU that closes its monitor is about to end, and says why.
const LAST_WORDS: Duration = Duration::from_secs(5);
const SWITCHED_ON: &str =
    "the machine has switched itself off, as the sequence says, and is switched on again";

/// Where and how often the screen is saved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Screenshots {
    /// The file, overwritten each time.
    pub file: Option<PathBuf>,
    /// How often; without it only when the run ends.
    pub every: Option<Duration>,
}

/// A machine that runs.
struct Powered {
    qemu: Running,
    qmp: Qmp,
}

impl Powered {
    fn on(machine: &Machine) -> Result<Self> {
        let mut qemu = Call::new(QEMU, machine.arguments()).start()?;
        let Some((input, output)) = qemu.pipes() else {
            bail!("QEMU has no monitor")
        };
        match Qmp::new(input, output) {
            Ok(qmp) => Ok(Self { qemu, qmp }),
            Err(error) => match qemu.ended_within(LAST_WORDS)? {
                Some(status) => bail!("{}", qemu.failure(status)),
                None => Err(error),
            },
        }
    }
}

/// What a machine started from its disk said.
#[derive(PartialEq, Eq)]
enum Said {
    /// All that was expected.
    All,
    /// That its kernel gave up, and is to be started again.
    Panic,
}

/// Follows a run from power-on to its end.
pub struct Session<'a> {
    /// The machine.
    pub machine: Machine,
    /// Shows it.
    pub display: &'a Display,
    /// Ends it early.
    pub interrupt: &'a Interrupt,
    /// The screen's pictures.
    pub screenshots: &'a Screenshots,
    /// Reads its serial port.
    pub serial: Serial,
}

impl Session<'_> {
    /// Runs the machine until the run is over.
    ///
    /// # Errors
    /// When QEMU fails; that the run failed is no error here.
    pub fn follow(&mut self, follower: &mut Follower) -> Result<Verdict> {
        loop {
            match self.boot(follower)? {
                Decision::Over(verdict) => return Ok(verdict),
                Decision::Cut => self.display.note("power is cut, and comes back"),
                Decision::Revive => self.display.note(REVIVED),
                Decision::Translate => {
                    self.machine.accelerator = Accelerator::Tcg;
                    follower.translated(self.display.elapsed());
                    self.display.note(TRANSLATED);
                }
                Decision::SwitchOn => self.display.note(SWITCHED_ON),
                _ => self.display.note("the machine restarts"),
            }
        }
    }

    fn boot(&mut self, follower: &mut Follower) -> Result<Decision> {
        let result = self.run_once(follower);
        match result {
            // Nothing of the run has happened yet.
            Err(error) if follower.is_unproven() && self.interrupt.check().is_ok() => {
                self.display.note(&format!("{error:#}"));
                Ok(Decision::Translate)
            }
            result => result,
        }
    }

    fn run_once(&mut self, follower: &mut Follower) -> Result<Decision> {
        let mut powered = Powered::on(&self.machine)?;
        let mut next_picture = self.screenshots.every.map(|every| self.display.elapsed() + every);
        loop {
            let ended = powered.qemu.ended()?;
            // QEMU hears Ctrl-C as well, and may have ended by it.
            self.interrupt.check()?;
            let reported_end = self.hear(follower)?;
            let now = self.display.elapsed();
            if let Some(status) = ended {
                return stopped(&mut powered, status, follower, now);
            }
            let decision = follower.running(now);
            let is_over = matches!(decision, Decision::Over(_));
            if is_over || reported_end || next_picture.is_some_and(|at| now >= at) {
                next_picture = self.screenshots.every.map(|every| now + every);
                self.picture(&mut powered);
            }
            if decision != Decision::Wait {
                powered.qemu.kill();
                return Ok(decision);
            }
            self.display.tick();
            std::thread::sleep(PAUSE);
        }
    }

    /// Whether the machine reported the end of its run.
    fn hear(&mut self, follower: &mut Follower) -> Result<bool> {
        let heard = self.serial.hear()?;
        let now = self.display.elapsed();
        if heard.anything {
            follower.heard(now);
        }
        for line in &heard.lines {
            follower.line(line, now);
        }
        let mut reported_end = false;
        for event in heard.lines.iter().filter_map(|line| Event::from_line(line)) {
            follower.event(&event, now);
            self.display.event(&event);
            reported_end |= matches!(event, Event::Ended { .. });
        }
        Ok(reported_end)
    }

    /// A missing picture is no reason to stop a run.
    fn picture(&self, powered: &mut Powered) {
        let Some(file) = &self.screenshots.file else {
            return;
        };
        if let Err(error) = powered.qmp.screenshot(file) {
            self.display.note(&format!("no screenshot: {error:#}"));
        }
    }

    /// Runs the machine until all texts have appeared on its serial port, and stops it.
    ///
    /// # Errors
    /// When they do not appear in time or QEMU fails.
    pub fn expect(&mut self, texts: &[String], limits: Limits) -> Result<()> {
        let mut panics = Panics::on(self.machine.accelerator);
        while self.says(texts, limits, &mut panics)? == Said::Panic {
            self.display.note(REVIVED);
        }
        Ok(())
    }

    fn says(&mut self, texts: &[String], limits: Limits, panics: &mut Panics) -> Result<Said> {
        let start = Instant::now();
        let mut powered = Powered::on(&self.machine)?;
        let (mut missing, mut quiet_since) = (texts.to_vec(), start);
        loop {
            let ended = powered.qemu.ended()?;
            self.interrupt.check()?;
            let heard = self.serial.hear()?;
            heard
                .lines
                .iter()
                .for_each(|line| panics.line(line, start.elapsed()));
            let has = |text: &String| {
                heard.unfinished.contains(text) || heard.lines.iter().any(|line| line.contains(text))
            };
            missing.retain(|text| !has(text));
            if missing.is_empty() {
                self.picture(&mut powered);
                self.switch_off(&mut powered)?;
                return Ok(Said::All);
            }
            match panics.due(start.elapsed()) {
                Some(Panicked::StartAgain) => return Ok(Said::Panic),
                Some(Panicked::Failed(why)) => bail!("started from its disk: {why}"),
                None => {}
            }
            quiet_since = if heard.anything {
                Instant::now()
            } else {
                quiet_since
            };
            if ended.is_some() {
                bail!(
                    "started from its disk, the machine stopped before {missing:?} appeared on its serial port"
                );
            }
            if quiet_since.elapsed() >= limits.silence || start.elapsed() >= limits.total {
                self.picture(&mut powered);
                let waited = time(start.elapsed());
                bail!("started from its disk, the machine did not say {missing:?} within {waited}");
            }
            self.display.tick();
            std::thread::sleep(PAUSE);
        }
    }

    /// Presses the power button: a disk that goes on being used must be left clean, as its own system leaves it.
    fn switch_off(&self, powered: &mut Powered) -> Result<()> {
        powered.qmp.execute("system_powerdown", serde_json::json!({}))?;
        let begun = Instant::now();
        let mut pressed = begun;
        while powered.qemu.ended()?.is_none() {
            self.interrupt.check()?;
            if pressed.elapsed() > PRESS_AGAIN {
                // It may be switching itself off just now, and hear nothing any more.
                let _ = powered.qmp.execute("system_powerdown", serde_json::json!({}));
                pressed = Instant::now();
            }
            if begun.elapsed() > SHUT_DOWN_WITHIN {
                self.display
                    .note("the machine does not react to its power button and is stopped");
                return Ok(());
            }
            self.display.tick();
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}

fn stopped(
    powered: &mut Powered,
    status: ExitStatus,
    follower: &mut Follower,
    now: Duration,
) -> Result<Decision> {
    match powered.qmp.stop() {
        Some(stop) if status.success() => Ok(follower.stopped(stop, now)),
        _ => bail!("{}", powered.qemu.failure(status)),
    }
}
