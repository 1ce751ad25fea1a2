//! Somebody at the console in which the program was started.

use std::io::{BufRead as _, Write as _};

use anyhow::{Context as _, bail};
use media_format::event::Event;

use super::bindings;
use crate::context::Reporter;
use crate::platform::Result;
use crate::screen;
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
        if let Some(lines) = screen::plain(event) {
            println!("{lines}");
        }
    }
}
