//! What the tests put their own steps into.

use media_format::manifest::{Manifest, MediaLayout};
use media_format::paths;
use runtime::media::OnStick;

use crate::fixture::{MEDIA, MediaBuilder, deploy};
use crate::windows_runs::{DEPLOY, INSIDE, template_of};
use crate::world::{Drive, World, file};

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
    let media = world.drives.iter_mut().find(|drive| drive.is_media);
    start_windows_pe(media.expect("a media"));
    world.winpe = true;
    world.adds_drivers = true;
    // Nor does diskpart take identifiers of partitions.
    world.names_partitions = true;
    world
}

/// What a Windows PE has instead of a kernel.
pub(crate) const BOOT_WIM: &str = "sources/boot.wim";

fn start_windows_pe(media: &mut Drive) {
    // Such a stick has an MBR, and GRUB for a BIOS; a disc has neither.
    for (part, which) in media.parts.iter_mut().zip([OnStick::Boot, OnStick::Data]) {
        part.id = which.mbr_id(MEDIA).expect("the media's id is a UUID");
        media.table_id = part.id[..8].to_owned();
    }
    let of_linux_pe: &[&str] = match media.whole {
        Some(_) => &[paths::INITRD, paths::GRUB_CONFIG],
        None => &[],
    };
    let first = media.parts.first_mut().map(|part| &mut part.volume);
    let boot = media.whole.as_mut().or(first).expect("a boot volume");
    let mut manifest = Manifest::parse(boot.bytes(paths::MANIFEST).expect("a manifest")).expect("our own");
    manifest
        .files
        .retain(|file| !of_linux_pe.contains(&file.path.as_str()));
    boot.tree.retain(|path, _| !of_linux_pe.contains(&path.as_str()));
    for (from, to) in [(paths::KERNEL, BOOT_WIM), (paths::INITRD, paths::BIOS_CORE)] {
        let mut files = manifest.files.iter_mut();
        if let Some(file) = files.find(|file| file.path == from) {
            file.path = to.into();
            let bytes = boot.tree.remove(from).expect("its file");
            boot.put(to, bytes);
        }
    }
    boot.put(paths::MANIFEST, file(manifest.to_bytes()));
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
