//! `media-builder completions`.

use clap::CommandFactory;
use clap_complete::Shell;

use super::Cli;

/// Which shell.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  media-builder completions bash > ~/.local/share/bash-completion/completions/media-builder"
)]
pub struct Args {
    /// The shell.
    shell: Shell,
}

/// Prints the completion script.
///
/// # Errors
/// Never: it writes to memory first and then prints.
pub fn run(args: Args) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "media-builder", &mut script);
    super::print_bytes(&script)
}
