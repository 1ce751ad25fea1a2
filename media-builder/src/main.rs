//! The command line of `media-builder`: parses it, runs one command, prints what went wrong once.

use std::process::ExitCode;

use clap::Parser;
use media_builder::commands::{
    Cli, Command, boot_image, build, check, completions, inspect, man, plan, schema, try_media, verify,
};
use media_builder::problem;

fn main() -> ExitCode {
    problem::set_up();
    let result = match Cli::parse().command {
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
            problem::print(&error);
            ExitCode::FAILURE
        }
    }
}
