//! Installs applications in order, with what they depend on.

use media_format::event::Environment;
use task_sequence::steps::InstallApplications;

use super::install::{self, Installed};
use super::{Check, Result};
use crate::context::{Context, Failure, code_text};
use crate::engine::Outcome;
use crate::variables;

/// The application that comes next, over restarts.
const NEXT: &str = "_TSAppInstallNext";

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
    }
    Ok(())
}

pub(super) fn run(options: &InstallApplications, context: &mut Context<'_>) -> Result {
    let mut ids: Vec<String> = options
        .applications
        .iter()
        .map(|id| id.as_str().to_owned())
        .collect();
    if let Some(prefix) = &options.base_variable {
        ids.extend(install::list_of(context, prefix, 2));
    }
    let order = install::with_dependencies(context, &ids)?;
    let go_on = options.continue_with_next.unwrap_or(false);
    let mut failed = Vec::new();
    for (position, id) in order.iter().enumerate().skip(first(context)) {
        match one(context, id) {
            Ok(Installed::Done) => {}
            Ok(Installed::NeedsRestart) => {
                variables::set(context.variables, NEXT, (position + 1).to_string());
                return Ok(Outcome::RestartThenRetry(Environment::Os));
            }
            Ok(Installed::Failed { code }) if !go_on => return Err(refuse(context, id, code)),
            Err(failure) if !go_on => return Err(failure),
            Ok(Installed::Failed { code }) => failed.push(format!("{} ({})", id, code_text(code))),
            Err(failure) => failed.push(format!("{} ({})", id, failure.reason)),
        }
    }
    finish(context, &failed);
    Ok(Outcome::Done)
}

/// The state of the list is only of use inside one step: a fresh step begins at the first application.
fn first(context: &Context<'_>) -> usize {
    let kept = context.variables.get(NEXT).and_then(|text| text.parse().ok());
    if context.part == 0 { 0 } else { kept.unwrap_or(0) }
}

fn one(context: &mut Context<'_>, id: &str) -> std::result::Result<Installed, Failure> {
    Ok(install::package(context, id, "")?)
}

fn refuse(context: &mut Context<'_>, id: &str, code: i64) -> Failure {
    variables::set(context.variables, "_TSAppInstallStatus", "Error");
    Failure {
        code,
        reason: format!("application \"{id}\" ended with {}", code_text(code)),
    }
}

fn finish(context: &mut Context<'_>, failed: &[String]) {
    let status = if failed.is_empty() { "Success" } else { "Warning" };
    variables::set(context.variables, "_TSAppInstallStatus", status);
    context.variables.unset_by_engine(NEXT);
    for what in failed {
        context
            .log
            .warning(format!("not installed, and the list goes on: {what}"));
    }
}
