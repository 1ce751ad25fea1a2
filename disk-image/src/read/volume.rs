//! What all file systems have in common: folders, files, and where their bytes lie.

use super::device::{Content, Device, ReadError, Run};

/// Folders deeper than this are a loop.
const MAX_DEPTH: usize = 64;
/// More files and folders than this are an attack.
const MAX_ENTRIES: usize = 2_000_000;
/// So are paths that take more bytes together.
const MAX_PATHS: usize = 512 << 20;

/// What an entry of a folder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A file.
    File,
    /// A symbolic link to this path.
    Link(String),
}

/// Where the bytes of an entry are found; each file system uses its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The root folder of FAT12 and FAT16, or runs that the entry itself names.
    Runs(Vec<Run>),
    /// A chain of clusters, or `contiguous` ones.
    Clusters {
        first: u32,
        contiguous: bool,
        /// Bytes that were written; the rest of the file reads as zero.
        valid: u64,
    },
}

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Bytes; 0 for a folder.
    pub size: u64,
    pub(super) place: Place,
    /// FAT: its attributes. The others are not asked for theirs.
    pub(super) attributes: u8,
}

impl Node {
    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        self.kind == Kind::Folder
    }
}

/// A file or folder with its path from the root of the volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Components separated by `/`.
    pub path: String,
    /// The entry.
    pub node: Node,
}

/// A file system on an image.
pub trait Volume {
    /// Its label.
    fn label(&self) -> &str;

    /// The bytes that it lies in.
    fn device(&self) -> &Device;

    /// Its root folder.
    fn root(&self) -> Node;

    /// The entries of a folder, without `.` and `..`.
    ///
    /// # Errors
    /// When the folder is damaged.
    fn list(&self, folder: &Node) -> Result<Vec<Node>, ReadError>;

    /// Where a file's bytes lie.
    ///
    /// # Errors
    /// When the chain of its clusters is damaged.
    fn runs(&self, file: &Node) -> Result<Vec<Run>, ReadError>;

    /// Whether names that differ only in case are the same.
    fn ignores_case(&self) -> bool;

    /// What is wrong with the structures, also those that reading files does not touch.
    fn check(&self) -> Vec<String>;

    /// The file or folder at a path.
    ///
    /// # Errors
    /// When there is none, or a folder on the way is damaged.
    fn find(&self, path: &str) -> Result<Node, ReadError> {
        let mut node = self.root();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            if !node.is_folder() {
                return Err(ReadError::NotFound(path.to_owned()));
            }
            let same = |name: &str| match self.ignores_case() {
                true => name.to_lowercase() == part.to_lowercase(),
                false => name == part,
            };
            let found = self.list(&node)?.into_iter().find(|entry| same(&entry.name));
            node = found.ok_or_else(|| ReadError::NotFound(path.to_owned()))?;
        }
        Ok(node)
    }

    /// The entries of the folder at a path.
    ///
    /// # Errors
    /// As [`Volume::find`] and [`Volume::list`].
    fn entries(&self, path: &str) -> Result<Vec<Node>, ReadError> {
        self.list(&self.find(path)?)
    }

    /// Where exactly the bytes of a file lie, without the rest of its last cluster.
    ///
    /// # Errors
    /// When the chain of its clusters is damaged or too short.
    fn extents(&self, file: &Node) -> Result<Vec<Run>, ReadError> {
        let mut left = file.size;
        let mut runs = self.runs(file)?;
        for run in &mut runs {
            run.length = run.length.min(left);
            left -= run.length;
        }
        if left > 0 {
            let why = format!("{}: its size says {} bytes more than it has", file.name, left);
            return Err(self.device().damaged("file", 0, why));
        }
        runs.retain(|run| run.length > 0);
        Ok(runs)
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// When the chain of its clusters is damaged or too short.
    fn content(&self, file: &Node) -> Result<Content, ReadError> {
        Ok(Content::new(self.device().clone(), self.extents(file)?))
    }

    /// Opens the file at a path.
    ///
    /// # Errors
    /// When there is none, or it is damaged.
    fn open(&self, path: &str) -> Result<Content, ReadError> {
        let node = self.find(path)?;
        match node.kind {
            Kind::File => self.content(&node),
            _ => Err(ReadError::NotFound(path.to_owned())),
        }
    }

    /// Every file and folder of the volume, folders before their entries.
    ///
    /// # Errors
    /// When a folder is damaged.
    fn walk(&self) -> Result<Vec<Found>, ReadError> {
        let mut found = Vec::new();
        let mut folders = vec![(String::new(), self.root(), 0)];
        let mut unread = self.device().length();
        let mut paths = 0_usize;
        let damaged =
            |path: &str, why: &str| Err(self.device().damaged("folder", 0, format!("{path}: {why}")));
        while let Some((prefix, folder, depth)) = folders.pop() {
            let nodes = self.list(&folder)?;
            let bytes = self.runs(&folder)?.iter().map(|run| run.length).sum();
            match unread.checked_sub(bytes) {
                Some(rest) => unread = rest,
                None => return damaged(&prefix, "folders have more bytes than the volume: a loop"),
            }
            for node in nodes {
                let path = format!("{prefix}{}", node.name);
                paths = paths.saturating_add(path.len());
                if depth >= MAX_DEPTH || found.len() >= MAX_ENTRIES || paths > MAX_PATHS {
                    return damaged(
                        &path,
                        "more than 64 folders deep, 2,000,000 entries or 512 MiB of paths: a loop",
                    );
                }
                if node.is_folder() {
                    folders.push((format!("{path}/"), node.clone(), depth + 1));
                }
                found.push(Found { path, node });
            }
        }
        Ok(found)
    }
}

/// Keeps going after one part of a check could not be made: what is wrong with the others counts too.
pub(super) fn collect(parts: impl IntoIterator<Item = Result<Vec<String>, ReadError>>) -> Vec<String> {
    let flatten = |part: Result<Vec<String>, ReadError>| part.unwrap_or_else(|error| vec![error.to_string()]);
    parts.into_iter().flat_map(flatten).collect()
}
