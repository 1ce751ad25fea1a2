//! Partitions and formats the target disk, then puts the run's journal and the boot image on it.

use std::path::PathBuf;

use anyhow::anyhow;
use media_format::state::{BootState, Next};
use task_sequence::steps::{
    CaptureDestination, CaptureOperatingSystemImage, DiskSelector, FormatAndPartitionDisk,
};
use task_sequence::{Action, Step};

use super::{Check, Result};
use crate::context::{Context, Failure, resolved};
use crate::engine::Outcome;
use crate::journal::{Target, Volume};
use crate::layout::{self, Input, Planned};
use crate::platform::{Disk, Firmware, NewPartition, Role};
use crate::target::{self, ConfirmedTarget, Refusal};
use crate::windows::boot as windows_boot;
use crate::{boot_state, destination, image_places, own_table, room, staging, variables, winpe_boot};

pub(super) fn check(options: &FormatAndPartitionDisk, context: &Context<'_>) -> Check {
    if let Some(name) = open_variable(options, context) {
        context.log.info(format!(
            "variable {name} names a disk and has no value yet: the disk is looked for when its step runs"
        ));
        return Ok(());
    }
    let target = select(options, context)?;
    plan(options, context, &target)?;
    refuse_renumbered(options, context, target.disk())
}

/// A variable that names the disk, or one that a capture goes to, and that an earlier step may still set.
fn open_variable(options: &FormatAndPartitionDisk, context: &Context<'_>) -> Option<String> {
    let of = |disk: &DiskSelector| destination::open_variable(disk, context.variables).map(str::to_owned);
    let destinations = destinations(context, context.possible_steps());
    of(&options.disk).or_else(|| destinations.iter().find_map(of))
}

pub(super) fn run(options: &FormatAndPartitionDisk, context: &mut Context<'_>) -> Result {
    let target = select(options, context)?;
    let mut planned = plan(options, context, &target)?;
    refuse_second(context, target.disk())?;
    refuse_renumbered(options, context, target.disk())?;
    context
        .log
        .info(format!("partitions {}", target::describe(target.disk())));
    context.journal.detach();
    // An earlier, interrupted part of the run may have left the log on the very disk that is erased now.
    context.log.move_to(context.log_home);
    planned.table = context.platform.write_table(&target, &planned.table)?;
    let count = planned.table.partitions.len() as u64;
    for (done, partition) in planned.table.partitions.iter().enumerate() {
        context.progress("formatting", done as u64, count);
        if partition.file_system.is_some() {
            context.platform.make_file_system(&target, partition)?;
        }
    }
    adopt(context, target.disk(), &planned)?;
    attach(context)?;
    Ok(Outcome::Done)
}

/// The run has one disk: the journal of another one that it left there would lead back to it for ever.
fn refuse_second(context: &Context<'_>, disk: &Disk) -> Check {
    let journal = &context.journal;
    let Some(target) = journal.saved.target.as_ref() else {
        return Ok(());
    };
    if !target.ours && !journal.is_attached() {
        return Ok(());
    }
    let disks = context.platform.disks()?;
    let mut others = disks.iter().filter(|other| other.path != disk.path);
    others.find(|other| target.is_on(other)).map_or(Ok(()), |own| {
        Err(Failure::new(format!(
            "{} was not touched: the run works on {} and keeps its journal there, and it has one disk only; partition \
             further disks by a run-command-line step, or name the same disk in this step",
            target::describe(disk),
            target::describe(own)
        )))
    })
}

/// A number is the only property of a disk that a restart may give to another one, and before the journal is on a disk only its table
/// says that a run has begun there.
fn refuse_renumbered(options: &FormatAndPartitionDisk, context: &Context<'_>, disk: &Disk) -> Check {
    let rule = destination::rule(&options.disk, context.variables)?;
    let disks = context.platform.disks()?;
    let begun: Vec<_> = disks
        .iter()
        .filter(|disk| own_table::is_interrupted(context, disk))
        .collect();
    let (Some(number), Some(other)) = (rule.number, begun.first()) else {
        return Ok(());
    };
    if begun.iter().any(|begun| begun.path == disk.path) {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} has the number {number} and was not touched: this media has begun to partition {}, and a restart may have changed the \
         numbers; name the disk by its serial number, size or bus, or clear the partition table of the one that was begun",
        target::describe(disk),
        target::describe(other)
    )))
}

fn select(
    options: &FormatAndPartitionDisk,
    context: &Context<'_>,
) -> std::result::Result<ConfirmedTarget, Failure> {
    let disks = context.platform.disks()?;
    let mut rule = destination::rule(&options.disk, context.variables)?;
    rule.erase = options.erase_existing.unwrap_or(false);
    rule.own_table_ids = disks
        .iter()
        .filter(|disk| own_table::is_interrupted(context, disk))
        .map(|disk| (disk.path.clone(), disk.table_id.clone()))
        .collect();
    rule.needed = room::needed(context);
    let excluded = excluded(context)?;
    target::select(&disks, &rule, &excluded).map_err(|refusal| refused(&refusal, &excluded[1..]))
}

/// Names the disks that were left out besides that of the media: nobody misses them in the list otherwise.
fn refused(refusal: &Refusal, of_captures: &[PathBuf]) -> Failure {
    let names: Vec<_> = of_captures
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    Failure::new(match names.as_slice() {
        [] => refusal.to_string(),
        names => format!(
            "{refusal}; left out, because a capture of the sequence goes there: {}",
            names.join(", ")
        ),
    })
}

