//! A failure inside Windows on the machine's screen: the service that runs there has no desktop.

use std::cell::RefCell;

use media_format::event::Event;

use super::bindings::{self, Kind};
use crate::context::Reporter;
use crate::log::Log;
use crate::reporter::Consoles;
use crate::screen::Screen;

/// The consoles of the machine, and a window with what ended the run in a failure.
///
/// The window belongs to the session of the machine's console and leaves nothing behind. A legal notice at the sign-in screen
/// (`LegalNoticeText`) would also be there for whoever comes after a restart; but it is a policy of the organization whose place
/// it takes, it stops an automatic logon, and it would lie in every image that somebody takes of this Windows by other means.
/// Whoever finds no window finds the same text in the log.
#[derive(Debug)]
pub struct Notice<'a> {
    consoles: Consoles,
    screen: RefCell<Screen>,
    log: &'a Log,
}

impl<'a> Notice<'a> {
    /// Shows failures besides what the consoles show.
    pub fn besides(consoles: Consoles, log: &'a Log) -> Self {
        Self {
            consoles,
            screen: RefCell::default(),
            log,
        }
    }

    /// Nobody may be there to see it, so it ends nothing when it cannot be shown.
    fn show(&self, text: &str) {
        match bindings::show_message(text, Kind::Error) {
            Ok(()) => self.log.info("the failure is shown on the machine's screen"),
            Err(error) => self.log.warning(format!(
                "the failure cannot be shown on the machine's screen: {error}"
            )),
        }
    }
}

impl Reporter for Notice<'_> {
    fn event(&self, event: &Event) {
        self.consoles.event(event);
        let mut screen = self.screen.borrow_mut();
        screen.show(event);
        if matches!(event, Event::Ended { .. })
            && let Some(text) = screen.failure()
        {
            self.show(&text);
        }
    }
}
