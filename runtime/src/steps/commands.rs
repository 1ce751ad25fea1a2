//! Command lines as the steps write them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use media_format::event::Environment;

use task_sequence::Variables;

use super::variables_file;
use crate::context::{Context, Failure};
use crate::in_windows::path;
use crate::platform::{Command, Output, System};
use crate::run::Run;

/// The shell reads the line from its standard input to the end, so that no list of processes shows it and what the line
/// starts finds nothing left to read.
const FROM_INPUT: &str = "eval \"$(cat)\"";

/// A command line for the shell of the system that runs.
pub(super) fn shell(system: System, line: &str) -> Command {
    match system {
        System::Linux => Command {
            stdin: line.as_bytes().to_vec(),
            shown: Some(format!("sh: {line}")),
            ..program("sh", &["-c", FROM_INPUT])
        },
        // `/s` takes the first and the last quote away and leaves the rest as it is.
        System::Windows => Command {
            raw: format!("\"{line}\""),
            shown: Some(format!("cmd: {line}")),
            ..program("cmd.exe", &["/d", "/s", "/c"])
        },
    }
}

/// Powershell for a script in a file, whatever the machine's policy says of scripts.
pub(super) fn powershell_file(system: System, file: &Path) -> Command {
    let mut command = match system {
        System::Linux => program("pwsh", &["-NoProfile", "-NonInteractive", "-File"]),
        System::Windows => program(
            "powershell.exe",
            &[
                "-NoProfile",
                "-NonInteractive",
                "-ExecutionPolicy",
                "Bypass",
                "-File",
            ],
        ),
    };
    command.arguments.push(path::text_in(system, file));
    command
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

/// Runs a command of the user's: it knows the variables and may set some.
pub(super) fn run(context: &mut Context<'_>, mut command: Command) -> std::result::Result<Output, Failure> {
    command.environment = environment(context.variables, context.here, context.platform.system());
    variables_file::offer(context, &mut command)?;
    let ended = context.run(command);
    let told = variables_file::take(context);
    let output = ended?;
    variables_file::set_all(context, &told?)?;
    Ok(output)
}

/// Runs a command line when the run is over, and nobody reads any more what it would set.
pub(super) fn run_last(run: &Run<'_>, line: &str, most: Duration) -> crate::platform::Result<Output> {
    let system = run.platform.system();
    run.platform.run(&Command {
        environment: environment(&run.variables, run.here, system),
        timeout: Some(most),
        ..shell(system, line)
    })
}

/// Scripts read the sequence's variables from their environment; secrets are not among them.
fn environment(variables: &Variables, here: Environment, system: System) -> BTreeMap<String, String> {
    let plain = variables.iter().filter(|(_, _, secret)| !secret);
    let mut environment: BTreeMap<_, _> = plain
        .map(|(name, value, _)| (name.to_owned(), value.to_owned()))
        .collect();
    if here == Environment::Os && system == System::Linux {
        environment.insert("DEBIAN_FRONTEND".into(), "noninteractive".into());
    }
    environment
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
        let output = Linux::new().run(&shell(System::Linux, line)).unwrap();
        assert_eq!((output.code, output.stderr.as_str()), (7, ""));
        assert_eq!(output.stdout, format!("sh -c {FROM_INPUT} Canary-1 %\n"));
    }

    #[test]
    fn cmd_gets_the_line_as_it_is() {
        let command = shell(System::Windows, r#""C:\a b\x.exe" /v"PROP=\"1\"" & echo %TEMP%"#);
        assert_eq!(command.arguments, ["/d", "/s", "/c"]);
        assert_eq!(command.raw, r#"""C:\a b\x.exe" /v"PROP=\"1\"" & echo %TEMP%""#);
    }
}
