//! How one package is installed; the install steps share it.

use std::path::Path;

use anyhow::{Context as _, bail};
use media_format::manifest::{Install, Package};

use super::commands::{self, shell};
use crate::context::{Context, Failure, code_text};
use crate::in_windows::installers::{self, Beside};
use crate::platform::Result;
use crate::variables;

/// How an installation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Installed {
    /// Installed.
    Done,
    /// Installed once the machine has been restarted.
    NeedsRestart,
    /// Its command ended with a code that is neither success nor restart.
    Failed {
        /// The code.
        code: i64,
    },
}

impl Installed {
    /// An exit code that is neither success nor restart, as the failure of what has that name.
    pub(super) fn judged(self, name: &str) -> std::result::Result<(), Failure> {
        match self {
            Self::Done | Self::NeedsRestart => Ok(()),
            Self::Failed { code } => Err(Failure {
                code,
                reason: format!("{name} ended with {}", code_text(code)),
            }),
        }
    }
}

/// Installs a package by its own command or from its repository; `properties` follow the command.
pub(super) fn package(context: &mut Context<'_>, id: &str, properties: &str) -> Result<Installed> {
    let package = context.package(id)?.clone();
    context.progress(&format!("installing {}", package.name), 0, 0);
    context.log.info(format!("installs \"{}\" ({id})", package.name));
    let install = package
        .install
        .as_ref()
        .with_context(|| format!("package \"{id}\" says not how it is installed"))?;
    match install {
        Install::Apt { repository, packages } | Install::Dnf { repository, packages } => {
            let folder = context.content(repository)?;
            let run = |command| context.run(command);
            context.platform.install(&folder, packages, &run)?;
            Ok(by_packages(context))
        }
        Install::Deb(files) | Install::Rpm(files) => {
            let folder = context.content(id)?;
            let files: Vec<_> = files.iter().map(|file| folder.join(file)).collect();
            let run = |command| context.run(command);
            context.platform.install_files(&files, &run)?;
            Ok(by_packages(context))
        }
        Install::Windows(files) => windows(context, &package, files, properties),
        Install::Command(line) => {
            let line = format!("{line} {properties}");
            command(context, &package, line.trim())
        }
    }
}

/// Whether a list may go on behind a package that has failed: not where the media no longer give what was built, and not when the time
/// of the step is over, because then each of the others fails too, and nobody has looked at why.
pub(super) fn goes_on(context: &Context<'_>, id: &str) -> bool {
    let is_damaged = context
        .package(id)
        .is_ok_and(|package| !package.path.is_empty() && context.content(id).is_err());
    !is_damaged && context.time_left().is_ok()
}

/// A package has no exit code for a restart: the system asks for it.
fn by_packages(context: &Context<'_>) -> Installed {
    if context.platform.restart_required() {
        Installed::NeedsRestart
    } else {
        Installed::Done
    }
}

/// Runs the installers of a package in their order; a restart that one of them asks for comes after the last.
fn windows(
    context: &mut Context<'_>,
    package: &Package,
    files: &[String],
    properties: &str,
) -> Result<Installed> {
    let folder = context.content(&package.id)?;
    let beside = beside(context, package, &folder, files);
    let mut ended = Installed::Done;
    for file in files {
        let mut command = installers::command(&folder.join(file), properties, &beside)?;
        command.folder = Some(folder.clone());
        let output = commands::run(context, command).map_err(error)?;
        match judge(context, package, output.code) {
            Installed::Done => {}
            Installed::NeedsRestart => ended = Installed::NeedsRestart,
            failed => return Ok(failed),
        }
    }
    Ok(ended)
}

/// What else the package has, for its apps.
fn beside(context: &Context<'_>, package: &Package, folder: &Path, installers: &[String]) -> Beside {
    let files = context.media.manifest.files_of(package);
    let names: Vec<&str> = files
        .filter_map(|file| file.path.strip_prefix(&package.path)?.strip_prefix('/'))
        .collect();
    Beside::of(folder, &names, installers)
}

/// Runs a command line of a package in its folder and judges its exit code.
pub(super) fn command(context: &mut Context<'_>, package: &Package, line: &str) -> Result<Installed> {
    let mut command = shell(context.platform.system(), &context.variables.expand_known(line)?);
    if !package.path.is_empty() {
        let content = context.content(&package.id)?;
        let folder = if context.platform.is_folder(&content) {
            Some(content)
        } else {
            content.parent().map(Into::into)
        };
        command.folder = folder;
    }
    let output = commands::run(context, command).map_err(error)?;
    Ok(judge(context, package, output.code))
}

fn error(failure: Failure) -> anyhow::Error {
    anyhow::anyhow!(failure.reason)
}

fn judge(context: &Context<'_>, package: &Package, code: i64) -> Installed {
    context.exit_code.set(code);
    if package.success_codes.contains(&code) {
        return Installed::Done;
    }
    if package.restart_codes.contains(&code) {
        return Installed::NeedsRestart;
    }
    context
        .log
        .error(format!("\"{}\" ended with {}", package.name, code_text(code)));
    Installed::Failed { code }
}

/// A package with everything that it depends on, in the order in which they are installed.
pub(super) fn with_dependencies(context: &Context<'_>, ids: &[String]) -> Result<Vec<String>> {
    fn visit(
        context: &Context<'_>,
        id: &str,
        order: &mut Vec<String>,
        above: &mut Vec<String>,
    ) -> Result<()> {
        if order.iter().any(|known| known.eq_ignore_ascii_case(id)) {
            return Ok(());
        }
        if above.iter().any(|known| known.eq_ignore_ascii_case(id)) {
            bail!(
                "packages depend on each other in a circle: {} → {id}",
                above.join(" → ")
            );
        }
        above.push(id.to_owned());
        for needed in &context.package(id)?.depends {
            visit(context, needed, order, above)?;
        }
        above.pop();
        order.push(id.to_owned());
        Ok(())
    }
    let mut order = Vec::new();
    ids.iter()
        .try_for_each(|id| visit(context, id, &mut order, &mut Vec::new()))?;
    Ok(order)
}

/// The values of PREFIX01, PREFIX02, … (or with three digits) up to the first that does not exist.
pub(super) fn list_of(context: &Context<'_>, prefix: &str, digits: usize) -> Vec<String> {
    let names = (1..).map(|number| format!("{prefix}{number:0digits$}"));
    let values = names.map_while(|name| context.variables.get(&name).map(str::to_owned));
    values.filter(|value| !value.is_empty()).collect()
}

/// The place in a list at which this step goes on: after a restart or a cut where it was, else at the beginning.
pub(super) fn next(context: &Context<'_>, variable: &str) -> usize {
    let kept = context
        .variables
        .get(variable)
        .and_then(|text| text.split_once(' '));
    let own = kept.filter(|(step, _)| step.parse() == Ok(context.journal.saved.progress.position));
    own.and_then(|(_, next)| next.parse().ok()).unwrap_or(0)
}

/// Notes in the journal which place of the list comes next; with the step, because another one begins its own list.
pub(super) fn keep_next(context: &mut Context<'_>, variable: &str, next: usize) -> Result<()> {
    let progress = &mut context.journal.saved.progress;
    progress.end_item();
    let step = progress.position;
    variables::set(context.variables, variable, format!("{step} {next}"));
    context.keep()
}
