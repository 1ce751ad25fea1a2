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
use crate::staging::boot_code;
use crate::start::Start;
use crate::windows::boot::{BIOS_LOADER, UEFI_LOADER};
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
    /// The disk that the firmware starts.
    disk: Disk,
    /// The partition with Windows' boot manager.
    boot: Partition,
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
    if run.media.starts_windows_pe() {
        winpe_boot::check_inside(run.platform, run.media)?;
    }
    let found = find(run.platform)?;
    let boot = run.platform.mount(&found.boot.path, true)?;
    staging::check_foreign(run.platform, &boot)?;
    if run.platform.firmware() == Firmware::Bios {
        boot_code::check(run.platform, run.media, &boot, &found.disk)?;
    }
    if !staging::is_there(run.platform, &boot)? {
        check_room(run, &boot)?;
    }
    run.media
        .verify_boot_files(run.platform)
        .context("verifying the boot image")?;
    run.media.windows_runtime(run.platform).map(drop)
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
            "the {} has {free} bytes free, and the run needs {needed}: generalize Windows with sysprep, and start the machine \
             from the media",
            staging::partition_name(run.platform.firmware())
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
        for partition in &disk.partitions {
            if starts_windows(platform, partition)? {
                starts.push((disk, partition));
            }
        }
    }
    let own = |(disk, _): &&(&Disk, &Partition)| disk.partitions.contains(&system);
    let (name, loader) = match platform.firmware() {
        Firmware::Uefi => ("an EFI system partition", UEFI_LOADER),
        Firmware::Bios => ("an active partition", BIOS_LOADER),
    };
    let (disk, boot) = match (starts.iter().find(own), &starts[..]) {
        (Some(found), _) | (None, [found]) => *found,
        (None, []) => bail!("no disk has {name} with Windows' boot manager ({loader})"),
        (None, _) => bail!("several disks have {name} with Windows' boot manager: detach the others"),
    };
    if *boot == system {
        bail!(
            "Windows' boot manager lies on the volume of Windows itself, which is captured, and so the run cannot have its journal \
             there: generalize Windows with sysprep, and start the machine from the media"
        );
    }
    Ok(Found {
        disk: disk.clone(),
        boot: boot.clone(),
        system,
    })
}

/// Whether the firmware starts Windows' boot manager there.
fn starts_windows(platform: &dyn Platform, partition: &Partition) -> Result<bool> {
    let (is_started, loader) = match platform.firmware() {
        Firmware::Uefi => (partition.kind.eq_ignore_ascii_case(EFI_SYSTEM), UEFI_LOADER),
        Firmware::Bios => (partition.active, BIOS_LOADER),
    };
    Ok(is_started && platform.peek(&partition.path, &loader[1..])?.is_some())
}

/// Makes the run go on over restarts: its journal and the boot image lie on the partition that the firmware starts (a Windows PE stays on the
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
    run.journal
        .saved
        .target
        .get_or_insert_with(|| target_of(&found, platform.firmware()));
    plant(run)?;
    let boot = platform.mount(&found.boot.path, true)?;
    match platform.firmware() {
        Firmware::Uefi => lead_by_entries(run, &found, &boot)?,
        Firmware::Bios => lead_by_boot_code(run, &found, &boot)?,
    }
    // Only now: a service that goes on without the entries would not come to the boot image.
    installed::start_with_windows(platform)?;
    platform.flush()
}

/// From here on a restart leads to the boot image's menu, which starts what the boot state says, or to Windows itself.
fn lead_by_entries(run: &mut Run<'_>, found: &Found, boot: &Path) -> Result<()> {
    let platform = run.platform;
    staging::copy_boot_image(platform, run.media, boot, &found.disk.path)?;
    let windows_pe = run.media.starts_windows_pe();
    if !run.journal.is_attached() {
        if windows_pe {
            // Where firmware prefers the media, the boot state leads back to Windows, and the way must be there.
            winpe_boot::register_system(platform, &found.disk.path, found.boot.number)?;
        }
        remember(run, boot)?;
    }
    if windows_pe {
        winpe_boot::register_inside(platform, run.media)
    } else {
        staging::register(platform, &found.disk.path, found.boot.number)
    }
}

/// The same by GRUB, in the place of the disk's boot code. It comes last: without a boot state it would start the boot image.
fn lead_by_boot_code(run: &mut Run<'_>, found: &Found, boot: &Path) -> Result<()> {
    boot_code::keep(run.platform, run.media, boot, &found.disk.path)?;
    if !run.journal.is_attached() {
        remember(run, boot)?;
    }
    staging::copy_boot_image(run.platform, run.media, boot, &found.disk.path)
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

fn target_of(found: &Found, firmware: Firmware) -> Target {
    Target {
        disk: target::identity(&found.disk),
        state: found.boot.id.clone(),
        efi: (firmware == Firmware::Uefi).then(|| found.boot.id.clone()),
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
    let loader = match run.platform.firmware() {
        Firmware::Uefi => UEFI_LOADER,
        Firmware::Bios => BIOS_LOADER,
    };
    state.variables.insert("loader".into(), loader.into());
    boot_state::create(run.platform, boot, media_id, &state)
}

/// After a failure inside Windows: the machine starts as it did before the run. The runtime's folder with the log stays.
///
/// # Errors
/// When something cannot be removed.
pub fn undo(run: &mut Run<'_>, target: &Target) -> Result<()> {
    installed::stop_starting(run.platform)?;
    let (disk, device, _) = find_partition(run.platform, &target.state)?;
    let boot = run.platform.mount(&device, true)?;
    run.log.move_to(&run.log_home);
    run.journal.detach();
    if staging::is_there(run.platform, &boot)? {
        staging::unstage(run.platform, &boot, &disk.path)?;
    }
    run.platform.remove(&boot.join(paths::FOLDER))
}
