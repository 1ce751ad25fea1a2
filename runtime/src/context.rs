//! What a step works with.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use media_format::event::{Environment, Event};
use media_format::manifest::Package;
use task_sequence::{OperatingSystem, Step, TaskSequence, Variables};

use crate::engine::Ended;
use crate::in_windows::path;
use crate::journal::{Journal, Target, WindowsSystem};
use crate::log::Log;
use crate::media::Media;
use crate::platform::{Command, Disk, Output, Platform, Result};
use crate::{possible, volumes};

/// Where the run's events go: the screen, the serial port.
pub trait Reporter {
    /// Shows an event.
    fn event(&self, event: &Event);
}

/// What is reported, without secrets: whatever says it, and wherever it comes from.
pub struct Masked<'a> {
    /// Screen and serial port.
    pub reporter: &'a dyn Reporter,
    /// The log, which knows the secrets.
    pub log: &'a Log,
}

impl Reporter for Masked<'_> {
    fn event(&self, event: &Event) {
        let masked = event.clone().map_texts(|text| self.log.mask(text));
        self.reporter.event(&masked);
    }
}

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Exit code, as the log and the screen show it in decimal and hexadecimal.
    pub code: i64,
    /// What was being done, to what, why it failed, what the user can do.
    pub reason: String,
}

/// "Unspecified error", the code that users know from every failure that has no better one.
pub const UNSPECIFIED: i64 = 0x8000_4005;

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self {
            code: UNSPECIFIED,
            reason: format!("{error:#}"),
        }
    }
}

impl Failure {
    /// A failure without a code of its own.
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            code: UNSPECIFIED,
            reason: reason.into(),
        }
    }

    /// How a step with this failure ended.
    pub fn ended(&self) -> Ended {
        Ended::Failed {
            code: self.code,
            reason: self.reason.clone(),
        }
    }
}

/// Everything that the steps share.
pub struct Context<'a> {
    /// The machine.
    pub platform: &'a dyn Platform,
    /// The media.
    pub media: &'a Media,
    /// The task sequence.
    pub sequence: &'a TaskSequence,
    /// The variables.
    pub variables: &'a mut Variables,
    /// The journal.
    pub journal: &'a mut Journal,
    /// Boot image or installed system.
    pub here: Environment,
    /// The log.
    pub log: &'a Log,
    /// Where the log lies while the target has no place for it.
    pub log_home: &'a Path,
    /// Screen and serial port.
    pub reporter: &'a dyn Reporter,
    /// Which part of the step this is: counts its restarts.
    pub part: u32,
    /// The exit code of the last program that counts, for `_SMSTSLastActionRetCode`.
    pub exit_code: &'a Cell<i64>,
    /// When progress was last reported: five times a second are enough for a screen.
    pub reported: Cell<Option<Instant>>,
    /// Where overlays of system volumes are, by the folder that they cover.
    pub views: &'a RefCell<Vec<(PathBuf, PathBuf)>>,
}

