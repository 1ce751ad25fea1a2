//! The run line by line, for a console in which somebody works: nothing is drawn over.

use std::time::Duration;

use media_format::event::Event;

use super::state::{State, copy};
use crate::context::code_text;

/// The lines of an event; none of what is only in the log.
pub fn plain(event: &Event) -> Option<String> {
    Some(match event {
        Event::Started {
            organization,
            sequence,
            ..
        } if organization.is_empty() => sequence.clone(),
        Event::Started {
            organization,
            sequence,
            ..
        } => format!("{organization}\n{sequence}"),
        Event::Step { number, of, name, .. } => format!("Step {number} of {of}: {name}"),
        Event::StepEnded {
            outcome,
            code,
            reason,
            ..
        } if outcome == "failed" => {
            let reason = reason.as_deref().unwrap_or_default();
            format!("  failed: {} {reason}", code_text(*code))
        }
        Event::Restart { .. } => "The machine restarts.".into(),
        Event::ShutDown { .. } => {
            "The machine switches itself off. The run goes on when it is switched on again.".into()
        }
        Event::Ended { .. } => format!("\n{}", ending(event)?),
        Event::LogCopied { log } => copy(log),
        Event::Working | Event::StepEnded { .. } | Event::Progress { .. } => return None,
    })
}

/// As the screen has it.
fn ending(event: &Event) -> Option<String> {
    let mut state = State::default();
    state.note(event, Duration::ZERO);
    state.result.map(|lines| lines.join("\n"))
}
