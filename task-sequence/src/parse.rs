//! From the text of a sequence to the model, with the place of every mistake.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::condition::Condition;
use crate::diagnostic::{Diagnostic, SourceText, plain};
use crate::model::{AfterCut, Common, Declared, Group, Node, OperatingSystem, Retry, Step, TaskSequence};
use crate::setting::nearest;
use crate::steps::{self, Action};
use crate::time::TimeSpan;
use crate::variables::Variables;

const SEQUENCE_KEYS: [&str; 6] = [
    "name",
    "description",
    "operating-system",
    "hidden",
    "variables",
    "steps",
];
const COMMON_KEYS: [&str; 4] = ["description", "disabled", "continue-on-error", "when"];
const STEP_KEYS: [&str; 5] = ["type", "name", "retry", "timeout", "after-cut"];
const GROUP_KEYS: [&str; 2] = ["group", "steps"];

/// Deeper than any sequence that a person writes; recursion stays harmless.
const DEEPEST: usize = 32;

/// Nobody reads more mistakes at once, and each is shown with its line.
const MOST_REPORTED: usize = 100;

/// The longest name of a sequence, group or step.
pub(crate) const LONGEST_NAME: usize = 50;
/// The longest description.
pub(crate) const LONGEST_DESCRIPTION: usize = 256;

type Table<'i> = DeTable<'i>;
type Value<'i> = Spanned<DeValue<'i>>;

/// Reads a task sequence. `file` is only named in diagnostics.
///
/// Every mistake that can be told apart is reported, not only the first.
pub fn parse(file: &str, text: &str) -> Result<TaskSequence, Vec<Diagnostic>> {
    let mut reader = Reader {
        source: SourceText::new(file, text),
        found: Vec::new(),
    };
    let sequence = match DeTable::parse(text) {
        Ok(table) => reader.sequence(table),
        Err(error) => {
            reader.toml_error(&error, 0..0, &[]);
            None
        }
    };
    match sequence {
        Some(sequence) if reader.found.is_empty() => Ok(sequence),
        _ => {
            reader.found.sort_by_key(|diagnostic| diagnostic.span.start);
            Err(reader.found)
        }
    }
}

struct Reader {
    source: SourceText,
    found: Vec<Diagnostic>,
}

impl Reader {
    fn report(&mut self, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        if self.found.len() < MOST_REPORTED {
            self.found.push(self.source.diagnostic(span, message, help));
        }
    }

    fn toml_error(&mut self, error: &toml::de::Error, fallback: Range<usize>, more_keys: &[&str]) {
        let (message, help) = explain(&plain(error.message()), more_keys);
        self.report(error.span().unwrap_or(fallback), message, help);
    }

    fn unknown_key(&mut self, key: &Spanned<std::borrow::Cow<'_, str>>, known: &[&str]) {
        // The nearest of the known keys takes a while to find.
        if self.found.len() >= MOST_REPORTED {
            return;
        }
        let (message, help) = unknown("key", key.get_ref(), known);
        self.report(key.span(), message, help);
    }

    fn sequence(&mut self, table: Spanned<Table<'_>>) -> Option<TaskSequence> {
        let mut table = table.into_inner();
        let start = 0..0;
        let name = self.required::<String>(&mut table, "name", start.clone());
        let description = self.optional::<String>(&mut table, "description");
        let operating_system =
            self.required::<OperatingSystem>(&mut table, "operating-system", start.clone());
        let hidden = self.optional::<bool>(&mut table, "hidden");
        let variables = table
            .remove("variables")
            .map(|value| self.variables(value))
            .unwrap_or_default();
        let steps = match table.remove("steps") {
            Some(steps) => self.nodes(steps, 0),
            None => {
                self.report(
                    start,
                    "the sequence has no steps",
                    Some("add a `[[steps]]`".into()),
                );
                Vec::new()
            }
        };
        for (key, _) in &table {
            self.unknown_key(key, &SEQUENCE_KEYS);
        }
        Some(TaskSequence {
            name: name?,
            description: description.unwrap_or_default(),
            operating_system: operating_system?,
            hidden: hidden.unwrap_or_default(),
            variables,
            steps,
        })
    }

