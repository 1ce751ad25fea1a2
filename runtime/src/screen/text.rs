//! The lines that the screen shows of the run.

use std::time::Duration;

use super::line::{Line, MARK, Style, clock, wrapped};
use super::state::{FAILED, State};

/// Width of the bar in characters.
const BAR: usize = 30;

impl State {
    pub(super) fn lines(&self, elapsed: Duration) -> Vec<Line> {
        let step = match self.of {
            0 => String::new(),
            of => format!("step {} of {of}, ", self.number),
        };
        let organization = match self.organization.as_str() {
            "" => String::new(),
            name => format!("  {name}"),
        };
        let mut lines = vec![
            Line::new(Style::Plain, organization),
            Line::new(Style::Bold, format!("  {}", self.sequence)),
            Line::new(
                Style::Plain,
                format!("  {step}in {}, {} elapsed", self.place, clock(elapsed)),
            ),
            Line::default(),
        ];
        lines.extend(self.ended.iter().cloned());
        match &self.result {
            Some(result) => lines.extend(self.result_lines(result)),
            None => lines.extend(self.current(elapsed)),
        }
        lines
    }

    fn result_lines(&self, result: &[String]) -> Vec<Line> {
        let style = match result.first() {
            Some(first) if first.starts_with(FAILED) => Style::Bad,
            _ => Style::Good,
        };
        let first = result
            .iter()
            .take(1)
            .map(|line| Line::new(style, format!("  {line}")));
        let rest = result.iter().skip(1).flat_map(|line| wrapped(line));
        let rest = rest.map(|line| Line::new(Style::Plain, line));
        std::iter::once(Line::default())
            .chain(first)
            .chain(rest)
            .collect()
    }

    /// What is done now.
    fn current(&self, elapsed: Duration) -> Vec<Line> {
        let in_step = elapsed.saturating_sub(self.step_began);
        let mut lines = Vec::new();
        let indent = " ".repeat(MARK + 3);
        if self.of == 0 {
            lines.push(Line::new(Style::Bold, "  Checks before the first step"));
        } else if self.running {
            let mut line = Line::of_step((Style::Bold, "runs"), in_step, &self.step);
            line.text.0 = Style::Bold;
            lines.push(line);
        }
        if !self.phase.is_empty() {
            lines.push(Line::new(Style::Plain, format!("{indent}{}", self.phase)));
        }
        if self.total > 0 {
            lines.push(Line::new(Style::Plain, format!("{indent}{}", self.bar(in_step))));
        }
        lines
    }

    fn bar(&self, in_step: Duration) -> String {
        let share = (self.done as f64 / self.total as f64).clamp(0.0, 1.0);
        let filled = (share * BAR as f64) as usize;
        let left = if share > 0.02 {
            in_step.mul_f64((1.0 - share) / share)
        } else {
            Duration::ZERO
        };
        let remaining = if left.is_zero() {
            String::new()
        } else {
            format!(", about {} left", clock(left))
        };
        format!(
            "[{}{}] {:3.0} %{remaining}",
            "#".repeat(filled),
            ".".repeat(BAR - filled),
            share * 100.0
        )
    }
}
