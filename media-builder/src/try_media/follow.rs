//! Follows a run by what the machine says and does. Pure: lines and times go in, decisions come out.

use std::time::Duration;

use media_format::event::Event;

use super::machine::Accelerator;
use super::panics::{Panicked, Panics};
use super::qmp::Stop;

/// When to give up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Without a word from the machine.
    pub silence: Duration,
    /// In all.
    pub total: Duration,
    /// How often the machine may restart.
    pub restarts: u32,
    /// How long the machine may take to switch itself off once the run is over.
    pub farewell: Duration,
}

/// A cut that a test asks for: the machine loses power some time after a step began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Name of the step.
    pub step: String,
    /// How long after its begin.
    pub after: Duration,
}

impl std::str::FromStr for Cut {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let whole = || Self {
            step: text.to_owned(),
            after: Duration::ZERO,
        };
        let Some((step, seconds)) = text.rsplit_once(':') else {
            return Ok(whole());
        };
        let seconds = seconds
            .parse()
            .ok()
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Ok(seconds.map_or_else(whole, |after| Self {
            step: step.to_owned(),
            after,
        }))
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The run said that all of it succeeded.
    Succeeded,
    /// It did not, or never said so.
    Failed(String),
}

/// What to do with the machine now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing.
    Wait,
    /// Cut its power and start it again.
    Cut,
    /// The same, because its kernel panicked.
    Revive,
    /// Start it again by translation, because it does not start by KVM.
    Translate,
    /// Stop it: this is how the run ended.
    Over(Verdict),
    /// Start it again.
    Start,
    /// The same, because it has switched itself off as its sequence says.
    SwitchOn,
}

/// Where a run is.
#[derive(Debug)]
pub struct Follower {
    limits: Limits,
    cuts: Vec<Cut>,
    panics: Panics,
    /// KVM has run a probe, and not yet the runtime.
    unproven: bool,
    heard: Duration,
    step: Option<String>,
    /// The cut of the step that runs, and when it is due.
    pending_cut: Option<(Cut, Duration)>,
    /// Cuts whose step ended before.
    late_cuts: Vec<Cut>,
    restarts: u32,
    /// It said that it would switch itself off, and goes on when it is switched on again.
    switches_off: bool,
    result: Option<(Verdict, Duration)>,
    /// The whole run's result as the machine told it.
    pub ended: Option<Event>,
}

impl Follower {
    /// At the begin of a run.
    pub fn new(limits: Limits, cuts: Vec<Cut>, accelerator: Accelerator) -> Self {
        Self {
            limits,
            cuts,
            panics: Panics::on(accelerator),
            unproven: false,
            heard: Duration::ZERO,
            step: None,
            pending_cut: None,
            late_cuts: vec![],
            restarts: 0,
            switches_off: false,
            result: None,
            ended: None,
        }
    }

    /// Whether the accelerator was chosen by a probe and not by the user: then the machine may not start by it.
    #[must_use]
    pub fn with_doubt(mut self, unproven: bool) -> Self {
        self.unproven = unproven;
        self
    }

    /// Whether the machine may yet turn out not to start by KVM.
    pub fn is_unproven(&self) -> bool {
        self.unproven
    }

    /// The machine is started anew, by translation.
    pub fn translated(&mut self, now: Duration) {
        self.unproven = false;
        self.panics = Panics::on(Accelerator::Tcg);
        self.heard = now;
    }

    /// The machine wrote something.
    pub fn heard(&mut self, now: Duration) {
        self.heard = now;
    }

    /// The machine wrote a line.
    pub fn line(&mut self, line: &str, now: Duration) {
        self.panics.line(line, now);
    }

