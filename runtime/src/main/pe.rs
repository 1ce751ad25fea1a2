//! `start` in Windows PE: the drivers, the media, the run, and what the machine does after it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use media_format::event::Environment;
use media_format::manifest::Finish;
use runtime::attempt::Attempt;
use runtime::in_windows::{drvload, winpe};
use runtime::log::Log;
use runtime::media::Media;
use runtime::platform::Result;
use runtime::platform::windows::Windows;
use runtime::platform::windows::console::Console;
use runtime::run::Finished;
use runtime::start::{self, Start};

/// Runs the media's sequence to its end.
pub(super) fn run() -> Result<()> {
    let folder = own_folder()?;
    let log = Rc::new(Log::open(&folder.join("log")));
    let platform = Windows::in_pe(Rc::clone(&log));
    if let Err(error) = drvload::load(&platform, &*log, &folder.join("drivers")) {
        log.warning(format!("loading drivers: {error:#}"));
    }
    let attempt = Attempt {
        platform: &platform,
        here: Environment::Pe,
        log: &log,
        reporter: &Console,
    };
    let media = find_media(&platform, &log);
    let shell = media.as_ref().is_ok_and(|media| media.manifest.options.shell);
    let finished = attempt.go(media, |media| go(&platform, media, &log));
    end(&platform, &log, &finished, shell)
}

/// Beside the program lies what the builder has put into the image.
fn own_folder() -> Result<PathBuf> {
    let program = std::env::current_exe().context("asking where the program lies")?;
    Ok(program.parent().map(Path::to_owned).unwrap_or_default())
}

/// A disk appears some time after its driver.
fn find_media(platform: &Windows, log: &Log) -> Result<Media> {
    let end = Instant::now() + super::MEDIA_WITHIN;
    loop {
        if let Some(id) = winpe::media_id(platform, &platform.volumes())?
            && let Some(media) = Media::find(platform, &id)?
        {
            log.info(format!("found media {id}"));
            return Ok(media);
        }
        if Instant::now() > end {
            bail!(
                "no volume of this machine is of a media: is it still attached, and does the boot image have the driver of its \
                 controller?"
            );
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn go(platform: &Windows, media: &Media, log: &Log) -> Result<Finished> {
    start::go(&Start {
        platform,
        media,
        here: Environment::Pe,
        begins: false,
        log,
        log_on_target: true,
        reporter: &Console,
        operator: &Console,
        serial_console: None,
    })
}

/// When this program ends, Windows PE restarts the machine: one that waits does not end.
fn end(platform: &Windows, log: &Log, finished: &Finished, shell: bool) -> Result<()> {
    match finished {
        Finished::Restart(_)
        | Finished::Over {
            finish: Finish::Restart,
            ..
        } => winpe::restart(platform, log),
        Finished::ShutDown(_)
        | Finished::Over {
            finish: Finish::Shutdown,
            ..
        } => winpe::shut_down(platform, log),
        Finished::NotBegun
        | Finished::Over {
            finish: Finish::Wait, ..
        } => loop {
            if shell {
                Command::new("cmd.exe").status().context("opening a shell")?;
            } else {
                std::thread::park();
            }
        },
    }
}
