//! The boot state on the target's boot partition: what the media's and the staged GRUB start next.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use media_format::event::Environment;
use media_format::paths;
use media_format::state::{BootState, Next};
use task_sequence::OperatingSystem;

use crate::context::find_partition;
use crate::in_windows::installed;
use crate::journal::{Journal, Saved, Target};
use crate::log::Log;
use crate::platform::{Disk, Firmware, Partition, Platform, Result, System};
use crate::run::Run;
use crate::windows::planted;
use crate::windows::volume::NTFS;
use crate::{kept, own_table, running, staging, variables, volumes};

/// Looks for a run of this media on the machine's disks.
///
/// # Errors
/// When a journal is there that cannot be understood.
pub fn find(platform: &dyn Platform, media_id: &str) -> Result<Option<(Saved, u64)>> {
    for partition in partitions_with_state(platform, media_id)? {
        let Some(bytes) = look(platform, &partition, paths::JOURNAL)? else {
            continue;
        };
        if let Some(found) = Journal::read(&bytes)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The volumes on which a run of this media has its boot state.
///
/// # Errors
/// When the disks cannot be looked at.
pub fn states(platform: &dyn Platform, media_id: &str) -> Result<Vec<PathBuf>> {
    let found = partitions_with_state(platform, media_id)?;
    Ok(found.into_iter().map(|partition| partition.path).collect())
}

fn partitions_with_state(platform: &dyn Platform, media_id: &str) -> Result<Vec<Partition>> {
    let disks = platform.disks()?;
    let disks = disks.into_iter().filter(|disk| !disk.is_media);
    let mut found = Vec::new();
    for partition in disks.flat_map(|disk| disk.partitions) {
        if !can_have_state(platform, &partition) {
            continue;
        }
        let block = look(platform, &partition, &paths::state(media_id))?;
        let ours =
            |block: Vec<u8>| BootState::decode(&block).is_ok_and(|state| state.media_id() == Some(media_id));
        if block.is_some_and(ours) {
            found.push(partition);
        }
    }
    Ok(found)
}

/// The runs' own partitions are FAT32; where one began inside a Windows that a BIOS starts, it is that one's system partition. Windows calls
/// what we know as vfat by several names, and cannot be asked about a partition in which it found no file system.
fn can_have_state(platform: &dyn Platform, partition: &Partition) -> bool {
    match partition.file_system.as_str() {
        "" => false,
        "vfat" => true,
        kind => platform.system() == System::Windows || is_system_partition(platform, partition, kind),
    }
}

fn is_system_partition(platform: &dyn Platform, partition: &Partition, kind: &str) -> bool {
    platform.firmware() == Firmware::Bios && partition.active && kind == NTFS
}

/// A small file of a partition. FAT is not mounted for that; NTFS is, for a moment, and not to be written to. One that cannot be read is not
/// ours to judge here.
fn look(platform: &dyn Platform, partition: &Partition, file: &str) -> Result<Option<Vec<u8>>> {
    if partition.file_system != NTFS || platform.system() == System::Windows {
        return platform.peek(&partition.path, file);
    }
    let Ok(root) = platform.mount(&partition.path, false) else {
        return Ok(None);
    };
    let content = platform.read(&root.join(file)).unwrap_or_default();
    platform.unmount(&partition.path)?;
    Ok(content)
}

/// Opens the run's own partition to write to it, after a power cut too.
fn open(platform: &dyn Platform, device: &Path) -> Result<PathBuf> {
    platform.recover(device)?;
    platform.mount(device, true)
}

/// Gives up the run of the installed system that runs, whose journal is lost: the next start of the media begins anew.
///
/// # Errors
/// When its boot partition cannot be written.
pub fn give_up(platform: &dyn Platform, log: &Log, media_id: &str) -> Result<()> {
    if platform.system() == System::Windows
        && let Err(error) = planted::clean_own_answers(platform, log)
    {
        log.error(format!("{error:#}"));
    }
    for volume in states(platform, media_id)? {
        let boot = open(platform, &volume)?;
        platform.remove(&boot.join(paths::state(media_id)))?;
        platform.remove(&boot.join(paths::JOURNAL))?;
    }
    stop_starting(platform)
}

/// Removes what a run with a lost journal has left on a machine whose disk it did not partition. On a disk of its own it is what
/// the disk is known by, until it is partitioned again.
///
/// # Errors
/// When the boot partition cannot be written.
pub fn clear_lost(platform: &dyn Platform, media_id: &str) -> Result<()> {
    let lost = states(platform, media_id)?;
    for disk in platform.disks()? {
        let mut left = disk
            .partitions
            .iter()
            .filter(|partition| lost.contains(&partition.path));
        if let Some(partition) = left.next().filter(|_| !own_table::is_own(&disk, media_id)) {
            let boot = open(platform, &partition.path)?;
            if staging::is_there(platform, &boot)? {
                staging::unstage(platform, &boot, &disk.path)?;
            }
            platform.remove(&boot.join(paths::FOLDER))?;
        }
    }
    Ok(())
}

/// The installed system that runs starts the runtime no more; its folder with the log stays.
fn stop_starting(platform: &dyn Platform) -> Result<()> {
    match platform.system() {
        System::Linux => staging::remove_unit(platform, &platform.root()),
        System::Windows => installed::stop_starting(platform),
    }
}

/// Writes the boot state of a new run.
///
/// # Errors
/// When the boot partition cannot be written.
pub fn create(platform: &dyn Platform, boot: &Path, media_id: &str, state: &BootState) -> Result<()> {
    platform
        .write(&boot.join(paths::state(media_id)), &state.encode()?, 0o600)
        .context("writing the boot state")
}

/// Adds what the boot menu needs to start the installed system.
///
/// # Errors
/// When the boot partition cannot be written.
pub fn set_loader(platform: &dyn Platform, boot: &Path, media_id: &str, loader: &str) -> Result<()> {
    change(platform, boot, media_id, |state| {
        state.variables.insert("loader".into(), loader.into());
    })
}

/// Chooses what starts next.
///
/// # Errors
/// When the run has no boot partition yet, or it cannot be written.
pub fn set_next(platform: &dyn Platform, journal: &Journal, next: Next) -> Result<()> {
    let target = journal.saved.target.as_ref().filter(|_| journal.is_attached()).ok_or_else(|| {
        anyhow!(
            "the machine is to restart, but the run has no boot partition to remember itself on; put the restart \
             after the step that partitions the disk"
        )
    })?;
    let (_, device, _) = find_partition(platform, &target.state)?;
    let boot = platform.mount(&device, true)?;
    change(platform, &boot, &journal.saved.media_id, |state| {
        state.set_next(next)
    })
}

/// What the boot state says that starts next; nothing before there is one.
///
/// # Errors
/// When the boot partition cannot be read.
pub fn next(platform: &dyn Platform, journal: &Journal) -> Result<Option<Next>> {
    let Some(target) = journal.saved.target.as_ref().filter(|_| journal.is_attached()) else {
        return Ok(None);
    };
    let (_, device, _) = find_partition(platform, &target.state)?;
    let boot = platform.mount(&device, true)?;
    let block = platform.read(&boot.join(paths::state(&journal.saved.media_id)))?;
    let state = block.and_then(|block| BootState::decode(&block).ok());
    Ok(state.and_then(|state| state.next()))
}

fn change(
    platform: &dyn Platform,
    boot: &Path,
    media_id: &str,
    edit: impl FnOnce(&mut BootState),
) -> Result<()> {
    let path = boot.join(paths::state(media_id));
    let block = platform
        .read(&path)?
        .ok_or_else(|| anyhow!("there is no boot state at {}", path.display()))?;
    let mut state = BootState::decode(&block)?;
    edit(&mut state);
    // In place: a rename on FAT is not atomic over a power cut, and the block is one sector pair.
    platform
        .write_at(&path, 0, &state.encode()?)
        .context("writing the boot state")
}

/// After a failure: the next start of the media begins anew, unless the run is kept. The target keeps what it has, without secrets in
/// answer files; an existing system that the run has only begun to prepare starts as before.
///
/// # Errors
/// When the boot partition cannot be written.
pub fn forget(run: &mut Run<'_>) -> Result<()> {
    let Some(target) = run.journal.saved.target.clone() else {
        return Ok(());
    };
    if is_running(run, &target) {
        return running::undo(run, &target);
    }
    if kept::why(run).is_some() {
        return kept::note(run);
    }
    if run.here == Environment::Os {
        forget_secrets(run, &target);
        return forget_journal(run, &target);
    }
    // In the boot image the other way round: a run that went on after a cut would have to set Windows up without them.
    let forgotten = forget_journal(run, &target);
    forget_secrets(run, &target);
    forgotten
}

fn forget_journal(run: &mut Run<'_>, target: &Target) -> Result<()> {
    if !run.journal.is_attached() {
        return Ok(());
    }
    let (_, device, _) = find_partition(run.platform, &target.state)?;
    let boot = run.platform.mount(&device, true)?;
    run.journal.detach();
    run.platform
        .remove(&boot.join(paths::state(&run.journal.saved.media_id)))?;
    run.platform.remove(&boot.join(paths::JOURNAL))?;
    if run.here == Environment::Os {
        // The log stays where it is; a unit that looks for a run that is over would only cost every start a minute.
        stop_starting(run.platform)?;
    }
    Ok(())
}

/// Nobody sets up or captures the Windows of a failed run, so what set-up was told goes, and the secrets in its copies.
fn forget_secrets(run: &Run<'_>, target: &Target) {
    if !target.ours || target.windows.is_none() {
        return;
    }
    if let Err(error) = remove_answers(run, target) {
        run.log.error(format!(
            "answer files of Windows may still hold secrets of this run; erase the disk: {error:#}"
        ));
    }
}

fn remove_answers(run: &Run<'_>, target: &Target) -> Result<()> {
    let platform = run.platform;
    let known = variables::secrets(&run.variables);
    if run.here == Environment::Os {
        return planted::remove_answers(platform, run.log, &platform.root(), &known);
    }
    let (_, device, _) = find_partition(platform, &target.system)?;
    let root = volumes::assemble(platform, target, true)?;
    planted::remove_answers(platform, run.log, &root, &known)?;
    platform.unmount(&device)
}

/// Whether the run works on the system that runs, which it did not make.
fn is_running(run: &Run<'_>, target: &Target) -> bool {
    run.here == Environment::Os && !target.ours
}

/// Says inside the installed system that its run is complete and which boot partition was its: a cut while the
/// traces are removed, journal included, must not look like a run that lost its journal.
const COMPLETE: &str = "complete";

fn complete_mark(platform: &dyn Platform, root: &Path) -> PathBuf {
    folder_of_runtime(platform, root).join(COMPLETE)
}

fn folder_of_runtime(platform: &dyn Platform, root: &Path) -> PathBuf {
    match platform.system() {
        System::Linux => root.join(paths::INSTALLED.trim_start_matches('/')),
        System::Windows => root.join(paths::INSTALLED_WINDOWS),
    }
}

/// Stays on the run's own partition of a BIOS machine, which no installed system uses.
const NOTE: &str = "COMPLETE.TXT";
const NOTE_TEXT: &[u8] =
    b"The run that made this partition is complete. The installed system does not need it.\r\n";
/// What the installed system starts from on UEFI, and a Windows by a BIOS.
const SYSTEM_LOADERS: [&str; 3] = [
    "EFI/BOOT/BOOTX64.EFI",
    "EFI/Microsoft/Boot/bootmgfw.efi",
    "bootmgr",
];

/// Whether a run of this media came to its end on that disk: what it has made is somebody's machine now, and no longer ours to
/// erase. An interrupted or failed run still has its staged boot image there.
pub fn is_complete(platform: &dyn Platform, disk: &Disk, media_id: &str) -> bool {
    let volumes = disk
        .partitions
        .iter()
        .filter(|partition| partition.file_system == "vfat");
    volumes.into_iter().any(|volume| {
        let has = |file: &str| {
            platform
                .peek(&volume.path, file)
                .is_ok_and(|found| found.is_some())
        };
        let installed = has(NOTE) || SYSTEM_LOADERS.iter().any(|loader| has(loader));
        installed && !has(paths::DISK_INFO) && !has(&paths::state(media_id))
    })
}

/// At the end of a run: removes the staged boot image, the journal, the boot state and the runtime in the installed
/// system.
///
/// # Errors
/// When something cannot be removed.
pub fn clean(run: &mut Run<'_>) -> Result<()> {
    // A system that was there before, captured from the boot image alone, has nothing of the run.
    let target = run.journal.saved.target.clone();
    let Some(target) = target.filter(|target| !target.state.is_empty()) else {
        return Ok(());
    };
    if run.sequence.operating_system == OperatingSystem::Windows && run.here == Environment::Pe {
        clean_windows(run, &target)?;
        run.journal.detach();
        return remove_traces(run.platform, None, &target.state);
    }
    let root = system_root(run, &target)?;
    if let Some(root) = root
        .as_deref()
        .filter(|root| run.platform.exists(&folder_of_runtime(run.platform, root)))
    {
        run.platform
            .write(&complete_mark(run.platform, root), target.state.as_bytes(), 0o600)?;
    }
    if run.platform.system() == System::Windows && target.ours {
        planted::remove_files(
            run.platform,
            run.log,
            &run.platform.root(),
            &variables::secrets(&run.variables),
        )?;
    }
    run.journal.detach();
    remove_traces(run.platform, root.as_deref(), &target.state)
}

/// A Windows that was captured has nothing of the run in it any more; one whose run ends in the boot image has.
fn clean_windows(run: &Run<'_>, target: &Target) -> Result<()> {
    if target.system.is_empty() {
        return Ok(());
    }
    let (_, device, _) = find_partition(run.platform, &target.system)?;
    let root = volumes::assemble(run.platform, target, false)?;
    if planted::is_there(run.platform, &root)? {
        let root = volumes::assemble(run.platform, target, true)?;
        planted::remove(
            run.platform,
            run.log,
            &root,
            target,
            &variables::secrets(&run.variables),
        )?;
    }
    run.platform.unmount(&device)
}

/// The system of the run, to be written to; none when no image was applied.
fn system_root(run: &Run<'_>, target: &Target) -> Result<Option<PathBuf>> {
    if run.here == Environment::Os {
        return Ok(Some(run.platform.root()));
    }
    if target.system.is_empty() {
        return Ok(None);
    }
    volumes::assemble(run.platform, target, true).map(Some)
}

/// Goes on with [`clean`] where a cut has interrupted it inside the installed system; gives whether it had.
///
/// # Errors
/// When something cannot be removed.
pub fn clean_again(platform: &dyn Platform) -> Result<bool> {
    let root = platform.root();
    let Some(state) = platform.read(&complete_mark(platform, &root))? else {
        return Ok(false);
    };
    remove_traces(platform, Some(&root), &String::from_utf8_lossy(&state))?;
    Ok(true)
}

fn remove_traces(platform: &dyn Platform, root: Option<&Path>, state: &str) -> Result<()> {
    let (disk, device, _) = find_partition(platform, state)?;
    let boot = platform.mount(&device, true)?;
    if platform.firmware() == Firmware::Bios && !staging::starts_windows(platform, &boot)? {
        platform.write(&boot.join(NOTE), NOTE_TEXT, 0o644)?;
    }
    staging::unstage(platform, &boot, &disk.path)?;
    // The boot state goes last: as long as it is there, the media leads to where the cleaning goes on.
    platform.remove(&boot.join(paths::JOURNAL))?;
    platform.remove(&boot.join(paths::FOLDER))?;
    platform.unmount(&device)?;
    root.map_or(Ok(()), |root| match platform.system() {
        System::Linux => staging::remove_runtime(platform, root),
        System::Windows => installed::remove(platform),
    })
}

/// The serial console that the boot image used, where it had one: the run goes on talking there.
pub fn serial_console(platform: &dyn Platform, media_id: &str) -> Vec<String> {
    let found = find(platform, media_id).ok().flatten();
    found
        .and_then(|(saved, _)| saved.serial_console)
        .into_iter()
        .collect()
}
