//! `media-builder schema`.

use clap::ValueEnum;

use crate::project::Settings;

/// Which schema.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  media-builder schema media > media.schema.json\n  media-builder schema task-sequence"
)]
pub struct Args {
    /// The file that the schema is of.
    #[arg(value_enum)]
    file: File,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum File {
    /// media.toml
    Media,
    /// A task sequence.
    TaskSequence,
}

/// Prints the JSON Schema, for editors.
///
/// # Errors
/// When the output cannot be written.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.file {
        File::Media => super::print_json(&schemars::schema_for!(Settings).to_value()),
        File::TaskSequence => super::print_json(&task_sequence::schema()),
    }
}
