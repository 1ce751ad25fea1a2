//! `%NAMES%` that nothing gives a value: they stay in the texts as they are written.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::{EnabledStep, Given, Problem, Severity};
use crate::setting::nearest;
use crate::steps::{ALL, variables_of};
use crate::variables::{Variables, references};

/// Texts that have percent signs of their own: those of a shell, and the wildcards of a hardware query.
const WITH_OWN_SIGNS: [&str; 4] = ["command", "inline", "arguments", "query"];
/// A name between such signs must be this near to one of ours to be taken for it.
const NEAR: usize = 2;

pub(super) fn check(enabled: &[EnabledStep<'_>], given: &Given, problems: &mut Vec<Problem>) {
    let known = Known::new(given);
    for placed in enabled {
        let warning = |message| Problem::of_step(Severity::Warning, placed, message);
        problems.extend(known.unknown_in(&placed.step.action).into_iter().map(warning));
    }
}

/// The variables that the types of steps know; `#` stands for a number.
fn names_of_types() -> BTreeSet<&'static str> {
    let all = ALL.iter().flat_map(|kind| variables_of(kind.name));
    all.map(|mapping| mapping.variable).collect()
}

/// The names that something gives a value.
pub(super) struct Known<'a> {
    given: &'a Given,
    of_types: BTreeSet<&'static str>,
}

impl<'a> Known<'a> {
    pub(super) fn new(given: &'a Given) -> Self {
        let of_types = names_of_types();
        Self { given, of_types }
    }

    /// What there is to say of the `%NAMES%` in all texts of a step or a condition.
    pub(super) fn unknown_in(&self, settings: &impl Serialize) -> BTreeSet<String> {
        let mut messages = BTreeSet::new();
        let settings = serde_json::to_value(settings).unwrap_or_default();
        self.look(&settings, false, &mut messages);
        messages
    }

    /// A variable that only the engine sets, and that it does not: a slip, or one of ConfigMgr's that we do not have. Of any other
    /// a condition may ask whether it is there.
    pub(super) fn unknown_of_engine(&self, name: &str) -> Option<String> {
        if !Variables::is_read_only(name) || Variables::is_set_by_engine(name) {
            return None;
        }
        let help = near_of_engine(name)
            .next()
            .map(|near| format!(": did you mean `{near}`?"));
        Some(format!(
            "nothing gives `{name}` a value, so it never exists{}",
            help.unwrap_or_default()
        ))
    }

    fn nearest(&self, name: &str) -> Option<&str> {
        let of_types = self.of_types.iter().copied();
        let of_engine: Vec<&str> = near_of_engine(name).collect();
        nearest(name, self.given.names().chain(of_types).chain(of_engine))
    }

    fn look(&self, settings: &Value, own_signs: bool, messages: &mut BTreeSet<String>) {
        match settings {
            Value::String(text) => {
                // Each name once: the nearest of all known ones takes a while to find.
                let names: BTreeSet<&str> = references(text).filter(|name| is_plain(name)).collect();
                messages.extend(names.into_iter().filter_map(|name| self.unknown(name, own_signs)));
            }
            Value::Array(all) => all.iter().for_each(|one| self.look(one, own_signs, messages)),
            Value::Object(all) => all.iter().for_each(|(key, one)| {
                self.look(one, own_signs || WITH_OWN_SIGNS.contains(&key.as_str()), messages);
            }),
            _ => {}
        }
    }

    fn unknown(&self, name: &str, own_signs: bool) -> Option<String> {
        // What a script of a package sets is not seen: only what looks like a slip is worth a word.
        let own_signs = own_signs || self.given.has_unseen_scripts();
        let is_known =
            self.given.contains(name) || Variables::is_set_by_engine(name) || self.is_of_a_type(name);
        let near = self.nearest(name);
        let near = near.filter(|near| !own_signs || is_near(name, near));
        if is_known || own_signs && near.is_none() {
            return None;
        }
        let help = near
            .map(|near| format!(": did you mean `%{near}%`?"))
            .unwrap_or_default();
        Some(format!(
            "nothing gives `%{name}%` a value, so it stays as it is written{help}"
        ))
    }

    fn is_of_a_type(&self, name: &str) -> bool {
        let without_number = |digits: char| if digits.is_ascii_digit() { '#' } else { digits };
        let mut pattern: String = name.chars().map(without_number).collect();
        while pattern.contains("##") {
            pattern = pattern.replace("##", "#");
        }
        let mut of_types = self.of_types.iter();
        of_types.any(|known| known.eq_ignore_ascii_case(name) || known.eq_ignore_ascii_case(&pattern))
    }
}

/// They all begin alike, so most are a little like any other.
fn near_of_engine(name: &str) -> impl Iterator<Item = &'static str> {
    Variables::names_of_engine().filter(move |known| is_near(name, known))
}

fn is_near(name: &str, other: &str) -> bool {
    let (name, other) = (name.to_lowercase(), other.to_lowercase());
    name.chars().count() > 2 * NEAR && strsim::damerau_levenshtein(&name, &other) <= NEAR
}

/// Other texts between percent signs are seldom meant as names.
fn is_plain(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(is_part)
}
