//! Files, flushed when an operation returns.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use super::Linux;
use crate::platform::{Files, Result};

impl Files for Linux {
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
        make_folder_of(path)?;
        replace(path, bytes, mode).with_context(|| format!("writing {}", path.display()))?;
        flush_folder_of(path);
        Ok(())
    }

    fn write_at(&self, path: &Path, offset: u64, bytes: &[u8]) -> Result<()> {
        let write = || {
            let file = OpenOptions::new().write(true).open(path)?;
            file.write_all_at(bytes, offset)?;
            file.sync_all()
        };
        write().with_context(|| format!("writing {} bytes into {}", bytes.len(), path.display()))
    }

    fn link(&self, path: &Path, to: &str) -> Result<()> {
        make_folder_of(path)?;
        self.remove(path)?;
        symlink(to, path).with_context(|| format!("linking {} to {to}", path.display()))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        let removed = match fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(path),
            Ok(_) => fs::remove_file(path),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(());
            }
            Err(error) => Err(error),
        };
        removed.with_context(|| format!("removing {}", path.display()))?;
        flush_folder_of(path);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        File::open(from)
            .and_then(|file| file.sync_all())
            .with_context(|| format!("flushing {}", from.display()))?;
        fs::rename(from, to).with_context(|| format!("renaming {} to {}", from.display(), to.display()))?;
        flush_folder_of(to);
        Ok(())
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        make_folder_of(to)?;
        let copy = || {
            fs::copy(from, to)?;
            File::open(to)?.sync_all()
        };
        copy().with_context(|| format!("copying {} to {}", from.display(), to.display()))
    }

    fn exists(&self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok()
    }

    fn list(&self, path: &Path) -> Result<Vec<String>> {
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(vec![]);
            }
            Err(error) => return Err(error).with_context(|| format!("listing {}", path.display())),
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry
                .with_context(|| format!("listing {}", path.display()))?
                .file_name();
            names.push(name.to_string_lossy().into_owned());
        }
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
        let mut file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
        let mut buffer = vec![0; 1 << 20];
        let (mut hash, mut size) = (Sha256::new(), 0);
        loop {
            match file
                .read(&mut buffer)
                .with_context(|| format!("reading {} at byte {size}", path.display()))?
            {
                0 => return Ok((hash.finalize().into(), size)),
                count => {
                    hash.update(&buffer[..count]);
                    size += count as u64;
                    progress(size);
                }
            }
        }
    }
}

fn make_folder_of(path: &Path) -> Result<()> {
    let Some(folder) = path.parent() else {
        return Ok(());
    };
    fs::create_dir_all(folder).with_context(|| format!("making the folder {}", folder.display()))
}

/// Beside the old file and renamed, so that a cut leaves either of the two. What lies at the place of the new file is
/// removed, never followed: an applied image may hold a link or a device there. The old file's owner stays.
fn replace(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&new)?;
    file.write_all(bytes)?;
    // A volume without owners and modes refuses some; the content is what counts there.
    if let Ok(old) = fs::symlink_metadata(path) {
        let _ = std::os::unix::fs::fchown(&file, Some(old.uid()), Some(old.gid()));
    }
    let _ = file.set_permissions(fs::Permissions::from_mode(mode));
    file.sync_all()?;
    fs::rename(&new, path)
}

fn flush_folder_of(path: &Path) {
    if let Some(folder) = path.parent() {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}
