//! `%NAMES%` that nothing gives a value: they stay in the texts as they are written.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{EnabledStep, Given, Problem, Severity};
use crate::setting::nearest;
use crate::steps::{ALL, variables_of};
use crate::variables::{Variables, references};

/// Texts in which a shell has percent signs of its own.
const OF_A_SHELL: [&str; 3] = ["command", "inline", "arguments"];
/// A shell's own name must be this near to one of ours to be taken for it.
const NEAR: usize = 2;

pub(super) fn check(enabled: &[EnabledStep<'_>], given: &Given, problems: &mut Vec<Problem>) {
    let of_types = names_of_types();
    let known = Known {
        given,
        of_types: &of_types,
    };
    for placed in enabled {
        let settings = serde_json::to_value(&placed.step.action).unwrap_or_default();
        let mut messages = BTreeSet::new();
        known.look(&settings, false, &mut messages);
        let warning = |message| Problem::of_step(Severity::Warning, placed, message);
        problems.extend(messages.into_iter().map(warning));
    }
}

/// The variables that the types of steps know; `#` stands for a number.
fn names_of_types() -> BTreeSet<&'static str> {
    let all = ALL.iter().flat_map(|kind| variables_of(kind.name));
    all.map(|mapping| mapping.variable).collect()
}

struct Known<'a> {
    given: &'a Given,
    of_types: &'a BTreeSet<&'static str>,
}

impl Known<'_> {
    fn look(&self, settings: &Value, of_a_shell: bool, messages: &mut BTreeSet<String>) {
        match settings {
            Value::String(text) => messages.extend(
                references(text)
                    .filter(|name| is_plain(name))
                    .filter_map(|name| self.unknown(name, of_a_shell)),
            ),
            Value::Array(all) => all.iter().for_each(|one| self.look(one, of_a_shell, messages)),
            Value::Object(all) => all.iter().for_each(|(key, one)| {
                self.look(one, of_a_shell || OF_A_SHELL.contains(&key.as_str()), messages);
            }),
            _ => {}
        }
    }

    fn unknown(&self, name: &str, of_a_shell: bool) -> Option<String> {
        // What a script of a package sets is not seen: only what looks like a slip is worth a word.
        let of_a_shell = of_a_shell || self.given.has_unseen_scripts();
        let is_known =
            self.given.contains(name) || Variables::is_set_by_engine(name) || self.is_of_a_type(name);
        let near = || nearest(name, self.given.names().chain(self.of_types.iter().copied()));
        let near = near().filter(|near| !of_a_shell || is_near(name, near));
        if is_known || of_a_shell && near.is_none() {
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

fn is_near(name: &str, other: &str) -> bool {
    let (name, other) = (name.to_lowercase(), other.to_lowercase());
    name.chars().count() > 2 * NEAR && strsim::damerau_levenshtein(&name, &other) <= NEAR
}

/// Other texts between percent signs are seldom meant as names.
fn is_plain(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(is_part)
}
