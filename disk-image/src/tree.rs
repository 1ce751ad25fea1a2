//! The file tree that a planner lays out.

use std::collections::BTreeMap;

use crate::extent::Content;

/// A file or a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A folder with its entries by name; the order is the order of the names, so that plans are reproducible.
    Folder(BTreeMap<String, Node>),
    /// A file of `size` bytes.
    File {
        /// Bytes.
        size: u64,
        /// Origin of its bytes (`Zero` is not used for files).
        content: Content,
    },
}

/// The root folder of a volume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileTree {
    /// Entries of the root folder by name.
    pub entries: BTreeMap<String, Node>,
}

impl FileTree {
    /// Adds a file at `path` (components separated by `/`), with the folders that lead to it.
    ///
    /// # Errors
    /// Gives the path back when a component is empty, `.` or `..`, when a component on the way is a file, or when
    /// the name is taken.
    pub fn insert(&mut self, path: &str, size: u64, content: Content) -> Result<(), String> {
        self.insert_node(path, Node::File { size, content })
    }

    /// Adds an empty folder at `path`, unless there is one.
    ///
    /// # Errors
    /// As [`FileTree::insert`].
    pub fn insert_folder(&mut self, path: &str) -> Result<(), String> {
        self.insert_node(path, Node::Folder(BTreeMap::new()))
    }

    fn insert_node(&mut self, path: &str, node: Node) -> Result<(), String> {
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut entries = &mut self.entries;
        for part in folders.split('/').filter(|_| !folders.is_empty()) {
            check_component(part).ok_or_else(|| path.to_owned())?;
            match entries
                .entry(part.to_owned())
                .or_insert_with(|| Node::Folder(BTreeMap::new()))
            {
                Node::Folder(inner) => entries = inner,
                Node::File { .. } => return Err(path.to_owned()),
            }
        }
        check_component(name).ok_or_else(|| path.to_owned())?;
        match (entries.get(name), &node) {
            (None, _) => {
                entries.insert(name.to_owned(), node);
                Ok(())
            }
            (Some(Node::Folder(_)), Node::Folder(_)) => Ok(()),
            _ => Err(path.to_owned()),
        }
    }
}

fn check_component(part: &str) -> Option<()> {
    (!part.is_empty() && part != "." && part != "..").then_some(())
}
