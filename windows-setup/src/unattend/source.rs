//! Answer files as bytes and as text: encodings, where their parts lie, what is wrong and where.

use media_format::xml_limits;
use roxmltree::{Document, Node, ParsingOptions, TextPos};

use super::Error;
use super::tree::UNATTEND;

/// A file with more elements than this is not an answer file.
const MOST_NODES: u32 = 100_000;

/// The text of a file in UTF-8, or in UTF-16 with a byte-order mark. A declaration names UTF-8 afterwards.
pub(super) fn decode(bytes: &[u8]) -> Result<String, Error> {
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes)?,
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest)?,
        _ => utf8(bytes)?,
    };
    declare_utf8(text)
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, Error> {
    let broken = || Error::Encoding("the file begins as UTF-16, but is none: save it as UTF-8".into());
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(broken());
    }
    char::decode_utf16(pairs.iter().map(|pair| unit(*pair)))
        .collect::<Result<_, _>>()
        .map_err(|_| broken())
}

fn utf8(bytes: &[u8]) -> Result<String, Error> {
    if bytes.contains(&0) {
        return Err(Error::Encoding(
            "the file has zero bytes in it: UTF-16 needs a byte-order mark; save it as UTF-8".into(),
        ));
    }
    String::from_utf8(bytes.to_vec()).map_err(|error| {
        let good = String::from_utf8_lossy(&bytes[..error.utf8_error().valid_up_to()]).into_owned();
        let line_start = good.rfind('\n').map_or(0, |at| at + 1);
        Error::File {
            line: count(good.matches('\n').count()),
            column: count(good[line_start..].chars().count()),
            why: "this is not UTF-8: save the file as UTF-8".into(),
        }
    })
}

fn count(before: usize) -> u32 {
    u32::try_from(before).unwrap_or(u32::MAX - 1) + 1
}

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>";

/// What is written is UTF-8, whatever the file said of itself.
fn declare_utf8(text: String) -> Result<String, Error> {
    let Some(end) = text
        .strip_prefix("<?xml ")
        .and_then(|rest| rest.find("?>"))
        .map(|at| at + "<?xml ".len())
    else {
        return Ok(text);
    };
    let declaration = text[..end].to_ascii_lowercase();
    let says = |encoding: &str| {
        declaration.contains(&format!("\"{encoding}\"")) || declaration.contains(&format!("'{encoding}'"))
    };
    let known = !declaration.contains("encoding") || ["utf-8", "utf-16", "us-ascii"].into_iter().any(says);
    if !known && !text.is_ascii() {
        return Err(Error::Encoding(
            "the declaration in the first line names another encoding than UTF-8 and UTF-16: save the file as UTF-8".into(),
        ));
    }
    Ok(format!("{DECLARATION}{}", &text[end + "?>".len()..]))
}

/// The elements of a text; a DOCTYPE is refused.
pub(super) fn parse(text: &str) -> Result<Document<'_>, Error> {
    if let Some(why) = xml_limits::excess(text) {
        return Err(Error::Encoding(format!("the file is no answer file: {why}")));
    }
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: MOST_NODES,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, options).map_err(|error| explain(text, &error))?;
    let root = document.root_element();
    let name = root.tag_name();
    if name.name() != "unattend" || name.namespace() != Some(UNATTEND) {
        let why = format!(
            "this is not an answer file: it begins with `{}`, not with `unattend` of {UNATTEND}",
            name.name()
        );
        return Err(at(&document, root, why));
    }
    Ok(document)
}

/// An error at the beginning of an element.
pub(super) fn at(document: &Document<'_>, node: Node<'_, '_>, why: String) -> Error {
    file(document.text_pos_at(node.range().start), why)
}

fn file(place: TextPos, why: String) -> Error {
    Error::File {
        line: place.row,
        column: place.col,
        why,
    }
}

