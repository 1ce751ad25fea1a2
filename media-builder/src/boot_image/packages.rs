//! The unpacked packages, seen as one file tree that remembers which package each file came from.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::apt::{Archive, PrivateRoot};
use super::{Error, Progress, Result, tool};

/// More links in a row than any package has.
const MAX_LINKS: usize = 16;
/// Folders that a merged /usr has moved: packages may still name the old place.
const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

/// A regular file of a package.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// Where it lies on the host.
    pub(super) host_path: PathBuf,
    /// The package and its version.
    pub(super) package: String,
}

struct Entry {
    archive: usize,
    host_path: PathBuf,
    link: Option<String>,
}

/// All files of all unpacked packages.
pub(super) struct Tree {
    archives: Vec<Archive>,
    entries: BTreeMap<String, Entry>,
    used: RefCell<BTreeSet<usize>>,
}

/// Unpacks every package once into a folder of its own, and joins them to one tree.
pub(super) fn unpack(
    root: &PrivateRoot,
    archives: Vec<Archive>,
    cache: &Path,
    progress: Progress<'_>,
) -> Result<Tree> {
    let total = archives.len() as u64;
    let mut entries = BTreeMap::new();
    for (number, archive) in archives.iter().enumerate() {
        progress("unpacking packages", number as u64, total);
        let folder = unpack_one(&root.path(archive), &cache.join(&archive.file_name))?;
        walk(&folder, "", &mut |path, host_path, link| {
            entries.entry(merged(&path)).or_insert(Entry {
                archive: number,
                host_path,
                link,
            });
        })?;
    }
    progress("unpacking packages", total, total);
    Ok(Tree {
        archives,
        entries,
        used: RefCell::default(),
    })
}

fn unpack_one(archive: &Path, folder: &Path) -> Result<PathBuf> {
    if folder.is_dir() {
        return Ok(folder.to_path_buf());
    }
    // Under another name until it is complete: a cut must not leave half a package in the cache.
    let partial = folder.with_extension("partial");
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(Error::io("removing", &partial))?;
    }
    fs::create_dir_all(&partial).map_err(Error::io("creating", &partial))?;
    let mut command = Command::new("dpkg-deb");
    command.arg("-x").arg(archive).arg(&partial);
    tool::output(&mut command, &format!("unpacking {}", archive.display()))?;
    fs::rename(&partial, folder).map_err(Error::io("renaming", &partial))?;
    Ok(folder.to_path_buf())
}

fn walk(folder: &Path, prefix: &str, on_file: &mut dyn FnMut(String, PathBuf, Option<String>)) -> Result<()> {
    for item in fs::read_dir(folder).map_err(Error::io("reading", folder))? {
        let item = item.map_err(Error::io("reading", folder))?;
        let path = item.path();
        let name = item.file_name().to_string_lossy().into_owned();
        let inner = if prefix.is_empty() {
            name
        } else {
            format!("{prefix}/{name}")
        };
        let kind = item.file_type().map_err(Error::io("reading", &path))?;
        if kind.is_dir() {
            if inner != "usr/share/doc" {
                walk(&path, &inner, on_file)?;
            }
        } else if kind.is_symlink() {
            let target = fs::read_link(&path).map_err(Error::io("reading the link", &path))?;
            on_file(inner, path, Some(target.to_string_lossy().into_owned()));
        } else {
            on_file(inner, path, None);
        }
    }
    Ok(())
}

/// The path as it is on a system with a merged /usr.
fn merged(path: &str) -> String {
    let first = path.split('/').next().unwrap_or_default();
    if MERGED.contains(&first) && path.len() > first.len() {
        format!("usr/{path}")
    } else {
        path.to_owned()
    }
}

/// Where a link leads, as a path of the tree.
fn link_target(path: &str, target: &str) -> String {
    let mut parts: Vec<&str> = match target.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => path.split('/').collect(),
    };
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    merged(&parts.join("/"))
}

impl Tree {
    #[cfg(test)]
    pub(super) fn empty() -> Self {
        Self {
            archives: Vec::new(),
            entries: BTreeMap::new(),
            used: RefCell::default(),
        }
    }

    /// The regular file at a path, through links, or nothing.
    pub(super) fn find(&self, path: &str) -> Option<Found> {
        let mut path = merged(path);
        for _ in 0..MAX_LINKS {
            let entry = self.entries.get(&path)?;
            self.used.borrow_mut().insert(entry.archive);
            let Some(target) = &entry.link else {
                let archive = &self.archives[entry.archive];
                let package = format!("{}={}", archive.name, archive.version);
                return Some(Found {
                    host_path: entry.host_path.clone(),
                    package,
                });
            };
            path = link_target(&path, target);
        }
        None
    }

    /// The regular file at a path; `by` names who wants it.
    pub(super) fn get(&self, path: &str, by: &str) -> Result<Found> {
        self.find(path).ok_or_else(|| Error::FileMissing {
            wanted: path.to_owned(),
            by: by.to_owned(),
        })
    }

    /// The content of the file at a path.
    pub(super) fn read(&self, path: &str, by: &str) -> Result<Vec<u8>> {
        let found = self.get(path, by)?;
        fs::read(&found.host_path).map_err(Error::io("reading", &found.host_path))
    }

    /// The path on the host of a file under its own name: programs like depmod act by the name of a link.
    pub(super) fn host_path(&self, path: &str, by: &str) -> Result<PathBuf> {
        let missing = || Error::FileMissing {
            wanted: path.to_owned(),
            by: by.to_owned(),
        };
        self.entries
            .get(&merged(path))
            .map(|entry| entry.host_path.clone())
            .ok_or_else(missing)
    }

    /// All paths below a folder, sorted.
    pub(super) fn below<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a str> {
        self.entries
            .range(folder.to_owned()..)
            .map(|(path, _)| path.as_str())
            .take_while(move |path| path.starts_with(folder))
    }

    /// The packages that files were taken from so far, with their versions.
    pub(super) fn used_packages(&self) -> BTreeMap<String, String> {
        let used = self.used.borrow();
        used.iter()
            .map(|&n| (self.archives[n].name.clone(), self.archives[n].version.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_merged_folders_lead_to_one_place() {
        assert_eq!(
            merged("lib/x86_64-linux-gnu/libc.so.6"),
            "usr/lib/x86_64-linux-gnu/libc.so.6"
        );
        assert_eq!(merged("libexec/x"), "libexec/x");
        assert_eq!(merged("bin"), "bin");
        assert_eq!(link_target("usr/sbin/depmod", "../bin/kmod"), "usr/bin/kmod");
        assert_eq!(
            link_target("usr/lib64/ld.so", "/lib/x86/ld.so.2"),
            "usr/lib/x86/ld.so.2"
        );
        assert_eq!(link_target("a", "../../../b"), "b");
    }
}
