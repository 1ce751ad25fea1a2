//! `media-builder try`: boots media in a virtual machine and follows the run to its end.
//!
//! [`machine`] turns what is asked for into QEMU's arguments and [`follow`] what the machine says into decisions;
//! both are pure. [`session`] does what they say, [`collect`] brings out what was captured.

pub mod accelerator;
mod capture_disk;
pub mod collect;
pub mod display;
pub mod follow;
mod interrupt;
pub mod machine;
pub mod panics;
pub mod preflight;
pub mod process;
pub mod qmp;
mod report;
pub mod serial;
pub mod session;
pub mod share;
pub mod storage;
pub mod wanted_disk;
mod work;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use media_format::event::Event;

use collect::Collected;
use display::Display;
use follow::{Cut, Follower, Limits, Verdict};
use interrupt::Interrupt;
use machine::{Accelerator, Attach, Bus, Firmware};
use serial::Serial;
use session::{Screenshots, Session};
use storage::Size;
use wanted_disk::WantedDisk;
use work::Work;

pub use report::Report;

/// What to try, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The media.
    pub media: PathBuf,
    /// How it is attached; without it as what it is.
    pub attach: Option<Attach>,
    /// What starts the machine.
    pub firmware: Firmware,
    /// The firmware's variables at first; without them those of its own package.
    pub firmware_variables: Option<PathBuf>,
    /// Whether the firmware starts the disks before it.
    pub media_last: bool,
    /// Its disks.
    pub disks: Vec<WantedDisk>,
    /// What the disks hang on.
    pub bus: Bus,
    /// Disks on USB beside the others.
    pub usb_disks: Vec<WantedDisk>,
    /// Size of an additional disk with an empty exFAT volume.
    pub second_disk: Option<Size>,
    /// What runs the guest's code; without it KVM where it proves to work, else translation.
    pub accelerator: Option<Accelerator>,
    /// QEMU's name of the processor; without it what suits the accelerator.
    pub cpu: Option<String>,
    /// Number of processors.
    pub cpus: u32,
    /// Bytes of memory.
    pub memory: Size,
    /// QEMU's name of the network card.
    pub nic: Option<String>,
    /// Whether there is a share.
    pub share: bool,
    /// Its password; without it a random one.
    pub share_password: Option<String>,
    /// Where what was captured goes.
    pub output: PathBuf,
    /// The run's folder; without it one that is deleted.
    pub work: Option<PathBuf>,
    /// Pictures of the screen.
    pub screenshots: Screenshots,
    /// When to give up.
    pub limits: Limits,
    /// Cuts of the power.
    pub cuts: Vec<Cut>,
    /// Texts that must appear when the machine is started from its disk afterwards; none to not start it.
    pub expect: Vec<String>,
    /// Whether a window shows the screen.
    pub display: bool,
    /// Whether to print JSON.
    pub json: bool,
}

/// Runs it.
///
/// # Errors
/// When it cannot be run, or the run failed.
pub fn run(options: &Options) -> Result<Report> {
    let flash = preflight::check(
        options.firmware,
        options.firmware_variables.as_deref(),
        options.share,
    )?;
    let display = Display::new(options.json);
    let interrupt = Interrupt::listen()?;
    let work = Work::set_up(options, flash, &display)?;
    let outcome = follow(options, &work, &display, &interrupt);
    display.finish();
    let log = work.save_log(&options.output)?;
    outcome.map_err(|error| report::with_log(error, &log))
}

fn follow(options: &Options, work: &Work, display: &Display, interrupt: &Interrupt) -> Result<Report> {
    let accelerator = work.machine.accelerator;
    let probed = options.accelerator.is_none() && accelerator == Accelerator::Kvm;
    let mut follower = Follower::new(options.limits, options.cuts.clone(), accelerator).with_doubt(probed);
    let mut run = session(options, work, work.machine.clone(), display, interrupt)?;
    let verdict = run.follow(&mut follower)?;
    let collected = work.collect(&options.output);
    if let Verdict::Failed(why) = verdict {
        bail!("the run failed: {why}");
    }
    let missed = follower.missed_cuts();
    if !missed.is_empty() {
        bail!("power was to be cut in the steps {missed:?}, which were not run or had ended before");
    }
    let collected = collected?;
    check_capture(follower.ended.as_ref(), &collected)?;
    collect::check_digests(&collected)?;
    if !options.expect.is_empty() {
        display.note("starting the machine from its disk");
        let machine = run.machine.without_media();
        session(options, work, machine, display, interrupt)?.expect(&options.expect, options.limits)?;
    }
    Ok(Report {
        seconds: display.elapsed().as_secs(),
        collected,
    })
}

fn session<'a>(
    options: &'a Options,
    work: &Work,
    machine: machine::Machine,
    display: &'a Display,
    interrupt: &'a Interrupt,
) -> Result<Session<'a>> {
    let serial = Serial::open_at_end(&work.machine.serial).context("following the machine's serial port")?;
    Ok(Session {
        machine,
        display,
        interrupt,
        screenshots: &options.screenshots,
        serial,
    })
}

/// A run that says it captured an image has left one.
fn check_capture(ended: Option<&Event>, collected: &[Collected]) -> Result<()> {
    let Some(Event::Ended {
        captured: Some(captured),
        ..
    }) = ended
    else {
        return Ok(());
    };
    let name = captured.rsplit(['/', '\\']).next().unwrap_or(captured);
    if !collected
        .iter()
        .any(|file| file.path.file_name().is_some_and(|file| file == name))
    {
        bail!(
            "the run says that it captured {captured}, and there is no such file on stick, second disk or share"
        );
    }
    Ok(())
}
