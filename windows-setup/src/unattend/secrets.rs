//! The secrets that an answer file still holds when Windows has used it.

use std::ops::Range;

use quick_xml::escape::partial_escape;
use roxmltree::{Document, Node};

use super::Error;
use super::merge::{has_elements, text_of};
use super::source::{self, content, replaced};

/// What Windows itself writes where it removed a secret from its copy.
pub const REMOVED: &str = "*SENSITIVE*DATA*DELETED*";

/// Where an applied Windows reads the answer file that we write, from the root of its volume.
pub const PLACE: &str = "Windows/Panther/Unattend/Unattend.xml";

/// What Windows keeps of the answer file that it was set up by. Where the image is set up without another, it is used again
/// ("Windows Setup Configuration Passes", implicit answer file search order).
pub const KEPT: [&str; 2] = [
    "Windows/Panther/unattend.xml",
    "Windows/Panther/unattend-original.xml",
];

/// Where answer files, or copies of them, may lie when Windows has used them.
pub const LEFT_BEHIND: &[&str] = &[
    PLACE,
    "Windows/Panther/unattend.xml",
    "Windows/Panther/unattend-original.xml",
    "Windows/Panther/Unattend/Autounattend.xml",
    "Windows/System32/Sysprep/unattend.xml",
    "Windows/System32/Sysprep/Panther/unattend.xml",
    "unattend.xml",
    "autounattend.xml",
];

/// An answer file without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleaned {
    /// The file; as it was where it held none.
    pub text: String,
    /// The elements that held one, with those around them; empty where there was none.
    pub removed: Vec<String>,
}

/// Takes passwords, product keys and the blobs of an offline domain join out of an answer file, and every
/// secret in `known` of four characters or more wherever it stands: in a command, an attribute or a comment.
pub fn remove_secrets(file: &[u8], known: &[&str]) -> Result<Cleaned, Error> {
    let text = source::decode(file)?;
    let document = source::parse(&text)?;
    let known: Vec<&str> = known
        .iter()
        .copied()
        .filter(|secret| secret.chars().count() >= SHORTEST)
        .collect();
    let mut removal = Removal {
        text: &text,
        known,
        edits: Vec::new(),
        removed: Vec::new(),
    };
    removal.look(&document);
    let Removal { edits, removed, .. } = removal;
    Ok(Cleaned {
        text: replaced(&text, edits),
        removed,
    })
}

/// A shorter secret is found in words that are none: where one belongs, in a password, all is removed whatever it is.
const SHORTEST: usize = 4;
/// What says which component and which system is meant holds no secret, and without it the file is none.
const STRUCTURE: [&str; 6] = [
    "name",
    "pass",
    "processorArchitecture",
    "publicKeyToken",
    "language",
    "versionScope",
];

struct Removal<'a> {
    text: &'a str,
    known: Vec<&'a str>,
    edits: Vec<(Range<usize>, String)>,
    removed: Vec<String>,
}

impl Removal<'_> {
    fn look(&mut self, document: &Document<'_>) {
        for node in document.descendants() {
            if node.is_comment() {
                self.comment(node);
            } else if node.is_element() {
                self.attributes(node);
                if !has_elements(node) {
                    self.value(node);
                }
            }
        }
    }

    fn value(&mut self, node: Node<'_, '_>) {
        let Some(range) = content(self.text, node) else {
            return;
        };
        let value = text_of(node);
        let is_open = !value.trim().is_empty() && value.trim() != REMOVED;
        if is_secret(node) && is_open {
            self.replace(node, range, REMOVED.to_owned());
        } else if let Some(hidden) = self.hidden(&value) {
            self.replace(node, range, partial_escape(hidden.as_str()).into_owned());
        }
    }

    fn attributes(&mut self, node: Node<'_, '_>) {
        let free = |attribute: &roxmltree::Attribute<'_, '_>| !STRUCTURE.contains(&attribute.name());
        for attribute in node.attributes().filter(free) {
            if let Some(hidden) = self.hidden(attribute.value()) {
                let hidden = quick_xml::escape::escape(hidden.as_str()).into_owned();
                self.replace(node, attribute.range_value(), hidden);
            }
        }
    }

    fn comment(&mut self, node: Node<'_, '_>) {
        let range = node.range();
        let Some(hidden) = self.hidden(&self.text[range.clone()]) else {
            return;
        };
        // A comment in a value is gone together with it: elements come before what they contain.
        let is_gone = |edit: &Range<usize>| edit.start <= range.start && range.end <= edit.end;
        if !self.edits.iter().any(|(edit, _)| is_gone(edit)) {
            self.replace(node.parent().unwrap_or(node), range, hidden);
        }
    }

    /// The text without the known secrets, if it has one in it.
    fn hidden(&self, text: &str) -> Option<String> {
        let found = self.known.iter().any(|secret| text.contains(secret));
        found.then(|| {
            self.known
                .iter()
                .fold(text.to_owned(), |text, secret| text.replace(secret, REMOVED))
        })
    }

    fn replace(&mut self, node: Node<'_, '_>, range: Range<usize>, new: String) {
        let names = node
            .ancestors()
            .filter(Node::is_element)
            .map(|one| one.tag_name().name());
        let mut path: Vec<&str> = names.collect();
        path.reverse();
        self.removed.push(path.join("/"));
        self.edits.push((range, new));
    }
}

/// Whether an element without children is there to hold a secret: it, or the element around it whose value it is.
fn is_secret(node: Node<'_, '_>) -> bool {
    let name = node.tag_name().name().to_ascii_lowercase();
    let around = node
        .parent_element()
        .map(|parent| parent.tag_name().name().to_ascii_lowercase())
        .unwrap_or_default();
    let names_secret =
        |name: &str| name.ends_with("password") || matches!(name, "productkey" | "accountdata");
    names_secret(&name) || matches!(name.as_str(), "value" | "key") && names_secret(&around)
}
