//! The file that becomes the image: `NAME.partial` until it is complete.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::ExecuteError;
use crate::platform;

/// Fewer bytes are written through the system's cache, which gathers them: the medium takes its time for each write.
const SHORT: usize = 64 * 1024;

/// The partial file; dropped before it is finished, it is removed.
#[derive(Debug)]
pub(super) struct Output {
    file: File,
    /// The same file, past the system's cache.
    direct: File,
    size: u64,
    partial: PathBuf,
    path: PathBuf,
    finished: bool,
}

impl Output {
    /// Creates the file with its full size as one hole.
    pub(super) fn create(path: &Path, size: u64, written: u64) -> Result<Self, ExecuteError> {
        let partial = partial(path);
        let create = |source| ExecuteError::Create {
            path: partial.clone(),
            source,
        };
        check_room(path, &partial, written)?;
        remove_left_behind(&partial)?;
        let file = File::options()
            .write(true)
            .create_new(true)
            .open(&partial)
            .map_err(create)?;
        platform::lock(&file).map_err(create)?;
        let direct = platform::open_direct(&partial, File::options().write(true)).map_err(create)?;
        let output = Self {
            file,
            direct,
            size,
            partial: partial.clone(),
            path: path.to_owned(),
            finished: false,
        };
        output.file.set_len(size).map_err(create)?;
        Ok(output)
    }

    /// Writes a block whose place and memory are aligned; zeroes that fill it up may reach beyond the end.
    pub(super) fn write_block(&self, bytes: &[u8], offset: u64) -> Result<(), ExecuteError> {
        let length = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let bytes = &bytes[..bytes.len().min(length)];
        if bytes.len() < SHORT {
            return self.write(bytes, offset);
        }
        match platform::write_all_at(&self.direct, bytes, offset) {
            Ok(()) => Ok(()),
            // Some file systems promise it and then refuse, and the end of an image is no whole block.
            Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => self.write(bytes, offset),
            Err(source) => Err(ExecuteError::Write {
                path: self.partial.clone(),
                offset,
                source,
            }),
        }
    }

    /// Writes bytes of any length at any place.
    pub(super) fn write(&self, bytes: &[u8], offset: u64) -> Result<(), ExecuteError> {
        platform::write_all_at(&self.file, bytes, offset).map_err(|source| ExecuteError::Write {
            path: self.partial.clone(),
            offset,
            source,
        })
    }

    /// The file as it is called until it is finished.
    pub(super) fn partial(&self) -> &Path {
        &self.partial
    }

    pub(super) fn flush(&self) -> Result<(), ExecuteError> {
        let flush = |source| ExecuteError::Flush {
            path: self.partial.clone(),
            source,
        };
        self.file.sync_all().map_err(flush)
    }

    /// Gives the complete file, which was flushed, its name.
    pub(super) fn finish(mut self) -> Result<(), ExecuteError> {
        let rename = |source| ExecuteError::Rename {
            path: self.path.clone(),
            source,
        };
        fs::rename(&self.partial, &self.path).map_err(rename)?;
        self.finished = true;
        let flush = |source| ExecuteError::Flush {
            path: self.path.clone(),
            source,
        };
        platform::sync_folder(platform::folder_of(&self.path)).map_err(flush)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.finished {
            // The error that led here is reported; a partial file that stays is replaced by the next build.
            let _removed = fs::remove_file(&self.partial);
        }
    }
}

/// What a killed build left is ours; it is removed and not truncated, since something may still read it. A build that runs has it
/// locked.
fn remove_left_behind(partial: &Path) -> Result<(), ExecuteError> {
    let busy = || ExecuteError::Busy(partial.to_owned());
    let removed = match File::open(partial) {
        Ok(file) if platform::lock(&file).is_err() => return Err(busy()),
        Ok(_) => fs::remove_file(partial),
        Err(error) => Err(error),
    };
    match removed {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(ExecuteError::Create {
            path: partial.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}

fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

fn check_room(path: &Path, partial: &Path, needed: u64) -> Result<(), ExecuteError> {
    let folder = platform::folder_of(path);
    let left_behind = fs::metadata(partial).map_or(0, |metadata| metadata.len());
    match platform::free_space(folder) {
        Some(free) if free.saturating_add(left_behind) < needed => Err(ExecuteError::NoRoom {
            folder: folder.to_owned(),
            free,
            needed,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_output_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.iso");
        fs::write(&path, "old").unwrap();
        let output = Output::create(&path, 10, 10).unwrap();
        output.write(b"new", 0).unwrap();
        drop(output);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_finished_output_has_the_whole_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.iso");
        fs::write(partial(&path), "of a build that was killed").unwrap();
        let output = Output::create(&path, 10, 10).unwrap();
        output.write(b"new", 2).unwrap();
        output.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"\0\0new\0\0\0\0\0");
    }

    #[test]
    fn two_builds_do_not_write_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.iso");
        let output = Output::create(&path, 10, 10).unwrap();
        let second = Output::create(&path, 10, 10).unwrap_err();
        assert!(matches!(second, ExecuteError::Busy(_)), "{second}");
        output.finish().unwrap();
        assert!(path.exists());
    }

    #[test]
    fn too_little_room_is_noticed_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let error = Output::create(&folder.path().join("a.iso"), 1 << 60, 1 << 60).unwrap_err();
        assert!(matches!(error, ExecuteError::NoRoom { .. }), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
