//! Runs a command.

use std::path::PathBuf;

use task_sequence::steps::RunCommandLine;

use super::Result;
use super::commands::{environment, shell};
use crate::context::{Context, Failure, beginning, code_text};
use crate::engine::Outcome;
use crate::platform::Command;

/// What a command may do with its exit code unless the step says otherwise.
const SUCCESS: [i64; 2] = [0, 3010];

pub(super) fn run(options: &RunCommandLine, context: &mut Context<'_>) -> Result {
    let mut command = shell(context.platform.system(), &options.command);
    command.hidden = options.hide_command.unwrap_or(false);
    command.user = account(options.account.as_deref());
    let package = options.package.as_ref().map(|id| id.as_str().to_owned());
    command.folder = folder(context, package.as_deref(), options.working_folder.as_deref())?;
    finish(
        context,
        command,
        &options.success_codes,
        options.output_variable.as_deref(),
    )
}

/// The user that the command runs as; on Linux a local one, whose password is not needed.
pub(super) fn account(account: Option<&str>) -> Option<String> {
    account
        .filter(|name| !name.is_empty())
        .map(|name| name.rsplit('\\').next().unwrap_or(name).to_owned())
}

/// The working folder: the package's, or one inside it.
pub(super) fn folder(
    context: &Context<'_>,
    package: Option<&str>,
    folder: Option<&str>,
) -> std::result::Result<Option<PathBuf>, Failure> {
    let base = package.map(|id| context.content(id)).transpose()?;
    Ok(match (base, folder) {
        (Some(base), Some(folder)) => Some(base.join(folder)),
        (Some(base), None) => Some(base),
        (None, folder) => folder.map(PathBuf::from),
    })
}

/// Runs the command, keeps its output, judges its exit code.
pub(super) fn finish(
    context: &mut Context<'_>,
    mut command: Command,
    success: &[i64],
    output_variable: Option<&str>,
) -> Result {
    command.environment = environment(context);
    let output = context.run(command)?;
    context.exit_code.set(output.code);
    if let Some(name) = output_variable {
        keep_output(context, name, output.stdout.trim_end())?;
    }
    let success = if success.is_empty() { &SUCCESS[..] } else { success };
    if !success.contains(&output.code) {
        let said = output
            .stderr
            .lines()
            .last()
            .map(|line| format!(": {line}"))
            .unwrap_or_default();
        return Err(Failure {
            code: output.code,
            reason: format!("it ended with {}{said}", code_text(output.code)),
        });
    }
    if output.code == 3010 {
        return Ok(Outcome::RestartThenContinue(context.here));
    }
    Ok(Outcome::Done)
}

/// A variable lives in the journal, which has fixed slots, and in the environment of every later command.
const MOST_OUTPUT: usize = 32 * 1024;

/// Puts what a command wrote into a variable: its beginning where it is too much. What contains a secret is secret.
fn keep_output(context: &mut Context<'_>, name: &str, text: &str) -> std::result::Result<(), Failure> {
    let kept = beginning(text, MOST_OUTPUT);
    if kept.len() < text.len() {
        context.log.warning(format!(
            "the command wrote {} bytes; variable {name} gets the first {}",
            text.len(),
            kept.len()
        ));
    }
    if context.variables.mask(text) != text {
        context.variables.declare_secret(name);
    }
    let set = context.variables.set(name, kept);
    set.map_err(|error| Failure::new(error.to_string()))
}
