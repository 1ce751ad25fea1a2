//! A start of the program up to its run: where there is none yet, it ends like a run that failed.

use media_format::event::{Environment, Event};
use media_format::manifest::Finish;

use crate::context::Reporter;
use crate::log::Log;
use crate::logs;
use crate::media::Media;
use crate::platform::{Platform, Result};
use crate::run::Finished;

/// What every start has.
pub struct Attempt<'a> {
    /// The machine.
    pub platform: &'a dyn Platform,
    /// Boot image or installed system.
    pub here: Environment,
    /// The log.
    pub log: &'a Log,
    /// Screen and serial port.
    pub reporter: &'a dyn Reporter,
}

impl Attempt<'_> {
    /// Begins the run of the media or goes on with it, if the media was found.
    pub fn go(&self, media: Result<Media>, go: impl FnOnce(&Media) -> Result<Finished>) -> Finished {
        match media {
            Ok(media) => go(&media).unwrap_or_else(|error| self.fail(Some(&media), &error)),
            Err(error) => self.fail(None, &error),
        }
    }

    /// Writes down why, and says it before the log is copied: a disk that does not answer may hold that up for minutes.
    fn fail(&self, media: Option<&Media>, error: &anyhow::Error) -> Finished {
        let reason = self.log.mask(&format!("{error:#}"));
        self.log.error(&reason);
        self.reporter.event(&Event::Ended {
            succeeded: false,
            reason: Some(reason.clone()),
            captured: None,
            log: Some(logs::place_of_start(self.platform, self.log, self.here)),
        });
        if let Some(log) = media.and_then(|media| logs::copy_of_start(self.platform, media, self.log)) {
            self.reporter.event(&Event::LogCopied { log });
        }
        Finished::Over {
            failure: Some(reason),
            finish: Finish::Wait,
        }
    }
}
