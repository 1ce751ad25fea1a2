//! Runs a command.

use std::path::PathBuf;

use media_format::event::Environment;
use task_sequence::Secret;
use task_sequence::steps::RunCommandLine;

use super::commands::{self, shell};
use super::{Result, variables_file};
use crate::context::{Context, Failure, code_text};
use crate::engine::Outcome;
use crate::platform::{Account, Command, System};

/// What a command may do with its exit code unless the step says otherwise.
const SUCCESS: [i64; 2] = [0, 3010];
/// What a shell ends with where there is no such program (POSIX, Shell Command Language, 2.8.2).
const NOT_FOUND: i64 = 127;

pub(super) fn run(options: &RunCommandLine, context: &mut Context<'_>) -> Result {
    let mut command = shell(context.platform.system(), &options.command);
    command.hidden = options.hide_command.unwrap_or(false);
    command.account = account(context, options.account.as_deref(), options.password.as_ref())?;
    let package = options.package.as_ref().map(|id| id.as_str().to_owned());
    command.folder = folder(context, package.as_deref(), options.working_folder.as_deref())?;
    finish(
        context,
        command,
        &options.success_codes,
        options.output_variable.as_deref(),
    )
}

/// The account that the command runs as; on Linux a local one, whose password is not needed.
pub(super) fn account(
    context: &Context<'_>,
    name: Option<&str>,
    password: Option<&Secret>,
) -> std::result::Result<Option<Account>, Failure> {
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    if context.here == Environment::Pe {
        return Err(Failure::new(format!(
            "it is to run as {name}, and the machine is in the boot image, which has no accounts: remove `account`, or put the \
             step behind `setup-os`"
        )));
    }
    let user = match context.platform.system() {
        System::Linux => name.rsplit('\\').next().unwrap_or(name),
        System::Windows => name,
    };
    Ok(Some(Account {
        user: user.to_owned(),
        password: password.map_or("", Secret::expose).to_owned(),
    }))
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
    command: Command,
    success: &[i64],
    output_variable: Option<&str>,
) -> Result {
    let output = commands::run(context, command)?;
    context.exit_code.set(output.code);
    if let Some(name) = output_variable {
        variables_file::set(context, name, output.stdout.trim_end())?;
    }
    let success = if success.is_empty() { &SUCCESS[..] } else { success };
    if !success.contains(&output.code) {
        let said = output
            .stderr
            .lines()
            .last()
            .map(|line| format!(": {line}"))
            .unwrap_or_default();
        let in_linux = context.platform.system() == System::Linux;
        let hint = if output.code == NOT_FOUND && context.is_windows() && in_linux {
            " (the Linux PE has no programs of Windows: a step with them belongs behind `setup-os`)"
        } else {
            ""
        };
        return Err(Failure {
            code: output.code,
            reason: format!("it ended with {}{said}{hint}", code_text(output.code)),
        });
    }
    if output.code == 3010 {
        return Ok(Outcome::RestartThenContinue(context.here));
    }
    Ok(Outcome::Done)
}
