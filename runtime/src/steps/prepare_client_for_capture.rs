//! Removes the management agent, or its identity.

use media_format::event::Environment;
use media_format::manifest::PackageKind;
use task_sequence::steps::{ClientTreatment, PrepareClientForCapture};

use super::Result;
use super::install::{self, Installed};
use crate::context::{Context, Failure};
use crate::engine::Outcome;
use crate::generalize::AGENTS;
use crate::in_windows::client;

pub(super) fn run(options: &PrepareClientForCapture, context: &mut Context<'_>) -> Result {
    if context.here == Environment::Pe {
        let left_out = if context.is_windows() {
            "the ConfigMgr client's SMSCFG.ini"
        } else {
            "the identities of agents"
        };
        return Ok(Outcome::Skipped(format!(
            "the system does not run and is not changed; the capture leaves out {left_out}"
        )));
    }
    let treatment = options.treatment.unwrap_or(ClientTreatment::RemoveIdentity);
    let program = match treatment {
        ClientTreatment::RemoveAgent => "remove",
        ClientTreatment::RemoveIdentity => "prepare",
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

fn remove_identities(context: &Context<'_>) -> std::result::Result<bool, Failure> {
    let root = context.system_root(false)?;
    let mut found = false;
    for path in AGENTS.iter().map(|path| root.join(path)) {
        if context.platform.exists(&path) {
            context.platform.remove(&path)?;
            context.log.info(format!("removed {}", path.display()));
            found = true;
        }
    }
    Ok(found)
}
