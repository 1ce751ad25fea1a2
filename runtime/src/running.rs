//! A run that somebody begins inside a Windows that runs: what is checked before anything is changed, and what it leaves there to
//! go on over restarts. It prepares and captures that Windows, and erases nothing of it.

use std::path::Path;

use anyhow::{Context as _, bail};
use media_format::state::{BootState, Next};
use media_format::{journal, paths};
use task_sequence::steps::Place;
use task_sequence::{OperatingSystem, Step, TaskSequence};

use crate::context::find_partition;
use crate::in_windows::installed;
use crate::journal::Target;
use crate::platform::{Disk, Firmware, Partition, Platform, Result};
use crate::run::Run;
use crate::start::Start;
use crate::windows::boot::UEFI_LOADER;
use crate::windows::volume::NTFS;
use crate::{boot_state, staging, target, variables, winpe_boot};

/// What somebody types who wants the capture.
const YES: &str = "capture";
/// Type of an EFI system partition.
const EFI_SYSTEM: &str = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
/// Room for what the file system itself needs, and for the log.
const MARGIN: u64 = 8 << 20;

/// Where the running Windows lies.
struct Found {
    disk: Disk,
    efi: Partition,
    system: Partition,
}

/// Asks before a machine is used up, unless the media asks nothing. Gives whether the run may begin.
///
/// # Errors
/// When nobody answers.
pub fn confirm(start: &Start<'_>) -> Result<bool> {
    if start.media.manifest.options.unattended {
        return Ok(true);
    }
    let question = format!(
        "\nThis Windows loses its identity, and the machine restarts into the boot image, where it is captured.\nNothing is \
         erased, but afterwards this installation is used up. To go on, type: {YES}\n> "
    );
    Ok(start.operator.ask(&question, false)?.trim() == YES)
}

/// Whether the run can begin in this Windows.
///
/// # Errors
/// What stands in the way, and what to do.
pub fn check(run: &Run<'_>) -> Result<()> {
    check_sequence(run.sequence)?;
    check_restart(run)?;
    let found = find(run.platform)?;
    let boot = run.platform.mount(&found.efi.path, true)?;
    staging::check_foreign(run.platform, &boot)?;
    if !staging::is_there(run.platform, &boot)? {
        check_room(run, &boot)?;
    }
    run.media
        .verify_boot_files(run.platform)
        .context("verifying the boot image")?;
    run.media.windows_runtime(run.platform).map(drop)
}

/// Whether a restart can lead into the boot image.
fn check_restart(run: &Run<'_>) -> Result<()> {
    let windows_pe = run.media.starts_windows_pe();
    if run.platform.firmware() != Firmware::Uefi {
        let why = if windows_pe {
            "which cannot be told to start this media next"
        } else {
            "where Windows leaves no room for the boot image"
        };
        bail!(
            "this machine starts by BIOS, {why}: generalize Windows with sysprep, and start the machine from the media"
        );
    }
    if windows_pe {
        winpe_boot::check_inside(run.platform, run.media)?;
    }
    Ok(())
}

fn check_sequence(sequence: &TaskSequence) -> Result<()> {
    if sequence.operating_system != OperatingSystem::Windows {
        bail!("the task sequence is for Linux, and this is Windows");
    }
    let steps: Vec<&Step> = sequence
        .enabled_steps()
        .iter()
        .map(|enabled| enabled.step)
        .collect();
    let wrong = |step: &&&Step| {
        let kind = step.action.kind();
        kind.destructive || kind.place == Place::PeToOs
    };
    let first = steps
        .first()
        .filter(|step| !step.action.kind().place.starts_in_os());
    if let Some(step) = steps.iter().find(wrong).or(first) {
        bail!(
            "the task sequence cannot begin inside Windows, because of its step \"{}\" ({}): only a capture of this Windows \
             can (see the template windows-capture-existing); for this sequence start the machine from the media",
            step.name(),
            step.action.kind().name
        );
    }
    Ok(())
}

fn check_room(run: &Run<'_>, boot: &Path) -> Result<()> {
    let staged: u64 = match run.media.starts_windows_pe() {
        true => 0,
        false => run.media.boot_files().map(|file| file.size).sum(),
    };
    let needed = staged + journal::FILE_LENGTH as u64 + MARGIN;
    let free = run.platform.space(boot)?.free;
    if free < needed {
        bail!(
            "the EFI system partition has {free} bytes free, and the run needs {needed}: generalize Windows with sysprep, and \
             start the machine from the media"
        );
    }
    Ok(())
}

