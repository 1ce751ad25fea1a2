//! Shows the progress of a build on a terminal; without one it is quiet.

use indicatif::{ProgressBar, ProgressStyle};

use crate::execute::Event;

const TEMPLATE: &str = "{bar:40} {percent:>3} %  {decimal_bytes} of {decimal_total_bytes}  {decimal_bytes_per_sec}  {eta} left{msg}";

/// The bar.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar on the standard error output.
    pub fn new() -> Self {
        let bar = ProgressBar::new(0);
        bar.set_style(
            ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        Self { bar }
    }

    /// Shows an event.
    pub fn show(&mut self, event: Event) {
        match event {
            Event::Started { total } => self.bar.set_length(total),
            Event::Advanced { done } => self.bar.set_position(done),
            Event::Verifying { done, total } => {
                self.bar.set_message(", reading back");
                self.bar.set_length(total);
                self.bar.set_position(done);
            }
        }
    }

    /// Removes the bar.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}
