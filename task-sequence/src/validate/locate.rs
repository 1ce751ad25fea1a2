//! Where in the text of a sequence a problem is: the model has no places, but the problem says which step and names the setting.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Problem;
use crate::diagnostic::{Diagnostic, SourceText};

/// The problem with its place in the text that the sequence was read from: the setting that its message names first, else the
/// step. `file` is only named.
pub fn locate(file: &str, text: &str, problem: &Problem) -> Diagnostic {
    let table = DeTable::parse(text).ok();
    let span = table.and_then(|table| span_of(table.get_ref(), problem));
    let message = if problem.path.is_empty() {
        problem.message.clone()
    } else {
        format!("{}: {}", problem.path.join(" / "), problem.message)
    };
    SourceText::new(file, text).diagnostic(span.unwrap_or_default(), message, None)
}

fn span_of(sequence: &DeTable<'_>, problem: &Problem) -> Option<Range<usize>> {
    let words: Vec<&str> = problem.message.split('`').skip(1).step_by(2).collect();
    if problem.node.is_empty() {
        return words.iter().find_map(|word| named(sequence, word));
    }
    let node = problem
        .node
        .iter()
        .try_fold(sequence, |table, place| child(table, *place))?;
    let setting = words.iter().find_map(|word| named(node, word));
    let title = || Some(node.get("type").or_else(|| node.get("group"))?.span());
    setting.or_else(title)
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
