//! The command line of `media-builder`: parses it, runs one command, prints what went wrong once.

use std::process::ExitCode;

use clap::Parser;
use media_builder::commands::{Cli, Command, completions, man};
use media_builder::problem;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            problem::print(&error);
            ExitCode::FAILURE
        }
    }
}