/// The disk that the step will take, whatever is on it by now; nothing where its rule does not say one.
pub(super) fn chosen(options: &FormatAndPartitionDisk, context: &Context<'_>) -> Option<Disk> {
    let disks = context.platform.disks().ok()?;
    let mut rule = destination::rule(&options.disk, context.variables).ok()?;
    rule.erase = true;
    let found = target::select(&disks, &rule, &excluded(context).ok()?).ok()?;
    Some(found.disk().clone())
}

/// Disks that a capture of this sequence goes to, or may go to.
fn excluded(context: &Context<'_>) -> std::result::Result<Vec<PathBuf>, Failure> {
    let mut excluded = vec![context.media.disk.clone()];
    for disk in destinations(context, context.possible_steps()) {
        excluded.push(destination::disk(context, &disk)?.path);
    }
    for disk in destinations(context, context.later_steps()) {
        excluded.extend(found(context, &disk));
    }
    Ok(excluded)
}

/// The disk of a capture of which nobody knows yet whether it runs: none has to be there, and the only one of the machine is there to
/// be built on.
fn found(context: &Context<'_>, selector: &DiskSelector) -> Option<PathBuf> {
    if destination::open_variable(selector, context.variables).is_some() {
        return None;
    }
    let disk = destination::disk(context, selector).ok()?;
    let disks = context.platform.disks().ok()?;
    let is_another = |other: &Disk| !other.is_media && other.path != disk.path;
    disks.iter().any(is_another).then_some(disk.path)
}

/// How the captures among those steps name the disks that they go to.
fn destinations(context: &Context<'_>, steps: Vec<&Step>) -> Vec<DiskSelector> {
    let steps = steps.into_iter();
    let steps = steps.filter_map(|step| resolved(step, context.variables).ok());
    steps
        .filter_map(|step| match step.action {
            Action::CaptureOperatingSystemImage(CaptureOperatingSystemImage {
                destination: Some(CaptureDestination::Disk { disk, .. }),
                ..
            }) => Some(disk),
            _ => None,
        })
        .collect()
}

fn plan(
    options: &FormatAndPartitionDisk,
    context: &Context<'_>,
    target: &ConfirmedTarget,
) -> std::result::Result<Planned, Failure> {
    if winpe_boot::is_here(context.platform, context.here) {
        winpe_boot::check(context.platform, context.media)?;
    }
    let disk = target.disk();
    let table_id = own_table::free_guid(context, disk)?;
    let mut guids = || {
        let mut bytes = [0; 16];
        context.platform.random(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    };
    let firmware = context.platform.firmware();
    let mut input = Input {
        disk,
        firmware,
        windows: context.is_windows(),
        table_id: &table_id,
        guids: &mut guids,
    };
    let planned = layout::plan(options, &mut input)
        .map_err(|error| Failure::new(format!("{}: {error}", target::describe(disk))))?;
    image_places::check(context, disk, &planned)?;
    room::check(context, &planned)?;
    context.platform.check_table(&planned.table)?;
    Ok(planned)
}

/// Makes the disk the target of the run.
fn adopt(context: &mut Context<'_>, disk: &Disk, planned: &Planned) -> std::result::Result<(), Failure> {
    let partitions = &planned.table.partitions;
    let of_role = |role| {
        partitions
            .iter()
            .find(|partition: &&NewPartition| partition.role == role)
    };
    let efi = of_role(Role::Efi).map(|partition| partition.guid.clone());
    let state = of_role(Role::State)
        .map(|partition| partition.guid.clone())
        .or_else(|| efi.clone());
    let points = layout::mount_points(planned);
    let volumes: Vec<Volume> = partitions
        .iter()
        .zip(&points)
        .filter(|(partition, _)| matches!(partition.role, Role::Linux | Role::Data | Role::Swap))
        .map(|(partition, (_, point))| Volume {
            id: partition.guid.clone(),
            mount_point: point.clone(),
            file_system: partition.file_system.clone().unwrap_or_default(),
            applied: false,
        })
        .collect();
    for (partition, (_, setting)) in partitions.iter().zip(&planned.settings) {
        let name = setting.as_ref().and_then(|setting| setting.variable.as_ref());
        if let Some(name) = name {
            variables::set(context.variables, name, format!("PARTUUID={}", partition.guid));
        }
    }
    context.journal.saved.target = Some(Target {
        disk: target::identity(disk),
        state: state.ok_or_else(|| anyhow!("the layout has no partition for the run's journal"))?,
        efi,
        system: String::new(),
        ours: true,
        volumes,
        ..Target::default()
    });
    Ok(())
}

/// Puts the journal, the boot state and the boot image on the new boot partition.
fn attach(context: &mut Context<'_>) -> std::result::Result<(), Failure> {
    let state = context.target()?.state.clone();
    let (disk, device, number) = context.partition(&state)?;
    let boot = context.platform.mount(&device, true)?;
    // In Windows PE bcdboot makes it.
    let own_entry = context.is_windows()
        && context.platform.firmware() == Firmware::Uefi
        && !winpe_boot::is_here(context.platform, context.here);
    if own_entry && !context.platform.is_registered(&state, windows_boot::ENTRY)? {
        // While nothing is there to start, and before that of the run, which is the first until the end.
        context
            .platform
            .register(&disk.path, number, windows_boot::ENTRY, windows_boot::UEFI_LOADER)?;
    }
    context.progress("staging the boot image", 0, 0);
    staging::stage(context.platform, context.media, &boot, &disk.path, number)?;
    // The state comes last: a start before it finds nothing and begins anew.
    context.journal.attach(context.platform, &boot)?;
    let media_id = &context.media.manifest.media_id;
    boot_state::create(
        context.platform,
        &boot,
        media_id,
        &BootState::new(media_id, Next::Pe),
    )?;
    variables::set_client_cache(context.variables, context.platform);
    Ok(())
}
