//! A look into a FAT volume without mounting it.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::platform::Result;

/// Nothing that is looked at this way is longer.
const LONGEST: u64 = 4 << 20;

/// The content of a small file, if the volume can be read and has it.
pub(super) fn peek(device: &Path, file: &str) -> Result<Option<Vec<u8>>> {
    let device = Device {
        file: File::open(device)?,
    };
    let Ok(volume) = fatfs::FileSystem::new(device, fatfs::FsOptions::new()) else {
        return Ok(None);
    };
    let Ok(found) = volume.root_dir().open_file(file) else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    let read = found.take(LONGEST).read_to_end(&mut bytes);
    Ok(read.ok().map(|_| bytes))
}

/// A device that is only read: the library asks for more than it needs.
struct Device {
    file: File,
}

impl std::io::Read for Device {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.file.read(buffer)
    }
}

impl std::io::Seek for Device {
    fn seek(&mut self, position: std::io::SeekFrom) -> std::io::Result<u64> {
        self.file.seek(position)
    }
}

impl std::io::Write for Device {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::PermissionDenied.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
