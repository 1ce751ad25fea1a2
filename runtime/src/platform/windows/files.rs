//! Files, flushed when an operation returns.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Seek as _, SeekFrom, Write as _};
use std::os::windows::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{Windows, bindings};
use crate::platform::overwritten::{Going, is_private};
use crate::platform::{Files, Result, digest};

impl Windows {
    /// Makes an empty folder that only the system and administrators can use. What was there goes first: anybody may have
    /// put it there, and our service starts from here.
    ///
    /// # Errors
    /// When something of it is in use.
    pub fn make_private(&self, folder: &Path) -> Result<()> {
        let make = || {
            make_folder_of(folder)?;
            remove(folder)?;
            bindings::make_private(folder)
        };
        make().with_context(|| format!("making {} for administrators only", folder.display()))
    }
}

impl Files for Windows {
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
        replace(path, is_private(mode), |file| file.write_all(bytes))
            .with_context(|| format!("writing {}", path.display()))
    }

    fn write_at(&self, path: &Path, offset: u64, bytes: &[u8]) -> Result<()> {
        let write = || {
            let mut file = OpenOptions::new().write(true).open(path)?;
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write().with_context(|| format!("writing {} bytes into {}", bytes.len(), path.display()))
    }

    fn link(&self, path: &Path, to: &str) -> Result<()> {
        let link = || {
            make_folder_of(path)?;
            remove(path)?;
            std::os::windows::fs::symlink_file(to, path)
        };
        link().with_context(|| format!("linking {} to {to}", path.display()))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        remove(path).with_context(|| format!("removing {}", path.display()))
    }

    fn wipe(&self, path: &Path) -> Result<()> {
        // A cut may have left the other two.
        for path in [path, &beside(path, ".new"), &beside(path, ".old")] {
            write_over(path).with_context(|| format!("writing over {}", path.display()))?;
            self.remove(path)?;
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let rename = || {
            OpenOptions::new().write(true).open(from)?.sync_all()?;
            fs::rename(from, to)
        };
        rename().with_context(|| format!("renaming {} to {}", from.display(), to.display()))
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        let copy = || {
            let mut source = File::open(from)?;
            replace(to, false, |file| std::io::copy(&mut source, file).map(drop))
        };
        copy().with_context(|| format!("copying {} to {}", from.display(), to.display()))
    }

    fn exists(&self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok()
    }

    fn list(&self, path: &Path) -> Result<Vec<String>> {
        let list = || {
            let names =
                fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
            names.collect::<std::io::Result<Vec<String>>>()
        };
        let mut names = match list() {
            Err(error) if is_absent(&error) => vec![],
            names => names.with_context(|| format!("listing {}", path.display()))?,
        };
        names.sort();
        Ok(names)
    }

    fn is_folder(&self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
    }

    fn is_link(&self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink())
    }

    fn modified(&self, path: &Path) -> Option<std::time::SystemTime> {
        fs::metadata(path).ok()?.modified().ok()
    }

    fn digest(&self, path: &Path, progress: &mut dyn FnMut(u64)) -> Result<([u8; 32], u64)> {
        let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
        digest::sha256(file, path, progress)
    }

    fn is_packed(&self, path: &Path) -> Result<bool> {
        match bindings::is_externally_backed(path) {
            Err(error) if is_absent(&error) => Ok(false),
            asked => asked.with_context(|| format!("asking whether {} is compressed", path.display())),
        }
    }

    fn reparse_tags(&self, root: &Path) -> Result<BTreeSet<u32>> {
        bindings::reparse_tags(&root.display().to_string())
            .with_context(|| format!("asking {} for its reparse points", root.display()))
    }
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn make_folder_of(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    path.with_file_name(name)
}

fn write_over(path: &Path) -> std::io::Result<()> {
    Going::at(path).map_or(Ok(()), Going::write_over)
}

/// Beside the old file and renamed, so that a cut leaves either of the two. The bytes of a private one are written over.
fn replace(
    path: &Path,
    private: bool,
    fill: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> std::io::Result<()> {
    make_folder_of(path)?;
    let new = beside(path, ".new");
    let filled = File::create(&new).and_then(|mut file| {
        fill(&mut file)?;
        file.sync_all()
    });
    if filled.is_err() {
        // The room that it takes may be what was missing.
        let _ = fs::remove_file(&new);
    }
    filled?;
    match private && path.is_file() {
        true => replace_private(path, &new),
        false => fs::rename(&new, path),
    }
}

/// The old file comes under a name of its own first: not every Windows replaces one that is open.
fn replace_private(path: &Path, new: &Path) -> std::io::Result<()> {
    let old = beside(path, ".old");
    let clear = || {
        write_over(&old)?;
        remove(&old)
    };
    clear()?;
    match bindings::replace_keeping(path, new, &old) {
        Ok(()) => clear(),
        // What a file system cannot do must not keep the new file from its place.
        Err(_) => fs::rename(new, path),
    }
}

/// A file that is in use, such as our own program, goes when the system starts next, and so does the folder that it
/// keeps.
fn remove(path: &Path) -> std::io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if is_absent(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    let kind = found.file_type();
    let removed = if kind.is_dir() {
        remove_folder(path)
    } else if kind.is_symlink_dir() {
        fs::remove_dir(path)
    } else {
        allow_removal(path, &found)?;
        fs::remove_file(path)
    };
    match removed {
        Err(error) if is_in_use(&error) => bindings::remove_at_next_start(path),
        removed => removed,
    }
}

/// Windows removes no read-only file, and what was copied from a CD is one.
#[expect(
    clippy::permissions_set_readonly_false,
    reason = "in Windows it is an attribute, which gives nobody a right"
)]
fn allow_removal(path: &Path, found: &fs::Metadata) -> std::io::Result<()> {
    let mut permissions = found.permissions();
    if !permissions.readonly() || found.is_symlink() {
        return Ok(());
    }
    permissions.set_readonly(false);
    fs::set_permissions(path, permissions)
}

fn remove_folder(path: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(path)? {
        remove(&entry?.path())?;
    }
    fs::remove_dir(path)
}

fn is_in_use(error: &std::io::Error) -> bool {
    const SHARING_VIOLATION: i32 = 32;
    const NOT_EMPTY: i32 = 145;
    error.kind() == ErrorKind::PermissionDenied
        || matches!(error.raw_os_error(), Some(SHARING_VIOLATION | NOT_EMPTY))
}
