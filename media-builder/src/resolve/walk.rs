//! Looks at a package's file or folder: names, sizes, identities. Links are followed while they stay beneath it.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::platform::{self, Identity};

/// Links that lead to folders with links multiply what there is to look at.
const MOST_VISITS: u32 = 1000;

/// A file or an empty folder of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Path beneath the package, with `/`.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// The file's identity; none for an empty folder.
    pub(crate) identity: Option<Identity>,
}

/// What makes an entry unusable.
#[derive(Debug, Error)]
pub(crate) enum WalkError {
    /// It cannot be read.
    #[error("reading {path}: {error}", path = path.display())]
    Read {
        /// Which entry.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// The name is not text.
    #[error("{path} has a name that is not UTF-8: rename it", path = path.display())]
    Name {
        /// Which entry.
        path: PathBuf,
    },
    /// A link leads out.
    #[error("{path} is a link to {target}, which is outside of the package: replace it by a copy",
        path = path.display(), target = target.display())]
    LeadsOut {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A link leads to a folder that contains it.
    #[error("{path} is a link to a folder that contains it: remove it", path = path.display())]
    Circle {
        /// The link.
        path: PathBuf,
    },
    /// Links lead to it again and again.
    #[error("links lead to {path} more than {MOST_VISITS} times: replace those that lead to folders with more links",
        path = path.display())]
    Spreads {
        /// The folder.
        path: PathBuf,
    },
    /// Neither file nor folder.
    #[error("{path} is neither a file nor a folder: remove it", path = path.display())]
    Special {
        /// Which entry.
        path: PathBuf,
    },
}

/// What was found, and everything that is wrong with it.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// Files and empty folders, in the order of their paths.
    pub(crate) found: Vec<Found>,
    /// Problems.
    pub(crate) errors: Vec<WalkError>,
}

/// Looks at everything beneath a folder.
pub(crate) fn walk(root: &Path) -> Walked {
    let mut walked = Walked::default();
    match fs::canonicalize(root) {
        Ok(real) => Walk {
            root: &real,
            walked: &mut walked,
            open: vec![real.clone()],
            visits: HashMap::new(),
            ended: false,
        }
        .folder(&real, ""),
        Err(error) => walked.errors.push(WalkError::Read {
            path: root.to_owned(),
            error,
        }),
    }
    walked
}

struct Walk<'a> {
    root: &'a Path,
    walked: &'a mut Walked,
    /// The folders on the way here, to notice a link that leads back up.
    open: Vec<PathBuf>,
    /// How often each folder was come to.
    visits: HashMap<PathBuf, u32>,
    /// A folder was come to too often.
    ended: bool,
}

