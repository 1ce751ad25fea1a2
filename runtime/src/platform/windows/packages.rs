//! Packages of the running Windows.

use std::path::{Path, PathBuf};

use anyhow::bail;

use super::Windows;
use crate::in_windows::{pending, updates};
use crate::platform::{Packages, Result, Runner, Upgraded};

impl Packages for Windows {
    fn upgrade(&self, repository: &Path, all: bool, run: Runner<'_>) -> Result<Upgraded> {
        let done = updates::install(self, repository, all, run)?;
        self.restart.set(self.restart.get() || done.restart);
        Ok(Upgraded {
            changed: done.installed,
            unfit: done.unfit,
        })
    }

    fn install(&self, _repository: &Path, packages: &[String], _run: Runner<'_>) -> Result<()> {
        bail!(
            "Debian packages ({}) cannot be installed in Windows",
            packages.join(", ")
        )
    }

    fn install_files(&self, files: &[PathBuf], _run: Runner<'_>) -> Result<()> {
        let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
        bail!(
            "Debian packages ({}) cannot be installed in Windows",
            names.join(", ")
        )
    }

    fn restart_required(&self) -> bool {
        self.restart.get() || pending::updates(self)
    }
}
