//! Where the run's events go: a line each to the serial port, and the screen.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use media_format::event::Event;

use crate::context::Reporter;
use crate::screen::Screen;

/// The clock of the screen goes on while a command says nothing.
const REDRAWN_EVERY: Duration = Duration::from_secs(1);
/// Whoever follows the serial port gives up after some minutes of silence.
const HEARD_EVERY: Duration = Duration::from_secs(60);

/// Held while somebody is asked: what is said or redrawn would hide the question.
static TERMINALS: Mutex<()> = Mutex::new(());

/// Keeps the screen as it is until the guard is dropped.
pub fn hold() -> MutexGuard<'static, ()> {
    TERMINALS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every console of the machine.
#[derive(Debug)]
pub struct Consoles {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    serial: Vec<String>,
    screen: Option<(String, Screen)>,
    /// When something was last said to the serial ports.
    said: Instant,
    running: bool,
}

impl Consoles {
    /// Writes events to those serial ports and shows them on that terminal.
    pub fn open(serial: &[String], terminal: Option<&str>) -> Self {
        let screen = terminal.map(|path| (path.to_owned(), Screen::new()));
        let shared = Arc::new(Mutex::new(Shared {
            serial: serial.to_vec(),
            screen,
            said: Instant::now(),
            running: false,
        }));
        let watched = Arc::downgrade(&shared);
        std::thread::spawn(move || keep_alive(&watched, REDRAWN_EVERY, HEARD_EVERY));
        Self { shared }
    }
}

impl Reporter for Consoles {
    fn event(&self, event: &Event) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.running = !matches!(event, Event::Ended { .. } | Event::LogCopied { .. });
        shared.say(event);
        if let Some((terminal, screen)) = shared.screen.as_mut() {
            write(terminal, &screen.show(event));
        }
    }
}

impl Shared {
    fn say(&mut self, event: &Event) {
        self.said = Instant::now();
        for port in &self.serial {
            write(port, &format!("\r\n{}\r\n", event.to_line()));
        }
    }

    fn keep_alive(&mut self, heard_every: Duration) {
        // While somebody is asked, at the serial port too, nothing may come between.
        let free = TERMINALS.try_lock();
        if !self.running || free.is_err() {
            return;
        }
        if self.said.elapsed() >= heard_every {
            self.say(&Event::Working);
        }
        if let Some((terminal, screen)) = &self.screen
            && let Some(text) = screen.again()
        {
            write(terminal, &text);
        }
    }
}

/// Until the consoles are gone.
fn keep_alive(shared: &Weak<Mutex<Shared>>, every: Duration, heard_every: Duration) {
    loop {
        std::thread::sleep(every);
        let Some(shared) = shared.upgrade() else { return };
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.keep_alive(heard_every);
    }
}

/// Opened anew each time: a getty that starts on the same port hangs up on everybody who has it open. A console that
/// fails must not stop the run.
fn write(terminal: &str, text: &str) {
    if let Ok(mut terminal) = OpenOptions::new().write(true).open(terminal) {
        let _ = terminal.write_all(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use media_format::event::Environment;

    fn started() -> Event {
        Event::Started {
            media: "m".into(),
            organization: String::new(),
            sequence: "Build".into(),
            environment: Environment::Pe,
            resumed: true,
            elapsed: 3600,
        }
    }

    fn ended() -> Event {
        Event::Ended {
            succeeded: true,
            reason: None,
            captured: None,
            log: None,
        }
    }

    fn copied() -> Event {
        Event::LogCopied {
            log: "on the media".into(),
        }
    }

    /// The consoles with what was written to them.
    struct Machine {
        folder: tempfile::TempDir,
        consoles: Consoles,
    }

    impl Machine {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = |name: &str| folder.path().join(name).display().to_string();
            std::fs::write(path("serial"), "").unwrap();
            std::fs::write(path("screen"), "").unwrap();
            let consoles = Consoles::open(&[path("serial")], Some(&path("screen")));
            Self { folder, consoles }
        }

        fn read(&self, name: &str) -> String {
            std::fs::read_to_string(self.folder.path().join(name)).unwrap()
        }

        fn keep_alive(&self, heard_every: Duration) {
            self.consoles.shared.lock().unwrap().keep_alive(heard_every);
        }
    }

    /// Both tests need the terminals, of which a process has one set.
    static ALONE: Mutex<()> = Mutex::new(());

    #[test]
    fn a_silent_run_is_heard_and_its_clock_goes_on_until_it_ends() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let machine = Machine::new();
        machine.keep_alive(Duration::ZERO);
        assert_eq!(machine.read("serial"), "", "nothing runs yet");
        machine.consoles.event(&started());
        machine.keep_alive(Duration::MAX);
        assert!(!machine.read("serial").contains("working"));
        machine.keep_alive(Duration::ZERO);
        assert!(machine.read("serial").contains(&Event::Working.to_line()));
        for last in [ended(), copied()] {
            machine.consoles.event(&last);
            let said = machine.read("serial");
            machine.keep_alive(Duration::ZERO);
            assert_eq!(machine.read("serial"), said);
        }
    }

    #[test]
    fn the_screen_is_drawn_again_by_itself_with_the_time_of_earlier_parts_and_not_over_a_question() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let machine = Machine::new();
        machine.consoles.event(&started());
        assert!(
            machine.read("screen").contains("1:00:0"),
            "{}",
            machine.read("screen")
        );
        let question = hold();
        std::fs::write(machine.folder.path().join("screen"), "").unwrap();
        std::thread::sleep(2 * REDRAWN_EVERY);
        assert_eq!(machine.read("screen"), "");
        drop(question);
        let drawn = (0..50).any(|_| {
            std::thread::sleep(REDRAWN_EVERY / 10);
            machine.read("screen").contains("1:00:0")
        });
        assert!(drawn, "{}", machine.read("screen"));
    }
}
