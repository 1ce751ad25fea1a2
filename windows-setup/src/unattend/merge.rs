//! Our settings in the user's own answer file, whose values win.
//!
//! The file is not written anew: our elements are put into its text, so that all else in it stays to the letter.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use roxmltree::{Document, Node, NodeId};
use task_sequence::Variables;
use task_sequence::validate::{computer_name, product_key};

use super::edit::{addition, indentation, written};
use super::settings::{Image, Settings};
use super::source::{self, at};
use super::tree::{Content, Element, Meets};
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
    merging.meet(&[document.root_element()], &[&ours]);
    let edits = merging.edits(&text, &document)?;
    let text = source::replaced(&text, edits);
    let joins_domain = joins_domain(&source::parse(&text)?);
    Ok(Merged {
        text,
        kept: merging.kept,
        joins_domain,
    })
}

/// Whether an answer file gives a setting of that name a value, in whatever pass.
pub fn says(file: &[u8], setting: &str) -> Result<bool, Error> {
    let text = source::decode(file)?;
    let document = source::parse(&text)?;
    let mut nodes = document.descendants();
    Ok(nodes.any(|node| node.tag_name().name() == setting && !is_empty(node)))
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
    /// Merges the children of the last of `around` into elements of the file that are the same as it: there can
    /// be several, such as two `settings` of one pass.
    fn meet(&mut self, theirs: &[Node<'_, '_>], around: &[&Element]) {
        for child in around.last().map_or(&[][..], |ours| ours.children()) {
            let chain: Vec<&Element> = around.iter().copied().chain([child]).collect();
            let same = same_in(theirs, child);
            match (same.first(), child.meets) {
                (Some(_), Meets::Merges(_)) => self.meet(&same, &chain),
                (Some(_), Meets::Command) => {}
                (Some(node), _) if !is_empty(*node) => self.decided(*node, &chain),
                (found, _) => {
                    if let Some(child) = self.undecided(theirs[0], &chain) {
                        self.put(theirs[0], found.copied(), child);
                    }
                }
            }
        }
    }

    /// The last of `chain` without what the file gives in another pass; `None` where nothing is left.
    fn undecided(&mut self, place: Node<'_, '_>, chain: &[&Element]) -> Option<Element> {
        let ours = *chain.last()?;
        if let Some(node) = elsewhere(place, chain) {
            self.decided(node, chain);
            return None;
        }
        let (Content::Children(children), Meets::Merges(_)) = (&ours.content, ours.meets) else {
            return Some(ours.clone());
        };
        let left = children.iter().filter_map(|child| {
            let chain: Vec<&Element> = chain.iter().copied().chain([child]).collect();
            self.undecided(place, &chain)
        });
        let left: Vec<Element> = left.collect();
        (!left.is_empty()).then(|| Element {
            content: Content::Children(left),
            ..ours.clone()
        })
    }

    /// The file has the setting.
    fn decided(&mut self, node: Node<'_, '_>, chain: &[&Element]) {
        let Some(ours) = chain.last().filter(|ours| !same_value(node, ours)) else {
            return;
        };
        let settings = node
            .ancestors()
            .find(|around| around.tag_name().name() == "settings");
        let pass = settings
            .and_then(|settings| settings.attribute("pass"))
            .unwrap_or_default();
        let names = chain[2..chain.len() - 1]
            .iter()
            .chain([ours])
            .map(|element| label(element));
        let kept = Kept {
            path: std::iter::once(pass.to_owned()).chain(names).collect(),
        };
        // Ours may stand in two passes.
        if !self.kept.contains(&kept) {
            self.kept.push(kept);
        }
    }

    fn put(&mut self, parent: Node<'_, '_>, empty: Option<Node<'_, '_>>, child: Element) {
        match empty {
            Some(node) => self.filled.push((node.id(), child)),
            None => self.add(parent, child),
        }
    }

    fn add(&mut self, node: Node<'_, '_>, mut child: Element) {
        let added = self.added.entry(node.id().get()).or_default();
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

fn same_in<'a, 'input>(around: &[Node<'a, 'input>], ours: &Element) -> Vec<Node<'a, 'input>> {
    let children = around.iter().flat_map(|node| node.children());
    children.filter(|node| is_same(*node, ours)).collect()
}

/// The passes of a start, in which most settings are read alike: the later would undo what the earlier did.
const PASSES_OF_A_START: [&str; 2] = ["specialize", "oobeSystem"];

/// A value that the file gives in another pass than we do. `chain` leads from the root to our element.
fn elsewhere<'a, 'input>(place: Node<'a, 'input>, chain: &[&Element]) -> Option<Node<'a, 'input>> {
    let (ours, inside) = chain
        .split_last()
        .filter(|(ours, _)| ours.meets == Meets::Yields)?;
    let passes = place.document().root_element().children().filter(|node| {
        let pass = node.attribute("pass").unwrap_or_default();
        node.tag_name().name() == "settings" && PASSES_OF_A_START.contains(&pass)
    });
    let mut nodes: Vec<Node<'a, 'input>> = passes.collect();
    for element in inside.iter().skip(2) {
        nodes = same_in(&nodes, element);
    }
    same_in(&nodes, ours).into_iter().find(|node| !is_empty(*node))
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

/// The highest number of the commands in a list; Windows accepts numbers up to 500, and what is none of u16 is none.
fn last_order(list: Node<'_, '_>) -> usize {
    let orders = list
        .descendants()
        .filter(|node| node.tag_name().name() == "Order");
    orders
        .filter_map(|order| text_of(order).trim().parse::<u16>().ok())
        .max()
        .unwrap_or(0)
        .into()
}

fn renumber(command: &mut Element, number: usize) {
    if let Content::Children(children) = &mut command.content {
        for child in children.iter_mut().filter(|child| child.name == "Order") {
            child.content = Content::Text(number.to_string());
        }
    }
}
