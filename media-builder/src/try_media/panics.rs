//! The kernel inside the machine giving up. Pure, as following a run is.

use std::time::Duration;

use super::machine::Accelerator;

/// What Linux says then, before it stands still.
const SAID: &str = "Kernel panic - not syncing";
/// The rest of its words follow within this time.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// QEMU before 8.1 does not lock a page of code while it translates it: with several processors it rarely runs an instruction
/// that the kernel has just replaced. Seen once in about two hundred starts of a system; the system is not to blame.
const FORGIVEN_IN_TRANSLATION: u32 = 2;

/// The panics of a run.
#[derive(Debug)]
pub struct Panics {
    forgiven: u32,
    seen: Option<(String, Duration)>,
}

/// What a panic means.
#[derive(Debug, PartialEq, Eq)]
pub enum Panicked {
    /// The machine is to be started again, as someone in front of it would.
    StartAgain,
    /// It is the end, with this reason.
    Failed(String),
}

impl Panics {
    /// Of a machine that runs so.
    pub fn on(accelerator: Accelerator) -> Self {
        let forgiven = match accelerator {
            Accelerator::Tcg => FORGIVEN_IN_TRANSLATION,
            Accelerator::Kvm => 0,
        };
        Self { forgiven, seen: None }
    }

    /// The machine wrote this on its serial port.
    pub fn line(&mut self, line: &str, now: Duration) {
        if self.seen.is_none()
            && let Some(at) = line.find(SAID)
        {
            self.seen = Some((line[at..].to_owned(), now));
        }
    }

    /// The machine is started anew.
    pub fn forget(&mut self) {
        self.seen = None;
    }

    /// What to do about a panic; none without one, and while the kernel still speaks.
    pub fn due(&mut self, now: Duration) -> Option<Panicked> {
        let (line, _) = self.seen.take_if(|(_, at)| now >= *at + LAST_WORDS)?;
        Some(if self.forgiven > 0 {
            self.forgiven -= 1;
            Panicked::StartAgain
        } else {
            Panicked::Failed(format!("the kernel of the machine gave up: {line}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "[    3.098610] Kernel panic - not syncing: Fatal exception in interrupt";

    fn due(panics: &mut Panics, at: u64) -> Option<Panicked> {
        panics.due(Duration::from_secs(at))
    }

    #[test]
    fn translation_is_forgiven_twice_and_only_after_the_last_words() {
        let mut panics = Panics::on(Accelerator::Tcg);
        panics.line("all is well", Duration::ZERO);
        assert_eq!(due(&mut panics, 9), None);
        for start in [10, 20] {
            panics.line(LINE, Duration::from_secs(start));
            panics.line(
                "---[ end Kernel panic - not syncing ]---",
                Duration::from_secs(start + 1),
            );
            assert_eq!(due(&mut panics, start + 1), None);
            assert_eq!(due(&mut panics, start + 2), Some(Panicked::StartAgain));
            assert_eq!(due(&mut panics, start + 9), None);
        }
        panics.line(LINE, Duration::from_secs(30));
        let why =
            "the kernel of the machine gave up: Kernel panic - not syncing: Fatal exception in interrupt";
        assert_eq!(due(&mut panics, 32), Some(Panicked::Failed(why.to_owned())));
    }

    #[test]
    fn a_real_processor_is_not_forgiven() {
        let mut panics = Panics::on(Accelerator::Kvm);
        panics.line(LINE, Duration::ZERO);
        assert!(matches!(due(&mut panics, 2), Some(Panicked::Failed(_))));
    }
}
