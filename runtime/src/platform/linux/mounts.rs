//! Mounts: each volume once, below one folder of ours.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};

use super::{Linux, probe};
use crate::platform::Result;

const MOUNTS: &str = "/run/media-runtime/mounts";
const VIEWS: &str = "/run/media-runtime/views";

impl Linux {
    pub(super) fn mount_volume(&self, device: &Path, writable: bool) -> Result<PathBuf> {
        let known = self.mounted.borrow().get(device).cloned();
        if let Some((folder, was_writable)) = known {
            if writable && !was_writable {
                mount_remount(&folder, MountFlags::empty(), "")
                    .with_context(|| format!("making {} writable", device.display()))?;
                self.mounted
                    .borrow_mut()
                    .insert(device.to_owned(), (folder.clone(), true));
            }
            return Ok(folder);
        }
        let name = device
            .file_name()
            .with_context(|| format!("{} is no device", device.display()))?;
        let folder = Path::new(MOUNTS).join(name);
        fs::create_dir_all(&folder)?;
        mount_by_kind(device, &folder, writable)?;
        self.mounted
            .borrow_mut()
            .insert(device.to_owned(), (folder.clone(), writable));
        Ok(folder)
    }

    pub(super) fn unmount_volume(&self, device: &Path) -> Result<()> {
        let Some((folder, _)) = self.mounted.borrow_mut().remove(device) else {
            return Ok(());
        };
        unmount(&folder, UnmountFlags::empty()).with_context(|| format!("unmounting {}", device.display()))
    }

    pub(super) fn mount_overlay(&self, folder: &Path) -> Result<PathBuf> {
        let name = folder
            .file_name()
            .with_context(|| format!("{} has no name", folder.display()))?;
        let base = Path::new(VIEWS).join(name);
        let (view, work) = (base.join("view"), base.join("memory"));
        for folder in [&view, &work] {
            fs::create_dir_all(folder)?;
        }
        mount("tmpfs", &work, "tmpfs", MountFlags::empty(), None)
            .context("making room in memory for a view")?;
        let (upper, scratch) = (work.join("upper"), work.join("work"));
        for folder in [&upper, &scratch] {
            fs::create_dir_all(folder)?;
        }
        let options = format!(
            "lowerdir={},upperdir={},workdir={},index=off,xino=auto",
            folder.display(),
            upper.display(),
            scratch.display()
        );
        let data = std::ffi::CString::new(options)?;
        mount("overlay", &view, "overlay", MountFlags::empty(), data.as_c_str())
            .with_context(|| format!("making a view of {}", folder.display()))?;
        self.overlays.borrow_mut().insert(view.clone(), work);
        Ok(view)
    }

    pub(super) fn unmount_overlay(&self, view: &Path) -> Result<()> {
        let Some(work) = self.overlays.borrow_mut().remove(view) else {
            return Ok(());
        };
        unmount(view, UnmountFlags::empty()).with_context(|| format!("unmounting {}", view.display()))?;
        unmount(&work, UnmountFlags::empty()).with_context(|| format!("unmounting {}", work.display()))
    }
}

fn mount_by_kind(device: &Path, folder: &Path, writable: bool) -> Result<()> {
    let found = probe::probe(device);
    let (kind, options) = match found.kind.as_str() {
        // Every change reaches the medium at once: these volumes carry the journal and are pulled out early.
        "vfat" => ("vfat", c"utf8,iocharset=ascii,flush"),
        "exfat" => ("exfat", c"iocharset=utf8"),
        "iso9660" => ("iso9660", c"utf8"),
        "ntfs" => ("ntfs3", c""),
        "ext4" => ("ext4", c""),
        "xfs" => ("xfs", c"nouuid"),
        "btrfs" => ("btrfs", c""),
        "" => bail!("{} has no file system that is known", device.display()),
        other => bail!(
            "{} has a {other} volume, which cannot be used here",
            device.display()
        ),
    };
    if !writable && probe::needs_recovery(device) {
        bail!(
            "{} was not shut down cleanly, and even a read-only mount would change it; start that system once and shut \
             it down",
            device.display()
        );
    }
    let flags = if writable {
        MountFlags::empty()
    } else {
        MountFlags::RDONLY
    };
    mount(device, folder, kind, flags, options).with_context(|| {
        format!(
            "mounting {} ({kind}{})",
            device.display(),
            if writable { "" } else { ", read-only" }
        )
    })
}
