//! Installs the updates of the media.

use media_format::event::Environment;
use media_format::manifest::PackageKind;
use task_sequence::steps::{InstallUpdates, UpdateTarget};

use super::{Check, Result};
use crate::context::{Context, Failure};
use crate::engine::Outcome;

pub(super) fn check(options: &InstallUpdates, context: &Context<'_>) -> Check {
    let wanted = options.target.unwrap_or(UpdateTarget::Required) != UpdateTarget::None;
    if wanted && packages(options, context).is_empty() {
        return Err(Failure::new(
            "updates are to be installed and no package of kind updates is on the media",
        ));
    }
    Ok(())
}

pub(super) fn run(options: &InstallUpdates, context: &mut Context<'_>) -> Result {
    let all = match options.target.unwrap_or(UpdateTarget::Required) {
        UpdateTarget::None => return Ok(Outcome::Skipped("no updates are wanted".into())),
        UpdateTarget::All => true,
        UpdateTarget::Required => false,
    };
    if context.part > 0 {
        context
            .log
            .info("goes on after the restart that the updates asked for");
    }
    let mut changed = Vec::new();
    for package in packages(options, context) {
        let folder = context.content(&package)?;
        context.progress(&format!("installing updates of {package}"), 0, 0);
        let run = |command| context.run(command);
        changed.extend(context.platform.upgrade(&folder, all, &run)?);
    }
    context.log.info(format!(
        "updated: {}",
        if changed.is_empty() {
            "nothing".into()
        } else {
            changed.join(" ")
        }
    ));
    if !changed.is_empty() && context.platform.restart_required() {
        return Ok(Outcome::RestartThenRetry(Environment::Os));
    }
    Ok(Outcome::Done)
}

/// The packages that the step names, else all of kind updates.
fn packages(options: &InstallUpdates, context: &Context<'_>) -> Vec<String> {
    if !options.packages.is_empty() {
        return options.packages.iter().map(|id| id.as_str().to_owned()).collect();
    }
    let updates = context
        .media
        .manifest
        .packages
        .iter()
        .filter(|package| package.kind == PackageKind::Updates);
    updates.map(|package| package.id.clone()).collect()
}
