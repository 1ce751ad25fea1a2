//! Programs of Windows that the runtime needs for its own work: each call is in the log with its exit code and the end of what it
//! said, so that somebody can make the same call by hand.

use std::time::Duration;

use anyhow::{Context as _, bail};

use super::account;
use crate::context::code_text;
use crate::log::Log;
use crate::platform::{Command, Output, Processes, Result};

/// Lines of the output that the log keeps.
const MOST_LINES: usize = 40;

/// Runs a program to its end.
///
/// # Errors
/// When it cannot be started, takes too long, or ends with another code than 0.
pub fn run(
    processes: &(impl Processes + ?Sized),
    log: &Log,
    program: &str,
    arguments: &[String],
    limit: Option<Duration>,
) -> Result<Output> {
    let command = Command {
        program: program.into(),
        arguments: arguments.to_vec(),
        timeout: limit,
        ..Command::default()
    };
    run_command(processes, log, &command)
}

/// Runs a program whose settings are more than its arguments.
///
/// # Errors
/// As [`run`].
pub fn run_command(processes: &(impl Processes + ?Sized), log: &Log, command: &Command) -> Result<Output> {
    run_judged(processes, log, command, &[0])
}

/// Runs a program that says with several codes that it has done its work.
///
/// # Errors
/// When it cannot be started, takes too long, or ends with another code than those.
pub fn run_judged(
    processes: &(impl Processes + ?Sized),
    log: &Log,
    command: &Command,
    good: &[i64],
) -> Result<Output> {
    let shown = line(log, command);
    log.info(format!("running: {shown}"));
    let output = processes
        .run(command)
        .with_context(|| format!("running {shown}"))?;
    log.info(format!("it ended with {}", code_text(output.code)));
    let said = [output.stdout.as_str(), &output.stderr].map(|text| last_lines(text, MOST_LINES));
    said.iter().flatten().for_each(|line| log.info(line));
    if !good.contains(&output.code) {
        let reason = said.iter().flatten().next_back().copied().unwrap_or_default();
        bail!("{shown} ended with {}: {reason}", code_text(output.code));
    }
    Ok(output)
}

/// As somebody would type it at a command prompt. Secrets are masked first: written with carets, they would not be known any more.
fn line(log: &Log, command: &Command) -> String {
    let words = std::iter::once(&command.program).chain(&command.arguments);
    words
        .map(|word| typed(&log.mask(word)))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A program finds its words by their quotes. The prompt keeps to those too, but not to a backslash before one, and looks for variables
/// everywhere: carets take the meaning from each character by itself.
fn typed(word: &str) -> String {
    const OF_THE_PROMPT: [char; 5] = ['&', '|', '<', '>', '^'];
    if !word.contains(['"', '%']) {
        return if word.contains(OF_THE_PROMPT) {
            account::in_quotes(word)
        } else {
            account::quoted(word)
        };
    }
    let mut typed = String::new();
    for character in account::quoted(word).chars() {
        if OF_THE_PROMPT.contains(&character) || ['"', '%'].contains(&character) {
            typed.push('^');
        }
        typed.push(character);
    }
    typed
}

/// The last lines with content.
fn last_lines(text: &str, most: usize) -> Vec<&str> {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    lines[lines.len().saturating_sub(most)..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;

    #[test]
    fn a_call_is_in_the_log_as_it_can_be_typed_with_its_code_and_its_last_lines() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(folder.path());
        let machine = Fake::default().ends("tool.exe", 5, "first\r\n\r\nAccess is denied.\r\n");
        let arguments = ["/a".to_owned(), "with a blank".to_owned()];
        let error = run(&machine, &log, "tool.exe", &arguments, None)
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "tool.exe /a \"with a blank\" ended with 5 (0x00000005): Access is denied."
        );
        let (_, text) = log.files().remove(0);
        let text = String::from_utf8(text).unwrap();
        for part in [
            "running: tool.exe /a \"with a blank\"",
            "ended with 5",
            "first",
            "Access is denied.",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn a_word_can_be_typed_back_whatever_is_in_it() {
        for (word, as_typed) in [
            (r"/ImageFile:D:\a.wim", r"/ImageFile:D:\a.wim"),
            ("", r#""""#),
            ("/Name:Windows reference", r#""/Name:Windows reference""#),
            ("/Name:R&D", r#""/Name:R&D""#),
            ("a|b<c>d^e", r#""a|b<c>d^e""#),
            (r"C:\with blank\", r#""C:\with blank\\""#),
            (r"C:\R&D\", r#""C:\R&D\\""#),
            ("100%", "100^%"),
            ("%PATH% & more", r#"^"^%PATH^% ^& more^""#),
            (r#"the "new" one"#, r#"^"the \^"new\^" one^""#),
            (r#"a"&b"#, r#"^"a\^"^&b^""#),
        ] {
            assert_eq!(typed(word), as_typed, "{word}");
        }
    }

    #[test]
    fn a_secret_is_not_known_by_its_carets() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(folder.path());
        log.hide(task_sequence::Hidden::new(["50%&more"]));
        let machine = Fake::default().ends("tool.exe", 5, "");
        let error = run(&machine, &log, "tool.exe", &["/p:50%&more".to_owned()], None).unwrap_err();
        let (_, text) = log.files().remove(0);
        for said in [error.to_string(), String::from_utf8(text).unwrap()] {
            assert!(said.contains("tool.exe /p:") && !said.contains("more"), "{said}");
        }
    }
}
