//! Where in the text of a sequence a problem is: the model has no places, but the problem says which step and names the setting.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Problem;
use crate::diagnostic::{Diagnostic, SourceText};

/// The text that a sequence was read from.
#[derive(Debug, Clone, Copy)]
pub struct SourceFile<'a> {
    /// Its file, which is only named.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// The problem with its place in the text that the sequence of this id was read from, or one that it runs: the setting that its
/// message names first, else the step.
pub fn locate(sequences: &BTreeMap<&str, SourceFile<'_>>, id: &str, problem: &Problem) -> Diagnostic {
    let (source, span) = find(sequences, id, &problem.node, &problem.message);
    let message = if problem.path.is_empty() {
        problem.message.clone()
    } else {
        format!("{}: {}", problem.path.join(" / "), problem.message)
    };
    SourceText::new(source.name, source.text).diagnostic(span.unwrap_or_default(), message, None)
}

fn find<'a>(
    sequences: &'a BTreeMap<&'a str, SourceFile<'a>>,
    id: &'a str,
    node: &[usize],
    message: &str,
) -> (SourceFile<'a>, Option<Range<usize>>) {
    let source = sequences
        .get(id)
        .copied()
        .unwrap_or(SourceFile { name: id, text: "" });
    let Ok(table) = DeTable::parse(source.text) else {
        return (source, None);
    };
    let (found, rest) = descend(table.get_ref(), node);
    let other = found.get("sequence").and_then(|id| id.get_ref().as_str());
    let other = other.and_then(|other| sequences.get_key_value(other));
    match other.filter(|_| !rest.is_empty()) {
        Some((other, _)) => find(sequences, other, rest, message),
        None => (source, span_of(found, node.is_empty(), message)),
    }
}

/// The node that lies deepest on the way, and the rest of the way.
fn descend<'t, 'i, 'n>(sequence: &'t DeTable<'i>, node: &'n [usize]) -> (&'t DeTable<'i>, &'n [usize]) {
    let Some((first, rest)) = node.split_first() else {
        return (sequence, node);
    };
    match child(sequence, *first) {
        Some(table) => descend(table, rest),
        None => (sequence, node),
    }
}

fn span_of(node: &DeTable<'_>, is_sequence: bool, message: &str) -> Option<Range<usize>> {
    let mut words = message.split('`').skip(1).step_by(2);
    let setting = words.find_map(|word| named(node, word));
    let title = || Some(node.get("type").or_else(|| node.get("group"))?.span());
    if is_sequence {
        setting
    } else {
        setting.or_else(title)
    }
}

fn child<'t, 'i>(table: &'t DeTable<'i>, place: usize) -> Option<&'t DeTable<'i>> {
    table
        .get("steps")?
        .get_ref()
        .as_array()?
        .get(place)?
        .get_ref()
        .as_table()
}

/// The key of that name, or the text that is or contains the word; not in steps beneath.
fn named(table: &DeTable<'_>, word: &str) -> Option<Range<usize>> {
    let own = || table.iter().filter(|(key, _)| key.get_ref() != "steps");
    let fits: [&dyn Fn(&str) -> bool; 2] = [&|text| text == word, &|text| text.contains(word)];
    let key = own().find(|(key, _)| key.get_ref().eq_ignore_ascii_case(word));
    let deeper = || own().find_map(|(_, value)| named_beneath(value, word));
    let texts = || {
        fits.iter()
            .find_map(|fits| own().find_map(|(_, value)| text_that(value, fits)))
    };
    key.map(|(key, _)| key.span()).or_else(deeper).or_else(texts)
}

fn named_beneath(value: &Spanned<DeValue<'_>>, word: &str) -> Option<Range<usize>> {
    match value.get_ref() {
        DeValue::Table(table) => {
            let key = table
                .iter()
                .find(|(key, _)| key.get_ref().eq_ignore_ascii_case(word));
            key.map(|(key, _)| key.span())
                .or_else(|| table.values().find_map(|value| named_beneath(value, word)))
        }
        DeValue::Array(all) => all.iter().find_map(|value| named_beneath(value, word)),
        _ => None,
    }
}

fn text_that(value: &Spanned<DeValue<'_>>, fits: &dyn Fn(&str) -> bool) -> Option<Range<usize>> {
    match value.get_ref() {
        DeValue::String(text) => fits(text).then(|| value.span()),
        DeValue::Table(table) => table.values().find_map(|value| text_that(value, fits)),
        DeValue::Array(all) => all.iter().find_map(|value| text_that(value, fits)),
        _ => None,
    }
}
