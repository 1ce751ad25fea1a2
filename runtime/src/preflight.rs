//! Everything that can be found wrong before the first step that destroys anything.

use anyhow::{Context as _, anyhow};
use media_format::event::Environment;
use media_format::manifest::Install;
use task_sequence::steps::{CaptureDestination, CaptureOperatingSystemImage};
use task_sequence::{Action, Step, TimeSpan, Variables};

use crate::context::{Context, Failure, resolved};
use crate::platform::{Result, deadline};
use crate::run::Run;
use crate::{destination, possible, steps};

/// Verifies every package of the sequence and runs the check of every step that can run.
///
/// # Errors
/// The first thing that is wrong, with the step that needs it.
pub fn check(run: &mut Run<'_>) -> Result<()> {
    let sequence = run.sequence;
    for enabled in sequence.enabled_steps() {
        if !possible::is_possible(&enabled, run.platform, &run.variables, run.here) {
            continue;
        }
        let step = enabled.step;
        ask(run, step).with_context(|| format!("step \"{}\"", step.name()))?;
        // Variables that earlier steps set are not known yet: what cannot be resolved is checked when it runs.
        let Ok(resolved) = resolved(step, &with_later_answers(run)) else {
            continue;
        };
        verify_all(run, &resolved)?;
        let (platform, limit) = (run.platform, step.timeout.map(TimeSpan::duration));
        let context = run.context();
        let check = || {
            steps::check_tool(&resolved.action, &context)?;
            match is_checked(context.here, &resolved.action) {
                true => steps::check(&resolved.action, &context),
                false => Ok(()),
            }
        };
        let named = |failure: Failure| anyhow!("step \"{}\": {}", step.name(), failure.reason);
        deadline::within(platform, limit, check).map_err(named)?;
        if is_checked(context.here, &resolved.action) {
            let found = destination::meant(&context, &resolved.action)?;
            found.map(|found| context.journal.saved.know(found));
        }
    }
    // Nobody knows yet whether these run; but damaged content is told before anything is erased.
    for step in possible::later(sequence, run.platform, &run.variables, run.here) {
        if let Ok(resolved) = resolved(step, &run.variables) {
            verify_all(run, &resolved)?;
        }
    }
    Ok(())
}

/// Compares the digests of what a step needs.
fn verify_all(run: &mut Run<'_>, step: &Step) -> Result<()> {
    let context = run.context();
    for package in step.action.packages() {
        verify(&context, package.as_str(), &mut Vec::new())
            .with_context(|| format!("step \"{}\"", step.name()))?;
    }
    Ok(())
}

/// Whether a step can be checked here. The boot image sees everything. Inside Windows the disks look different; but a share that
/// refuses its account is found before Windows is generalized.
fn is_checked(here: Environment, action: &Action) -> bool {
    let disk = |options: &CaptureOperatingSystemImage| {
        matches!(options.destination, Some(CaptureDestination::Disk { .. }))
    };
    match (here, action) {
        (Environment::Pe, _) => true,
        (Environment::Os, Action::CaptureOperatingSystemImage(options)) => !disk(options),
        (Environment::Os, action) => action.kind().place.starts_in_os(),
    }
}

/// Whether the secrets of a step are needed for its check, or soon after it.
fn is_asked(here: Environment, action: &Action) -> bool {
    match here {
        Environment::Pe => action.kind().place.starts_in_pe(),
        Environment::Os => is_checked(here, action),
    }
}

/// Asks for the secrets of a step that is checked here. Those of the others are asked for where they run, and those that a restart
/// comes before are asked for again, which nobody is there to do on unattended media.
fn ask(run: &mut Run<'_>, step: &Step) -> Result<()> {
    if is_asked(run.here, &step.action) {
        run.questions.ask_for(&step.action, &mut run.variables)?;
        run.hide_secrets();
        return Ok(());
    }
    for name in run.questions.needed(&step.action, &run.variables) {
        if run.media.manifest.options.unattended {
            run.questions.ask(&name, &mut run.variables)?;
        }
        let there = match run.here {
            Environment::Pe => "the installed system",
            Environment::Os => "the boot image",
        };
        run.log.info(format!(
            "step \"{}\" needs {name}: it will be asked for on the console of {there}",
            step.name()
        ));
    }
    Ok(())
}

/// The variables as if everything had been answered: a check does not look at secrets of a later place.
fn with_later_answers(run: &Run<'_>) -> Variables {
    let mut variables = run.variables.clone();
    for name in run.questions.open() {
        let set = variables.set_secret(&name, "");
        debug_assert!(set.is_ok(), "{name} is not a name of a variable");
    }
    variables
}

/// Compares the digests of a package, of what it depends on and of the repository that it is installed from.
fn verify(context: &Context<'_>, id: &str, seen: &mut Vec<String>) -> Result<()> {
    if seen.iter().any(|known| known == id) {
        return Ok(());
    }
    seen.push(id.to_owned());
    let package = context.package(id)?.clone();
    if !package.path.is_empty() {
        context.content(id)?;
    }
    let repository = package.install.as_ref().and_then(Install::repository);
    package
        .depends
        .iter()
        .map(String::as_str)
        .chain(repository)
        .try_for_each(|needed| verify(context, needed, seen))
}
