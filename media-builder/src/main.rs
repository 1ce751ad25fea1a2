//! The command line of `media-builder`: parses it, runs one command, prints what went wrong once.

use std::process::ExitCode;

use clap::Parser;
use media_builder::commands::{
    Cli, Command, boot_image, build, check, completions, inspect, man, plan, schema, try_media, verify,
};
use media_builder::problem;

fn main() -> ExitCode {
    problem::set_up();
    let command = Cli::parse().command;
    let output = command.output();
    let result = match command {
        Command::Check(args) => check::run(args),
        Command::Plan(args) => plan::run(args),
        Command::Build(args) => build::run(args),
        Command::BootImage(args) => boot_image::run(args),
        Command::Schema(args) => schema::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Try(args) => try_media::run(*args),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // That it cannot be printed is said by the status.
            let _ = output.print_failure(&error);
            problem::print(&error);
            ExitCode::FAILURE
        }
    }
}