/// The partition that Windows runs from, and the one that the firmware starts it from.
fn find(platform: &dyn Platform) -> Result<Found> {
    let root = platform.root();
    let mut disks = platform.disks()?;
    disks.retain(|disk| !disk.is_media);
    let runs = |partition: &&Partition| {
        partition.file_system == NTFS
            && platform
                .mount(&partition.path, false)
                .is_ok_and(|folder| folder == root)
    };
    let system = disks
        .iter()
        .flat_map(|disk| &disk.partitions)
        .find(runs)
        .filter(|partition| !partition.kind.is_empty())
        .with_context(|| format!("Windows does not say which partition {} is", root.display()))?
        .clone();
    let mut starts = Vec::new();
    for disk in &disks {
        for partition in disk
            .partitions
            .iter()
            .filter(|p| p.kind.eq_ignore_ascii_case(EFI_SYSTEM))
        {
            if platform.peek(&partition.path, &UEFI_LOADER[1..])?.is_some() {
                starts.push((disk, partition));
            }
        }
    }
    let own = |(disk, _): &&(&Disk, &Partition)| disk.partitions.contains(&system);
    let (disk, efi) = match (starts.iter().find(own), &starts[..]) {
        (Some(found), _) | (None, [found]) => *found,
        (None, []) => bail!("no disk has an EFI system partition with Windows' boot manager ({UEFI_LOADER})"),
        (None, _) => {
            bail!("several disks have an EFI system partition with Windows' boot manager: detach the others")
        }
    };
    Ok(Found {
        disk: disk.clone(),
        efi: efi.clone(),
        system,
    })
}

/// Makes the run go on over restarts: its journal and the boot image lie on the EFI system partition (a Windows PE stays on the
/// media), and a service goes on with it in Windows. All of it can be done again after a cut.
///
/// # Errors
/// When something cannot be written; what was written is removed at the end of the run.
pub fn begin(run: &mut Run<'_>) -> Result<()> {
    if run
        .journal
        .saved
        .target
        .as_ref()
        .is_some_and(|target| target.ours)
    {
        return Ok(());
    }
    let platform = run.platform;
    let found = find(platform)?;
    run.journal.saved.target.get_or_insert_with(|| target_of(&found));
    plant(run)?;
    let boot = platform.mount(&found.efi.path, true)?;
    staging::copy_boot_image(platform, run.media, &boot, &found.disk.path)?;
    let windows_pe = run.media.starts_windows_pe();
    if !run.journal.is_attached() {
        if windows_pe {
            // Where firmware prefers the media, the boot state leads back to Windows, and the way must be there.
            winpe_boot::register_system(platform, &found.disk.path, found.efi.number)?;
        }
        remember(run, &boot)?;
    }
    // From here on a restart leads to the boot image's menu, which starts what the boot state says, or to Windows itself.
    if windows_pe {
        winpe_boot::register_inside(platform, run.media)?;
    } else {
        staging::register(platform, &found.disk.path, found.efi.number)?;
    }
    // Only now: a service that goes on without the entries would not come to the boot image.
    installed::start_with_windows(platform)?;
    platform.flush()
}

/// The service's program and what it goes on with.
fn plant(run: &Run<'_>) -> Result<()> {
    let folder = installed::folder(&run.platform.root());
    let program = run.media.windows_runtime(run.platform)?;
    run.platform
        .copy(&program, &folder.join(paths::WINDOWS_PROGRAM))
        .context("copying the runtime into Windows")?;
    let id = run.media.manifest.media_id.as_bytes();
    run.platform
        .write(&folder.join(paths::INSTALLED_MEDIA_ID), id, 0o600)
}

fn target_of(found: &Found) -> Target {
    Target {
        disk: target::identity(&found.disk),
        state: found.efi.id.clone(),
        efi: Some(found.efi.id.clone()),
        system: found.system.id.clone(),
        // The boot image finds the other volumes: it knows which disks are removable.
        volumes: vec![],
        ours: false,
        ..Target::default()
    }
}

fn remember(run: &mut Run<'_>, boot: &Path) -> Result<()> {
    variables::set_client_cache(&mut run.variables, run.platform);
    run.journal.keep_variables(&run.variables);
    run.journal.attach(run.platform, boot)?;
    let media_id = &run.media.manifest.media_id;
    let mut state = BootState::new(media_id, Next::Os);
    state.variables.insert("loader".into(), UEFI_LOADER.into());
    boot_state::create(run.platform, boot, media_id, &state)
}

/// After a failure inside Windows: the machine starts as it did before the run. The runtime's folder with the log stays.
///
/// # Errors
/// When something cannot be removed.
pub fn undo(run: &mut Run<'_>, target: &Target) -> Result<()> {
    installed::stop_starting(run.platform)?;
    let (_, device, _) = find_partition(run.platform, &target.state)?;
    let boot = run.platform.mount(&device, true)?;
    run.log.move_to(&run.log_home);
    run.journal.detach();
    if staging::is_there(run.platform, &boot)? {
        staging::unstage(run.platform, &boot)?;
    }
    run.platform.remove(&boot.join(paths::FOLDER))
}
