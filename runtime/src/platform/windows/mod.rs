//! The machine for real, on Windows: inside the installed system.

use std::cell::{Cell, RefCell};
use std::os::windows::io::OwnedHandle;
use std::path::PathBuf;

use anyhow::{Context as _, bail};

use super::Result;

mod bindings;
mod boot;
pub mod console;
mod disks;
mod files;
mod identity;
mod network;
mod packages;
mod processes;
mod registry;
mod volumes;

/// Windows.
#[derive(Debug, Default)]
pub struct Windows {
    /// Connected shares: their names and where they are.
    shares: RefCell<Vec<(String, PathBuf)>>,
    /// An installation has asked for a restart by its exit code.
    restart: Cell<bool>,
}

impl Windows {
    /// The machine.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the program may do what only an administrator may.
    ///
    /// # Errors
    /// When Windows does not say.
    pub fn is_administrator(&self) -> Result<bool> {
        bindings::is_administrator().context("asking Windows whether this is an administrator")
    }

    /// Claims the run for this process until the end of it: the service and a person must not do the same steps at once.
    ///
    /// # Errors
    /// When another process has it.
    pub fn claim(&self) -> Result<OwnedHandle> {
        match bindings::only_one(r"Global\media-runtime").context("looking for another media-runtime")? {
            Some(held) => Ok(held),
            None => bail!("media-runtime is at work in this Windows already: its log says how far it is"),
        }
    }
}
