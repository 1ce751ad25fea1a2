//! Makes a share available at a mount point.

use std::path::{Path, PathBuf};

use task_sequence::steps::ConnectToNetworkFolder;

use super::{Check, Result};
use crate::context::Context;
use crate::engine::Outcome;
use crate::platform::Account;

/// An account that the server refuses is found out before anything is erased.
pub(super) fn check(options: &ConnectToNetworkFolder, context: &Context<'_>) -> Check {
    let folder = connect(options, context)?;
    context.platform.disconnect(&folder)?;
    Ok(())
}

pub(super) fn run(options: &ConnectToNetworkFolder, context: &mut Context<'_>) -> Result {
    connect(options, context)?;
    Ok(Outcome::Done)
}

fn connect(
    options: &ConnectToNetworkFolder,
    context: &Context<'_>,
) -> std::result::Result<PathBuf, crate::context::Failure> {
    let password = options
        .password
        .as_ref()
        .map(|secret| secret.expose().to_owned())
        .unwrap_or_default();
    let account = Account {
        user: options.account.clone().unwrap_or_default(),
        password,
    };
    let at = options
        .at
        .strip_suffix(':')
        .map(|letter| format!("/mnt/{letter}"))
        .unwrap_or_else(|| options.at.clone());
    let folder = context
        .platform
        .connect(&share(options), &account, Some(Path::new(&at)))?;
    context
        .log
        .info(format!("{} is at {}", options.path, folder.display()));
    Ok(folder)
}

fn share(options: &ConnectToNetworkFolder) -> String {
    options.path.replace('\\', "/")
}
