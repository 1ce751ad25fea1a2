//! A line of the screen, and how its parts look.

use std::time::Duration;

/// Every console has at least as many columns.
pub(super) const COLUMNS: usize = 78;
/// What stands before the name of a step: how it ended, and how long it took.
pub(super) const MARK: usize = 8;

/// How a part of a line looks: the parameter of the terminal's "select graphic rendition".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Style {
    #[default]
    Plain = 0,
    Bold = 1,
    Bad = 31,
    Good = 32,
    Unimportant = 36,
}

/// A line of the screen.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    /// What stands in front, such as how a step ended.
    pub(super) mark: (Style, String),
    pub(super) text: (Style, String),
}

impl Line {
    pub(super) fn new(style: Style, text: impl Into<String>) -> Self {
        Self {
            text: (style, text.into()),
            ..Self::default()
        }
    }

    /// A step with its state and the time that it takes.
    pub(super) fn of_step((style, state): (Style, &str), time: Duration, name: &str) -> Self {
        Self {
            mark: (style, format!("  {state:<MARK$} ")),
            text: (Style::Plain, format!("{}  {name}", clock(time))),
        }
    }

    /// As a terminal shows it; a longer line would move all that follows.
    pub(super) fn drawn(&self) -> String {
        let room = COLUMNS.saturating_sub(self.mark.1.chars().count());
        let text: String = self.text.1.chars().take(room).collect();
        [(self.mark.0, self.mark.1.as_str()), (self.text.0, &text)]
            .iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(style, text)| match style {
                Style::Plain => (*text).to_owned(),
                other => format!("\x1b[{}m{text}\x1b[0m", *other as u8),
            })
            .collect()
    }

    #[cfg(test)]
    pub(super) fn plain(&self) -> String {
        format!("{}{}", self.mark.1, self.text.1)
    }
}

/// Reasons are longer than a line of the screen; what follows stands below the text, not below its label.
pub(super) fn wrapped(line: &str) -> Vec<String> {
    let options = textwrap::Options::new(COLUMNS)
        .initial_indent("  ")
        .subsequent_indent("          ");
    textwrap::wrap(line, options)
        .into_iter()
        .map(std::borrow::Cow::into_owned)
        .collect()
}

pub(super) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
