//! The machine for real, on Windows: inside the installed system, or in Windows PE.

use std::cell::{Cell, RefCell};
use std::os::windows::io::OwnedHandle;
use std::path::PathBuf;
use std::rc::Rc;

use anyhow::{Context as _, bail};

use self::volumes::Volume;
use super::deadline::Deadline;
use super::{Machine as _, Result};
use crate::log::Log;

mod bindings;
mod boot;
pub mod console;
mod disks;
mod files;
mod identity;
mod images;
mod logon;
mod network;
pub mod notice;
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
    /// Until when what is started may take.
    deadline: Cell<Option<Deadline>>,
    /// In Windows PE: where the calls of its programs are written down.
    pe: Option<Rc<Log>>,
}

impl Windows {
    /// The machine.
    pub fn new() -> Self {
        Self::default()
    }

    /// The machine that Windows PE runs on.
    pub fn in_pe(log: Rc<Log>) -> Self {
        Self {
            pe: Some(log),
            ..Self::default()
        }
    }

    /// The roots of all volumes that can be read, without that of Windows PE itself.
    pub fn volumes(&self) -> Vec<PathBuf> {
        self.read_volumes()
            .into_iter()
            .map(|volume| volume.root)
            .collect()
    }

    /// Windows PE runs from a volume in memory, which is none of the machine's.
    fn read_volumes(&self) -> Vec<Volume> {
        let mut volumes = volumes::all();
        if self.pe.is_some() {
            let own = self.root();
            volumes.retain(|volume| volume.root != own);
        }
        volumes
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
