//! The run's files: copies of the media, empty disks, and how sizes are written.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, bail};

const BLOCK: usize = 1 << 20;

/// A number of bytes: `20G`, `512M`, `64MiB`, `4096`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let shift = match unit
            .to_ascii_uppercase()
            .trim_end_matches("IB")
            .trim_end_matches('B')
        {
            "" => 0,
            "K" => 10,
            "M" => 20,
            "G" => 30,
            "T" => 40,
            _ => return Err(format!("{text} is no size; write for instance 20G or 512M")),
        };
        let bytes = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(1 << shift));
        match bytes {
            Some(bytes) if bytes >= 512 => Ok(Self(bytes / 512 * 512)),
            _ => Err(format!("{text} is no size; write for instance 20G or 512M")),
        }
    }
}

/// A disk as the user asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskSource {
    /// An empty one.
    Empty(Size),
    /// An existing raw image, which the run changes.
    Image(PathBuf),
}

impl FromStr for DiskSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if Path::new(text).is_file() {
            return Ok(Self::Image(text.into()));
        }
        text.parse()
            .map(Self::Empty)
            .map_err(|_| format!("{text} is neither a size (20G) nor an existing disk image"))
    }
}

/// Makes an empty sparse file.
///
/// # Errors
/// When it cannot be made.
pub fn empty(path: &Path, size: Size) -> Result<()> {
    let made = File::create(path).and_then(|file| file.set_len(size.0));
    made.with_context(|| format!("making the disk {} of {} bytes", path.display(), size.0))
}

/// Copies an image and leaves its zeroes out.
///
/// # Errors
/// When it cannot be read or written.
pub fn copy_sparse(from: &Path, to: &Path) -> Result<()> {
    let doing = || format!("copying {} to {}", from.display(), to.display());
    let mut source = File::open(from).with_context(doing)?;
    let mut target = File::create(to).with_context(doing)?;
    let length = source.seek(SeekFrom::End(0)).with_context(doing)?;
    copy_data(&mut source, &mut target, length).with_context(doing)?;
    target.set_len(length).with_context(doing)
}

fn copy_data(source: &mut File, target: &mut File, length: u64) -> std::io::Result<()> {
    let mut buffer = vec![0; BLOCK];
    let mut at = 0;
    while at < length {
        at = next_data(source, at).min(length);
        source.seek(SeekFrom::Start(at))?;
        let count = (length - at).min(BLOCK as u64) as usize;
        source.read_exact(&mut buffer[..count])?;
        if buffer[..count].iter().any(|byte| *byte != 0) {
            target.seek(SeekFrom::Start(at))?;
            target.write_all(&buffer[..count])?;
        }
        at += count as u64;
    }
    Ok(())
}

/// Where the file's next bytes are that are no hole.
#[cfg(unix)]
fn next_data(file: &File, at: u64) -> u64 {
    use rustix::io::Errno;
    match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(at)) {
        Ok(data) => data,
        // There is only a hole up to the end.
        Err(Errno::NXIO) => u64::MAX,
        Err(_) => at,
    }
}

#[cfg(not(unix))]
fn next_data(_: &File, at: u64) -> u64 {
    at
}

/// Refuses to go on without room for what the run writes at least.
///
/// # Errors
/// When the folder cannot be made or is a file.
pub fn make_folder(folder: &Path) -> Result<()> {
    if folder.exists() && !folder.is_dir() {
        bail!("{} is not a folder", folder.display());
    }
    fs::create_dir_all(folder).with_context(|| format!("making the folder {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!("20G".parse(), Ok(Size(20 << 30)));
        assert_eq!("512MiB".parse(), Ok(Size(512 << 20)));
        assert_eq!("4096".parse(), Ok(Size(4096)));
        for wrong in ["", "G", "1.5G", "12X", "100", "99999999999T"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
        assert!("no/such/file".parse::<DiskSource>().is_err());
    }

    #[test]
    fn a_copy_is_equal_and_sparse() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a"), folder.path().join("b"));
        let mut file = File::create(&from).unwrap();
        file.seek(SeekFrom::Start(5_000_001)).unwrap();
        file.write_all(b"data").unwrap();
        file.set_len(64 << 20).unwrap();
        copy_sparse(&from, &to).unwrap();
        assert!(fs::read(&from).unwrap() == fs::read(&to).unwrap());
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            assert!(fs::metadata(&to).unwrap().blocks() * 512 < 4 << 20);
        }
    }
}
