//! Files whose bytes are to be nowhere on the volume once they are removed or replaced.
//!
//! A file system that copies on write, and the cells of a flash disk, keep older bytes all the same, out of reach of who reads
//! the volume.

use std::fs::{self, File, OpenOptions};
use std::io::{Result, Seek as _, Write as _};
use std::path::Path;

/// Larger ones are no answer file, script or list of variables.
const LARGEST: u64 = 4 << 20;

/// Whether nobody else may read a file of that mode.
pub(super) fn is_private(mode: u32) -> bool {
    mode & 0o077 == 0
}

/// A file that is about to go, if it is one with bytes of its own.
pub(super) struct Going(File);

impl Going {
    /// A link is not followed, and what has a second name stays under that one.
    pub(super) fn at(path: &Path) -> Option<Self> {
        let found = fs::symlink_metadata(path).ok()?;
        let goes = found.is_file() && (1..=LARGEST).contains(&found.len()) && !has_another_name(&found);
        // A pipe or a device is not even opened.
        let file = goes.then(|| OpenOptions::new().write(true).open(path));
        file?.ok().map(Self)
    }

    /// Writes over its bytes, which are no file's any more once it is closed.
    pub(super) fn write_over(mut self) -> Result<()> {
        let length = self.0.metadata()?.len();
        self.0.rewind()?;
        self.0.write_all(&vec![0; length as usize])?;
        self.0.sync_all()
    }
}

#[cfg(unix)]
fn has_another_name(found: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(found) > 1
}

/// Windows tells it of open files only, and Rust's library not yet; the files that we wipe are our own and set-up's.
#[cfg(windows)]
fn has_another_name(_found: &fs::Metadata) -> bool {
    false
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::io::Read as _;

    use super::*;

    /// What is read through a file that was opened before.
    fn rest(mut file: &File) -> Vec<u8> {
        let mut bytes = Vec::new();
        file.rewind().and_then(|()| file.read_to_end(&mut bytes)).unwrap();
        bytes
    }

    #[test]
    fn the_bytes_of_what_goes_are_written_over_and_those_of_another_name_stay() {
        let folder = tempfile::tempdir().unwrap();
        let [alone, linked, other, link] =
            ["alone", "linked", "other", "link"].map(|name| folder.path().join(name));
        for path in [&alone, &linked] {
            fs::write(path, "secret").unwrap();
        }
        fs::hard_link(&linked, &other).unwrap();
        std::os::unix::fs::symlink(&linked, &link).unwrap();
        let open = File::open(&alone).unwrap();

        let going = Going::at(&alone).unwrap();
        fs::remove_file(&alone).unwrap();
        going.write_over().unwrap();
        assert_eq!(rest(&open), [0; 6]);
        for path in [&linked, &link, &alone] {
            assert!(Going::at(path).is_none(), "{}", path.display());
        }
    }
}
