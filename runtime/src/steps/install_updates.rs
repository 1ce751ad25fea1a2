//! Installs the updates of the media.

use media_format::event::Environment;
use task_sequence::steps::{InstallUpdates, UpdateTarget};
use task_sequence::{Action, PackageId};

use super::{Check, Result, package_tools};
use crate::context::{Context, Failure};
use crate::engine::Outcome;
use crate::platform::Upgraded;

pub(super) fn check(options: &InstallUpdates, context: &Context<'_>) -> Check {
    let is_this = |action: &Action| matches!(action, Action::InstallUpdates(_));
    wanted(options)?
        .iter()
        .try_for_each(|id| package_tools::check_updates(context, id.as_str(), is_this))
}

/// The packages with the updates that are to be installed.
fn wanted(options: &InstallUpdates) -> std::result::Result<&[PackageId], Failure> {
    if options.target.get() == Some(&UpdateTarget::None) {
        return Ok(&[]);
    }
    if options.packages.is_empty() {
        return Err(Failure::new(
            "updates are to be installed and the step names no package with them: give `packages`, or `target = \"none\"`",
        ));
    }
    Ok(&options.packages)
}

pub(super) fn run(options: &InstallUpdates, context: &mut Context<'_>) -> Result {
    let packages = wanted(options)?;
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
    let mut done = Upgraded::default();
    for package in packages {
        let folder = context.content(package.as_str())?;
        context.progress(&format!("installing updates of {package}"), 0, 0);
        let run = |command| context.run(command);
        let upgraded = context.platform.upgrade(&folder, all, &run)?;
        done.changed.extend(upgraded.changed);
        done.unfit.extend(upgraded.unfit);
    }
    tell(&done, context);
    if !done.changed.is_empty() && context.platform.restart_required() {
        return Ok(Outcome::RestartThenRetry(Environment::Os));
    }
    Ok(Outcome::Done)
}

/// What was not installed is named too: nobody misses it otherwise.
fn tell(done: &Upgraded, context: &Context<'_>) {
    for name in &done.unfit {
        context.log.warning(format!(
            "update {name} is not installed: it does not fit this system, or a newer one has taken its place"
        ));
    }
    let names = |names: &[String]| match names {
        [] => "nothing".to_owned(),
        names => names.join(" "),
    };
    let mut line = format!("updated: {}", names(&done.changed));
    if !done.unfit.is_empty() {
        line += &format!("; not installed: {}", names(&done.unfit));
    }
    context.log.info(line);
}
