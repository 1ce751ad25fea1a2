//! Somebody at the machine: at its screen or at its serial line, whichever answers first.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcsetattr};

use crate::platform::{Command, Processes, Result};
use crate::start::Operator;

/// A system that still starts writes over the question: it is repeated on the same line. What is typed meanwhile is kept, and is
/// not shown anyway.
const REMIND_EVERY: Duration = Duration::from_secs(10);

/// Asks on every terminal at once.
pub struct Person<'a> {
    /// Device nodes.
    pub terminals: Vec<String>,
    /// Inside the installed system: what stops the log-in prompts there while a question is open.
    pub prompts: Option<&'a dyn Processes>,
}

impl Operator for Person<'_> {
    fn ask(&self, question: &str, hidden: bool) -> Result<String> {
        let _shown = crate::reporter::hold();
        self.prompts("stop");
        let answer = self.ask_on_terminals(question, hidden);
        self.prompts("start");
        answer
    }
}

impl Person<'_> {
    fn ask_on_terminals(&self, question: &str, hidden: bool) -> Result<String> {
        let open = |path: &String| OpenOptions::new().read(true).write(true).open(path).ok();
        let mut terminals: Vec<File> = self.terminals.iter().filter_map(open).collect();
        if terminals.is_empty() {
            terminals.extend(open(&"/dev/console".to_owned()));
        }
        let modes: Vec<Option<Termios>> = terminals
            .iter()
            .map(|terminal| if hidden { silence(terminal) } else { None })
            .collect();
        for terminal in &mut terminals {
            // What was typed before the question is no answer to it.
            let _ = tcflush(&*terminal, QueueSelector::IFlush);
            let _ = terminal.write_all(question.as_bytes());
        }
        let again = format!("\r{}", question.trim_start_matches('\n'));
        let answer = first_line(&mut terminals, hidden.then_some((again.as_str(), REMIND_EVERY)));
        for (terminal, modes) in terminals.iter_mut().zip(modes) {
            if let Some(modes) = modes {
                let _ = tcsetattr(&*terminal, OptionalActions::Now, &modes);
                let _ = terminal.write_all(b"\r\n");
            }
        }
        answer
    }

    /// A getty would read half of the answer. A machine without systemd has none of these units, which is no failure.
    fn prompts(&self, verb: &str) {
        let Some(processes) = self.prompts else { return };
        let units = self.terminals.iter().filter_map(|path| {
            let name = path.rsplit('/').next()?;
            let kind = if name.starts_with("ttyS") {
                "serial-getty"
            } else {
                "getty"
            };
            Some(format!("{kind}@{name}.service"))
        });
        let _ = processes.run(&Command {
            program: "systemctl".into(),
            arguments: std::iter::once(verb.to_owned()).chain(units).collect(),
            ..Command::default()
        });
    }
}

/// Shows nothing of what is typed; gives how the terminal was.
fn silence(terminal: &File) -> Option<Termios> {
    let before = tcgetattr(terminal).ok()?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(terminal, OptionalActions::Now, &silent).ok()?;
    Some(before)
}

/// The first whole line that arrives on any of them. The reminder is written again and again while nothing arrives.
fn first_line(terminals: &mut [File], reminder: Option<(&str, Duration)>) -> Result<String> {
    // None where the line was hung up: it answers nothing more.
    let mut typed: Vec<Option<Vec<u8>>> = vec![Some(Vec::new()); terminals.len()];
    loop {
        let live: Vec<usize> = (0..terminals.len())
            .filter(|index| typed[*index].is_some())
            .collect();
        if live.is_empty() {
            bail!("no console of the machine can be read");
        }
        let ready = ready(terminals, &live, reminder.map(|(_, every)| every))?;
        if let (true, Some((text, _))) = (ready.is_empty(), reminder) {
            for index in live {
                let _ = terminals[index].write_all(text.as_bytes());
            }
        }
        for index in ready {
            let mut buffer = [0; 1024];
            let count = terminals[index].read(&mut buffer).unwrap_or(0);
            let Some(line) = typed[index].as_mut().filter(|_| count > 0) else {
                typed[index] = None;
                continue;
            };
            line.extend_from_slice(&buffer[..count]);
            if let Some(end) = line.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
                return String::from_utf8(line[..end].to_vec()).context("the answer is not text");
            }
        }
    }
}

fn ready(terminals: &[File], live: &[usize], patience: Option<Duration>) -> Result<Vec<usize>> {
    let mut waited: Vec<PollFd<'_>> = live
        .iter()
        .map(|index| PollFd::from_borrowed_fd(terminals[*index].as_fd(), PollFlags::IN))
        .collect();
    let patience = patience.map(Timespec::try_from).transpose();
    match poll(&mut waited, patience.context("a time to wait")?.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error).context("waiting for an answer on the consoles"),
    }
    let ready = live.iter().zip(&waited);
    Ok(ready
        .filter(|(_, one)| !one.revents().is_empty())
        .map(|(index, _)| *index)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    fn line() -> (File, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (File::from(OwnedFd::from(ours)), theirs)
    }

    #[test]
    fn whichever_terminal_answers_first_is_heard() {
        let (screen, mut keyboard) = line();
        let (serial, mut cable) = line();
        let (gone, hung_up) = line();
        drop(hung_up);
        keyboard.write_all(b"half").unwrap();
        cable.write_all(b"the answer\r\n").unwrap();
        let answer = first_line(&mut [screen, gone, serial], None).unwrap();
        assert_eq!(answer, "the answer");
    }

    #[test]
    fn a_question_is_repeated_until_it_is_answered() {
        let (screen, mut keyboard) = line();
        let reminder = Some(("\rToken: ", Duration::from_millis(20)));
        let asked = std::thread::spawn(move || first_line(&mut [screen], reminder));
        let mut shown = [0; 16];
        keyboard.read_exact(&mut shown).unwrap();
        assert_eq!(&shown, b"\rToken: \rToken: ");
        keyboard.write_all(b"t\n").unwrap();
        assert_eq!(asked.join().unwrap().unwrap(), "t");
    }

    #[test]
    fn a_machine_without_a_console_is_an_error() {
        let (gone, hung_up) = line();
        drop(hung_up);
        assert!(first_line(&mut [gone], None).is_err());
    }
}
