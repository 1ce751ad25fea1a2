//! Folders of the boot image shown inside an applied system, while a program of that system runs.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_bind_recursive, mount_change, unmount};

use super::beneath::mount_point;
use crate::platform::Result;

/// What programs such as GRUB's and OpenSSH's expect to see.
const SYSTEM: [&str; 4] = ["dev", "proc", "sys", "run"];

/// The boot image's devices inside a root, while a program of that root runs.
pub(super) struct Bound {
    points: Vec<PathBuf>,
}

impl Bound {
    /// The kernel's file systems, for a program of that root.
    pub(super) fn system(root: &Path) -> Result<Self> {
        let mut bound = Self { points: Vec::new() };
        for name in SYSTEM {
            bound.bind(&Path::new("/").join(name), root, name)?;
        }
        Ok(bound)
    }

    /// One folder at that place inside a root.
    pub(super) fn folder(from: &Path, root: &Path, inside: &str) -> Result<Self> {
        let mut bound = Self { points: Vec::new() };
        bound.bind(from, root, inside)?;
        Ok(bound)
    }

    fn bind(&mut self, from: &Path, root: &Path, inside: &str) -> Result<()> {
        let to = mount_point(root, Path::new(inside))
            .with_context(|| format!("making {inside} in {}; it may not be a link", root.display()))?;
        mount_bind_recursive(from, &to)
            .with_context(|| format!("showing {} inside the system", from.display()))?;
        // Unmounting inside must never reach the boot image's own mounts.
        mount_change(&to, MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
        self.points.push(to);
        Ok(())
    }

    /// Takes everything out again.
    pub(super) fn release(mut self) -> Result<()> {
        self.unmount()
            .context("taking the boot image's devices out of the system again")
    }

    fn unmount(&mut self) -> rustix::io::Result<()> {
        while let Some(point) = self.points.pop() {
            unmount(&point, UnmountFlags::DETACH)?;
        }
        Ok(())
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        let _ = self.unmount();
    }
}
