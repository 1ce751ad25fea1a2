//! A tree as a list, in the order in which planners place things: a folder, then what is in it.

use crate::extent::Content;
use crate::tree::{FileTree, Node};

/// One folder or file; index 0 of the list is the root folder.
pub(crate) struct Item<'a> {
    /// Index of the folder that it lies in.
    pub(crate) parent: usize,
    pub(crate) name: &'a str,
    /// Bytes of a file, 0 for a folder.
    pub(crate) size: u64,
    /// `None` for a folder.
    pub(crate) content: Option<&'a Content>,
    /// Indexes of a folder's entries, in the order of their names.
    pub(crate) children: Vec<usize>,
}

impl Item<'_> {
    pub(crate) fn is_folder(&self) -> bool {
        self.content.is_none()
    }
}

/// Lists the tree. It does not recurse: the depth is the caller's input.
pub(crate) fn flatten(tree: &FileTree) -> Vec<Item<'_>> {
    let mut items = vec![Item {
        parent: 0,
        name: "",
        size: 0,
        content: None,
        children: Vec::new(),
    }];
    let mut pending: Vec<(usize, &str, &Node)> = Vec::new();
    pending.extend(
        tree.entries
            .iter()
            .rev()
            .map(|(name, node)| (0, name.as_str(), node)),
    );
    while let Some((parent, name, node)) = pending.pop() {
        let index = items.len();
        items[parent].children.push(index);
        let (size, content) = match node {
            Node::File { size, content } => (*size, Some(content)),
            Node::Folder(entries) => {
                pending.extend(
                    entries
                        .iter()
                        .rev()
                        .map(|(name, node)| (index, name.as_str(), node)),
                );
                (0, None)
            }
        };
        items.push(Item {
            parent,
            name,
            size,
            content,
            children: Vec::new(),
        });
    }
    items
}

/// The path of an item, for messages.
pub(crate) fn path(items: &[Item<'_>], mut index: usize) -> String {
    let mut parts = Vec::new();
    while index != 0 {
        parts.push(items[index].name);
        index = items[index].parent;
    }
    parts.reverse();
    parts.join("/")
}
