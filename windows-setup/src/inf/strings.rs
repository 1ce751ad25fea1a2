//! `%strkey%` tokens (INF Strings section).

use std::collections::HashMap;

use super::error::{InfError, InfProblem};
use super::scan::Sections;
use super::{MAX_FIELD, MAX_SIZE};

const STRINGS: &str = "strings";

/// Replaces the tokens everywhere but in the strings themselves. A token that is not defined stays as it is: `%12%`
/// is a folder, by its number (Using Dirids).
pub(super) fn expand(sections: &mut Sections, language: u16) -> Result<(), InfError> {
    let strings = strings(sections, language);
    let mut budget = Budget(2 * MAX_SIZE);
    let others = sections
        .iter_mut()
        .filter(|(name, _)| *name != STRINGS && language_of(name).is_none());
    for entry in others.flat_map(|(_, section)| &mut section.entries) {
        for field in entry.key.iter_mut().chain(&mut entry.values) {
            if field.contains('%') {
                *field = replace(field, &strings);
                budget.check(field, entry.line)?;
            }
        }
    }
    Ok(())
}

/// Keeps a small file from becoming a huge one.
struct Budget(usize);

impl Budget {
    fn check(&mut self, field: &str, line: u32) -> Result<(), InfError> {
        if field.chars().count() >= MAX_FIELD {
            return Err(InfProblem::ValueTooLong.at(line));
        }
        let left = self.0.checked_sub(field.len());
        self.0 = left.ok_or(InfProblem::ExpandsTooFar.at(line))?;
        Ok(())
    }
}

/// The strings of the language, and beneath them those of the undecorated section.
fn strings(sections: &Sections, language: u16) -> HashMap<String, String> {
    let chosen = chosen_section(sections, language);
    let mut strings = HashMap::new();
    for name in chosen.into_iter().chain([STRINGS.to_owned()]) {
        for entry in sections
            .get(&name)
            .into_iter()
            .flat_map(|section| &section.entries)
        {
            if let Some(key) = &entry.key {
                let value = || entry.values.join(",");
                strings.entry(key.to_lowercase()).or_insert_with(value);
            }
        }
    }
    strings
}

/// The order of INF Strings section: the language itself, its neutral form, any of its family; and, so that a file
/// without undecorated strings has names too, any language at all.
fn chosen_section(sections: &Sections, language: u16) -> Option<String> {
    let primary = |language: u16| language & 0x3FF;
    let distance = |found: u16| match found {
        found if found == language => 0,
        found if found == primary(language) => 1,
        found if primary(found) == primary(language) => 2,
        _ => 3,
    };
    let decorated = sections
        .keys()
        .filter_map(|name| Some((distance(language_of(name)?), name)));
    let (distance, name) = decorated.min()?;
    (distance < 3 || !sections.contains_key(STRINGS)).then(|| name.clone())
}

fn language_of(section: &str) -> Option<u16> {
    let language = section.strip_prefix("strings.")?;
    u16::from_str_radix(language.trim_start_matches("0x"), 16).ok()
}

fn replace(text: &str, strings: &HashMap<String, String>) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('%') {
        replaced.push_str(&rest[..start]);
        let inner = &rest[start + 1..];
        let Some(end) = inner.find('%') else {
            replaced.push('%');
            rest = inner;
            continue;
        };
        let key = &inner[..end];
        match strings.get(&key.to_lowercase()) {
            _ if key.is_empty() => replaced.push('%'),
            Some(value) => replaced.push_str(value),
            None => replaced.push_str(&rest[start..start + end + 2]),
        }
        rest = &inner[end + 1..];
    }
    replaced.push_str(rest);
    replaced
}

#[cfg(test)]
mod tests {
    use super::super::Inf;
    use super::*;

    fn expanded(strings: &str, value: &str, language: u16) -> Result<String, InfError> {
        let text = format!("[Version]\nSignature=$CHICAGO$\n[a]\nk={value}\n{strings}");
        let inf = Inf::parse_for(text.as_bytes(), language)?;
        Ok(inf.section("a").unwrap().value("k").to_owned())
    }

    #[test]
    fn tokens_become_text_and_unknown_ones_stay() {
        let strings = "[strings]\nMsft = \"Some Company, Inc.\"\nP=%Msft%\n";
        let of = |value| expanded(strings, value, 0x409).unwrap();
        assert_eq!(of("%MSFT%"), "Some Company, Inc.");
        assert_eq!(of("\"a %msft% b\""), "a Some Company, Inc. b");
        assert_eq!(of("%12%\\x.sys"), "%12%\\x.sys");
        assert_eq!(of("%%SystemRoot%%\\x"), "%SystemRoot%\\x");
        assert_eq!(of("50%"), "50%");
        assert_eq!(of("%P%"), "%Msft%", "strings are not expanded in strings");
    }

    #[test]
    fn the_nearest_language_is_taken_and_the_undecorated_one_fills_its_gaps() {
        let strings = "[Strings]\na=none\nb=only\n[Strings.0407]\na=german\n[Strings.0009]\na=neutral\n[strings.0809]\na=british\n";
        let of = |value, language| expanded(strings, value, language).unwrap();
        assert_eq!(of("%a%", 0x0407), "german");
        assert_eq!(of("%a%", 0x0807), "german");
        assert_eq!(of("%a%", 0x0409), "neutral");
        assert_eq!(of("%a%", 0x040C), "none");
        assert_eq!(of("%b%", 0x0407), "only");
        assert_eq!(expanded("[Strings.0411]\na=x\n", "%a%", 0x0409).unwrap(), "x");
    }

    #[test]
    fn a_small_file_cannot_become_a_huge_one() {
        let long = format!("[Strings]\na=\"{}\"\n", "x".repeat(4000));
        assert_eq!(
            expanded(&long, "%a%%a%", 0x409).unwrap_err().problem,
            InfProblem::ValueTooLong
        );
        let many = "%a%,".repeat(10_000);
        assert_eq!(
            expanded(&long, &many, 0x409).unwrap_err().problem,
            InfProblem::ExpandsTooFar
        );
    }
}
