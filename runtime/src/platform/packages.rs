//! Packages of the system that runs.

use std::path::{Path, PathBuf};

use super::{Command, Output, Result};

/// How a step runs programs: the log shows what they say.
pub type Runner<'a> = &'a dyn Fn(Command) -> Result<Output>;

/// What came of an upgrade, by names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upgraded {
    /// What changed.
    pub changed: Vec<String>,
    /// What was not installed, because it does not fit this system.
    pub unfit: Vec<String>,
}

/// Packages of the installed system that runs. What takes long goes through the step's runner.
pub trait Packages {
    /// Upgrades from that repository folder; `all` also where that installs or removes others.
    fn upgrade(&self, repository: &Path, all: bool, run: Runner<'_>) -> Result<Upgraded>;
    /// Installs packages by name from that repository folder.
    fn install(&self, repository: &Path, packages: &[String], run: Runner<'_>) -> Result<()>;
    /// Installs package files.
    fn install_files(&self, files: &[PathBuf], run: Runner<'_>) -> Result<()>;
    /// Whether the system asks for a restart.
    fn restart_required(&self) -> bool;
}
