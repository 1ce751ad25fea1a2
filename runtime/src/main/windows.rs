//! Inside Windows: a service that goes on with the run, and what Windows' set-up calls.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use media_format::event::Environment;
use media_format::manifest::Finish;
use media_format::paths;
use runtime::attempt::Attempt;
use runtime::in_windows::{installed, power, winpe};
use runtime::log::Log;
use runtime::media::Media;
use runtime::platform::windows::Windows;
use runtime::platform::windows::notice::Notice;
use runtime::platform::{Machine as _, Platform, Result};
use runtime::reporter::Consoles;
use runtime::run::Finished;
use runtime::start::{self, Operator, Start};
use runtime::windows::planted;

mod begin;
mod pe;
mod service;

/// A stick takes a second, a slow CD changer longer.
const MEDIA_WITHIN: Duration = Duration::from_secs(60);

const USAGE: &str = "media-runtime runs the task sequence of a media.\n\n\
    In Windows PE (called by winpeshl.ini):\n  \
    media-runtime start            finds the media and runs its task sequence\n\n\
    Started from the media, by an administrator, inside the Windows that is to be captured:\n  \
    media-runtime start            prepares this Windows, restarts into the boot image and captures it there\n\n\
    Inside a Windows that the run has set up:\n  \
    media-runtime service          goes on with the run once Windows is set up (started by Windows)\n  \
    media-runtime setup-called     says that SetupComplete.cmd has begun (called by it)\n  \
    media-runtime setup-complete   says that Windows is set up (called by SetupComplete.cmd)\n  \
    media-runtime continue         goes on with the run at once\n  \
    media-runtime --version";

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    let result = match std::env::args().nth(1).as_deref() {
        Some("start") => start_here(),
        Some("service") => service::run(),
        Some("setup-called") => installed::set_up_has_called(&Windows::new()),
        Some("setup-complete") => installed::set_up_is_over(&Windows::new()),
        Some("continue") => go_on(),
        Some("--version") => {
            println!("media-runtime {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        _ => {
            println!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// In Windows PE the program is the boot image's own; elsewhere somebody begins a run.
fn start_here() -> Result<()> {
    if winpe::is_here(&Windows::new())? {
        return pe::run();
    }
    begin::run()
}

fn folder() -> PathBuf {
    installed::folder(&Windows::new().root())
}

/// Goes on with the run to its next restart or its end.
fn go_on() -> Result<()> {
    let platform = Windows::new();
    let _claimed = platform.claim()?;
    let log = Log::open(&folder());
    let id = std::fs::read_to_string(folder().join(paths::INSTALLED_MEDIA_ID))
        .context("reading which media this run belongs to")?;
    let serial = runtime::boot_state::serial_console(&platform, id.trim());
    let serial: Vec<String> = serial
        .iter()
        .filter_map(|name| power::serial_port(name))
        .collect();
    let reporter = Notice::besides(Consoles::open(&serial, None), &log);
    let attempt = Attempt {
        platform: &platform,
        here: Environment::Os,
        log: &log,
        reporter: &reporter,
    };
    let clean = |_: &anyhow::Error| {
        if let Err(error) = planted::clean_own_answers(&platform, &log) {
            log.error(format!("{error:#}"));
        }
    };
    let media = find_media(&platform, id.trim(), &log).inspect_err(clean);
    let finished = attempt.go(media, |media| continue_run(&attempt, media).inspect_err(clean));
    end(&platform, finished)
}

/// What the machine does after this part of the run.
fn end(platform: &Windows, finished: Finished) -> Result<()> {
    match finished {
        Finished::Restart(_)
        | Finished::Over {
            finish: Finish::Restart,
            ..
        } => power::restart(platform),
        Finished::ShutDown(_)
        | Finished::Over {
            finish: Finish::Shutdown,
            ..
        } => power::shut_down(platform),
        Finished::NotBegun => bail!("not begun: nothing was changed"),
        Finished::Over {
            finish: Finish::Wait,
            failure,
        } => failure.map_or(Ok(()), |reason| bail!("{reason}")),
    }
}

fn continue_run(attempt: &Attempt<'_>, media: &Media) -> Result<Finished> {
    start::go(&Start {
        platform: attempt.platform,
        media,
        here: attempt.here,
        begins: false,
        log: attempt.log,
        log_on_target: true,
        reporter: attempt.reporter,
        operator: &Nobody,
        serial_console: None,
    })
}

fn find_media(platform: &dyn Platform, id: &str, log: &Log) -> Result<Media> {
    let end = Instant::now() + MEDIA_WITHIN;
    loop {
        if let Some(media) = Media::find(platform, id)? {
            log.info(format!("found media {id}"));
            return Ok(media);
        }
        if Instant::now() > end {
            bail!(
                "the media {id} is on none of the machine's disks: attach it again and restart the machine"
            );
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// A service has no desktop, and nobody is logged on yet.
struct Nobody;

impl Operator for Nobody {
    fn ask(&self, question: &str, _hidden: bool) -> Result<String> {
        bail!(
            "nobody can be asked inside Windows ({}); take the secret from the environment or a file when the media is built",
            question.trim()
        )
    }
}