    /// The machine reported something.
    pub fn event(&mut self, event: &Event, now: Duration) {
        self.unproven = false;
        match event {
            Event::Step { name, .. } => {
                self.step = Some(name.clone());
                if let Some(at) = self.cuts.iter().position(|cut| cut.step == *name) {
                    let cut = self.cuts.remove(at);
                    let due = now + cut.after;
                    self.pending_cut = Some((cut, due));
                }
            }
            // The step goes on when the machine is back, and its cut with it.
            Event::StepEnded { outcome, .. } if ["restart", "shutdown"].contains(&outcome.as_str()) => {
                self.put_cut_back()
            }
            // What comes later would hit another step.
            Event::StepEnded { name, .. } => {
                let ended = self.pending_cut.take_if(|(cut, _)| cut.step == *name);
                self.late_cuts.extend(ended.map(|(cut, _)| cut));
            }
            Event::ShutDown { .. } => self.switches_off = true,
            Event::Ended {
                succeeded, reason, ..
            } => {
                let reason = reason.clone().unwrap_or_else(|| "without a reason".into());
                let verdict = if *succeeded {
                    Verdict::Succeeded
                } else {
                    Verdict::Failed(reason)
                };
                self.result = Some((verdict, now));
                self.ended = Some(event.clone());
            }
            _ => {}
        }
    }

    /// The machine runs.
    pub fn running(&mut self, now: Duration) -> Decision {
        if self.pending_cut.take_if(|(_, due)| now >= *due).is_some() {
            self.panics.forget();
            self.heard = now;
            return Decision::Cut;
        }
        if let Some((verdict, at)) = &self.result {
            let waited = now.saturating_sub(*at) >= self.limits.farewell;
            return if waited {
                Decision::Over(verdict.clone())
            } else {
                Decision::Wait
            };
        }
        let panicked = self.panics.due(now);
        let silent = now.saturating_sub(self.heard) >= self.limits.silence;
        if self.unproven && (panicked.is_some() || silent) {
            return Decision::Translate;
        }
        if panicked == Some(Panicked::StartAgain) {
            self.heard = now;
            self.put_cut_back();
            return Decision::Revive;
        }
        let why = if let Some(Panicked::Failed(why)) = panicked {
            why
        } else if now >= self.limits.total {
            format!("the run did not end within {}", time(self.limits.total))
        } else if now.saturating_sub(self.heard) >= self.limits.silence {
            format!(
                "the machine said nothing for {} (--silence waits longer: a Windows that is set up says nothing)",
                time(self.limits.silence)
            )
        } else {
            return Decision::Wait;
        };
        Decision::Over(Verdict::Failed(self.at_step(why)))
    }

    /// The machine stopped.
    pub fn stopped(&mut self, stop: Stop, now: Duration) -> Decision {
        self.heard = now;
        self.panics.forget();
        self.put_cut_back();
        if let Some((verdict, _)) = self.result.take() {
            return Decision::Over(verdict);
        }
        let switched_off = std::mem::take(&mut self.switches_off);
        if stop == Stop::PowerOff && !switched_off {
            let why = "the machine switched itself off before the run had ended".to_owned();
            return Decision::Over(Verdict::Failed(self.at_step(why)));
        }
        self.restarts += 1;
        if self.restarts > self.limits.restarts && self.unproven {
            self.restarts = 0;
            return Decision::Translate;
        }
        if self.restarts > self.limits.restarts {
            let why = format!(
                "the machine restarted more than {} times: a loop",
                self.limits.restarts
            );
            return Decision::Over(Verdict::Failed(self.at_step(why)));
        }
        match stop {
            Stop::Reset => Decision::Start,
            Stop::PowerOff => Decision::SwitchOn,
        }
    }

    /// The machine stopped by itself in the midst of the step, which begins again, and its cut with it.
    fn put_cut_back(&mut self) {
        self.cuts.extend(self.pending_cut.take().map(|(cut, _)| cut));
    }

    /// Cuts whose step never came or ended before: a test that asks for one must not pass without it.
    pub fn missed_cuts(&self) -> Vec<&str> {
        let pending = self.pending_cut.iter().map(|(cut, _)| cut);
        let missed = self.cuts.iter().chain(&self.late_cuts).chain(pending);
        missed.map(|cut| cut.step.as_str()).collect()
    }

    fn at_step(&self, why: String) -> String {
        match &self.step {
            Some(step) => format!("{why}, in the step {step:?}"),
            None => format!("{why}, before its first step"),
        }
    }
}

