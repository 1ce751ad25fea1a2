//! Packages of the installed system, by the format of what lies on the media.

use std::path::{Path, PathBuf};

use anyhow::bail;

use super::Linux;
use crate::platform::{Command, Files as _, Output, Packages, Processes as _, Result, Runner, Upgraded};

mod apt;
mod rpm;
#[cfg(test)]
mod rpm_tests;

impl Packages for Linux {
    fn upgrade(&self, repository: &Path, all: bool, run: Runner<'_>) -> Result<Upgraded> {
        if rpm::is_of_rpms(self, repository)? {
            return changed(
                || rpm::versions(self),
                || rpm::upgrade(self, rpm::Tool::of(self)?, repository, all, run),
            );
        }
        changed(
            || apt::versions(self),
            || apt::upgrade(self, repository, all, run),
        )
    }

    fn install(&self, repository: &Path, packages: &[String], run: Runner<'_>) -> Result<()> {
        if rpm::is_of_rpms(self, repository)? {
            return rpm::install(self, rpm::Tool::of(self)?, repository, packages, run);
        }
        apt::install(self, repository, packages, run)
    }

    fn install_files(&self, files: &[PathBuf], run: Runner<'_>) -> Result<()> {
        if files.iter().all(|file| rpm::is_file(file)) {
            return rpm::install_files(files, run);
        }
        apt::install_files(files, run)
    }

    fn restart_required(&self) -> bool {
        self.exists(Path::new("/run/reboot-required")) || rpm::is_restart_required(self)
    }
}

/// What an upgrade changes, by a list of every installed package with its version.
fn changed(
    versions: impl Fn() -> Result<Vec<String>>,
    upgrade: impl FnOnce() -> Result<()>,
) -> Result<Upgraded> {
    let before = versions()?;
    upgrade()?;
    let after = versions()?;
    let changed = after.into_iter().filter(|line| !before.contains(line));
    Ok(Upgraded {
        changed: changed.collect(),
        unfit: Vec::new(),
    })
}

/// The lines of a list. It is quick, and too long for a log.
fn listed(linux: &Linux, program: &str, arguments: &[&str]) -> Result<Vec<String>> {
    let output = tool(&|command| linux.run(&command), program, arguments, &[0])?;
    Ok(output.stdout.lines().map(str::to_owned).collect())
}

/// Runs a program that ends with one of the codes when all went well.
fn tool(run: Runner<'_>, program: &str, arguments: &[&str], success: &[i64]) -> Result<Output> {
    let command = Command {
        program: program.into(),
        arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        environment: [
            ("DEBIAN_FRONTEND", "noninteractive"),
            // Seconds that zypper waits for another one.
            ("ZYPP_LOCK_TIMEOUT", "120"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        ..Command::default()
    };
    let output = run(command)?;
    if !success.contains(&output.code) {
        let all = format!("{}\n{}", output.stdout, output.stderr);
        let lines: Vec<&str> = all.lines().filter(|line| !line.trim().is_empty()).collect();
        let end = lines[lines.len().saturating_sub(8)..].join(" / ");
        bail!(
            "{program} {} ended with {}: {end}",
            arguments.last().unwrap_or(&""),
            output.code
        );
    }
    Ok(output)
}
