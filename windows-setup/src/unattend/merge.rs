//! Our settings in the user's own answer file, whose values win.
//!
//! The file is not written anew: our elements are put into its text, so that all else in it stays to the letter.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use roxmltree::{Document, Node, NodeId};
use task_sequence::Variables;
use task_sequence::validate::{computer_name, product_key};

use super::settings::{Image, Settings};
use super::source::{self, at, content, written_name};
use super::tree::{Content, Element, Meets, WCM};
use super::{Error, answers, expand};

/// The user's file with our settings in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Merged {
    /// The answer file, in UTF-8.
    pub text: String,
    /// Settings of ours that the file has with another value: the file's stayed.
    pub kept: Vec<Kept>,
    /// Whether the machine joins a domain, as ours or the file says it: then it cannot be captured.
    pub joins_domain: bool,
}

/// Without the text: it may hold secrets.
impl fmt::Debug for Merged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Merged")
            .field("kept", &self.kept)
            .field("joins_domain", &self.joins_domain)
            .finish_non_exhaustive()
    }
}

/// A setting that the user's file decides. Its value is not here: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The pass, the component and the names of the elements, from the outside inwards.
    pub path: Vec<String>,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path.join(" / "))
    }
}

/// Expands the variables in the user's file and adds our settings where it has none.
pub fn merge(own: &[u8], variables: &Variables, settings: &Settings, image: &Image) -> Result<Merged, Error> {
    let written = source::decode(own)?;
    // First as it is, so that an error names the place that its author sees.
    source::parse(&written)?;
    let text = expand::expand(&written, variables);
    let document = source::parse(&text).map_err(after_expansion)?;
    check_values(&document)?;
    let ours = answers::tree(settings, image)?;
    let mut merging = Merging::default();
    merging.meet(&[document.root_element()], &ours, &[]);
    let edits = merging.edits(&text, &document)?;
    let text = source::replaced(&text, edits);
    let joins_domain = joins_domain(&source::parse(&text)?);
    Ok(Merged {
        text,
        kept: merging.kept,
        joins_domain,
    })
}

fn after_expansion(error: Error) -> Error {
    match error {
        Error::File { line, column, why } => Error::File {
            line,
            column,
            why: format!("after the variables of the answer file were expanded: {why}"),
        },
        other => other,
    }
}

/// By name, or by the blob of an offline join.
fn joins_domain(document: &Document<'_>) -> bool {
    let mut nodes = document.descendants();
    nodes.any(|node| {
        matches!(node.tag_name().name(), "JoinDomain" | "AccountData") && !text_of(node).trim().is_empty()
    })
}

/// What Windows would cut off, or stop at when it is too late, is an error here.
fn check_values(document: &Document<'_>) -> Result<(), Error> {
    for node in document
        .descendants()
        .filter(|node| node.is_element() && !has_elements(*node))
    {
        let value = text_of(node);
        let value = value.trim();
        // A star asks Windows for a name; a percent sign is a variable of Windows.
        if value.is_empty() || value == "*" || value.contains('%') {
            continue;
        }
        let checked = match node.tag_name().name() {
            "ComputerName" => computer_name(value),
            "ProductKey" => product_key(value),
            _ => Ok(()),
        };
        checked.map_err(|why| at(document, node, why))?;
    }
    Ok(())
}

pub(super) fn has_elements(node: Node<'_, '_>) -> bool {
    node.children().any(|child| child.is_element())
}

/// All text in an element.
pub(super) fn text_of(node: Node<'_, '_>) -> String {
    node.children()
        .filter(|child| child.is_text())
        .filter_map(|child| child.text())
        .collect()
}

#[derive(Default)]
struct Merging {
    /// What is added at the end of an element, by the number of its node.
    added: BTreeMap<u32, Vec<Element>>,
    /// Elements without a value, and what stands in their place.
    filled: Vec<(NodeId, Element)>,
    kept: Vec<Kept>,
}

impl Merging {
    /// Merges the children of ours into elements of the file that are the same as ours: there can be several,
    /// such as two `settings` of one pass.
    fn meet(&mut self, theirs: &[Node<'_, '_>], ours: &Element, path: &[String]) {
        for child in ours.children() {
            let same: Vec<Node<'_, '_>> = theirs
                .iter()
                .flat_map(|node| node.children())
                .filter(|node| is_same(*node, child))
                .collect();
            let path: Vec<String> = path.iter().cloned().chain([label(child)]).collect();
            match (same.first(), child.meets) {
                (None, _) => self.add(theirs[0], child),
                (Some(_), Meets::Merges(_)) => self.meet(&same, child, &path),
                (Some(_), Meets::Command) => {}
                (Some(node), Meets::Yields) if is_empty(*node) => {
                    self.filled.push((node.id(), child.clone()))
                }
                (Some(node), _) if same_value(*node, child) => {}
                (Some(_), _) => self.kept.push(Kept { path }),
            }
        }
    }

    fn add(&mut self, node: Node<'_, '_>, child: &Element) {
        let added = self.added.entry(node.id().get()).or_default();
        let mut child = child.clone();
        if child.meets == Meets::Command {
            renumber(&mut child, last_order(node) + added.len() + 1);
        }
        added.push(child);
    }