/// A duration as people read it.
pub fn time(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use media_format::event::Environment;

    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn follower(cuts: &[&str]) -> Follower {
        let limits = Limits {
            silence: seconds(60),
            total: seconds(600),
            restarts: 2,
            farewell: seconds(30),
        };
        let cuts = cuts.iter().map(|cut| cut.parse().unwrap()).collect();
        Follower::new(limits, cuts, Accelerator::Tcg)
    }

    fn step(name: &str) -> Event {
        Event::Step {
            number: 1,
            of: 2,
            name: name.into(),
            kind: "run-command-line".into(),
        }
    }

    fn step_ended(name: &str) -> Event {
        Event::StepEnded {
            name: name.into(),
            outcome: "done".into(),
            code: 0,
            reason: None,
        }
    }

    fn ended(succeeded: bool) -> Event {
        Event::Ended {
            succeeded,
            reason: Some("no disk".into()),
            captured: None,
            log: None,
        }
    }

    #[test]
    fn the_result_counts_when_the_machine_is_off_or_stays_on_for_long() {
        let mut follower = follower(&[]);
        follower.event(&ended(true), seconds(5));
        assert_eq!(follower.running(seconds(34)), Decision::Wait);
        assert_eq!(follower.running(seconds(35)), Decision::Over(Verdict::Succeeded));
        assert_eq!(
            follower.stopped(Stop::PowerOff, seconds(36)),
            Decision::Over(Verdict::Succeeded)
        );
    }

    #[test]
    fn a_failure_keeps_its_reason() {
        let mut follower = follower(&[]);
        follower.event(&ended(false), seconds(5));
        let verdict = Verdict::Failed("no disk".into());
        assert_eq!(follower.stopped(Stop::Reset, seconds(6)), Decision::Over(verdict));
    }

    #[test]
    fn power_off_without_a_result_silence_and_loops_are_failures() {
        let mut quiet = follower(&[]);
        quiet.heard(seconds(10));
        assert_eq!(quiet.running(seconds(69)), Decision::Wait);
        assert!(matches!(
            quiet.running(seconds(70)),
            Decision::Over(Verdict::Failed(_))
        ));
        let mut late = follower(&[]);
        late.heard(seconds(599));
        assert!(matches!(
            late.running(seconds(600)),
            Decision::Over(Verdict::Failed(_))
        ));
        let mut off = follower(&[]);
        assert!(matches!(
            off.stopped(Stop::PowerOff, seconds(1)),
            Decision::Over(Verdict::Failed(_))
        ));
        let mut looping = follower(&[]);
        assert_eq!(looping.stopped(Stop::Reset, seconds(1)), Decision::Start);
        assert_eq!(looping.stopped(Stop::Reset, seconds(2)), Decision::Start);
        assert!(matches!(
            looping.stopped(Stop::Reset, seconds(3)),
            Decision::Over(Verdict::Failed(_))
        ));
    }

    #[test]
    fn a_machine_that_its_sequence_switches_off_is_switched_on_again() {
        let mut follower = follower(&[]);
        let target = Environment::Pe;
        follower.event(&Event::ShutDown { target }, seconds(1));
        assert_eq!(follower.stopped(Stop::PowerOff, seconds(2)), Decision::SwitchOn);
        // Once: nobody said so of the next time.
        assert!(matches!(
            follower.stopped(Stop::PowerOff, seconds(3)),
            Decision::Over(Verdict::Failed(_))
        ));
    }

    #[test]
    fn a_cut_comes_once_and_at_its_time() {
        let mut follower = follower(&["Apply: it:2.5", "never"]);
        follower.event(&step("Apply: it"), seconds(10));
        assert_eq!(follower.running(seconds(12)), Decision::Wait);
        assert_eq!(follower.running(seconds(13)), Decision::Cut);
        follower.event(&step("Apply: it"), seconds(20));
        assert_eq!(follower.running(seconds(30)), Decision::Wait);
        assert_eq!(follower.missed_cuts(), ["never"]);
    }

    #[test]
    fn a_cut_whose_step_has_ended_is_missed_and_hits_no_other() {
        let mut follower = follower(&["Apply:5", "Set up:1"]);
        follower.event(&step("Apply"), seconds(10));
        follower.event(&step_ended("Apply"), seconds(14));
        assert_eq!(follower.running(seconds(15)), Decision::Wait);
        follower.event(&step("Set up"), seconds(15));
        // Another step may have ended inside this one.
        follower.event(&step_ended("Settings"), seconds(15));
        assert_eq!(follower.running(seconds(16)), Decision::Cut);
        assert_eq!(follower.missed_cuts(), ["Apply"]);
    }

    #[test]
    fn a_cut_comes_in_the_step_that_begins_again_after_another_stop() {
        let mut follower = follower(&["Apply:5"]);
        follower.event(&step("Apply"), seconds(10));
        assert_eq!(follower.stopped(Stop::Reset, seconds(12)), Decision::Start);
        assert_eq!(follower.running(seconds(20)), Decision::Wait);
        assert_eq!(follower.missed_cuts(), ["Apply"]);
        follower.event(&step("Apply"), seconds(30));
        assert_eq!(follower.missed_cuts(), ["Apply"]);
        follower.line("Kernel panic - not syncing: oops", seconds(31));
        assert_eq!(follower.running(seconds(33)), Decision::Revive);
        follower.event(&step("Apply"), seconds(50));
        assert_eq!(follower.running(seconds(54)), Decision::Wait);
        assert_eq!(follower.running(seconds(55)), Decision::Cut);
        assert!(follower.missed_cuts().is_empty());
    }

    #[test]
    fn a_cut_comes_in_the_part_of_its_step_behind_the_restart_that_it_asks_for() {
        let mut follower = follower(&["Set up:5"]);
        follower.event(&step("Set up"), seconds(10));
        let mut restarts = step_ended("Set up");
        if let Event::StepEnded { outcome, .. } = &mut restarts {
            *outcome = "restart".into();
        }
        follower.event(&restarts, seconds(12));
        assert_eq!(follower.stopped(Stop::Reset, seconds(13)), Decision::Start);
        follower.event(&step("Set up"), seconds(30));
        assert_eq!(follower.running(seconds(35)), Decision::Cut);
        assert!(follower.missed_cuts().is_empty());
    }

    #[test]
    fn what_kvm_does_not_start_is_started_by_translation_once() {
        let silent = || follower(&[]).with_doubt(true);
        assert_eq!(silent().running(seconds(59)), Decision::Wait);
        let mut hangs = silent();
        assert_eq!(hangs.running(seconds(60)), Decision::Translate);
        hangs.translated(seconds(60));
        assert_eq!(hangs.running(seconds(119)), Decision::Wait);
        assert!(matches!(
            hangs.running(seconds(120)),
            Decision::Over(Verdict::Failed(_))
        ));
        let mut panics = silent();
        panics.line("Kernel panic - not syncing: oops", seconds(10));
        assert_eq!(panics.running(seconds(12)), Decision::Translate);
        // What has once reported something runs by KVM, and another failure is its own.
        let mut proven = silent();
        proven.event(&step("Apply"), seconds(5));
        assert!(!proven.is_unproven());
        assert!(matches!(
            proven.running(seconds(65)),
            Decision::Over(Verdict::Failed(_))
        ));
    }

    #[test]
    fn a_panic_is_no_silence() {
        let mut follower = follower(&[]);
        follower.event(&step("Apply"), seconds(1));
        for start in [10, 100] {
            follower.line("Kernel panic - not syncing: oops", seconds(start));
            assert_eq!(follower.running(seconds(start + 2)), Decision::Revive);
            assert_eq!(follower.running(seconds(start + 60)), Decision::Wait);
        }
        follower.line("Kernel panic - not syncing: oops", seconds(150));
        assert_eq!(follower.stopped(Stop::Reset, seconds(151)), Decision::Start);
        assert_eq!(follower.running(seconds(155)), Decision::Wait);
        follower.line("Kernel panic - not syncing: oops", seconds(160));
        let why =
            "the kernel of the machine gave up: Kernel panic - not syncing: oops, in the step \"Apply\"";
        let verdict = Verdict::Failed(why.into());
        assert_eq!(follower.running(seconds(162)), Decision::Over(verdict));
    }

    #[test]
    fn a_step_name_may_have_a_colon() {
        assert_eq!(
            "a:b".parse(),
            Ok(Cut {
                step: "a:b".into(),
                after: Duration::ZERO
            })
        );
        assert_eq!(
            "a:b:3".parse(),
            Ok(Cut {
                step: "a:b".into(),
                after: seconds(3)
            })
        );
    }
}
