//! Programs that run as another account.

use std::os::windows::io::OwnedHandle;

use anyhow::{Context as _, anyhow};

use super::bindings::Logon;
use crate::in_windows::account;
use crate::platform::{Account, Command, Result};

/// Starts a program as that account, with its profile and its environment. The logon is to be kept until the program has ended.
pub(super) fn start(
    command: &Command,
    of: &Account,
    pipes: &[OwnedHandle; 3],
) -> Result<(OwnedHandle, Logon)> {
    let explained = |error: std::io::Error| anyhow!(account::explain(&error));
    let (user, domain) = account::for_logon(&of.user);
    let mut logon = Logon::of(user, domain, &of.password)
        .map_err(explained)
        .with_context(|| format!("logging on {}", of.user))?;
    // The name of its folder, where it has none yet.
    let name = user.split('@').next().unwrap_or(user);
    logon
        .load_profile(name)
        .map_err(explained)
        .with_context(|| format!("loading the profile of {}", of.user))?;
    let own = logon
        .environment()
        .with_context(|| format!("reading the environment of {}", of.user))?;
    let environment = account::environment(own, &command.environment);
    let line = account::command_line(command);
    let process = logon
        .start(&line, command.folder.as_deref(), &environment, pipes.each_ref())
        .map_err(explained)
        .with_context(|| format!("starting {} as {}", command.program, of.user))?;
    Ok((process, logon))
}
