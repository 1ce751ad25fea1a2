//! Files on the volumes that are mounted.

use std::collections::BTreeSet;
use std::path::Path;

use super::Result;

/// Files on mounted volumes. Writes are flushed when they return.
pub trait Files {
    /// The content, or nothing where there is no such file.
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>>;
    /// Replaces or makes a file with the given mode, and the folders that lead to it. One that nobody else may read can hold
    /// secrets: what it replaces is written over.
    fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<()>;
    /// Overwrites bytes of an existing file in place.
    fn write_at(&self, path: &Path, offset: u64, bytes: &[u8]) -> Result<()>;
    /// Makes a symbolic link, replacing what is there.
    fn link(&self, path: &Path, to: &str) -> Result<()>;
    /// Removes a file, a link or a whole folder; nothing happens where there is none.
    fn remove(&self, path: &Path) -> Result<()>;
    /// Removes a file that may hold secrets, and writes over its bytes before: those of a removed file stay on the volume until
    /// something else takes their place. Nothing happens where there is none.
    fn wipe(&self, path: &Path) -> Result<()>;
    /// Removes a folder that is empty; one that is not stays.
    fn remove_empty(&self, folder: &Path) -> Result<()> {
        if self.is_folder(folder) && self.list(folder)?.is_empty() {
            self.remove(folder)?;
        }
        Ok(())
    }
    /// Renames within one volume and flushes the folder.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;
    /// Copies a file with its mode.
    fn copy(&self, from: &Path, to: &Path) -> Result<()>;
    /// Whether something is there (a dangling link counts).
    fn exists(&self, path: &Path) -> bool;
    /// Names in a folder, sorted; empty where there is none.
    fn list(&self, path: &Path) -> Result<Vec<String>>;
    /// Whether it is a folder (links are not followed).
    fn is_folder(&self, path: &Path) -> bool;
    /// Whether it is a symbolic link.
    fn is_link(&self, path: &Path) -> bool;
    /// When it was last changed.
    fn modified(&self, path: &Path) -> Option<std::time::SystemTime>;
    /// SHA-256 of a file and its size in bytes, with progress in bytes.
    fn digest(&self, path: &Path, progress: &mut dyn FnMut(u64)) -> Result<([u8; 32], u64)>;
    /// Whether a running Windows keeps the content of a file packed (CompactOS), behind the back of whoever reads it.
    fn is_packed(&self, _path: &Path) -> Result<bool> {
        Ok(false)
    }
    /// The tags of all reparse points of an NTFS volume by its root, as the Windows that runs has listed them.
    fn reparse_tags(&self, _root: &Path) -> Result<BTreeSet<u32>> {
        Ok(BTreeSet::new())
    }
}
