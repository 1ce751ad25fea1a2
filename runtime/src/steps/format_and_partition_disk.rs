//! Partitions and formats the target disk, then puts the run's journal and the boot image on it.

use anyhow::anyhow;
use media_format::state::{BootState, Next};
use task_sequence::Action;
use task_sequence::steps::{CaptureDestination, FormatAndPartitionDisk};

use super::{Check, Result};
use crate::context::{Context, Failure, resolved};
use crate::engine::Outcome;
use crate::journal::{Target, Volume};
use crate::layout::{self, Input, Planned};
use crate::platform::{Disk, Firmware, NewPartition, Role};
use crate::target::{self, ConfirmedTarget};
use crate::windows::boot as windows_boot;
use crate::{boot_state, destination, own_table, room, staging, variables, winpe_boot};

pub(super) fn check(options: &FormatAndPartitionDisk, context: &Context<'_>) -> Check {
    let target = select(options, context)?;
    plan(options, context, &target)?;
    Ok(())
}

pub(super) fn run(options: &FormatAndPartitionDisk, context: &mut Context<'_>) -> Result {
    let target = select(options, context)?;
    let mut planned = plan(options, context, &target)?;
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

fn select(
    options: &FormatAndPartitionDisk,
    context: &Context<'_>,
) -> std::result::Result<ConfirmedTarget, Failure> {
    let disks = context.platform.disks()?;
    let variable = options
        .disk
        .variable
        .as_deref()
        .and_then(|name| context.variables.get(name));
    let mut rule = destination::rule(&options.disk, variable)?;
    rule.erase = options.erase_existing.unwrap_or(false);
    rule.own_table_ids = disks
        .iter()
        .filter(|disk| own_table::is_interrupted(context, disk))
        .map(|disk| (disk.path.clone(), disk.table_id.clone()))
        .collect();
    rule.needed = room::needed(context);
    let excluded = excluded(context)?;
    target::select(&disks, &rule, &excluded).map_err(|refusal| Failure::new(refusal.to_string()))
}

/// Disks that a capture of this sequence goes to.
fn excluded(context: &Context<'_>) -> std::result::Result<Vec<std::path::PathBuf>, Failure> {
    let mut excluded = vec![context.media.disk.clone()];
    for step in context.sequence.all_steps() {
        let Ok(step) = resolved(step, context.variables) else {
            continue;
        };
        if let Action::CaptureOperatingSystemImage(options) = &step.action
            && let Some(CaptureDestination::Disk { disk, .. }) = &options.destination
        {
            excluded.push(destination::disk(context, disk)?.path);
        }
    }
    Ok(excluded)
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
    variables::set(
        context.variables,
        "_SMSTSClientCache",
        media_format::paths::INSTALLED,
    );
    Ok(())
}
