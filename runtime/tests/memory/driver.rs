//! Starts the machine until its run ends, as its owner would: after a power cut it is switched on again.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use anyhow::{Context as _, bail};
use media_format::event::{Environment, Event};
use media_format::manifest::Finish;
use runtime::attempt::Attempt;
use runtime::context::Reporter;
use runtime::log::Log;
use runtime::media::Media;
use runtime::platform::{Files as _, Result};
use runtime::run::Finished;
use runtime::start::{self, Operator, Start};

use crate::boot::{self, Started};
use crate::fixture::MEDIA;
use crate::machine::{Memory, PowerCut};
use crate::windows;
use crate::world::{Volatile, Volume, World, file};

/// More starts than any run needs, cuts and stuck restarts included.
const MOST_STARTS: usize = 60;

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It ended by itself; with the reason where it failed.
    Over(Option<String>),
    /// The runtime could not begin or go on.
    Refused(String),
    /// Somebody said that it shall not begin.
    NotBegun,
    /// The machine started a system without a run, or nothing.
    Idle,
    /// The power failed and nobody switched the machine on again.
    Off,
    /// It started for ever.
    Loop,
}

/// Everything that could be seen of a run.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) ended: Ended,
    pub(crate) starts: Vec<Environment>,
    pub(crate) events: Vec<Event>,
    pub(crate) log: String,
    pub(crate) finish: Option<Finish>,
}

impl Report {
    /// `name outcome` of every step that ended.
    pub(crate) fn trace(&self) -> Vec<String> {
        let steps = self.events.iter().filter_map(|event| match event {
            Event::StepEnded { name, outcome, .. } => Some(format!("{name}: {outcome}")),
            Event::Restart { target } => Some(format!("restart to {target:?}").to_lowercase()),
            Event::ShutDown { target } => Some(format!("off, then {target:?}").to_lowercase()),
            _ => None,
        });
        steps.collect()
    }

    /// Why it did not succeed.
    pub(crate) fn reason(&self) -> &str {
        match &self.ended {
            Ended::Over(Some(reason)) | Ended::Refused(reason) => reason,
            other => panic!("the run did not fail: {other:?}\n{}", self.log),
        }
    }

    /// It did succeed.
    #[track_caller]
    pub(crate) fn assert_succeeded(&self) {
        assert_eq!(self.ended, Ended::Over(None), "{:#?}\n{}", self.trace(), self.log);
    }
}

#[derive(Default)]
struct Recorder(RefCell<Vec<Event>>);

impl Reporter for Recorder {
    fn event(&self, event: &Event) {
        self.0.borrow_mut().push(event.clone());
    }
}

/// Answers a question, or not.
pub(crate) struct Answers(pub(crate) fn(&str) -> Option<String>);

impl Operator for Answers {
    fn ask(&self, question: &str, _: bool) -> Result<String> {
        self.0(question).with_context(|| format!("nobody answers {question}"))
    }
}

/// Runs the machine to the end of its run.
pub(crate) fn run_to_end(world: World) -> (World, Report) {
    run(world, &Answers(|_| None), Until::End)
}

/// Runs the machine until it would start the installed system for the first time.
pub(crate) fn run_to_system(world: World) -> (World, Report) {
    run(world, &Answers(|_| None), Until::System)
}

/// The same, with somebody at the machine.
pub(crate) fn run_with(world: World, operator: &dyn Operator) -> (World, Report) {
    run(world, operator, Until::End)
}

/// Runs the machine to the first power cut, and leaves it off.
pub(crate) fn run_to_cut(world: World) -> (World, Report) {
    run(world, &Answers(|_| None), Until::Cut)
}

/// When nobody switches the machine on again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    End,
    Cut,
    System,
}