fn explain(text: &str, error: &roxmltree::Error) -> Error {
    if matches!(error, roxmltree::Error::DtdDetected) {
        let before = doctype(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        return Error::File {
            line: count(before.matches('\n').count()),
            column: count(before[line_start..].chars().count()),
            why: "a DOCTYPE has no place in an answer file: remove it".into(),
        };
    }
    let said = error.to_string();
    // The place is told once, by us.
    let why = said
        .rsplit_once(" at ")
        .filter(|(_, place)| place.contains(':'))
        .map_or(said.as_str(), |(why, _)| why);
    file(error.pos(), why.to_owned())
}

/// The text before the DOCTYPE.
fn doctype(text: &str) -> &str {
    let mut before = 0;
    for piece in pieces(text) {
        if let Piece::Markup(markup) = piece
            && let Some(at) = markup.find("<!DOCTYPE")
        {
            return &text[..before + at];
        }
        before += piece.text().len();
    }
    text
}

/// A part of a text in which characters mean the same throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Elements, attributes and texts with entities in them.
    Markup(&'a str),
    /// Text without entities, with its brackets.
    CData(&'a str),
    /// A comment or an instruction.
    Note(&'a str),
}

impl<'a> Piece<'a> {
    pub(super) fn text(self) -> &'a str {
        match self {
            Self::Markup(text) | Self::CData(text) | Self::Note(text) => text,
        }
    }
}

/// The pieces of a text, which together are the text.
pub(super) fn pieces(mut rest: &str) -> Vec<Piece<'_>> {
    const SPECIAL: [(&str, &str); 3] = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")];
    let mut found = Vec::new();
    while let Some((start, open, close)) = rest.match_indices('<').find_map(|(start, _)| {
        let special = SPECIAL.iter().find(|(open, _)| rest[start..].starts_with(open));
        special.map(|(open, close)| (start, *open, *close))
    }) {
        found.push(Piece::Markup(&rest[..start]));
        let inside = start + open.len();
        let end = rest[inside..]
            .find(close)
            .map_or(rest.len(), |at| inside + at + close.len());
        let piece = &rest[start..end];
        found.push(if open == "<![CDATA[" {
            Piece::CData(piece)
        } else {
            Piece::Note(piece)
        });
        rest = &rest[end..];
    }
    found.push(Piece::Markup(rest));
    found
}

/// Where the content of an element lies in the text: between its tags; `None` for `<element/>`.
pub(super) fn content(text: &str, node: Node<'_, '_>) -> Option<std::ops::Range<usize>> {
    let range = node.range();
    let mut quote = None;
    let tag = text[range.clone()]
        .char_indices()
        .find(|(_, c)| match (quote, *c) {
            (None, '>') => true,
            (None, '"' | '\'') => {
                quote = Some(*c);
                false
            }
            (Some(open), c) if open == c => {
                quote = None;
                false
            }
            _ => false,
        });
    let start = range.start + tag?.0 + 1;
    if text[..start].ends_with("/>") {
        return None;
    }
    let end = range.start + text[range].rfind("</")?;
    Some(start..end)
}

/// The name of an element as it is written, with its prefix.
pub(super) fn written_name<'a>(text: &'a str, node: Node<'_, '_>) -> &'a str {
    let tag = &text[node.range().start + 1..];
    let end = tag
        .find(|c: char| c.is_whitespace() || matches!(c, '>' | '/'))
        .unwrap_or(tag.len());
    &tag[..end]
}

/// The text with some of its ranges replaced. Ranges do not overlap.
pub(super) fn replaced(text: &str, mut edits: Vec<(std::ops::Range<usize>, String)>) -> String {
    edits.sort_by_key(|(range, _)| range.start);
    let mut result = String::with_capacity(text.len());
    let mut done = 0;
    for (range, new) in edits {
        result.push_str(&text[done..range.start]);
        result.push_str(&new);
        done = range.end;
    }
    result.push_str(&text[done..]);
    result
}