    fn required<T: DeserializeOwned>(
        &mut self,
        table: &mut Table<'_>,
        key: &str,
        at: Range<usize>,
    ) -> Option<T> {
        if !table.contains_key(key) {
            self.report(at, format!("`{key}` is missing"), None);
            return None;
        }
        self.optional(table, key)
    }

    fn optional<T: DeserializeOwned>(&mut self, table: &mut Table<'_>, key: &str) -> Option<T> {
        let value = table.remove(key)?;
        let span = value.span();
        match T::deserialize(toml::de::ValueDeserializer::from(value)) {
            Ok(read) => {
                self.check_length(key, &span);
                Some(read)
            }
            Err(error) => {
                self.toml_error(&error, span, &[]);
                None
            }
        }
    }

    /// Names and descriptions have the lengths that every tool of the field can show.
    fn check_length(&mut self, key: &str, span: &Range<usize>) {
        let longest = match key {
            "name" | "group" => LONGEST_NAME,
            "description" => LONGEST_DESCRIPTION,
            _ => return,
        };
        let quoted = self.source.text(span);
        let length = quoted.trim_matches(['"', '\'', '\n', '\r']).chars().count();
        if length > longest {
            let message = format!("the {key} has {length} characters: {longest} are possible");
            self.report(span.clone(), message, None);
        }
    }

    fn variables(&mut self, value: Value<'_>) -> Vec<Declared> {
        let span = value.span();
        let DeValue::Table(table) = value.into_inner() else {
            self.report(span, "`variables` must be a table: [variables]", None);
            return Vec::new();
        };
        let mut declared: Vec<Declared> = Vec::new();
        let mut known = BTreeSet::new();
        for (name, value) in table {
            if !known.insert(name.get_ref().to_lowercase()) {
                self.report(
                    name.span(),
                    format!("variable `{}` is declared twice", name.get_ref()),
                    None,
                );
            }
            declared.extend(self.variable(&name, value));
        }
        declared
    }

    fn variable(&mut self, name: &Spanned<std::borrow::Cow<'_, str>>, value: Value<'_>) -> Option<Declared> {
        let text = name.get_ref();
        if let Err(why) = Variables::new().set(text, "") {
            self.report(name.span(), why.to_string(), None);
        }
        let span = value.span();
        match steps::VariableValue::deserialize(toml::de::ValueDeserializer::from(value)) {
            Ok(value) => Some(value.declare(text)),
            Err(error) => {
                self.toml_error(&error, span, &[]);
                None
            }
        }
    }

    fn nodes(&mut self, value: Value<'_>, depth: usize) -> Vec<Node> {
        let span = value.span();
        let DeValue::Array(array) = value.into_inner() else {
            self.report(
                span,
                "`steps` must be a list of steps",
                Some("write [[steps]]".into()),
            );
            return Vec::new();
        };
        if depth > DEEPEST {
            self.report(span, format!("groups are nested more than {DEEPEST} deep"), None);
            return Vec::new();
        }
        array
            .into_iter()
            .filter_map(|node| self.node(node, depth))
            .collect()
    }

    fn node(&mut self, value: Value<'_>, depth: usize) -> Option<Node> {
        let span = value.span();
        let DeValue::Table(table) = value.into_inner() else {
            self.report(span, "a step must be a table", Some("write [[steps]]".into()));
            return None;
        };
        match (table.contains_key("group"), table.contains_key("type")) {
            (true, false) => self.group(table, span, depth).map(Node::Group),
            (false, true) => self.step(table, span).map(Node::Step),
            (true, true) => {
                self.report(
                    span,
                    "this is a group and a step at once: it has `group` and `type`",
                    None,
                );
                None
            }
            (false, false) => {
                self.neither_group_nor_step(&table, span);
                None
            }
        }
    }

