//! What a command tells the run: lines `NAME=VALUE` in a file that its environment names.

use std::path::{Path, PathBuf};

use anyhow::bail;

use super::Check;
use crate::context::{Context, Failure, beginning};
use crate::in_windows::{installed, path, text};
use crate::platform::{self, Command, System};

/// The variable of the environment that has the path of the file.
pub(super) const NAME: &str = "SMSTS_VARIABLES_FILE";
/// A variable lives in the journal, which has fixed slots, and in the environment of every later command.
const MOST_VALUE: usize = 32 * 1024;
/// More than the variables of any run.
const MOST_FILE: usize = 1 << 20;

/// Makes the file, empty, and names it to the command. One that runs as another account has none: the file is the
/// administrator's, because what is in it ends up in command lines.
pub(super) fn offer(context: &Context<'_>, command: &mut Command) -> platform::Result<()> {
    if command.account.is_some() {
        return Ok(());
    }
    let path = place(context);
    context.platform.write(&path, b"", 0o600)?;
    command
        .environment
        .insert(NAME.into(), path::text_in(context.platform.system(), &path));
    Ok(())
}

fn place(context: &Context<'_>) -> PathBuf {
    match context.platform.system() {
        System::Linux => Path::new("/run/media-runtime/variables").to_owned(),
        System::Windows => installed::folder(&context.platform.root()).join("variables"),
    }
}

/// Takes the file away; gives what was written into it.
pub(super) fn take(context: &Context<'_>) -> platform::Result<String> {
    let path = place(context);
    let bytes = context.platform.read(&path)?.unwrap_or_default();
    context.platform.wipe(&path)?;
    if bytes.len() > MOST_FILE {
        bail!(
            "the file of {NAME} has {} bytes; {MOST_FILE} are the most",
            bytes.len()
        );
    }
    // PowerShell redirects as UTF-16.
    Ok(text::decode(&bytes, |bytes| {
        String::from_utf8_lossy(bytes).into_owned()
    }))
}

/// Sets the variables of the lines, in their order.
pub(super) fn set_all(context: &mut Context<'_>, told: &str) -> Check {
    for (number, line) in told
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let Some((name, value)) = line.split_once('=') else {
            let number = number + 1;
            return Err(Failure::new(format!(
                "line {number} of the file of {NAME} is not NAME=VALUE"
            )));
        };
        set(context, name.trim(), value)?;
    }
    Ok(())
}

/// Sets a variable to what a command wrote: its beginning where it is too much. What contains a secret is secret.
pub(super) fn set(context: &mut Context<'_>, name: &str, value: &str) -> Check {
    let kept = beginning(value, MOST_VALUE);
    if kept.len() < value.len() {
        context.log.warning(format!(
            "the command wrote {} bytes; variable {name} gets the first {}",
            value.len(),
            kept.len()
        ));
    }
    if context.variables.hidden().is_in(value) {
        context.variables.declare_secret(name);
    }
    let set = context.variables.set(name, kept);
    set.map_err(|error| Failure::new(error.to_string()))
}
