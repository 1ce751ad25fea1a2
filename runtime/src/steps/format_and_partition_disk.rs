//! Partitions and formats the target disk, then puts the run's journal and the boot image on it.

use anyhow::anyhow;
use task_sequence::Action;
use task_sequence::steps::{CaptureDestination, FormatAndPartitionDisk};
use uuid::Uuid;

use super::{Check, Result};
use crate::context::{Context, Failure, resolved};
use crate::engine::Outcome;
use crate::journal::{Target, Volume};
use crate::layout::{self, Input, Planned};
use crate::platform::{Disk, NewPartition, Role};
use crate::target::{self, ConfirmedTarget};
use crate::{boot_state, destination, staging, variables};

pub(super) fn check(options: &FormatAndPartitionDisk, context: &Context<'_>) -> Check {
    let target = select(options, context)?;
    plan(options, context, &target)?;
    Ok(())
}

pub(super) fn run(options: &FormatAndPartitionDisk, context: &mut Context<'_>) -> Result {
    let target = select(options, context)?;
    let planned = plan(options, context, &target)?;
    context
        .log
        .info(format!("partitions {}", target::describe(target.disk())));
    context.journal.detach();
    // An earlier, interrupted part of the run may have left the log on the very disk that is erased now.
    context.log.move_to(context.log_home);
    context.platform.write_table(&target, &planned.table)?;
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
        .filter(|disk| !boot_state::is_complete(context.platform, disk, &context.media.manifest.media_id))
        .flat_map(|disk| own_ids(context, disk).map(|id| (disk.path.clone(), id)))
        .collect();
    rule.needed = needed(context);
    let excluded = excluded(context)?;
    target::select(&disks, &rule, &excluded).map_err(|refusal| Failure::new(refusal.to_string()))
}

/// Identifiers that a run of this media gives to that disk: an interrupted run may be done again.
fn own_ids(context: &Context<'_>, disk: &Disk) -> impl Iterator<Item = String> {
    let guids = (0..MOST_ALIKE).map(|number| own_guid(context, disk, number));
    guids
        .flat_map(|guid| [signature(&guid), guid])
        .collect::<Vec<_>>()
        .into_iter()
}

/// Disks without serial numbers look alike; each gets an identifier that no other disk has.
const MOST_ALIKE: u32 = 8;

fn own_guid(context: &Context<'_>, disk: &Disk, number: u32) -> String {
    let namespace = Uuid::parse_str(&context.media.manifest.media_id).unwrap_or(Uuid::NAMESPACE_OID);
    let name = format!("{}#{number}", target::identity(disk));
    Uuid::new_v5(&namespace, name.as_bytes()).to_string()
}

/// What an MBR has room for.
fn signature(guid: &str) -> String {
    guid.chars().take(8).collect()
}

fn free_guid(context: &Context<'_>, disk: &Disk) -> std::result::Result<String, Failure> {
    let disks = context.platform.disks()?;
    let taken = |id: &str| {
        let others = disks.iter().filter(|other| other.path != disk.path);
        others
            .into_iter()
            .any(|other| other.table_id.eq_ignore_ascii_case(id))
    };
    let mut candidates = (0..MOST_ALIKE).map(|number| own_guid(context, disk, number));
    let free = candidates.find(|guid| !taken(guid) && !taken(&signature(guid)));
    free.ok_or_else(|| {
        Failure::new(format!(
            "{MOST_ALIKE} other disks carry systems of this media; detach them"
        ))
    })
}

/// Bytes of the largest image that the sequence applies: a disk that cannot hold it is refused while it is untouched.
fn needed(context: &Context<'_>) -> u64 {
    let mut largest = 0;
    for step in context.sequence.all_steps() {
        let Ok(step) = resolved(step, context.variables) else {
            continue;
        };
        if let Action::ApplyOperatingSystemImage(options) = &step.action
            && !step.common.disabled
        {
            let index = options.index.unwrap_or(1);
            // An image that is missing or damaged is refused by the check of its own step, with that step's name.
            let wim = context.content(options.package.as_str());
            let Ok(info) = wim.and_then(|wim| context.platform.image_info(&wim)) else {
                continue;
            };
            let images = info.images.iter().filter(|image| image.index == index);
            largest = images.map(|image| image.total_bytes).fold(largest, u64::max);
        }
    }
    largest
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
    let disk = target.disk();
    let table_id = free_guid(context, disk)?;
    let mut guids = || {
        let mut bytes = [0; 16];
        context.platform.random(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    };
    let firmware = context.platform.firmware();
    let mut input = Input {
        disk,
        firmware,
        table_id: &table_id,
        guids: &mut guids,
    };
    let planned = layout::plan(options, &mut input)
        .map_err(|error| Failure::new(format!("{}: {error}", target::describe(disk))))?;
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
    for (number, setting) in &planned.settings {
        let name = setting.as_ref().and_then(|setting| setting.variable.as_ref());
        let partition = partitions.iter().find(|partition| partition.number == *number);
        if let (Some(name), Some(partition)) = (name, partition) {
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
        prepared: false,
    });
    Ok(())
}

/// Puts the journal, the boot state and the boot image on the new boot partition.
fn attach(context: &mut Context<'_>) -> std::result::Result<(), Failure> {
    let state = context.target()?.state.clone();
    let (disk, device, number) = context.partition(&state)?;
    let boot = context.platform.mount(&device, true)?;
    context.progress("staging the boot image", 0, 0);
    staging::stage(context.platform, context.media, &boot, &disk.path, number)?;
    // The state comes last: a start before it finds nothing and begins anew.
    context.journal.attach(context.platform, &boot)?;
    boot_state::create(context.platform, &boot, &context.media.manifest.media_id)?;
    variables::set(
        context.variables,
        "_SMSTSClientCache",
        media_format::paths::INSTALLED,
    );
    Ok(())
}
