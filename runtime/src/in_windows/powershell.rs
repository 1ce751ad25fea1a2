//! Windows PowerShell, for what Windows has no program for.

use std::time::Duration;

use anyhow::Context as _;

use crate::platform::{Command, Output, Processes, Result};

/// Runs a script that PowerShell reads from its standard input, so that no list of processes shows it.
///
/// # Errors
/// When PowerShell cannot be started or takes too long.
pub fn run(processes: &(impl Processes + ?Sized), script: &str, limit: Option<Duration>) -> Result<Output> {
    let arguments = ["-NoProfile", "-NonInteractive", "-Command", "-"];
    processes
        .run(&Command {
            program: "powershell.exe".into(),
            arguments: arguments.map(str::to_owned).to_vec(),
            // An empty line ends what PowerShell has read of a block.
            stdin: format!("{script}\r\n\r\n").into_bytes(),
            timeout: limit,
            ..Command::default()
        })
        .context("running PowerShell")
}

/// A text as PowerShell writes it where nothing in it is to mean anything.
pub fn quoted(text: &str) -> String {
    // PowerShell takes the typographic quotes for quotes too.
    let doubled: String = text
        .chars()
        .flat_map(|c| {
            let quote = matches!(c, '\'' | '\u{2018}'..='\u{201b}');
            std::iter::repeat_n(c, 1 + usize::from(quote))
        })
        .collect();
    format!("'{doubled}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_its_quotes() {
        assert_eq!(quoted("a'b $(c) \u{2019}"), "'a''b $(c) \u{2019}\u{2019}'");
    }
}
