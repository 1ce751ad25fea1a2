//! What is captured of a source: every file that the exclusions leave is asked about here, before data is written.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::libwim::Verdict;
use crate::printed::text;

/// More are counted, but not named.
const MOST_NAMED: usize = 100;

/// Files whose names libwim cannot store. Found while it scans: it would end the capture at the first.
#[derive(Debug, Default)]
pub(crate) struct BadNames {
    pub(crate) named: Vec<String>,
    pub(crate) count: u64,
}

impl BadNames {
    fn add(&mut self, path: &[u8]) {
        self.count += 1;
        if self.named.len() < MOST_NAMED {
            self.named.push(text(path));
        }
    }
}

/// The rules of the source that is being scanned.
#[derive(Debug)]
pub(crate) struct Rules {
    root: PathBuf,
    /// The device whose files are kept; none: those of all.
    device: Option<u64>,
    bad: BadNames,
}

/// The rules, shared with libwim's callback.
pub(crate) type SharedRules = Arc<Mutex<Option<Rules>>>;

impl Rules {
    /// Rules for a folder.
    pub(crate) fn new(root: &Path, one_file_system: bool) -> std::io::Result<Self> {
        let device = std::fs::metadata(root)?.dev();
        Ok(Self {
            root: root.to_owned(),
            device: one_file_system.then_some(device),
            bad: BadNames::default(),
        })
    }

    fn judge(&mut self, path: &[u8]) -> Verdict {
        let file = Path::new(OsStr::from_bytes(path));
        if file == self.root {
            return Verdict::Continue;
        }
        // One that is gone meanwhile is libwim's to find.
        let found = file.symlink_metadata().ok();
        if !name_is_text(file) || found.as_ref().is_some_and(|found| !link_is_text(file, found)) {
            self.bad.add(path);
            return Verdict::Exclude;
        }
        if found.is_some_and(|found| self.is_elsewhere(file, &found)) {
            Verdict::Exclude
        } else {
            Verdict::Continue
        }
    }

    /// Below a mount point; the mount point itself belongs to the volume.
    fn is_elsewhere(&self, file: &Path, found: &Metadata) -> bool {
        let Some(device) = self.device else { return false };
        let on_other = |found: &Metadata| found.dev() != device;
        let parent = || file.parent().and_then(|parent| parent.symlink_metadata().ok());
        on_other(found) && parent().as_ref().is_some_and(on_other)
    }
}

fn name_is_text(file: &Path) -> bool {
    file.file_name().is_none_or(|name| name.to_str().is_some())
}

/// The target of a symbolic link is stored as UTF-16 too. Other files have no target.
fn link_is_text(file: &Path, found: &Metadata) -> bool {
    !found.is_symlink() || std::fs::read_link(file).map_or(true, |target| target.to_str().is_some())
}

/// Judges a file by the rules in force; without rules all are kept.
pub(crate) fn judge(rules: &SharedRules, path: &[u8]) -> Verdict {
    let mut rules = rules.lock().unwrap_or_else(PoisonError::into_inner);
    rules
        .as_mut()
        .map_or(Verdict::Continue, |rules| rules.judge(path))
}

/// Puts rules in force, and gives the bad names that were found under the last ones.
pub(crate) fn replace(shared: &SharedRules, rules: Option<Rules>) -> BadNames {
    let last = std::mem::replace(&mut *shared.lock().unwrap_or_else(PoisonError::into_inner), rules);
    last.map(|rules| rules.bad).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_targets_that_are_not_utf8_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let bad = folder.path().join(OsStr::from_bytes(b"caf\xe9"));
        std::fs::write(&bad, "").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(OsStr::from_bytes(b"\xff"), &link).unwrap();
        let good = folder.path().join("caf\u{e9}");
        std::fs::write(&good, "").unwrap();

        let mut rules = Rules::new(folder.path(), true).unwrap();
        let mut judge = |path: &Path| rules.judge(path.as_os_str().as_bytes());
        assert_eq!(judge(&bad), Verdict::Exclude);
        assert_eq!(judge(&link), Verdict::Exclude);
        assert_eq!(judge(&good), Verdict::Continue);
        assert_eq!(judge(folder.path()), Verdict::Continue);
        assert_eq!(rules.bad.count, 2);
        assert!(rules.bad.named[0].ends_with("caf\\xe9"));
    }
}
