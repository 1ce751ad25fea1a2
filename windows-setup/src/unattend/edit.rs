//! Elements of ours as text for a place in the user's file.

use std::ops::Range;

use roxmltree::Node;

use super::Error;
use super::source::{content, written_name};
use super::tree::{Element, WCM};

/// Our children at the end of an element of the file.
pub(super) fn addition(
    text: &str,
    node: Node<'_, '_>,
    children: &[Element],
) -> Result<(Range<usize>, String), Error> {
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
pub(super) fn written(
    text: &str,
    place: Node<'_, '_>,
    element: &Element,
    depth: &str,
) -> Result<String, Error> {
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
pub(super) fn indentation<'a>(text: &'a str, node: Node<'_, '_>) -> &'a str {
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