impl Context<'_> {
    /// Reports how far the step is.
    pub fn progress(&self, phase: &str, done: u64, total: u64) {
        let due = self
            .reported
            .get()
            .is_none_or(|last| last.elapsed() >= Duration::from_millis(500));
        if due || done == total {
            self.reported.set(Some(Instant::now()));
            self.reporter.event(&Event::Progress {
                phase: phase.into(),
                done,
                total,
            });
        }
    }

    /// The steps of the sequence that can still run.
    pub fn possible_steps(&self) -> Vec<&Step> {
        possible::steps(self.sequence, self.platform, self.variables, self.here)
    }

    /// Those of them that have not ended, the running one first.
    pub fn steps_ahead(&self) -> Vec<&Step> {
        let all = self.sequence.all_steps();
        let ended = self.journal.saved.progress.position.min(all.len());
        let is_ahead = |step: &&Step| all[ended..].iter().any(|ahead| std::ptr::eq(*ahead, *step));
        let mut steps = self.possible_steps();
        steps.retain(is_ahead);
        steps
    }

    /// The steps that cannot run now, and that the run itself may still let run.
    pub fn later_steps(&self) -> Vec<&Step> {
        possible::later(self.sequence, self.platform, self.variables, self.here)
    }

    /// Whether the sequence is for a Windows.
    pub fn is_windows(&self) -> bool {
        self.sequence.operating_system == OperatingSystem::Windows
    }

    /// The Windows that the run has applied.
    ///
    /// # Errors
    /// When it has applied none.
    pub fn windows(&self) -> Result<&WindowsSystem> {
        let windows = self.target()?.windows.as_ref();
        windows.ok_or_else(|| {
            anyhow!("no step has applied a Windows: put an apply-operating-system-image step before this one")
        })
    }

    /// A disk's partition by its id, with its disk.
    ///
    /// # Errors
    /// When no disk has it.
    pub fn partition(&self, id: &str) -> Result<(Disk, PathBuf, u32)> {
        find_partition(self.platform, id)
    }

    /// Mounts a partition of the target by its id.
    ///
    /// # Errors
    /// When it is not there or cannot be mounted.
    pub fn mount(&self, id: &str, writable: bool) -> Result<PathBuf> {
        let (_, path, _) = self.partition(id)?;
        self.platform.mount(&path, writable)
    }

    /// The disk that the run works on.
    ///
    /// # Errors
    /// When no step has chosen one.
    pub fn target(&self) -> Result<&Target> {
        self.journal.saved.target.as_ref().ok_or_else(|| {
            anyhow!(
                "no step has partitioned a disk and no installed system was found, so there is no volume to work on"
            )
        })
    }

    /// The root of the system that the run builds or captures, with all its volumes in their places: the running
    /// one's when it is the one that runs.
    ///
    /// # Errors
    /// When there is none or it cannot be mounted.
    pub fn system_root(&self, writable: bool) -> Result<PathBuf> {
        match self.here {
            Environment::Os => Ok(self.platform.root()),
            Environment::Pe => volumes::assemble(self.platform, self.target()?, writable),
        }
    }

    /// Content of a package on the media, verified.
    ///
    /// # Errors
    /// When it is missing or differs.
    pub fn content(&self, id: &str) -> Result<PathBuf> {
        self.media.content(self.platform, id, &mut |done, total| {
            self.progress("verifying", done, total)
        })
    }

    /// A package of the media.
    ///
    /// # Errors
    /// When it is missing.
    pub fn package(&self, id: &str) -> Result<&Package> {
        self.media.package(id)
    }

    /// Writes down how far the step is, so that a power cut takes back nothing of it: what was done so far reaches the disks
    /// first, because programs flush nothing.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&mut self) -> Result<()> {
        self.platform
            .flush()
            .context("waiting until the disks have what the step wrote")?;
        self.journal.keep_variables(self.variables);
        self.journal.write(self.platform)
    }

    /// What is left of the step's time limit.
    ///
    /// # Errors
    /// When nothing is left.
    pub fn time_left(&self) -> Result<Option<Duration>> {
        let deadline = self.platform.deadline();
        deadline.map_or(Ok(()), |deadline| deadline.check())?;
        Ok(deadline.map(|deadline| deadline.left()))
    }

    /// The network adapters of the machine by their MAC addresses, in its order.
    pub fn macs(&self) -> Vec<String> {
        let macs = self.variables.get("_SMSTSMacAddresses").unwrap_or_default();
        let macs = macs.split([',', ' ']).filter(|mac| !mac.is_empty());
        macs.map(str::to_owned).collect()
    }

    /// Runs a command; the log shows the command, its exit code and the end of what it
    /// said.
    ///
    /// # Errors
    /// When it cannot be started or takes too long.
    pub fn run(&self, command: Command) -> Result<Output> {
        let command = path::in_folder_of(self.platform.system(), command);
        let shown = if command.hidden {
            "(hidden)".to_owned()
        } else {
            let words = || format!("{} {}", command.program, command.arguments.join(" "));
            command.shown.clone().unwrap_or_else(words)
        };
        let user = command
            .account
            .as_ref()
            .map(|account| format!(" as {}", account.user));
        let shown = shown + &user.unwrap_or_default();
        self.log.info(format!("running: {shown}"));
        let output = self
            .platform
            .run(&command)
            .with_context(|| format!("running {}", self.log.mask(&shown)))?;
        self.log.info(format!("it ended with {}", code_text(output.code)));
        for text in [&output.stdout, &output.stderr] {
            text.lines()
                .rev()
                .take(40)
                .collect::<Vec<_>>()
                .iter()
                .rev()
                .for_each(|line| self.log.info(line));
        }
        Ok(output)
    }
}

/// A partition by its id: its disk, device node and number.
///
/// # Errors
/// When no disk has it.
pub fn find_partition(platform: &dyn Platform, id: &str) -> Result<(Disk, PathBuf, u32)> {
    let disks = platform.disks()?;
    let mut found = disks.into_iter().flat_map(|disk| {
        let fitting = disk.partitions.iter().filter(|partition| partition.id == id);
        let places: Vec<_> = fitting
            .map(|partition| (partition.path.clone(), partition.number))
            .collect();
        places
            .into_iter()
            .map(move |(path, number)| (disk.clone(), path, number))
    });
    match (found.next(), found.next()) {
        (Some(place), None) => Ok(place),
        (None, _) => {
            bail!("the partition {id} of this run is on no disk of the machine: is the disk attached?")
        }
        (Some(first), Some(second)) => bail!(
            "{} and {} have the same partition id {id}, as copies of a disk have: detach one of the disks",
            first.1.display(),
            second.1.display()
        ),
    }
}

/// Exit code in decimal and hexadecimal, as users look it up.
pub fn code_text(code: i64) -> String {
    format!("{code} (0x{:08X})", code & 0xFFFF_FFFF)
}

/// At most that many bytes of the text, without a part of a character.
pub fn beginning(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A step with its settings filled in from variables and expanded.
pub fn resolved(step: &Step, variables: &Variables) -> std::result::Result<Step, Failure> {
    let action = step
        .action
        .resolve(variables)
        .map_err(|error| Failure::new(error.to_string()))?;
    Ok(Step {
        action,
        ..step.clone()
    })
}

/// A path inside a root: absolute paths are taken from the root.
pub fn inside(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_is_cut_in_two() {
        assert_eq!(beginning("zoë", 3), "zo");
        assert_eq!(beginning("zoë", 4), "zoë");
        assert_eq!(beginning("zoë", 99), "zoë");
    }
}
