//! Installs applications in order, with what they depend on.

use media_format::event::Environment;
use task_sequence::Action;
use task_sequence::steps::InstallApplications;

use super::install::{self, Installed};
use super::{Check, Result, package_tools};
use crate::context::{Context, Failure};
use crate::engine::Outcome;
use crate::variables;

/// How the step ended: `Success`, `Warning` where the list went on after a failure, `Error`.
const STATUS: &str = "_TSAppInstallStatus";
/// The application that comes next, over restarts.
const NEXT: &str = "_TSAppInstallNext";
/// The applications so far that could not be installed, over restarts.
const FAILED: &str = "_TSAppInstallFailed";
const SEPARATOR: &str = ", ";

pub(super) fn check(options: &InstallApplications, context: &Context<'_>) -> Check {
    let ids: Vec<String> = options
        .applications
        .iter()
        .map(|id| id.as_str().to_owned())
        .collect();
    for id in install::with_dependencies(context, &ids)? {
        if context.package(&id)?.install.is_none() {
            return Err(Failure::new(format!(
                "package \"{id}\" says not how it is installed"
            )));
        }
        package_tools::check(context, &id, |action| {
            matches!(action, Action::InstallApplications(_))
        })?;
    }
    Ok(())
}

pub(super) fn run(options: &InstallApplications, context: &mut Context<'_>) -> Result {
    let ended = install_all(options, context);
    if ended.is_err() {
        variables::set(context.variables, STATUS, "Error");
    }
    ended
}

fn install_all(options: &InstallApplications, context: &mut Context<'_>) -> Result {
    let mut ids: Vec<String> = options
        .applications
        .iter()
        .map(|id| id.as_str().to_owned())
        .collect();
    if let Some(prefix) = &options.base_variable {
        ids.extend(install::list_of(context, prefix, 2));
    }
    let order = install::with_dependencies(context, &ids)?;
    let first = install::next(context, NEXT);
    if first == 0 {
        context.variables.unset_by_engine(FAILED);
    }
    let goes_on = options.continue_with_next.unwrap_or(false);
    for (position, id) in order.iter().enumerate().skip(first) {
        let installed = one(context, id);
        let restart = installed == Ok(Installed::NeedsRestart);
        match installed.and_then(|installed| installed.judged(&format!("application \"{id}\""))) {
            Err(failure) if !(goes_on && install::goes_on(context, id)) => return Err(failure),
            Err(failure) => pass_over(context, id, &failure),
            Ok(()) => {}
        }
        install::keep_next(context, NEXT, position + 1)?;
        if restart {
            return Ok(Outcome::RestartThenRetry(Environment::Os));
        }
    }
    finish(context);
    Ok(Outcome::Done)
}

fn one(context: &mut Context<'_>, id: &str) -> std::result::Result<Installed, Failure> {
    let failed = context.variables.get(FAILED).unwrap_or_default();
    let is_missing = |needed: &&String| failed.split(SEPARATOR).any(|id| id.eq_ignore_ascii_case(needed));
    if let Some(needed) = context.package(id)?.depends.iter().find(is_missing) {
        return Err(Failure::new(format!(
            "application \"{id}\" needs \"{needed}\", which could not be installed"
        )));
    }
    Ok(install::package(context, id, "")?)
}

/// The list goes on, and the step remembers over restarts that it is not complete.
fn pass_over(context: &mut Context<'_>, id: &str, failure: &Failure) {
    context.log.warning(format!(
        "application \"{id}\" is not installed, and the list goes on: {}",
        failure.reason
    ));
    let before = context
        .variables
        .get(FAILED)
        .map(|list| format!("{list}{SEPARATOR}"));
    let failed = format!("{}{id}", before.unwrap_or_default());
    variables::set(context.variables, FAILED, failed);
}

fn finish(context: &mut Context<'_>) {
    let status = match context.variables.get(FAILED) {
        None => "Success",
        Some(failed) => {
            context.log.warning(format!("not installed: {failed}"));
            "Warning"
        }
    };
    variables::set(context.variables, STATUS, status);
    context.variables.unset_by_engine(NEXT);
    context.variables.unset_by_engine(FAILED);
}
