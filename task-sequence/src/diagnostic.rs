//! What is wrong with the text of a sequence, and where.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{LabeledSpan, NamedSource, SourceCode};

/// One mistake in a file: the place, the line itself, what is wrong, what is possible instead.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// The file, as it was named to the parser.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The bytes of the text that it is about.
    pub span: Range<usize>,
    source: Arc<NamedSource<String>>,
}

/// The text that diagnostics point into.
#[derive(Debug, Clone)]
pub(crate) struct SourceText {
    text: String,
    /// The same without the values of secrets: what is shown.
    source: Arc<NamedSource<String>>,
}

impl SourceText {
    pub(crate) fn new(file: &str, text: &str) -> Self {
        let shown = without_secrets(text);
        Self {
            text: text.to_owned(),
            source: Arc::new(NamedSource::new(file, shown).with_language("toml")),
        }
    }

    /// The text of a span; empty where the span does not fit the text.
    pub(crate) fn text(&self, span: &Range<usize>) -> &str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    pub(crate) fn diagnostic(
        &self,
        span: Range<usize>,
        message: impl Into<String>,
        help: Option<String>,
    ) -> Diagnostic {
        let text = self.source.inner();
        let span = first_line(text, span);
        let before = &text[..span.start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Diagnostic {
            file: self.source.name().to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: masked(&message.into(), &self.text, &span),
            help,
            span,
            source: Arc::clone(&self.source),
        }
    }
}

/// Cuts a span to whole characters of its first line: a whole table makes no readable snippet.
fn first_line(text: &str, span: Range<usize>) -> Range<usize> {
    let mut start = span.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = span.end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    let length = text[start..end].find('\n').unwrap_or(end - start);
    start..start + length
}

/// What a message about that place of a text may show of it.
pub fn masked(message: &str, text: &str, span: &Range<usize>) -> String {
    let value = text.get(span.clone()).unwrap_or_default();
    let shown = without_secrets(text);
    if value.is_empty() || shown.get(span.clone()) == Some(value) {
        return message.to_owned();
    }
    let bare = value.trim_matches(['"', '\'']);
    message.replace(value, "********").replace(bare, "********")
}

/// The same text, byte for byte as long, with asterisks for what may be a secret: everything under `[secrets]` that does not say
/// where a value comes from, the values of keys that end in `password`, and what a table says besides `secret`.
pub fn without_secrets(text: &str) -> String {
    let mut in_secrets = false;
    let shown = text.split_inclusive('\n').map(|line| {
        if let Some(table) = line.trim_start().strip_prefix('[') {
            in_secrets = table.trim_start().starts_with("secrets") || in_secrets && !table.contains(']');
        }
        match secret_in(line, in_secrets) {
            Some(start) => {
                let end = line.trim_end_matches(['\r', '\n']).len();
                line[..start].to_owned() + &"*".repeat(end.saturating_sub(start)) + &line[end..]
            }
            None => line.to_owned(),
        }
    });
    shown.collect()
}

/// Where in a line that begins which may be a secret.
fn secret_in(line: &str, in_secrets: bool) -> Option<usize> {
    let value_after = |at: usize| {
        let gap = line[at..].len() - line[at..].trim_start().len();
        at + gap
    };
    let equals = line.find('=');
    if in_secrets && !line.trim_start().starts_with('[') {
        let start = value_after(equals.map_or(0, |at| at + 1));
        return (!names_a_source(&line[start..])).then_some(start);
    }
    let lower = line.to_ascii_lowercase();
    if assigned(&lower, "secret").is_some() {
        return equals.map(|at| value_after(at + 1));
    }
    let start = value_after(assigned(&lower, "password")?);
    (!is_reference(&line[start..])).then_some(start)
}

/// The place after the `=` that follows a key with this ending.
fn assigned(line: &str, ending: &str) -> Option<usize> {
    line.match_indices(ending).find_map(|(at, _)| {
        let rest = &line[at + ending.len()..];
        let value = rest
            .trim_start_matches(['"', '\''])
            .trim_start()
            .strip_prefix('=')?;
        Some(line.len() - value.len())
    })
}

fn names_a_source(value: &str) -> bool {
    let inside = value.strip_prefix('{').map(str::trim_start);
    inside.is_some_and(|inside| ["env", "file", "ask"].iter().any(|key| inside.starts_with(key)))
}

/// `"%NAME%"`, or no text at all.
fn is_reference(value: &str) -> bool {
    let value = value.trim_end().trim_matches(['"', '\'']);
    value.is_empty() || value.len() > 2 && value.starts_with('%') && value.ends_with('%')
}

/// Serde's words, in those of somebody who writes TOML: here a sequence is something else.
pub fn plain(message: &str) -> String {
    [
        ("invalid type: sequence", "invalid type: list"),
        ("invalid type: map", "invalid type: table"),
        ("expected a sequence", "expected a list in square brackets"),
        ("expected a map", "expected a table"),
        ("expected u8", "expected a whole number from 0 to 255"),
        ("expected u32", "expected a whole number that is not negative"),
        ("expected u64", "expected a whole number that is not negative"),
        ("expected i64", "expected a whole number"),
    ]
    .iter()
    .fold(message.to_owned(), |text, (said, meant)| {
        text.replace(said, meant)
    })
}

impl Diagnostic {
    /// The line, with marks under what it is about, and what to do.
    fn snippet(&self) -> String {
        let text = self.source.inner();
        let line = text.lines().nth(self.line - 1).unwrap_or_default();
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        // Tabs keep their width, so that the marks stand under what they mark.
        let indent: String = line
            .chars()
            .take(self.column - 1)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let marks = "^".repeat(text[self.span.clone()].chars().count().max(1));
        let help = self.help.iter().map(|help| format!("\n{gutter} = {help}"));
        let help: String = help.collect();
        format!("{gutter} |\n{number} | {line}\n{gutter} | {indent}{marks}{help}")
    }
}

/// What is wrong; the place is in the fields.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
impl std::error::Error for Diagnostic {}

impl miette::Diagnostic for Diagnostic {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help
            .as_ref()
            .map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&*self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = LabeledSpan::new_with_span(None, self.span.clone());
        Some(Box::new(std::iter::once(label)))
    }
}

