//! What the tests put their own steps into.

use media_format::manifest::MediaLayout;

use crate::fixture::{MediaBuilder, deploy};
use crate::windows_runs::{DEPLOY, INSIDE, template_of};
use crate::world::World;

/// A step that runs a line.
pub(crate) fn command(line: &str, settings: &str) -> String {
    format!("[[steps]]\ntype = \"run-command-line\"\ncommand = \"{line}\"\n{settings}\n")
}

/// The sequence with steps before all others: in the boot image.
pub(crate) fn with_first(sequence: &str, steps: &str) -> String {
    let at = sequence.find("[[steps]]").expect("steps");
    format!("{}{steps}\n{}", &sequence[..at], &sequence[at..])
}

/// The sequence with steps before its last group: in the installed system, where that one captures.
pub(crate) fn with_late(sequence: &str, steps: &str) -> String {
    let at = sequence.rfind("[[steps]]").expect("steps");
    format!("{}{steps}\n{}", &sequence[..at], &sequence[at..])
}

/// The deployment of a Linux with steps behind it, in the installed system.
pub(crate) fn deploy_then(steps: &str) -> String {
    format!("{}\n{steps}", deploy())
}

/// Media with that deployment.
pub(crate) fn deploys_then(steps: &str) -> MediaBuilder {
    MediaBuilder::new(MediaLayout::Iso, &deploy_then(steps))
}

/// The sequence, which may erase what is on the disk.
pub(crate) fn erasing(sequence: &str) -> String {
    let kind = "type = \"format-and-partition-disk\"\n";
    assert!(sequence.contains(kind));
    sequence.replace(kind, &format!("{kind}erase-existing = true\n"))
}

/// The deployment of a Windows, without what is done inside it.
pub(crate) fn deploy_windows() -> String {
    template_of(&DEPLOY.replace("\"reference\"", "\"windows\""), &INSIDE)
}

/// The machine with a Windows PE as its boot image.
pub(crate) fn as_winpe(mut world: World) -> World {
    world.winpe = true;
    world.adds_drivers = true;
    // Nor does diskpart take identifiers of partitions.
    world.names_partitions = true;
    world
}

/// The lines that were given to a shell.
pub(crate) fn lines(world: &World) -> Vec<String> {
    let shells = world.commands.iter().filter(|command| command.program == "sh");
    shells
        .map(|command| String::from_utf8_lossy(&command.stdin).into_owned())
        .collect()
}

/// What was said, without the word.
pub(crate) fn said(world: &World) -> Vec<String> {
    let lines = world
        .commands
        .iter()
        .map(|command| String::from_utf8_lossy(&command.stdin));
    lines
        .filter_map(|line| Some(line.strip_prefix("say ")?.to_owned()))
        .collect()
}
