//! The machine for real, on Linux: in the boot image and in the installed system.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::platform::deadline::Deadline;

mod beneath;
mod boot;
mod boot_entries;
mod bound;
mod disks;
mod fat_peek;
mod files;
mod grub2;
pub mod hardware_ids;
mod hives;
#[cfg(test)]
mod hostile_tests;
mod identity;
mod images;
mod mounts;
#[cfg(test)]
mod namespace_tests;
mod network;
mod ntfs;
mod ntfs_security;
mod packages;
mod probe;
mod processes;
mod recovery;
mod registry;
mod table;

/// Linux.
#[derive(Debug, Default)]
pub struct Linux {
    /// Mounted volumes: folder by device, and whether it is writable.
    mounted: RefCell<BTreeMap<PathBuf, (PathBuf, bool)>>,
    /// Volumes and views that are shown inside others: the folder that they come from, and where.
    inside: RefCell<Vec<(PathBuf, PathBuf)>>,
    /// Views: work folder by view.
    overlays: RefCell<BTreeMap<PathBuf, PathBuf>>,
    /// Connected shares: where each one is mounted.
    shares: RefCell<Vec<(String, PathBuf)>>,
    /// Until when what is started may take.
    deadline: Cell<Option<Deadline>>,
}

impl Linux {
    /// The machine.
    pub fn new() -> Self {
        Self::default()
    }
}
