//! Command lines as the steps write them.

use crate::platform::Command;

/// The shell reads the line from its standard input to the end, so that no list of processes shows it and what the line
/// starts finds nothing left to read.
const FROM_INPUT: &str = "eval \"$(cat)\"";

/// A command line for the shell.
pub(super) fn shell(line: &str) -> Command {
    Command {
        stdin: line.as_bytes().to_vec(),
        shown: Some(format!("sh: {line}")),
        ..program("sh", &["-c", FROM_INPUT])
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Processes as _;
    use crate::platform::linux::Linux;

    #[test]
    fn a_line_works_as_if_it_were_an_argument_and_is_none() {
        let line =
            "set -e; tr '\\0' ' ' </proc/$$/cmdline\ncat; if true; then echo 'Canary-1 %'; fi\nexit 7\n";
        let output = Linux::new().run(&shell(line)).unwrap();
        assert_eq!((output.code, output.stderr.as_str()), (7, ""));
        assert_eq!(output.stdout, format!("sh -c {FROM_INPUT} Canary-1 %\n"));
    }
}
