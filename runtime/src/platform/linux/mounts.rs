//! Mounts: each volume once, below one folder of ours.

use std::fs::{self, OpenOptions};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use std::ffi::CStr;

use anyhow::{Context as _, bail};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change, unmount,
};

use super::{Linux, ntfs, probe};
use crate::platform::Result;

const MOUNTS: &str = "/run/media-runtime/mounts";
const VIEWS: &str = "/run/media-runtime/views";

impl Linux {
    pub(super) fn mount_volume(&self, device: &Path, writable: bool) -> Result<PathBuf> {
        let known = self.mounted.borrow().get(device).cloned();
        match known {
            Some((folder, was_writable)) if was_writable || !writable => return Ok(folder),
            // A mount that leaves the journal alone cannot be made writable: it is mounted anew.
            Some(_) => self
                .unmount_volume(device)
                .with_context(|| format!("making {} writable", device.display()))?,
            None => {}
        }
        let folder = mount_folder(device)?;
        mount_by_kind(device, &folder, writable)?;
        self.mounted
            .borrow_mut()
            .insert(device.to_owned(), (folder.clone(), writable));
        Ok(folder)
    }

    pub(super) fn unmount_volume(&self, device: &Path) -> Result<()> {
        let Some((folder, _)) = self.mounted.borrow().get(device).cloned() else {
            return Ok(());
        };
        self.hide_all_of(&folder)?;
        unmount_soon(&folder).with_context(|| format!("unmounting {}", device.display()))?;
        self.mounted.borrow_mut().remove(device);
        Ok(())
    }

    /// The kernel's ntfs3 refuses to write to a volume with the mark of an unfinished change. One that the run itself made and
    /// was cut off from is mounted all the same: the mark stays, and Windows checks the volume at its start. Before that, what NTFS-3G
    /// would not read it with is mended.
    pub(super) fn recover_volume(&self, device: &Path) -> Result<()> {
        let writable = self
            .mounted
            .borrow()
            .get(device)
            .is_some_and(|(_, writable)| *writable);
        if writable || probe::probe(device).kind != "ntfs" {
            return Ok(());
        }
        self.unmount_volume(device)?;
        let file = OpenOptions::new().read(true).write(true).open(device)?;
        ntfs::mend_copy(&file).with_context(|| format!("mending {} after a power cut", device.display()))?;
        if !ntfs::is_dirty(&file)? {
            return Ok(());
        }
        drop(file);
        let folder = mount_folder(device)?;
        mount(device, &folder, "ntfs3", MountFlags::empty(), c"force")
            .with_context(|| format!("mounting {} (ntfs3) after a power cut", device.display()))?;
        self.mounted
            .borrow_mut()
            .insert(device.to_owned(), (folder, true));
        Ok(())
    }

    /// Windows that was shut down with fast startup sleeps on its disk, and so does one in hibernation.
    pub(super) fn hibernated(&self, device: &Path) -> Result<Option<String>> {
        let known = self.mounted.borrow().contains_key(device);
        let folder = self.mount_volume(device, false)?;
        let image = fs::read_dir(&folder)?.flatten().find(|entry| {
            let name = entry.file_name().to_string_lossy().to_ascii_lowercase();
            name == "hiberfil.sys" && entry.file_type().is_ok_and(|kind| kind.is_file())
        });
        let sleeps = image.map(|entry| sleeps(&entry.path())).transpose()?;
        if !known {
            self.unmount_volume(device)?;
        }
        let why = "holds a Windows that sleeps (hibernation, or a shutdown with fast startup): part of it is in memory";
        Ok(sleeps.unwrap_or(false).then(|| why.to_owned()))
    }

    pub(super) fn show_inside(&self, folder: &Path, at: &Path) -> Result<()> {
        if self.inside.borrow().iter().any(|(_, known)| known == at) {
            return Ok(());
        }
        let place = self.mount_point_at(at);
        let place = place.with_context(|| format!("making the mount point {}", at.display()))?;
        mount_bind(folder, &place)
            .with_context(|| format!("showing {} at {}", folder.display(), at.display()))?;
        self.inside.borrow_mut().push((folder.to_owned(), at.to_owned()));
        // What is shown inside this one later must not appear in the folder that it comes from.
        mount_change(at, MountPropagationFlags::PRIVATE)
            .with_context(|| format!("separating {}", at.display()))
    }