/// All mistakes as one text, for a terminal or a log: place, line, what is possible instead.
pub fn render(diagnostics: &[Diagnostic]) -> String {
    let whole = |found: &Diagnostic| {
        let Diagnostic {
            file,
            line,
            column,
            message,
            ..
        } = found;
        format!("{file}:{line}:{column}: {message}\n{}", found.snippet())
    };
    diagnostics.iter().map(whole).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown_and_nothing_moves() {
        let text = "a = 1\n[secrets]\nX = 12345678\nY = { value = \"hunter2\" }\nZ = { env = \"NAME\" }\n\
                    [variables]\nOSDJoinPassword = \"swordfish\"\nQ = { value = \"other\", secret = \"yes\" }\n\
                    [[steps]]\nadministrator-password=4711\npassword = \"%FROM%\"\nname = \"secret plan\"\n";
        let shown = without_secrets(text);
        assert_eq!(shown.len(), text.len());
        for secret in ["12345678", "hunter2", "swordfish", "other", "4711"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        for harmless in ["a = 1", "{ env = \"NAME\" }", "\"%FROM%\"", "\"secret plan\""] {
            assert!(shown.contains(harmless), "{shown}");
        }
    }

    #[test]
    fn a_message_does_not_say_what_its_place_hides() {
        let text = "[secrets]\nX = 12345678\n";
        let message = masked(
            "invalid type: integer `12345678`, expected a string",
            text,
            &(14..22),
        );
        assert_eq!(message, "invalid type: integer `********`, expected a string");
        assert_eq!(masked("unknown key `a`", "a = 1", &(0..1)), "unknown key `a`");
    }
}
