//! Makes a share available at a mount point.

use std::path::{Path, PathBuf};

use task_sequence::steps::ConnectToNetworkFolder;

use super::{Check, Result};
use crate::connections;
use crate::context::{Context, Failure};
use crate::engine::Outcome;
use crate::platform::Account;

/// An account that the server refuses is found out before anything is erased.
pub(super) fn check(options: &ConnectToNetworkFolder, context: &Context<'_>) -> Check {
    let made = connections::missing(context.platform, &place(options));
    let connected = connect(options, context);
    if let Ok(folder) = &connected {
        context.platform.disconnect(folder)?;
    }
    made.iter()
        .try_for_each(|folder| context.platform.remove_empty(folder))?;
    connected.map(drop)
}

pub(super) fn run(options: &ConnectToNetworkFolder, context: &mut Context<'_>) -> Result {
    connections::remember(context, &place(options))?;
    connect(options, context)?;
    Ok(Outcome::Done)
}

/// A letter is a folder of that name in a Linux.
fn place(options: &ConnectToNetworkFolder) -> PathBuf {
    let letter = options.at.strip_suffix(':');
    letter.map_or_else(
        || PathBuf::from(&options.at),
        |letter| Path::new("/mnt").join(letter),
    )
}

fn connect(options: &ConnectToNetworkFolder, context: &Context<'_>) -> std::result::Result<PathBuf, Failure> {
    let password = options
        .password
        .as_ref()
        .map(|secret| secret.expose().to_owned())
        .unwrap_or_default();
    let account = Account {
        user: options.account.clone().unwrap_or_default(),
        password,
    };
    let folder = context
        .platform
        .connect(&share(options), &account, Some(&place(options)))?;
    context
        .log
        .info(format!("{} is at {}", options.path, folder.display()));
    Ok(folder)
}

fn share(options: &ConnectToNetworkFolder) -> String {
    options.path.replace('\\', "/")
}
