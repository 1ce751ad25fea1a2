//! Removes the management agent, or its identity.

use std::path::PathBuf;

use media_format::event::Environment;
use media_format::manifest::{Package, PackageKind};
use task_sequence::steps::{ClientTreatment, PrepareClientForCapture};

use super::install::{self, Installed};
use super::{Check, Result};
use crate::context::{Context, Failure};
use crate::destination;
use crate::engine::Outcome;
use crate::generalize::AGENTS;
use crate::in_windows::client;

/// The programs of a client package that do the work of the step.
const REMOVE: &str = "remove";
const PREPARE: &str = "prepare";

pub(super) fn check(options: &PrepareClientForCapture, context: &Context<'_>) -> Check {
    // A system that was there before is not changed in any case.
    if destination::builds(context.sequence) {
        refuse_unremovable(options, context, false)?;
    }
    Ok(())
}

/// What a Linux installs as an agent, only its package knows how to remove.
fn refuse_unremovable(options: &PrepareClientForCapture, context: &Context<'_>, has_agent: bool) -> Check {
    let packages = context.media.manifest.packages.iter();
    let clients: Vec<&Package> = packages
        .filter(|package| package.kind == PackageKind::Client)
        .collect();
    let removes = |package: &&Package| package.programs.contains_key(REMOVE);
    // Where neither the media nor the system has one, nothing has to be removed.
    let has_agent = has_agent || !clients.is_empty();
    if options.treatment.get() != Some(&ClientTreatment::RemoveAgent)
        || context.is_windows()
        || !has_agent
        || clients.iter().any(removes)
    {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the agent is to be removed, and no client package of the media says how: give the package that the `client-package` of \
         setup-os names a program `{REMOVE}`, or write `treatment = \"remove-identity\"`"
    )))
}

pub(super) fn run(options: &PrepareClientForCapture, context: &mut Context<'_>) -> Result {
    if context.here == Environment::Pe {
        let left_out = if context.is_windows() {
            "the ConfigMgr client's SMSCFG.ini"
        } else {
            "the identities of agents"
        };
        return Ok(Outcome::Skipped(format!(
            "the system does not run and is not changed: an agent stays in it, and the capture leaves out {left_out}"
        )));
    }
    let has_agent = !context.is_windows() && !agents(context)?.is_empty();
    refuse_unremovable(options, context, has_agent)?;
    let treatment = options.treatment.unwrap_or(ClientTreatment::RemoveIdentity);
    let program = match treatment {
        ClientTreatment::RemoveAgent => REMOVE,
        ClientTreatment::RemoveIdentity => PREPARE,
    };
    let mut found = if context.is_windows() {
        windows(treatment, context)?
    } else {
        remove_identities(context)?
    };
    for package in context
        .media
        .manifest
        .packages
        .iter()
        .filter(|package| package.kind == PackageKind::Client)
    {
        let Some(line) = package.programs.get(program).cloned() else {
            continue;
        };
        found = true;
        if let Installed::Failed { code } = install::command(context, &package.clone(), &line)? {
            let reason = format!(
                "program \"{program}\" of the client package \"{}\" failed",
                package.id
            );
            return Err(Failure { code, reason });
        }
    }
    if found {
        Ok(Outcome::Done)
    } else {
        Ok(Outcome::Skipped("the system has no management agent".into()))
    }
}

/// The ConfigMgr client; gives whether there is one.
fn windows(treatment: ClientTreatment, context: &Context<'_>) -> std::result::Result<bool, Failure> {
    if !client::is_installed(context.platform)? {
        return Ok(false);
    }
    match treatment {
        ClientTreatment::RemoveAgent => {
            client::uninstall(context.platform, context.log, context.time_left()?)?
        }
        ClientTreatment::RemoveIdentity => client::remove_identity(context.platform, context.log)?,
    }
    Ok(true)
}

/// What the agents that are known have in the system.
fn agents(context: &Context<'_>) -> std::result::Result<Vec<PathBuf>, Failure> {
    let root = context.system_root(false)?;
    let paths = AGENTS.iter().map(|path| root.join(path));
    Ok(paths.filter(|path| context.platform.exists(path)).collect())
}

fn remove_identities(context: &Context<'_>) -> std::result::Result<bool, Failure> {
    let found = agents(context)?;
    for path in &found {
        context.platform.remove(path)?;
        context.log.info(format!("removed {}", path.display()));
    }
    Ok(!found.is_empty())
}
