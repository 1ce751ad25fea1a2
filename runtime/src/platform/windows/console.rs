//! Somebody at the console in which the program was started.

use std::io::{BufRead as _, Write as _};

use anyhow::{Context as _, bail};
use media_format::event::Event;

use super::bindings;
use crate::context::{Reporter, code_text};
use crate::platform::Result;
use crate::start::Operator;

/// The console: it is asked there, and shows what happens line by line.
#[derive(Debug)]
pub struct Console;

impl Operator for Console {
    fn ask(&self, question: &str, hidden: bool) -> Result<String> {
        print!("{question}");
        std::io::stdout().flush().context("writing to the console")?;
        if !hidden {
            return line();
        }
        let answer = bindings::silently(line);
        println!();
        answer
    }
}

fn line() -> Result<String> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    if read.context("reading from the console")? == 0 {
        bail!("nobody answers: the program has no console");
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

impl Reporter for Console {
    fn event(&self, event: &Event) {
        match event {
            Event::Started {
                organization,
                sequence,
                ..
            } => {
                if !organization.is_empty() {
                    println!("{organization}");
                }
                println!("{sequence}");
            }
            Event::Step { number, of, name, .. } => println!("Step {number} of {of}: {name}"),
            Event::StepEnded {
                outcome,
                code,
                reason,
                ..
            } if outcome == "failed" => {
                println!(
                    "  failed: {} {}",
                    code_text(*code),
                    reason.as_deref().unwrap_or_default()
                );
            }
            Event::Restart { .. } => println!("The machine restarts."),
            Event::ShutDown { .. } => {
                println!("The machine switches itself off. The run goes on when it is switched on again.");
            }
            // The rest is in the log, and how it ended is what the program says last.
            Event::Working | Event::StepEnded { .. } | Event::Progress { .. } | Event::Ended { .. } => {}
        }
    }
}
