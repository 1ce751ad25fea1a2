//! Runs a program of a package, or a list of them.

use media_format::event::Environment;
use task_sequence::steps::InstallPackage;

use super::install::{self, Installed};
use super::{Check, Result};
use crate::context::{Context, Failure};
use crate::engine::Outcome;

const NEXT: &str = "_TSPackageInstallNext";

pub(super) fn check(options: &InstallPackage, context: &Context<'_>) -> Check {
    let Some(package) = &options.package else {
        return Ok(());
    };
    program(context, package.as_str(), options.program.as_deref())?;
    Ok(())
}

pub(super) fn run(options: &InstallPackage, context: &mut Context<'_>) -> Result {
    let mut list: Vec<(String, Option<String>)> = Vec::new();
    list.extend(
        options
            .package
            .iter()
            .map(|package| (package.as_str().to_owned(), options.program.clone())),
    );
    if let Some(prefix) = &options.base_variable {
        list.extend(
            install::list_of(context, prefix, 3)
                .iter()
                .map(|text| match text.split_once(':') {
                    Some((package, program)) => (package.to_owned(), Some(program.to_owned())),
                    None => (text.clone(), None),
                }),
        );
    }
    let goes_on = options.continue_with_next.unwrap_or(false);
    let first = install::next(context, NEXT);
    for (position, (package, name)) in list.iter().enumerate().skip(first) {
        let installed = one(context, package, name.as_deref());
        let restart = installed == Ok(Installed::NeedsRestart);
        match installed.and_then(|installed| installed.judged(&format!("package \"{package}\""))) {
            Err(failure) if !(goes_on && install::goes_on(context, package)) => return Err(failure),
            Err(failure) => context.log.warning(format!(
                "package \"{package}\" is not installed, and the list goes on: {}",
                failure.reason
            )),
            Ok(()) => {}
        }
        install::keep_next(context, NEXT, position + 1)?;
        if restart {
            return Ok(Outcome::RestartThenRetry(Environment::Os));
        }
    }
    context.variables.unset_by_engine(NEXT);
    Ok(Outcome::Done)
}

fn one(
    context: &mut Context<'_>,
    package: &str,
    name: Option<&str>,
) -> std::result::Result<Installed, Failure> {
    let line = program(context, package, name)?;
    let entry = context.package(package)?.clone();
    Ok(install::command(context, &entry, &line)?)
}

/// The command line of a package's program; without a name the only one.
fn program(context: &Context<'_>, package: &str, name: Option<&str>) -> std::result::Result<String, Failure> {
    let programs = &context.package(package)?.programs;
    let names = || programs.keys().cloned().collect::<Vec<_>>().join(", ");
    let found = match name {
        Some(name) => programs
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, line)| line),
        None if programs.len() == 1 => programs.values().next(),
        None => None,
    };
    found.cloned().ok_or_else(|| {
        let wanted = name
            .map(|name| format!("program \"{name}\""))
            .unwrap_or_else(|| "a single program".into());
        Failure::new(format!(
            "package \"{package}\" has not {wanted}; it has: {}",
            names()
        ))
    })
}
