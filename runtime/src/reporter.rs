//! Where the run's events go: a line each to the serial port, and the screen.

use std::cell::RefCell;
use std::fs::OpenOptions;
use std::io::Write as _;

use media_format::event::Event;

use crate::context::Reporter;
use crate::screen::Screen;

/// Every console of the machine.
#[derive(Debug)]
pub struct Consoles {
    serial: Vec<String>,
    screen: RefCell<Option<(String, Screen)>>,
}

impl Consoles {
    /// Writes events to those serial ports and shows them on that terminal.
    pub fn open(serial: &[String], terminal: Option<&str>) -> Self {
        let screen = terminal.map(|path| (path.to_owned(), Screen::new()));
        Self {
            serial: serial.to_vec(),
            screen: RefCell::new(screen),
        }
    }
}

impl Reporter for Consoles {
    fn event(&self, event: &Event) {
        for port in &self.serial {
            write(port, &format!("\r\n{}\r\n", event.to_line()));
        }
        if let Some((terminal, screen)) = self.screen.borrow_mut().as_mut() {
            write(terminal, &screen.show(event));
        }
    }
}

/// Opened anew each time: a getty that starts on the same port hangs up on everybody who has it open. A console that
/// fails must not stop the run.
fn write(terminal: &str, text: &str) {
    if let Ok(mut terminal) = OpenOptions::new().write(true).open(terminal) {
        let _ = terminal.write_all(text.as_bytes());
    }
}
