//! The tree as a flat list in tree order, with the names of every view.

use std::collections::{BTreeMap, HashMap, btree_map};

use super::names::{self, Fault, IsoNames};
use super::{Error, Params};
use crate::extent::Content;
use crate::tree::{FileTree, Node as TreeNode};

/// The root folder's place in the list.
pub(super) const ROOT: usize = 0;

/// A file or folder.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) name: &'a str,
    /// The folder's place in the list; the root is its own parent.
    pub(super) parent: usize,
    /// ISO 9660 identifier.
    pub(super) iso: Vec<u8>,
    /// Joliet identifier; empty when there is no Joliet.
    pub(super) joliet: Vec<u8>,
    pub(super) kind: Kind<'a>,
}

#[derive(Debug)]
pub(super) enum Kind<'a> {
    Folder {
        /// The places of its entries.
        entries: Vec<usize>,
        /// How many of them are folders.
        subfolders: usize,
    },
    File {
        size: u64,
        content: &'a Content,
    },
}

/// All files and folders in tree order, parents first.
#[derive(Debug)]
pub(super) struct Nodes<'a>(pub(super) Vec<Node<'a>>);

/// A folder whose entries are being listed.
struct Open<'a> {
    place: usize,
    rest: btree_map::Iter<'a, String, TreeNode>,
    iso: IsoNames,
    folded: HashMap<String, &'a str>,
}

impl<'a> Open<'a> {
    fn new(place: usize, entries: &'a BTreeMap<String, TreeNode>) -> Self {
        Self {
            place,
            rest: entries.iter(),
            iso: IsoNames::default(),
            folded: HashMap::new(),
        }
    }
}

impl<'a> Nodes<'a> {
    /// Lists a tree. Without recursion: the depth of a tree is its author's choice.
    pub(super) fn list(tree: &'a FileTree, params: &Params) -> Result<Self, Error> {
        let root = Kind::Folder {
            entries: Vec::new(),
            subfolders: 0,
        };
        let mut nodes = Self(vec![Node {
            name: "",
            parent: ROOT,
            iso: vec![0],
            joliet: vec![0],
            kind: root,
        }]);
        let mut open = vec![Open::new(ROOT, &tree.entries)];
        while let Some(folder) = open.last_mut() {
            let Some((name, entry)) = folder.rest.next() else {
                open.pop();
                continue;
            };
            let place = nodes.add(folder, name, entry, params)?;
            if let TreeNode::Folder(entries) = entry {
                open.push(Open::new(place, entries));
            }
        }
        Ok(nodes)
    }

    fn add(
        &mut self,
        folder: &mut Open<'a>,
        name: &'a str,
        entry: &'a TreeNode,
        params: &Params,
    ) -> Result<usize, Error> {
        let parent = folder.place;
        let fault = |fault| self.named(parent, name, fault);
        names::check_name(name).map_err(fault)?;
        let mut joliet = Vec::new();
        if params.joliet {
            let version = matches!(entry, TreeNode::File { .. }) && !params.plain_names;
            joliet = names::joliet(name, version).map_err(fault)?;
            if let Some(other) = folder.folded.insert(name.to_lowercase(), name) {
                let (path, other) = (self.path_below(parent, name), self.path_below(parent, other));
                return Err(Error::JolietCollision { path, other });
            }
        }
        let (iso, kind) = match entry {
            TreeNode::Folder(_) => (
                folder.iso.folder(name),
                Kind::Folder {
                    entries: Vec::new(),
                    subfolders: 0,
                },
            ),
            TreeNode::File { size, content } => (
                folder.iso.file(name, params.plain_names),
                Kind::File { size: *size, content },
            ),
        };
        let place = self.0.len();
        self.0.push(Node {
            name,
            parent,
            iso,
            joliet,
            kind,
        });
        if let Kind::Folder { entries, subfolders } = &mut self.0[parent].kind {
            entries.push(place);
            *subfolders += usize::from(matches!(entry, TreeNode::Folder(_)));
        }
        Ok(place)
    }

    fn named(&self, parent: usize, name: &str, fault: Fault) -> Error {
        let path = self.path_below(parent, name);
        match fault {
            Fault::Invalid => Error::NameInvalid { path },
            Fault::TooLong(bytes) => Error::NameTooLong { path, bytes },
            Fault::JolietTooLong(units) => Error::JolietNameTooLong { path, units },
            Fault::JolietCharacter(character) => Error::JolietCharacter { path, character },
            Fault::JolietTrailing => Error::JolietTrailing { path },
        }
    }

    fn path_below(&self, parent: usize, name: &str) -> String {
        if parent == ROOT {
            name.to_owned()
        } else {
            format!("{}/{name}", self.path(parent))
        }
    }

    /// The path of a node, components separated by `/`.
    pub(super) fn path(&self, mut place: usize) -> String {
        let mut parts = Vec::new();
        while place != ROOT {
            parts.push(self.0[place].name);
            place = self.0[place].parent;
        }
        parts.reverse();
        parts.join("/")
    }

    /// The entries of a folder; none for a file.
    pub(super) fn entries(&self, place: usize) -> &[usize] {
        match &self.0[place].kind {
            Kind::Folder { entries, .. } => entries,
            Kind::File { .. } => &[],
        }
    }

    pub(super) fn is_folder(&self, place: usize) -> bool {
        matches!(self.0[place].kind, Kind::Folder { .. })
    }

    /// The place of the file at `path`.
    pub(super) fn find(&self, path: &str) -> Option<usize> {
        path.split('/')
            .filter(|part| !part.is_empty())
            .try_fold(ROOT, |folder, part| {
                self.entries(folder)
                    .iter()
                    .copied()
                    .find(|entry| self.0[*entry].name == part)
            })
    }
}