impl Walk<'_> {
    fn folder(&mut self, path: &Path, name: &str) {
        let entries = match entries(path) {
            Ok(entries) => entries,
            Err(error) => return self.error(error),
        };
        if entries.is_empty() && !name.is_empty() {
            self.found(path, name, None);
        }
        for (entry, entry_name) in entries {
            if self.ended {
                return;
            }
            let name = if name.is_empty() {
                entry_name
            } else {
                format!("{name}/{entry_name}")
            };
            if let Err(error) = self.entry(&entry, &name) {
                self.error(error);
            }
        }
    }

    fn entry(&mut self, path: &Path, name: &str) -> Result<(), WalkError> {
        let read = |error| WalkError::Read {
            path: path.to_owned(),
            error,
        };
        let mut metadata = fs::symlink_metadata(path).map_err(read)?;
        let mut real = path.to_owned();
        if metadata.is_symlink() {
            real = self.follow(path)?;
            metadata = fs::metadata(&real).map_err(read)?;
        }
        if metadata.is_dir() {
            return self.inner(path, &real, name);
        }
        self.file(path, name, &metadata)
    }

    fn inner(&mut self, path: &Path, real: &Path, name: &str) -> Result<(), WalkError> {
        if self.open.iter().any(|open| open == real) {
            return Err(WalkError::Circle {
                path: path.to_owned(),
            });
        }
        let visits = self.visits.entry(real.to_owned()).or_default();
        *visits += 1;
        if *visits > MOST_VISITS {
            self.ended = true;
            return Err(WalkError::Spreads {
                path: real.to_owned(),
            });
        }
        self.open.push(real.to_owned());
        self.folder(real, name);
        self.open.pop();
        Ok(())
    }

    fn file(&mut self, path: &Path, name: &str, metadata: &Metadata) -> Result<(), WalkError> {
        if !metadata.is_file() {
            return Err(WalkError::Special {
                path: path.to_owned(),
            });
        }
        platform::check_readable(path).map_err(|error| WalkError::Read {
            path: path.to_owned(),
            error,
        })?;
        self.found(path, name, Some(platform::identity(metadata)));
        Ok(())
    }

    fn follow(&self, path: &Path) -> Result<PathBuf, WalkError> {
        let target = fs::canonicalize(path).map_err(|error| WalkError::Read {
            path: path.to_owned(),
            error,
        })?;
        if target.starts_with(self.root) {
            Ok(target)
        } else {
            Err(WalkError::LeadsOut {
                path: path.to_owned(),
                target,
            })
        }
    }

    fn found(&mut self, path: &Path, name: &str, identity: Option<Identity>) {
        self.walked.found.push(Found {
            name: name.to_owned(),
            path: path.to_owned(),
            identity,
        });
    }

    fn error(&mut self, error: WalkError) {
        self.walked.errors.push(error);
    }
}

fn entries(folder: &Path) -> Result<Vec<(PathBuf, String)>, WalkError> {
    let read = |error| WalkError::Read {
        path: folder.to_owned(),
        error,
    };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(read)? {
        let entry = entry.map_err(read)?;
        let name = entry
            .file_name()
            .into_string()
            .map_err(|_| WalkError::Name { path: entry.path() })?;
        entries.push((entry.path(), name));
    }
    entries.sort_by(|a, b| a.1.cmp(&b.1));
    Ok(entries)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_beneath_and_refused_outside() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("package");
        fs::create_dir_all(root.join("a/empty")).unwrap();
        fs::write(root.join("a/file"), "1").unwrap();
        fs::write(folder.path().join("secret"), "2").unwrap();
        symlink("a/file", root.join("inside")).unwrap();
        symlink("a", root.join("folder")).unwrap();
        symlink("../secret", root.join("outside")).unwrap();
        symlink("..", root.join("a/up")).unwrap();
        let walked = walk(&root);
        let names: Vec<_> = walked.found.iter().map(|found| found.name.as_str()).collect();
        assert_eq!(
            names,
            ["a/empty", "a/file", "folder/empty", "folder/file", "inside"]
        );
        let errors: Vec<_> = walked.errors.iter().map(ToString::to_string).collect();
        assert_eq!(errors.len(), 3, "{errors:?}");
        assert!(
            errors[0].contains("contains it") && errors[2].contains("outside of the package"),
            "{errors:?}"
        );
    }

    #[test]
    fn links_that_spread_out_are_an_end() {
        let folder = tempfile::tempdir().unwrap();
        for level in 0..40 {
            let path = folder.path().join(format!("d{level}"));
            fs::create_dir(&path).unwrap();
            for link in ["a", "b"] {
                symlink(format!("../d{}", level + 1), path.join(link)).unwrap();
            }
        }
        fs::create_dir(folder.path().join("d40")).unwrap();
        let walked = walk(folder.path());
        assert_eq!(walked.errors.len(), 1, "{:?}", walked.errors);
        assert!(walked.errors[0].to_string().contains("more than 1000 times"));
    }

    #[test]
    fn what_is_not_there_is_one_error() {
        assert_eq!(walk(Path::new("nowhere/at/all")).errors.len(), 1);
    }
}
