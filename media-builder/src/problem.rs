//! What is wrong with the user's input, and how errors reach the terminal.

use std::fmt;
use std::io::{IsTerminal, stderr};

use miette::{Diagnostic, MietteHandlerOpts, Report};

/// Several problems that were found together, so that a user repairs them in one go.
#[derive(Debug)]
pub struct Problems(pub Vec<Report>);

impl Problems {
    /// Nothing, when there is no problem.
    ///
    /// # Errors
    /// All problems together.
    pub fn into_result(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }

    /// Adds a problem that has no place in a text.
    pub fn push(&mut self, text: impl fmt::Display) {
        self.0.push(Report::msg(text.to_string()));
    }

    /// Adds a problem with its place in a text.
    pub fn push_diagnostic(&mut self, diagnostic: impl Diagnostic + Send + Sync + 'static) {
        self.0.push(Report::new(diagnostic));
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for report in &self.0 {
            write!(f, "{separator}{report}")?;
            separator = "\n";
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Problems that are not read on a terminal have their messages in one line, so that they can be searched.
/// To be called before the first problem is found.
pub fn set_up() {
    if !stderr().is_terminal() {
        // It was set before: that is as good.
        let _ = miette::set_hook(Box::new(|_| {
            Box::new(MietteHandlerOpts::new().wrap_lines(false).build())
        }));
    }
}

/// Prints an error on the standard error output: every problem with its source line, or the chain of causes in
/// the order of the work.
pub fn print(error: &anyhow::Error) {
    match error.downcast_ref::<Problems>() {
        Some(problems) => problems.0.iter().for_each(print_report),
        None => eprintln!("error: {error:#}"),
    }
}

/// Everything that an error says, a line each.
pub fn lines(error: &anyhow::Error) -> Vec<String> {
    match error.downcast_ref::<Problems>() {
        Some(problems) => problems.0.iter().map(line).collect(),
        None => vec![format!("{error:#}")],
    }
}

/// The problem in one line, which begins with its place: `FILE:LINE:COLUMN: `.
pub fn line(report: &Report) -> String {
    let place = report.labels().and_then(|mut labels| labels.next());
    let place = place.zip(report.source_code());
    let contents = place.and_then(|(label, source)| source.read_span(label.inner(), 0, 0).ok());
    let place = contents.map(|found| {
        let file = found.name().unwrap_or_default();
        format!("{file}:{}:{}: ", found.line() + 1, found.column() + 1)
    });
    let help = report.help().map(|help| format!(" ({help})"));
    format!(
        "{}{report}{}",
        place.unwrap_or_default(),
        help.unwrap_or_default()
    )
}

fn print_report(report: &Report) {
    let has_place = report.labels().is_some_and(|mut labels| labels.next().is_some());
    if has_place {
        eprintln!("{report:?}")
    } else {
        eprintln!("error: {report}")
    }
}
