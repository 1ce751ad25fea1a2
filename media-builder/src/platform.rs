//! Everything that depends on the operating system of the engineer's machine.

mod direct;

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

pub use direct::{ALIGNMENT, AlignedBuffer, open_direct};

/// What tells one state of a file's content from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The file system.
    pub device: u64,
    /// The file.
    pub inode: u64,
    /// Bytes of the whole file.
    pub size: u64,
    /// Last change of the content, in nanoseconds.
    pub modified: i128,
    /// Last change of content or attributes, in nanoseconds; nobody can set it back.
    pub changed: i128,
}

/// The identity of a file's content; on systems without inodes only size and time count.
#[cfg(unix)]
pub fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    Identity {
        device: metadata.dev(),
        inode: metadata.ino(),
        size: metadata.len(),
        modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
    }
}

/// The identity of a file's content; on systems without inodes only size and time count.
#[cfg(not(unix))]
pub fn identity(metadata: &Metadata) -> Identity {
    let since_1970 = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let modified = since_1970.map_or(0, |duration| duration.as_nanos() as i128);
    Identity {
        device: 0,
        inode: 0,
        size: metadata.len(),
        modified,
        changed: modified,
    }
}

/// Whether an identity is strong enough to stand for the content from one run to the next.
pub const IDENTITY_LASTS: bool = cfg!(unix);

/// Locks a file as long as it is open, unless another process has.
///
/// # Errors
/// When another has.
#[cfg(unix)]
pub fn lock(file: &File) -> io::Result<()> {
    Ok(rustix::fs::flock(
        file,
        rustix::fs::FlockOperation::NonBlockingLockExclusive,
    )?)
}

/// Locks a file as long as it is open: here an open file cannot be removed anyway.
///
/// # Errors
/// Never.
#[cfg(not(unix))]
pub fn lock(_: &File) -> io::Result<()> {
    Ok(())
}

/// Fails when the file cannot be read.
///
/// # Errors
/// The reason.
#[cfg(unix)]
pub fn check_readable(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::access(path, rustix::fs::Access::READ_OK)?)
}

/// Fails when the file cannot be read.
///
/// # Errors
/// The reason.
#[cfg(not(unix))]
pub fn check_readable(path: &Path) -> io::Result<()> {
    std::fs::File::open(path).map(drop)
}

/// The user's cache folder of this program.
pub fn cache_folder() -> Option<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let base = if cfg!(windows) {
        set("LOCALAPPDATA")
    } else {
        set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))
    };
    base.map(|base| base.join("media-builder"))
}

/// Reads exactly `buffer.len()` bytes at a place of a file.
///
/// # Errors
/// When the file is shorter, or cannot be read.
#[cfg(unix)]
pub fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

/// Reads exactly `buffer.len()` bytes at a place of a file.
///
/// # Errors
/// When the file is shorter, or cannot be read.
#[cfg(not(unix))]
pub fn read_exact_at(mut file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(buffer)
}

/// Reads at a place of a file until the buffer is full or the file ends; gives how many bytes came.
///
/// # Errors
/// When it cannot be read.
#[cfg(unix)]
pub fn read_up_to(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    // After a part that is no whole block only the end can follow.
    while done < buffer.len() && done % ALIGNMENT == 0 {
        match std::os::unix::fs::FileExt::read_at(file, &mut buffer[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Reads at a place of a file until the buffer is full or the file ends; gives how many bytes came.
///
/// # Errors
/// When it cannot be read.
#[cfg(not(unix))]
pub fn read_up_to(mut file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    use std::io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(offset))?;
    let mut done = 0;
    while done < buffer.len() {
        match file.read(&mut buffer[done..])? {
            0 => break,
            count => done += count,
        }
    }
    Ok(done)
}

/// Writes all bytes at a place of a file.
///
/// # Errors
/// When they cannot be written.
#[cfg(unix)]
pub fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

/// Writes all bytes at a place of a file.
///
/// # Errors
/// When they cannot be written.
#[cfg(not(unix))]
pub fn write_all_at(mut file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)
}

/// Bytes that a user can still write in a folder, where the system tells.
#[cfg(unix)]
pub fn free_space(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Bytes that a user can still write in a folder, where the system tells.
#[cfg(not(unix))]
pub fn free_space(_: &Path) -> Option<u64> {
    None
}

/// The folder that a file is in, for a name without one as well.
pub fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Makes a rename in a folder last, where the system needs that.
///
/// # Errors
/// When the folder cannot be flushed.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}