    fn edits(&self, text: &str, document: &Document<'_>) -> Result<Vec<(Range<usize>, String)>, Error> {
        let mut edits = Vec::new();
        for (id, children) in &self.added {
            let node = document.get_node(NodeId::new(*id));
            edits.extend(node.map(|node| addition(text, node, children)).transpose()?);
        }
        for (id, element) in &self.filled {
            let Some(node) = document.get_node(*id) else {
                continue;
            };
            let depth = indentation(text, node);
            edits.push((node.range(), written(text, node, element, depth)?));
        }
        Ok(edits)
    }
}

/// What a reader of the log calls an element.
fn label(element: &Element) -> String {
    let named = element
        .attributes
        .iter()
        .find(|(name, _)| matches!(*name, "name" | "pass"));
    let item = match element.meets {
        Meets::Item(key) => element
            .child_text(key)
            .map(|key| format!("{} {key}", element.name)),
        _ => None,
    };
    named
        .map(|(_, value)| value.clone())
        .or(item)
        .unwrap_or_else(|| element.name.to_owned())
}

fn is_same(node: Node<'_, '_>, ours: &Element) -> bool {
    if !node.is_element() || node.tag_name().name() != ours.name {
        return false;
    }
    let child_is_same = |key: &str| {
        let theirs = node
            .children()
            .find(|child| child.tag_name().name() == key)
            .map(text_of);
        matches!((theirs, ours.child_text(key)), (Some(theirs), Some(ours)) if theirs.trim().eq_ignore_ascii_case(ours))
    };
    match ours.meets {
        Meets::Merges(attributes) => attributes.iter().all(|name| {
            let value = ours.attributes.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str());
            matches!((node.attribute(*name), value), (Some(theirs), Some(ours)) if theirs.eq_ignore_ascii_case(ours))
        }),
        Meets::Yields => true,
        Meets::Item(key) => child_is_same(key),
        Meets::Command => child_is_same("Path"),
    }
}

/// An element that answers nothing, as templates have it.
fn is_empty(node: Node<'_, '_>) -> bool {
    !has_elements(node) && text_of(node).trim().is_empty()
}

fn same_value(node: Node<'_, '_>, ours: &Element) -> bool {
    match &ours.content {
        Content::Text(text) => !has_elements(node) && text_of(node).trim() == text,
        Content::Children(children) => {
            let theirs: Vec<Node<'_, '_>> = node.children().filter(Node::is_element).collect();
            let is_there = |child: &Element| {
                theirs
                    .iter()
                    .any(|node| node.tag_name().name() == child.name && same_value(*node, child))
            };
            theirs.len() == children.len() && children.iter().all(is_there)
        }
    }
}

/// The highest number of the commands in a list.
fn last_order(list: Node<'_, '_>) -> usize {
    let orders = list
        .descendants()
        .filter(|node| node.tag_name().name() == "Order");
    orders
        .filter_map(|order| text_of(order).trim().parse().ok())
        .max()
        .unwrap_or(0)
}

fn renumber(command: &mut Element, number: usize) {
    if let Content::Children(children) = &mut command.content {
        for child in children.iter_mut().filter(|child| child.name == "Order") {
            child.content = Content::Text(number.to_string());
        }
    }
}

/// Our children at the end of an element of the file.
fn addition(text: &str, node: Node<'_, '_>, children: &[Element]) -> Result<(Range<usize>, String), Error> {
    let line = line_end(text);
    let outer = indentation(text, node);
    let inner = inner_indentation(text, node);
    let mut new = String::new();
    for child in children {
        new.push_str(&format!("{line}{inner}{}", written(text, node, child, &inner)?));
    }
    let Some(content) = content(text, node) else {
        // `<element/>` becomes a pair of tags.
        let end = node.range().end;
        let name = written_name(text, node);
        return Ok((end - "/>".len()..end, format!(">{new}{line}{outer}</{name}>")));
    };
    let last = content.start + text[content.clone()].trim_end().len();
    if !text[last..content.end].contains('\n') {
        new.push_str(&format!("{line}{outer}"));
    }
    Ok((last..last, new))
}

/// An element of ours as text for a place in the file: with the prefix of its surroundings, and so deep.
fn written(text: &str, place: Node<'_, '_>, element: &Element, depth: &str) -> Result<String, Error> {
    let prefix = written_name(text, place)
        .split_once(':')
        .map(|(prefix, _)| format!("{prefix}:"))
        .unwrap_or_default();
    let declared = place.lookup_namespace_uri(Some("wcm")) == Some(WCM);
    let element = if element.needs_wcm() && !declared {
        element.clone().attribute("xmlns:wcm", WCM)
    } else {
        element.clone()
    };
    Ok(element
        .write(&prefix)?
        .replace('\n', &format!("{}{depth}", line_end(text))))
}

fn line_end(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// The blanks before an element that begins its line.
fn indentation<'a>(text: &'a str, node: Node<'_, '_>) -> &'a str {
    let start = node.range().start;
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let before = &text[line_start..start];
    if before.trim().is_empty() { before } else { "" }
}

/// The blanks before the children of an element: as its first child has them.
fn inner_indentation(text: &str, node: Node<'_, '_>) -> String {
    let outer = indentation(text, node);
    let first = node
        .children()
        .find(Node::is_element)
        .map(|child| indentation(text, child));
    match first {
        Some(inner) if inner.len() > outer.len() => inner.to_owned(),
        _ => format!("{outer}{}", if outer.contains('\t') { "\t" } else { "  " }),
    }
}
