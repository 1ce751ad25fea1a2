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
    source: Arc<NamedSource<String>>,
}

impl SourceText {
    pub(crate) fn new(file: &str, text: &str) -> Self {
        Self {
            source: Arc::new(NamedSource::new(file, text.to_owned()).with_language("toml")),
        }
    }

    /// The text of a span; empty where the span does not fit the text.
    pub(crate) fn text(&self, span: &Range<usize>) -> &str {
        self.source.inner().get(span.clone()).unwrap_or_default()
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
            message: message.into(),
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

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.source.inner();
        let snippet = text.lines().nth(self.line - 1).unwrap_or_default();
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        // Tabs keep their width, so that the marks stand under what they mark.
        let indent: String = snippet
            .chars()
            .take(self.column - 1)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let marks = "^".repeat(text[self.span.clone()].chars().count().max(1));
        writeln!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        writeln!(f, "{gutter} |")?;
        writeln!(f, "{number} | {snippet}")?;
        write!(f, "{gutter} | {indent}{marks}")?;
        match &self.help {
            Some(help) => write!(f, "\n{gutter} = {help}"),
            None => Ok(()),
        }
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
        let label = LabeledSpan::new_with_span(Some(self.message.clone()), self.span.clone());
        Some(Box::new(std::iter::once(label)))
    }
}

/// All mistakes as one text, for a terminal or a log.
pub fn render(diagnostics: &[Diagnostic]) -> String {
    diagnostics
        .iter()
        .map(Diagnostic::to_string)
        .collect::<Vec<_>>()
        .join("\n\n")
}
