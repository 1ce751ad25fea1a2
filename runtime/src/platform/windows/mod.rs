//! The machine for real, on Windows: inside the installed system.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;

mod bindings;
mod boot;
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
}
