//! Runs a script, from a package or written in the sequence.

use task_sequence::steps::{Interpreter, RunScript};

use super::run_command_line::{account, finish, folder};
use super::{Result, commands};
use crate::context::{Context, Failure};

pub(super) fn run(options: &RunScript, context: &mut Context<'_>) -> Result {
    if options
        .arguments
        .iter()
        .any(|text| context.variables.mask(text) != *text)
    {
        return Err(Failure::new(
            "an argument of the script contains a secret, which the list of processes would show; write the secret \
             into an `inline` script",
        ));
    }
    let name = options.file.as_deref().unwrap_or_default();
    let powershell =
        options.interpreter.get() == Some(&Interpreter::PowerShell) || name.to_lowercase().ends_with(".ps1");
    let mut command = if powershell {
        commands::program("pwsh", &["-NoProfile", "-NonInteractive"])
    } else {
        commands::program("sh", &[])
    };
    let package = options.package.as_ref().map(|id| id.as_str().to_owned());
    command.folder = folder(context, package.as_deref(), options.working_folder.as_deref())?;
    match (&options.inline, &package) {
        (Some(script), _) => {
            // Through standard input: the text may hold what no list of processes is to show.
            let from = if powershell {
                vec!["-Command".to_owned(), "-".into()]
            } else {
                vec!["-s".to_owned(), "--".into()]
            };
            command.arguments.extend(from);
            command.stdin = script.clone().into_bytes();
        }
        (None, Some(package)) => {
            let script = context.content(package)?.join(name);
            if powershell {
                command.arguments.push("-File".into());
            }
            command.arguments.push(script.display().to_string());
        }
        (None, None) => {
            return Err(Failure::new(
                "the step has no script: write `package` and `file`, or `inline`",
            ));
        }
    }
    command.arguments.extend(options.arguments.iter().cloned());
    command.user = account(options.account.as_deref());
    finish(
        context,
        command,
        &options.success_codes,
        options.output_variable.as_deref(),
    )
}
