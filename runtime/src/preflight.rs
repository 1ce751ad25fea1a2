//! Everything that can be found wrong before the first step that destroys anything.

use anyhow::{Context as _, anyhow};
use media_format::manifest::Install;
use task_sequence::{Condition, Facts};

use crate::context::{Context, resolved};
use crate::engine::Program;
use crate::facts::MachineFacts;
use crate::platform::Result;
use crate::run::Run;
use crate::steps;

/// Verifies every package of the sequence and runs the check of every step that can run.
///
/// # Errors
/// The first thing that is wrong, with the step that needs it.
pub fn check(run: &mut Run<'_>) -> Result<()> {
    let sequence = run.sequence;
    let program = Program::new(sequence);
    let steps: Vec<_> = program
        .steps
        .iter()
        .map(|placed| placed.step)
        .filter(|step| !step.common.disabled)
        .collect();
    for step in steps {
        if certainly_not(run, step.common.when.as_ref()) {
            continue;
        }
        // Variables that earlier steps set are not known yet: what cannot be resolved is checked when it runs.
        let Ok(resolved) = resolved(step, &run.variables) else {
            continue;
        };
        let context = run.context(&resolved);
        for package in resolved.action.packages() {
            verify(&context, package.as_str(), &mut Vec::new())
                .with_context(|| format!("step \"{}\"", step.name()))?;
        }
        steps::check(&resolved.action, &context)
            .map_err(|failure| anyhow!("step \"{}\": {}", step.name(), failure.reason))?;
    }
    Ok(())
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
    let repository = match &package.install {
        Some(Install::Apt { repository, .. }) => Some(repository),
        _ => None,
    };
    package
        .depends
        .iter()
        .chain(repository)
        .try_for_each(|needed| verify(context, needed, seen))
}

fn certainly_not(run: &Run<'_>, condition: Option<&Condition>) -> bool {
    let facts = MachineFacts {
        platform: run.platform,
        variables: &run.variables,
        here: run.here,
    };
    let facts: &dyn Facts = &facts;
    condition.is_some_and(|condition| condition.evaluate(facts).is_ok_and(|holds| !holds))
}
