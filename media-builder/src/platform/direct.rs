//! Reading and writing past the system's cache: an image is larger than what is worth keeping there, what is read back
//! comes from the medium itself, and nothing is left to flush in the end.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::{Deref, DerefMut};
use std::path::Path;

/// Places in the file, lengths and buffers are multiples of this; no medium has larger sectors.
pub const ALIGNMENT: usize = 4096;

/// Bytes that begin at a multiple of [`ALIGNMENT`] in memory.
#[derive(Debug)]
pub struct AlignedBuffer {
    memory: Vec<u8>,
    start: usize,
    length: usize,
}

impl AlignedBuffer {
    /// Zeroes.
    pub fn new(length: usize) -> Self {
        let memory = vec![0; length + ALIGNMENT];
        let start = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Self {
            memory,
            start,
            length,
        }
    }
}

impl Deref for AlignedBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.length]
    }
}

impl DerefMut for AlignedBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.length]
    }
}

/// Opens a file so that the system's cache is passed by, where system and file system can.
///
/// # Errors
/// When it cannot be opened either way.
#[cfg(target_os = "linux")]
pub fn open_direct(path: &Path, options: &OpenOptions) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flag = rustix::fs::OFlags::DIRECT.bits();
    let mut direct = options.clone();
    direct.custom_flags(i32::try_from(flag).unwrap_or_default());
    match direct.open(path) {
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INVAL.raw_os_error()) => {
            options.open(path)
        }
        result => result,
    }
}

/// Opens a file so that the system's cache is passed by, where system and file system can.
///
/// # Errors
/// When it cannot be opened either way.
#[cfg(not(target_os = "linux"))]
pub fn open_direct(path: &Path, options: &OpenOptions) -> io::Result<File> {
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{read_up_to, write_all_at};

    #[test]
    fn what_is_written_past_the_cache_is_read_past_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let file = open_direct(&path, File::options().write(true).create_new(true)).unwrap();
        let mut buffer = AlignedBuffer::new(2 * ALIGNMENT);
        assert_eq!(buffer.as_ptr().align_offset(ALIGNMENT), 0);
        buffer.fill(7);
        write_all_at(&file, &buffer, ALIGNMENT as u64).unwrap();
        file.set_len(2 * ALIGNMENT as u64 + 512).unwrap();
        let file = open_direct(&path, File::options().read(true)).unwrap();
        let read = read_up_to(&file, &mut buffer, ALIGNMENT as u64).unwrap();
        assert_eq!(read, ALIGNMENT + 512);
        assert!(buffer[..read].iter().all(|byte| *byte == 7));
    }
}
