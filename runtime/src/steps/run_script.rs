//! Runs a script, from a package or written in the sequence.

use std::path::{Path, PathBuf};

use task_sequence::steps::{Interpreter, RunScript};

use super::run_command_line::{account, finish, folder};
use super::{Check, Result, commands};
use crate::context::{Context, Failure, code_text};
use crate::in_windows::account::for_programs;
use crate::in_windows::{installed, path};
use crate::platform::{Command, System};

pub(super) fn run(options: &RunScript, context: &mut Context<'_>) -> Result {
    let hidden = context.variables.hidden();
    if options.arguments.iter().any(|text| hidden.is_in(text)) {
        return Err(Failure::new(
            "an argument of the script contains a secret, which the list of processes would show; write the secret \
             into an `inline` script",
        ));
    }
    let name = options.file.as_deref().unwrap_or_default();
    let powershell = match options.interpreter.get() {
        Some(interpreter) => *interpreter == Interpreter::PowerShell,
        None => name.to_lowercase().ends_with(".ps1"),
    };
    let package = options.package.as_ref().map(|id| id.as_str().to_owned());
    let folder = folder(context, package.as_deref(), options.working_folder.as_deref())?;
    let (mut command, temporary) = match (&options.inline, &package) {
        (Some(script), _) => inline(context, script, powershell)?,
        (None, Some(package)) => {
            let script = context.content(package)?.join(name);
            (from_file(context.platform.system(), &script, powershell)?, None)
        }
        (None, None) => {
            return Err(Failure::new(
                "the step has no script: write `package` and `file`, or `inline`",
            ));
        }
    };
    command.folder = folder;
    command.arguments.extend(options.arguments.iter().cloned());
    let of_account = account(context, options.account.as_deref(), options.password.as_ref());
    let done = of_account.and_then(|account| {
        command.account = account;
        readable(context, &command, temporary.as_deref())?;
        finish(
            context,
            command,
            &options.success_codes,
            options.output_variable.as_deref(),
        )
    });
    temporary.map_or(Ok(()), |file| context.platform.wipe(&file))?;
    done
}

/// The command of a script in the sequence, and the file that it is in for the time being.
fn inline(
    context: &Context<'_>,
    script: &str,
    powershell: bool,
) -> std::result::Result<(Command, Option<PathBuf>), Failure> {
    let system = context.platform.system();
    if system == System::Windows {
        // The mark, because without it PowerShell of Windows reads the console's code page. The folder is the system's own.
        let file = installed::folder(&context.platform.root()).join("script.ps1");
        let command = from_file(system, &file, powershell)?;
        let text = format!("\u{feff}{script}");
        context.platform.write(&file, text.as_bytes(), 0o600)?;
        return Ok((command, Some(file)));
    }
    // Through standard input: the text may hold what no list of processes is to show.
    let mut command = if powershell {
        commands::program("pwsh", &["-NoProfile", "-NonInteractive", "-Command", "-"])
    } else {
        commands::program("sh", &["-s", "--"])
    };
    command.stdin = script.as_bytes().to_vec();
    Ok((command, None))
}

/// The file is the administrator's: an account that is to run it may read it too.
fn readable(context: &Context<'_>, command: &Command, file: Option<&Path>) -> Check {
    let (Some(account), Some(file)) = (&command.account, file) else {
        return Ok(());
    };
    let right = format!("{}:(R)", for_programs(&account.user));
    let output = context.run(commands::program(
        "icacls.exe",
        &[&path::text(file), "/grant", &right],
    ))?;
    if output.code == 0 {
        return Ok(());
    }
    Err(Failure {
        code: output.code,
        reason: format!(
            "letting {} read the script ended with {}: {}",
            account.user,
            code_text(output.code),
            output.stderr.trim()
        ),
    })
}

fn from_file(system: System, script: &Path, powershell: bool) -> std::result::Result<Command, Failure> {
    if powershell {
        return Ok(commands::powershell_file(system, script));
    }
    if system == System::Windows {
        return Err(Failure::new(
            "Windows has no POSIX shell: write the script for PowerShell (`interpreter = \"powershell\"`)",
        ));
    }
    Ok(commands::program("sh", &[&script.display().to_string()]))
}
