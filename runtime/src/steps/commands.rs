//! Command lines as the steps write them.

use media_format::event::Environment;

use crate::platform::Command;

/// A command line for the shell.
pub(super) fn shell(_here: Environment, line: &str) -> Command {
    program("sh", &["-c", line])
}

/// A program with its arguments.
pub(super) fn program(name: &str, arguments: &[&str]) -> Command {
    let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    Command {
        program: name.into(),
        arguments,
        ..Command::default()
    }
}
