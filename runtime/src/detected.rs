//! The Windows that lies on a disk of the machine: `_OSDDetectedWinDrive` and `_OSDDetectedWinDir`.

use media_format::event::Environment;
use media_format::manifest::{FileEntry, Package, PackageKind};

use crate::in_windows::path;
use crate::platform::{Disk, Partition, Platform, Result, System};
use crate::run::Run;
use crate::windows::existing;
use crate::{target, variables};

const DRIVE: &str = "_OSDDetectedWinDrive";
const FOLDER: &str = "_OSDDetectedWinDir";
/// Nobody writes longer ones, and the boot image reads them at each start.
const LARGEST_SCRIPT: u64 = 1 << 20;

/// An installation, and the name of its folder.
struct Found {
    disk: Disk,
    partition: Partition,
    folder: String,
}

/// Looks for a Windows at each start of the boot image, as ConfigMgr does, and sets both variables to the first one; without one they
/// do not exist. The installed system knows what the boot image has found.
///
/// # Errors
/// When the disks cannot be listed.
pub fn set(run: &mut Run<'_>) -> Result<()> {
    if run.here != Environment::Pe {
        return Ok(());
    }
    [DRIVE, FOLDER]
        .iter()
        .for_each(|name| run.variables.unset_by_engine(name));
    // Windows PE has mounted every volume anyway; a Linux PE would mount each of them to look.
    if run.platform.system() == System::Linux && !is_asked(run) {
        return Ok(());
    }
    let mut found = installations(run)?.into_iter();
    let Some(first) = found.next() else {
        return Ok(());
    };
    let (drive, folder) = place(run.platform, &first)?;
    run.log.info(format!(
        "a Windows was found on {}: {DRIVE} is {drive}, {FOLDER} is {folder}",
        describe(&first)
    ));
    for other in found {
        run.log
            .info(format!("another Windows lies on {}", describe(&other)));
    }
    variables::set(&mut run.variables, DRIVE, drive);
    variables::set(&mut run.variables, FOLDER, folder);
    Ok(())
}

fn describe(found: &Found) -> String {
    let partition = found.partition.path.display();
    format!("{partition} of {}", target::describe(&found.disk))
}

/// Whether the sequence, the media's variables, the commands of its packages, or a script file that one of these names has the name
/// of one of the variables. What cannot be looked through may have it.
fn is_asked(run: &Run<'_>) -> bool {
    let manifest = &run.media.manifest;
    let texts = [
        serde_json::to_string(run.sequence),
        serde_json::to_string(&manifest.options),
        serde_json::to_string(&manifest.packages),
    ];
    let texts: std::result::Result<Vec<_>, _> = texts.into_iter().collect();
    texts.map_or(true, |texts| {
        let text = texts.concat().to_lowercase();
        has_name(text.as_bytes()) || scripts(run, &text).any(|script| is_asked_by(run, script))
    })
}

/// The files of packages that can be scripts and that the text names.
fn scripts<'a>(run: &'a Run<'_>, text: &'a str) -> impl Iterator<Item = &'a FileEntry> {
    let manifest = &run.media.manifest;
    let with_commands = |package: &&Package| {
        use PackageKind::{Application, Client, Files};
        matches!(package.kind, Application | Client | Files)
    };
    let files = manifest
        .packages
        .iter()
        .filter(with_commands)
        .flat_map(|package| manifest.files_of(package));
    files.filter(move |file| {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        file.size <= LARGEST_SCRIPT && text.contains(&name.to_lowercase())
    })
}

fn is_asked_by(run: &Run<'_>, script: &FileEntry) -> bool {
    let bytes = run.media.bytes_of(run.platform, script);
    bytes.map_or(true, |mut bytes| {
        // PowerShell writes two bytes for each character.
        bytes.retain(|byte| *byte != 0);
        bytes.make_ascii_lowercase();
        has_name(&bytes)
    })
}

/// Whether a text in lower case has the name of one of the variables.
fn has_name(text: &[u8]) -> bool {
    [DRIVE, FOLDER]
        .map(str::to_lowercase)
        .iter()
        .any(|name| text.windows(name.len()).any(|part| part == name.as_bytes()))
}

/// By disk and partition, in their order. A volume that cannot be read is named and passed over.
fn installations(run: &Run<'_>) -> Result<Vec<Found>> {
    let mut all = Vec::new();
    for disk in existing::possible_disks(run.platform)? {
        let candidates = disk.partitions.iter();
        for partition in candidates.filter(|one| existing::may_hold_system(run.platform, one)) {
            match existing::folder_on(run.platform, partition) {
                Ok(None) => {}
                Ok(Some(folder)) => all.push(Found {
                    disk: disk.clone(),
                    partition: partition.clone(),
                    folder,
                }),
                Err(error) => run
                    .log
                    .warning(format!("not looked at: {}: {error:#}", partition.path.display())),
            }
        }
    }
    Ok(all)
}

/// A letter and a path of Windows in Windows PE; in a Linux PE, where no volume has a letter, the partition and the path on it.
fn place(platform: &dyn Platform, found: &Found) -> Result<(String, String)> {
    if platform.system() == System::Linux {
        let drive = format!("PARTUUID={}", found.partition.id);
        return Ok((drive, format!("/{}", found.folder)));
    }
    let root = platform.mount(&found.partition.path, false)?;
    let drive = path::text(platform.lead_to_system(&root)?.as_ref());
    let folder = format!("{drive}\\{}", found.folder);
    Ok((drive, folder))
}