    /// Says which key was probably meant to be `group` or `type`.
    fn neither_group_nor_step(&mut self, table: &Table<'_>, span: Range<usize>) {
        let near = table.keys().find_map(|key| {
            let meant = nearest(key.get_ref(), ["group", "type"])?;
            Some((key.span(), format!("did you mean `{meant}`?")))
        });
        let (span, help) = near.unwrap_or((span, "add `type = \"…\"` or `group = \"…\"`".into()));
        self.report(
            span,
            "this is neither a step nor a group: it has no `type` and no `group`",
            Some(help),
        );
    }

    fn common(&mut self, table: &mut Table<'_>) -> Common {
        Common {
            description: self.optional(table, "description"),
            disabled: self.optional(table, "disabled").unwrap_or_default(),
            continue_on_error: self.optional(table, "continue-on-error").unwrap_or_default(),
            when: self.optional::<Condition>(table, "when"),
        }
    }

    fn group(&mut self, mut table: Table<'_>, span: Range<usize>, depth: usize) -> Option<Group> {
        let name = self.required::<String>(&mut table, "group", span.clone());
        let common = self.common(&mut table);
        let steps = match table.remove("steps") {
            Some(steps) => self.nodes(steps, depth + 1),
            None => Vec::new(),
        };
        for (key, _) in &table {
            self.unknown_key(key, &[&COMMON_KEYS[..], &GROUP_KEYS[..]].concat());
        }
        Some(Group {
            name: name?,
            common,
            steps,
        })
    }

    fn step(&mut self, mut table: Table<'_>, span: Range<usize>) -> Option<Step> {
        let own_name = self.optional::<String>(&mut table, "name");
        let common = self.common(&mut table);
        let retry = self.optional::<Retry>(&mut table, "retry");
        let timeout = self.optional::<TimeSpan>(&mut table, "timeout");
        let own_after_cut = self.optional::<AfterCut>(&mut table, "after-cut");
        let action = self.action(table, span)?;
        Some(Step {
            own_name,
            common,
            retry,
            timeout,
            own_after_cut,
            action,
        })
    }

    fn action(&mut self, mut table: Table<'_>, span: Range<usize>) -> Option<Action> {
        let type_span = table.get("type").map_or(span.clone(), Spanned::span);
        let type_name = self.required::<String>(&mut table, "type", span.clone())?;
        if steps::find(&type_name).is_none() {
            let names: Vec<&str> = steps::ALL.iter().map(|kind| kind.name).collect();
            let (message, help) = unknown("step type", &type_name, &names);
            self.report(type_span, message, help);
            return None;
        }
        self.options(&type_name, table, span)
    }

    /// An unknown key is reported, taken out, and the rest read again, so that all are found.
    fn options(&mut self, type_name: &str, mut table: Table<'_>, span: Range<usize>) -> Option<Action> {
        loop {
            let attempt = Spanned::new(span.clone(), table.clone());
            let error = match steps::decode(type_name, attempt) {
                Ok(action) => return Some(action),
                Err(error) => error,
            };
            let own_key = table.keys().find(|key| Some(key.span()) == error.span());
            let Some(own_key) = own_key.map(|key| key.get_ref().to_string()) else {
                self.toml_error(&error, span, &[]);
                return None;
            };
            self.toml_error(&error, span.clone(), &[&COMMON_KEYS[..], &STEP_KEYS[..]].concat());
            table.remove(own_key.as_str());
        }
    }
}

fn unknown(what: &str, word: &str, known: &[&str]) -> (String, Option<String>) {
    let help = match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => format!("no {what} is possible here"),
        None => format!("known are {}", known.join(", ")),
    };
    (format!("unknown {what} `{word}`"), Some(help))
}

/// Turns serde's message about an unknown field into ours; other messages stay as they are.
fn explain(message: &str, more_keys: &[&str]) -> (String, Option<String>) {
    let message = message.trim_end();
    let backticked: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if message.starts_with("unknown field `") {
        let Some((field, expected)) = backticked.split_first() else {
            return (message.to_owned(), None);
        };
        return unknown("key", field, &[expected, more_keys].concat());
    }
    if message.starts_with("missing field `") {
        return (
            format!("`{}` is missing", backticked.first().unwrap_or(&"a key")),
            None,
        );
    }
    (message.to_owned(), None)
}
