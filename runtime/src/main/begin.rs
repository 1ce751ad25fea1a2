//! `start`: somebody begins a run inside a Windows that is to be captured.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use media_format::event::Environment;
use runtime::attempt::Attempt;
use runtime::boot_state;
use runtime::log::Log;
use runtime::media::{self, Media};
use runtime::platform::Result;
use runtime::platform::windows::Windows;
use runtime::platform::windows::console::Console;
use runtime::run::Finished;
use runtime::start::{self, Start};

/// Begins the run, or goes on with one that was cut, to its next restart or its end.
pub(super) fn run() -> Result<()> {
    let platform = Windows::new();
    if !platform.is_administrator()? {
        bail!(
            "only an administrator can prepare this Windows: open a command prompt with \"Run as administrator\", and start it \
             there"
        );
    }
    let _claimed = platform.claim()?;
    let media = own_media(&platform)?;
    let folder = super::folder();
    if boot_state::find(&platform, &media.manifest.media_id)?.is_none() {
        platform.make_private(&folder)?;
    }
    let log = Log::open(&folder);
    let attempt = Attempt {
        platform: &platform,
        here: Environment::Os,
        log: &log,
        reporter: &Console,
    };
    let finished = attempt.go(Ok(media), |media| {
        start::go(&Start {
            platform: &platform,
            media,
            here: attempt.here,
            begins: true,
            log: &log,
            log_on_target: true,
            reporter: attempt.reporter,
            operator: &Console,
            serial_console: None,
        })
    });
    match finished {
        // Why stands above on the console.
        Finished::Over { failure: Some(_), .. } => bail!("the task sequence has failed"),
        finished => super::end(&platform, finished),
    }
}

/// The media that the program was started from.
fn own_media(platform: &Windows) -> Result<Media> {
    let program = std::env::current_exe().context("asking where the program lies")?;
    let folder = program.parent().map_or_else(PathBuf::new, PathBuf::from);
    let Some(id) = media::id_of_volume(platform, &folder)? else {
        bail!(
            "{} is not the root of a media: start the program from the stick or the ISO that media-builder has made",
            folder.display()
        );
    };
    let found = Media::find(platform, &id)?;
    found.with_context(|| {
        format!(
            "Windows does not show all volumes of the media {id}: attach it directly, and not over a network"
        )
    })
}
