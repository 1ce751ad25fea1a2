//! A file is complete and on the disk before it takes the place of the old one.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rustix::fs::{XattrFlags, fgetxattr, fsetxattr};
use rustix::io::Errno;

use crate::failure::Failure;

/// What a file on NTFS has besides its data, as NTFS-3G and the kernel's ntfs3 show it: without its security
/// descriptor a hive could be read by every user.
const KEPT: [&str; 3] = ["system.ntfs_acl", "system.ntfs_security", "system.ntfs_attrib"];
/// The largest extended attribute that Linux has.
const LARGEST: usize = 64 << 10;

/// The file that is being written; it is removed again unless it is completed.
pub(crate) struct Partial {
    path: PathBuf,
    target: PathBuf,
}

impl Partial {
    /// `NAME.partial` in the same folder. What an earlier run left there, a link too, is removed.
    pub(crate) fn beside(target: &Path) -> Result<Self, Failure> {
        let mut name = OsString::from(target);
        name.push(".partial");
        let path = PathBuf::from(name);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                Err(Failure::io(format!("removing {}", path.display()), &e))
            }
            _ => Ok(Self {
                path,
                target: target.to_owned(),
            }),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it the old file's security, flushes it, and puts it in the old one's place.
    pub(crate) fn complete(self) -> Result<(), Failure> {
        let target = self.target.display();
        let keep = self.keep(&KEPT);
        keep.map_err(|e| Failure::io(format!("keeping the security of {target}"), &e))?;
        self.put()
            .map_err(|e| Failure::io(format!("replacing {target}"), &e))
    }

    fn keep(&self, names: &[&str]) -> io::Result<()> {
        let old = match File::open(&self.target) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        let new = File::options().write(true).open(&self.path)?;
        let mut value = vec![0; LARGEST];
        for name in names {
            match fgetxattr(&old, *name, &mut value[..]) {
                // ntfs3 says NOENT of a file without a descriptor of its own.
                Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
                Ok(length) => fsetxattr(&new, *name, &value[..length], XattrFlags::empty())?,
            }
        }
        Ok(())
    }

    fn put(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()?;
        fs::rename(&self.path, &self.target)?;
        let folder = self
            .target
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After completion there is none. What cannot be removed is removed by the next run, or named by it.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_of_the_old_file_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("SYSTEM");
        fs::write(&target, "old").unwrap();
        let old = File::open(&target).unwrap();
        fsetxattr(&old, "user.ntfs_acl", b"S\0D", XattrFlags::empty()).unwrap();
        let partial = Partial::beside(&target).unwrap();
        fs::write(partial.path(), "new").unwrap();
        partial
            .keep(&["user.absent", "user.ntfs_acl", "system.absent"])
            .unwrap();
        partial.complete().unwrap();

        let (new, mut value) = (File::open(&target).unwrap(), [0; 8]);
        assert_eq!(fgetxattr(&new, "user.ntfs_acl", &mut value[..]), Ok(3));
        assert_eq!(&value[..3], b"S\0D");
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_in_its_place_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("other");
        fs::write(&other, "kept").unwrap();
        std::os::unix::fs::symlink(&other, folder.path().join("SYSTEM.partial")).unwrap();
        let partial = Partial::beside(&folder.path().join("SYSTEM")).unwrap();
        fs::write(partial.path(), "new").unwrap();
        drop(partial);
        assert_eq!(fs::read(&other).unwrap(), b"kept");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
