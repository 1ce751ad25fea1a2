//! Paths on mounted volumes. A volume may come from anybody: its links lead to places on the volume, never to the boot
//! image's own files or to another disk.

use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags, mkdirat, open, openat2};
use rustix::io::Errno;

use super::{Linux, ntfs_security};

/// A place that was looked up, under a name that leads there whatever happens to the links on the way.
pub(super) struct Held {
    held: Option<OwnedFd>,
    path: PathBuf,
}

impl Held {
    fn plain(path: &Path) -> Self {
        Self {
            held: None,
            path: path.to_owned(),
        }
    }

    fn by(held: OwnedFd, name: Option<&std::ffi::OsStr>) -> Self {
        let mut path = PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()));
        path.extend(name);
        Self {
            held: Some(held),
            path,
        }
    }

    /// For the standard library's functions.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it lies on a mounted volume.
    pub(super) fn is_on_volume(&self) -> bool {
        self.held.is_some()
    }
}

impl Linux {
    /// What the path leads to; a link at its end is followed.
    pub(super) fn target_of(&self, path: &Path) -> io::Result<Held> {
        let Some((root, inside)) = self.volume_of(path) else {
            return Ok(Held::plain(path));
        };
        let found = look_up(&root, &inside, OFlags::PATH, ResolveFlags::IN_ROOT)?;
        Ok(Held::by(found, None))
    }

    /// The entry of that name, whatever it is; a link is not followed. With `make`, the folders that lead to it are made.
    pub(super) fn entry_of(&self, path: &Path, make: bool) -> io::Result<Held> {
        let parent = path.parent().unwrap_or(Path::new("/"));
        let Some((root, inside)) = self.volume_of(path) else {
            if make {
                std::fs::create_dir_all(parent)?;
            }
            return Ok(Held::plain(path));
        };
        let Some(folder) = inside.parent() else {
            return Ok(Held::plain(path));
        };
        let name = inside.file_name().ok_or(ErrorKind::InvalidInput)?;
        let folder = if make {
            make_folders(&root, folder, ResolveFlags::IN_ROOT)?
        } else {
            let flags = OFlags::PATH | OFlags::DIRECTORY;
            look_up(&root, folder, flags, ResolveFlags::IN_ROOT)?
        };
        Ok(Held::by(folder, Some(name)))
    }

    /// A folder where something can be shown, made when it is missing: on a volume no link may lead there.
    pub(super) fn mount_point_at(&self, path: &Path) -> io::Result<PathBuf> {
        match self.volume_of(path) {
            Some((root, inside)) => mount_point(&root, &inside),
            None => std::fs::create_dir_all(path).map(|()| path.to_owned()),
        }
    }

    /// The mounted volume, view or share that a path names, and the rest of the path.
    fn volume_of(&self, path: &Path) -> Option<(PathBuf, PathBuf)> {
        let mounted = self.mounted.borrow();
        let (views, shares) = (self.overlays.borrow(), self.shares.borrow());
        let roots = mounted.values().map(|(folder, _)| folder);
        let roots = roots
            .chain(views.keys())
            .chain(shares.iter().map(|(_, folder)| folder));
        let around = roots.filter_map(|root| Some((root, path.strip_prefix(root).ok()?)));
        let nearest = around.max_by_key(|(root, _)| root.components().count())?;
        Some((nearest.0.clone(), nearest.1.to_owned()))
    }
}

/// Makes a folder of an applied system where something of the boot image is to be shown: no link may lead there.
pub(super) fn mount_point(root: &Path, inside: &Path) -> io::Result<PathBuf> {
    make_folders(root, inside, ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)?;
    Ok(root.join(inside))
}

fn look_up(root: &Path, inside: &Path, flags: OFlags, resolve: ResolveFlags) -> io::Result<OwnedFd> {
    let root = open(
        root,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let inside = if inside.as_os_str().is_empty() {
        Path::new(".")
    } else {
        inside
    };
    let resolve = resolve | ResolveFlags::NO_MAGICLINKS;
    Ok(openat2(
        &root,
        inside,
        flags | OFlags::CLOEXEC,
        Mode::empty(),
        resolve,
    )?)
}

fn make_folders(root: &Path, inside: &Path, resolve: ResolveFlags) -> io::Result<OwnedFd> {
    let folder = |inside: &Path| look_up(root, inside, OFlags::PATH | OFlags::DIRECTORY, resolve);
    let mut reached = PathBuf::new();
    let mut current = folder(&reached)?;
    for name in inside.components() {
        reached.push(name);
        current = match folder(&reached) {
            Err(error) if error.kind() == ErrorKind::NotFound && matches!(name, Component::Normal(_)) => {
                match mkdirat(&current, name.as_os_str(), Mode::from_raw_mode(0o755)) {
                    Ok(()) => {
                        let made = folder(&reached)?;
                        let path = format!("/proc/self/fd/{}", made.as_raw_fd());
                        ntfs_security::protect_folder(Path::new(&path))?;
                        made
                    }
                    // A link to what is not there: looking it up says so.
                    Err(Errno::EXIST) => folder(&reached)?,
                    Err(error) => return Err(error.into()),
                }
            }
            found => found?,
        };
    }
    Ok(current)
}
