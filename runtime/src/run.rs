//! The run: one loop that asks the engine what comes next, does it, and writes down what happened before the
//! machine restarts.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, bail};
use media_format::event::{Environment, Event};
use media_format::manifest::Finish;
use task_sequence::{Action, TaskSequence, TimeSpan, Variables};

use crate::context::{Context, Failure, Reporter, beginning, code_text, resolved};
use crate::debugger::{self, Decision};
use crate::engine::{self, Ended, Next, Outcome, Over, Program, Stuck, Undecided};
use crate::facts::MachineFacts;
use crate::in_windows::recovery;
use crate::journal::Journal;
use crate::leaving::{self, Leaving};
use crate::log::Log;
use crate::logs::{self, Reach};
use crate::media::Media;
use crate::platform::{Platform, Result, System, deadline};
use crate::questions::Questions;
use crate::{
    afterwards, boot_state, connections, detected, kept, preflight, running, steps, system_place, variables,
    winpe_boot,
};

const LEFT_OUT: &str = "the person at the machine left it out";

/// How this start of the runtime ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finished {
    /// The machine restarts; the boot state leads there.
    Restart(Environment),
    /// The machine switches itself off; the boot state leads there when it is switched on again.
    ShutDown(Environment),
    /// Somebody was asked whether it may begin, and said no: nothing was changed.
    NotBegun,
    /// The run is over.
    Over {
        /// Why it failed, if it did.
        failure: Option<String>,
        /// What the machine does now.
        finish: Finish,
    },
}

/// A run on a machine.
pub struct Run<'a> {
    /// The machine.
    pub platform: &'a dyn Platform,
    /// The media.
    pub media: &'a Media,
    /// The task sequence.
    pub sequence: &'a TaskSequence,
    /// Boot image or installed system.
    pub here: Environment,
    /// Inside a system: somebody has started the program there.
    pub begins: bool,
    /// The log.
    pub log: &'a Log,
    /// Where the log lies while the target has no place for it.
    pub log_home: PathBuf,
    /// The log follows the journal to the target, so that it survives restarts.
    pub log_on_target: bool,
    /// Where copies of the log are, in words.
    pub log_copies: Vec<String>,
    /// Whether the destination of the capture can get one.
    pub destination: Reach,
    /// Screen and serial port.
    pub reporter: &'a dyn Reporter,
    /// The journal, new or resumed.
    pub journal: Journal,
    /// The variables, with secrets.
    pub variables: Variables,
    /// Secrets that are still to be asked for.
    pub questions: Questions<'a>,
    /// Overlays of system volumes.
    pub views: RefCell<Vec<(PathBuf, PathBuf)>>,
    /// The exit code of the last program of the running step that counts.
    pub exit_code: Cell<i64>,
    /// Somebody has ended it.
    pub ended_by_person: bool,
    /// When this start of the program began, and how many seconds earlier ones took.
    pub began: (Instant, u64),
}