fn run(world: World, operator: &dyn Operator, until: Until) -> (World, Report) {
    let folder = tempfile::tempdir().expect("a folder for the log");
    let log = Log::open(folder.path());
    let recorder = Recorder::default();
    let machine = Memory::new(world);
    let mut starts = Vec::new();
    let mut finish = None;
    let ended = loop {
        if starts.len() >= MOST_STARTS {
            break Ended::Loop;
        }
        let started = power_on(&machine);
        let Some(here) = started.environment() else {
            break Ended::Idle;
        };
        if here == Environment::Os && until == Until::System {
            break Ended::Off;
        }
        starts.push(here);
        let planted = machine.exists(Path::new(UNIT)) || windows::starts_service(&machine);
        let begins = here == Environment::Os && !planted && machine.world().begun_inside.is_some();
        if here == Environment::Os && !planted && !begins {
            break Ended::Idle;
        }
        let go = || once(&machine, here, begins, &log, &recorder, operator);
        match catch_unwind(AssertUnwindSafe(go)) {
            // Somebody switches on what has switched itself off.
            Ok(Ok(Finished::Restart(_) | Finished::ShutDown(_))) => {}
            Ok(Ok(Finished::Over { failure, finish: how })) => {
                finish = Some(how);
                break Ended::Over(failure);
            }
            Ok(Ok(Finished::NotBegun)) => break Ended::NotBegun,
            Ok(Err(error)) => break Ended::Refused(log.mask(&format!("{error:#}"))),
            Err(payload) if payload.is::<PowerCut>() && until == Until::Cut => break Ended::Off,
            Err(payload) if payload.is::<PowerCut>() => {}
            Err(payload) => resume_unwind(payload),
        }
    };
    let text = log
        .files()
        .into_iter()
        .map(|(_, bytes)| String::from_utf8_lossy(&bytes).into_owned());
    let report = Report {
        ended,
        starts,
        events: recorder.0.into_inner(),
        log: text.collect(),
        finish,
    };
    (machine.into_world(), report)
}

/// What systemd starts the runtime by.
const UNIT: &str = "/etc/systemd/system/multi-user.target.wants/media-runtime.service";

fn power_on(machine: &Memory) -> Started {
    machine.limited.set(None);
    let mut world = machine.world_mut();
    // An orderly restart unmounts, and so flushes; a cut has taken away what was not flushed.
    world.unflushed.clear();
    let started = boot::start(&world, MEDIA);
    world.started_by = boot::started_by(&world, MEDIA);
    world.boot_next = None;
    let mut volatile = Volatile {
        memory: Volume::new("tmpfs", 0),
        ..Volatile::default()
    };
    match started {
        Started::Pe => volatile.memory.put("proc/self/exe", file("the runtime")),
        Started::Os(disk, part) => {
            volatile.root = Some((disk, part));
            // Windows checks marked volumes when it starts.
            let is_windows = world.drives[disk].parts[part].volume.kind == "ntfs";
            for part in world.drives.iter_mut().flat_map(|drive| &mut drive.parts) {
                part.volume.unclean &= !is_windows || part.volume.kind != "ntfs";
            }
            for (point, (drive, part)) in world.mounted_by_system(disk, part) {
                let drive = &world.drives[drive];
                let device = drive.node(drive.parts[part].number);
                let folder = Path::new("/run/media-runtime/mounts").join(device.file_name().expect("a node"));
                volatile.mounts.insert(device, (folder.clone(), true));
                volatile.inside.insert(point.into(), folder);
            }
        }
        Started::Nothing => {}
    }
    world.volatile = volatile;
    started
}

fn once(
    machine: &Memory,
    here: Environment,
    begins: bool,
    log: &Log,
    recorder: &Recorder,
    operator: &dyn Operator,
) -> Result<Finished> {
    if here == Environment::Os && !begins {
        let folder = windows::installed_folder(machine);
        let id = machine.read(&folder.join("media-id"))?;
        anyhow::ensure!(
            id.as_deref() == Some(MEDIA.as_bytes()),
            "which media this run belongs to is not known"
        );
        let programs = ["media-runtime", "media-runtime.exe"].map(|name| folder.join(name));
        let program = programs.iter().find(|program| machine.exists(program));
        anyhow::ensure!(
            program.is_some_and(|program| machine
                .read(program)
                .is_ok_and(|bytes| bytes.as_deref() == Some(b"the runtime"))),
            "the runtime does not run"
        );
    }
    let refused = RefCell::new(None);
    let note = |error: &anyhow::Error| *refused.borrow_mut() = Some(format!("{error:#}"));
    let attempt = Attempt {
        platform: machine,
        here,
        log,
        reporter: recorder,
    };
    let media =
        Media::find(machine, MEDIA).and_then(|media| media.context("the media is on none of the disks"));
    let finished = attempt.go(media.inspect_err(note), |media| {
        let finished = start::go(&Start {
            platform: machine,
            media,
            here,
            begins,
            log,
            log_on_target: false,
            reporter: recorder,
            operator,
            serial_console: None,
        });
        finished.inspect_err(note)
    });
    match refused.take() {
        Some(reason) => bail!("{reason}"),
        None => Ok(finished),
    }
}
