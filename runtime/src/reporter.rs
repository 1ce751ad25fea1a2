//! Where the run's events go: a line each to the serial port, and the screen.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::Write as _;

use media_format::event::Event;

use crate::context::Reporter;
use crate::screen::Screen;

/// Every console of the machine.
#[derive(Debug)]
pub struct Consoles {
    serial: RefCell<Vec<File>>,
    screen: RefCell<Option<Screen>>,
}

impl Consoles {
    /// Writes events to those serial ports and shows them on that terminal.
    pub fn open(serial: &[String], terminal: Option<&str>) -> Self {
        let open = |path: &String| OpenOptions::new().write(true).open(path).ok();
        let screen = terminal
            .and_then(|path| OpenOptions::new().write(true).open(path).ok())
            .map(Screen::new);
        Self {
            serial: RefCell::new(serial.iter().filter_map(open).collect()),
            screen: RefCell::new(screen),
        }
    }
}

impl Reporter for Consoles {
    fn event(&self, event: &Event) {
        // A console that fails must not stop the run.
        for port in self.serial.borrow_mut().iter_mut() {
            let _ = port.write_all(format!("\r\n{}\r\n", event.to_line()).as_bytes());
        }
        if let Some(screen) = self.screen.borrow_mut().as_mut() {
            screen.show(event);
        }
    }
}