    pub(super) fn hide_inside(&self, at: &Path) -> Result<()> {
        if !self.inside.borrow().iter().any(|(_, known)| known == at) {
            return Ok(());
        }
        unmount_soon(at).with_context(|| format!("taking out what is shown at {}", at.display()))?;
        self.inside.borrow_mut().retain(|(_, known)| known != at);
        Ok(())
    }

    /// Takes out what is shown inside a folder, and the folder from where it is shown; the newest first, since it can
    /// lie inside an older one.
    fn hide_all_of(&self, folder: &Path) -> Result<()> {
        let all = self.inside.borrow().clone();
        let concerned = |(from, at): &&(PathBuf, PathBuf)| from == folder || at.starts_with(folder);
        all.iter()
            .rev()
            .filter(concerned)
            .try_for_each(|(_, at)| self.hide_inside(at))
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
        self.hide_all_of(view)?;
        unmount_soon(view).with_context(|| format!("unmounting {}", view.display()))?;
        unmount_soon(&work).with_context(|| format!("unmounting {}", work.display()))
    }
}

/// Somebody may look at a new mount for a moment: udev, a file manager, a program that is just being started.
fn unmount_soon(folder: &Path) -> rustix::io::Result<()> {
    for _ in 0..50 {
        match unmount(folder, UnmountFlags::empty()) {
            Err(Errno::BUSY) => std::thread::sleep(Duration::from_millis(100)),
            other => return other,
        }
    }
    unmount(folder, UnmountFlags::empty())
}

fn mount_folder(device: &Path) -> Result<PathBuf> {
    let name = device
        .file_name()
        .with_context(|| format!("{} is no device", device.display()))?;
    let folder = Path::new(MOUNTS).join(name);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The signature of an image that was not resumed yet.
fn sleeps(path: &Path) -> Result<bool> {
    let mut signature = Vec::new();
    fs::File::open(path)?.take(4).read_to_end(&mut signature)?;
    Ok(signature.eq_ignore_ascii_case(b"hibr"))
}

fn mount_by_kind(device: &Path, folder: &Path, writable: bool) -> Result<()> {
    let found = probe::probe(device);
    let (kind, options, untouched) =
        options(&found.kind).with_context(|| format!("{} cannot be mounted", device.display()))?;
    let (flags, options) = match (writable, untouched) {
        (true, _) => (MountFlags::empty(), options),
        (false, None) => (MountFlags::RDONLY, options),
        (false, Some(untouched)) => (UNTRUSTED, untouched),
    };
    mount(device, folder, kind, flags, options).with_context(|| {
        format!(
            "mounting {} ({kind}{})",
            device.display(),
            if writable { "" } else { ", read-only" }
        )
    })
}

/// A volume that is only looked at: nothing of it is run.
const UNTRUSTED: MountFlags = MountFlags::RDONLY
    .union(MountFlags::NOSUID)
    .union(MountFlags::NODEV)
    .union(MountFlags::NOEXEC);

/// The kernel's file system, its options, and those with which a read-only mount leaves the journal as it is: by
/// itself, it is replayed, and the disk changes.
fn options(kind: &str) -> Result<(&'static str, &'static CStr, Option<&'static CStr>)> {
    Ok(match kind {
        // Every change reaches the medium at once: these volumes carry the journal and are pulled out early. A cut leaves
        // a log whose clusters are more than its size says; adding to it would make the volume read-only under the journal.
        "vfat" => ("vfat", c"utf8,iocharset=ascii,flush,errors=continue", None),
        "exfat" => ("exfat", c"iocharset=utf8", None),
        "iso9660" => ("iso9660", c"utf8", None),
        "ntfs" => ("ntfs3", c"", None),
        "ext4" => ("ext4", c"", Some(c"noload")),
        "xfs" => ("xfs", c"nouuid", Some(c"nouuid,norecovery")),
        "btrfs" => ("btrfs", c"", Some(c"rescue=nologreplay")),
        "" => bail!("it has no file system that is known"),
        other => bail!("a {other} volume cannot be used here"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_never_replayed_by_a_read_only_mount() {
        for kind in ["ext4", "xfs", "btrfs"] {
            let (_, _, untouched) = options(kind).unwrap();
            assert!(untouched.is_some(), "{kind}");
        }
        assert!(options("crypto_LUKS").is_err() && options("").is_err());
    }
}