impl Run<'_> {
    /// Runs to the next restart or to the end. Every failure is in the result, the log and the events.
    pub fn go(&mut self) -> Finished {
        let resumed = self.journal.is_attached();
        self.hide_secrets();
        self.reporter.event(&Event::Started {
            media: self.media.manifest.media_id.clone(),
            organization: self.media.manifest.organization.clone(),
            sequence: self.sequence.name.clone(),
            environment: self.here,
            resumed,
            elapsed: self.began.1,
        });
        let finished = self.prepare(resumed).and_then(|()| self.work());
        let mut finished = finished.unwrap_or_else(|error| self.fail(&format!("{error:#}")));
        if let Finished::Over { failure, finish } = &mut finished {
            afterwards::act(self);
            self.report_end(failure.clone());
            if failure.is_some()
                && let Some(time) = afterwards::patience(self)
            {
                self.platform.sleep(time);
                *finish = Finish::Shutdown;
            }
        }
        finished
    }

    fn prepare(&mut self, resumed: bool) -> Result<()> {
        variables::set_machine(self);
        let place = if self.here == Environment::Pe {
            "the boot image"
        } else {
            "the installed system"
        };
        let verb = if resumed { "goes on" } else { "starts" };
        self.log.info(format!(
            "task sequence \"{}\" {verb} in {place}",
            self.sequence.name
        ));
        self.log.info(started_by(self.platform.secure_boot()));
        self.follow_log();
        if winpe_boot::tells_firmware(self.platform, self.here) {
            winpe_boot::arrive(self.platform, &mut self.journal)?;
        }
        detected::set(self)?;
        let in_windows = self.begins && self.here == Environment::Os;
        if !resumed {
            let fits = || if in_windows { running::check(self) } else { Ok(()) };
            fits()
                .and_then(|()| preflight::check(self))
                .context("before anything was changed")?;
        }
        self.destination = Reach::Known;
        if in_windows { running::begin(self) } else { Ok(()) }
    }

    fn work(&mut self) -> Result<Finished> {
        let sequence = self.sequence;
        let program = Program::new(sequence);
        loop {
            match self.decide(&program)? {
                Next::End => return self.complete(),
                Next::RestartAgain(target) => return leaving::leave(self, Leaving::Restart, target),
                Next::Skip(index, reason) => self.skip(&program, index, reason)?,
                Next::Undecided(index, undecided) => self.undecided(&program, index, undecided)?,
                Next::Cut(index) => {
                    let name = program.steps[index].step.name();
                    bail!(
                        "step \"{name}\" was cut by a restart or power failure and declares that it cannot be \
                         repeated; start the media again to build from the beginning"
                    );
                }
                Next::Run(index) => {
                    let leaving = match self.debugged(&program, index)? {
                        Decision::Run => self.run_step(&program, index)?,
                        Decision::Skip => {
                            self.skip(&program, index, LEFT_OUT.into())?;
                            None
                        }
                        Decision::End => {
                            self.ended_by_person = true;
                            bail!("it was ended by the person at the machine");
                        }
                    };
                    if let Some((how, target)) = leaving {
                        return leaving::leave(self, how, target);
                    }
                }
            }
        }
    }

    /// Only before a step begins: what was begun goes on.
    fn debugged(&mut self, program: &Program<'_>, index: usize) -> Result<Decision> {
        let progress = &self.journal.saved.progress;
        if progress.started || progress.part > 0 {
            return Ok(Decision::Run);
        }
        debugger::before(self, program.steps[index].step.name())
    }

    fn decide(&mut self, program: &Program<'_>) -> Result<Next> {
        variables::refresh(&mut self.variables, self.platform, self.log);
        let facts = MachineFacts {
            platform: self.platform,
            variables: &self.variables,
            here: self.here,
        };
        let mut evaluate = |condition: &task_sequence::Condition| {
            condition.evaluate(&facts).map_err(|error| error.to_string())
        };
        let decided = engine::next(
            program,
            &mut self.journal.saved.progress,
            self.here,
            &mut evaluate,
        );
        decided.map_err(|Stuck { step, reason }| {
            let name = program
                .steps
                .get(step)
                .map_or("end of the sequence", |placed| placed.step.name());
            anyhow::anyhow!("step \"{name}\": {reason}")
        })
    }

    fn skip(&mut self, program: &Program<'_>, index: usize, reason: String) -> Result<()> {
        let name = program.steps[index].step.name();
        self.log.info(format!("step \"{name}\" is skipped: {reason}"));
        self.report_step_end(name, "skipped", 0, Some(reason.clone()));
        let ended = self.journal.saved.progress.end(program, Ended::Skipped(reason));
        debug_assert!(ended.is_ok(), "a skipped step fails nothing");
        self.keep()
    }

    /// Nobody knows whether the step is to run: it counts as failed, and not as one that is passed over.
    fn undecided(&mut self, program: &Program<'_>, index: usize, undecided: Undecided) -> Result<()> {
        let Undecided { groups, reason } = undecided;
        let failure = self.tell(program.steps[index].step.name(), Failure::new(reason));
        let ended = failure.ended();
        let noted = self.journal.saved.progress.end_undecided(program, groups, ended);
        self.failed(program, index, &failure, noted)
    }

    /// Runs one part of a step; gives how the machine leaves and where the run goes on, if it does.
    fn run_step(&mut self, program: &Program<'_>, index: usize) -> Result<Option<(Leaving, Environment)>> {
        let step = program.steps[index].step;
        self.announce(program, index);
        self.journal.saved.progress.begin();
        self.keep()?;
        let before = self.variables.clone();
        let mut outcome = self.attempt(step);
        if let Err(error) = self.journal.fits(&self.variables) {
            // What the step has set would end the run at the next record; without it the run can end in order.
            self.variables = before;
            outcome = Err(error.into());
        }
        self.variables_changed();
        // Before the disks are waited for: one that does not answer may be why the step failed.
        let outcome = outcome.map_err(|failure| self.tell(step.name(), failure));
        // The journal must not know of work that a power cut still takes back: programs flush nothing.
        let flushed = self.platform.flush();
        let flushed = flushed.context("waiting until the disks have what the step wrote");
        match (outcome, flushed) {
            (Ok(outcome), flushed) => flushed.and_then(|()| self.note(program, index, outcome)),
            (Err(failure), Ok(())) => {
                let noted = self.journal.saved.progress.end(program, failure.ended());
                self.failed(program, index, &failure, noted).map(|()| None)
            }
            (Err(failure), Err(error)) => {
                bail!("{}; and {error:#}", in_words(step.name(), &failure))
            }
        }
    }

    /// Says that a step has failed; gives the failure as everybody may read it.
    fn tell(&self, name: &str, failure: Failure) -> Failure {
        let reason = shortened(&self.variables.mask(&failure.reason));
        let failure = Failure { reason, ..failure };
        self.log.error(in_words(name, &failure));
        self.report_step_end(name, "failed", failure.code, Some(failure.reason.clone()));
        failure
    }

    fn attempt(&mut self, step: &task_sequence::Step) -> std::result::Result<Outcome, Failure> {
        let tries = step.retry.map_or(1, |retry| u64::from(retry.count) + 1);
        let delay = step.retry.map(|retry| retry.delay.duration()).unwrap_or_default();
        let mut tried = 0;
        loop {
            tried += 1;
            let offered = system_place::show_to(&step.action, &mut self.context());
            let failure = match offered.map_err(Failure::from).and_then(|()| self.try_once(step)) {
                Ok(outcome) => return Ok(outcome),
                Err(failure) if tried >= tries => return Err(failure),
                Err(failure) => failure,
            };
            let reason = &failure.reason;
            self.log.warning(format!(
                "step \"{}\" failed, try {tried} of {tries}: {reason}",
                step.name()
            ));
            self.platform.sleep(delay);
        }
    }

    fn try_once(&mut self, step: &task_sequence::Step) -> std::result::Result<Outcome, Failure> {
        if self.questions.ask_for(&step.action, &mut self.variables)? {
            self.hide_secrets();
        }
        variables::refresh(&mut self.variables, self.platform, self.log);
        self.exit_code.set(0);
        let step = resolved(step, &self.variables)?;
        let place = step.action.kind().place;
        let part = self.journal.saved.progress.part;
        let allowed = match self.here {
            Environment::Pe => place.starts_in_pe() || part > 0 || self.prepares_existing(&step.action),
            Environment::Os => place.starts_in_os() || part > 0,
        };
        if !allowed {
            let here = if self.here == Environment::Pe {
                "the boot image"
            } else {
                "the installed system"
            };
            return Err(Failure::new(format!(
                "a step of type {} cannot run in {here}; put a restart-computer or setup-os step before it",
                step.action.kind().name
            )));
        }
        let (platform, limit) = (self.platform, step.timeout.map(TimeSpan::duration));
        let work = || steps::run(&step.action, &mut self.context());
        let ended = deadline::within(platform, limit, work);
        match variables::take_restart(&mut self.variables, self.here) {
            Some(asked) => ended.map(|outcome| asked.after(outcome)),
            None => ended,
        }
    }

    /// A system that was there before has no runtime in it: it is prepared from the boot image.
    fn prepares_existing(&self, action: &Action) -> bool {
        let ours = self
            .journal
            .saved
            .target
            .as_ref()
            .is_some_and(|target| target.ours);
        let prepares = matches!(
            action,
            Action::PrepareClientForCapture(_) | Action::PrepareOsForCapture(_)
        );
        prepares && !ours
    }

    /// What the steps work with.
    pub fn context(&mut self) -> Context<'_> {
        Context {
            platform: self.platform,
            media: self.media,
            sequence: self.sequence,
            variables: &mut self.variables,
            part: self.journal.saved.progress.part,
            journal: &mut self.journal,
            here: self.here,
            log: self.log,
            log_home: &self.log_home,
            reporter: self.reporter,
            exit_code: &self.exit_code,
            reported: Cell::new(None),
            views: &self.views,
        }
    }

    fn announce(&mut self, program: &Program<'_>, index: usize) {
        let step = program.steps[index].step;
        variables::set(&mut self.variables, "_SMSTSCurrentActionName", step.name());
        self.log.info(format!(
            "step {} of {}: \"{}\" begins",
            index + 1,
            program.steps.len(),
            step.name()
        ));
        self.reporter.event(&Event::Step {
            number: index + 1,
            of: program.steps.len(),
            name: step.name().into(),
            kind: step.action.kind().name.into(),
        });
    }

    fn note(
        &mut self,
        program: &Program<'_>,
        index: usize,
        outcome: Outcome,
    ) -> Result<Option<(Leaving, Environment)>> {
        let name = program.steps[index].step.name();
        let outcome = match outcome {
            // The journal keeps it.
            Outcome::Skipped(reason) => Outcome::Skipped(self.variables.mask(&reason)),
            other => other,
        };
        let progress = &mut self.journal.saved.progress;
        let (word, reason) = match &outcome {
            Outcome::Done => ("done", None),
            Outcome::Skipped(reason) => ("skipped", Some(reason.clone())),
            Outcome::RestartThenContinue(_) | Outcome::RestartThenRetry(_) => ("restart", None),
            Outcome::ShutDownThenRetry(_) => ("shutdown", None),
        };
        let leaving = Leaving::of(&outcome);
        let noted = match outcome {
            Outcome::Done => progress.end(program, Ended::Done),
            Outcome::Skipped(reason) => progress.end(program, Ended::Skipped(reason)),
            Outcome::RestartThenContinue(target) => progress.ask_restart(program, target, false),
            Outcome::RestartThenRetry(target) | Outcome::ShutDownThenRetry(target) => {
                progress.ask_restart(program, target, true)
            }
        };
        if noted.is_err() {
            bail!(
                "step \"{name}\" asked for more than {} restarts in a row and got no further",
                engine::MOST_RESTARTS
            );
        }
        if word != "skipped" {
            variables::set_last_action(&mut self.variables, name, self.exit_code.get(), true);
        }
        self.log.info(format!(
            "step \"{name}\" ended: {word}{}",
            reason.iter().map(|r| format!(" ({r})")).collect::<String>()
        ));
        self.report_step_end(name, word, 0, reason);
        self.keep()?;
        Ok(leaving)
    }

    /// What follows a failure that was noted: the end of the run, or its next step.
    fn failed(
        &mut self,
        program: &Program<'_>,
        index: usize,
        failure: &Failure,
        noted: std::result::Result<(), Over>,
    ) -> Result<()> {
        let name = program.steps[index].step.name();
        variables::set_last_action(&mut self.variables, name, failure.code, false);
        if noted.is_err() {
            bail!(in_words(name, failure));
        }
        self.log
            .info("the sequence goes on in spite of it (continue-on-error)");
        self.log_copies = logs::copy_after_failure(self);
        self.keep()
    }

    fn report_step_end(&self, name: &str, outcome: &str, code: i64, reason: Option<String>) {
        self.reporter.event(&Event::StepEnded {
            name: name.into(),
            outcome: outcome.into(),
            code,
            reason,
        });
    }

    /// No line of the log, and nothing that is reported, may contain them.
    pub fn hide_secrets(&self) {
        self.log.hide(self.variables.hidden());
    }

    fn variables_changed(&mut self) {
        self.hide_secrets();
        self.journal.keep_variables(&self.variables);
    }

    /// Moves the log beside the journal once there is one.
    fn follow_log(&self) {
        if let Some(folder) = self.journal.folder().filter(|_| self.log_on_target) {
            self.log.move_to(folder);
        }
    }

    /// Writes the journal, with the variables and the time as they are now.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&mut self) -> Result<()> {
        let (began, earlier) = self.began;
        self.journal.saved.elapsed = earlier + began.elapsed().as_secs();
        self.journal.keep_variables(&self.variables);
        self.journal.write(self.platform)?;
        self.follow_log();
        Ok(())
    }

    fn complete(&mut self) -> Result<Finished> {
        self.log.info("the task sequence has ended successfully");
        self.put_recovery_in_use();
        // Before the folders of shares go: the image's own may be one of them.
        self.log_copies = logs::copy(self);
        connections::close(self);
        // The boot partition is cleaned and unmounted: nothing may be open there.
        self.log.move_to(&self.log_home);
        boot_state::clean(self).context("removing the run's traces from the target")?;
        Ok(Finished::Over {
            failure: None,
            finish: crate::finished::finish(self)?,
        })
    }

    /// A Windows that stays as this run has set it up.
    fn put_recovery_in_use(&self) {
        let target = self.journal.saved.target.as_ref();
        let is_ours = target.is_some_and(|target| target.ours);
        if is_ours && self.here == Environment::Os && self.platform.system() == System::Windows {
            recovery::put_in_use(self.platform, self.log);
        }
    }

    fn fail(&mut self, reason: &str) -> Finished {
        let mut reason = self.variables.mask(reason);
        self.log.error(format!("the task sequence has failed: {reason}"));
        if let Some(kept) = kept::why(self) {
            self.log.info(kept);
            reason = format!("{reason} ({kept})");
        }
        self.log_copies = logs::copy_after_failure(self);
        connections::close(self);
        if let Err(error) = boot_state::forget(self) {
            self.log
                .error(format!("the boot state could not be removed: {error:#}"));
        }
        Finished::Over {
            failure: Some(reason),
            finish: Finish::Wait,
        }
    }

    fn report_end(&self, failure: Option<String>) {
        let succeeded = failure.is_none();
        self.reporter.event(&Event::Ended {
            succeeded,
            reason: failure,
            captured: self.journal.saved.captured.clone(),
            log: Some(match self.log_copies.is_empty() {
                true => logs::place(self, succeeded),
                false => self.log_copies.join(", "),
            }),
        });
    }
}

/// What nobody can look up any more when the log is read elsewhere.
fn started_by(secure_boot: Option<bool>) -> &'static str {
    match secure_boot {
        None => "the machine was started by a BIOS",
        Some(true) => "the machine was started by UEFI with Secure Boot",
        Some(false) => "the machine was started by UEFI without Secure Boot",
    }
}

fn in_words(step: &str, failure: &Failure) -> String {
    format!(
        "step \"{step}\" failed with {}: {}",
        code_text(failure.code),
        failure.reason
    )
}

/// A program may say a megabyte on its last line; the journal keeps every reason.
fn shortened(reason: &str) -> String {
    const LONGEST: usize = 2000;
    let kept = beginning(reason, LONGEST);
    let more = if kept.len() < reason.len() { " […]" } else { "" };
    format!("{kept}{more}")
}
