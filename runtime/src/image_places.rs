//! Volumes that images go to: a destination that the disk will not have is refused while the disk is untouched.

use anyhow::{Context as _, bail};
use task_sequence::steps::VolumeSelector;
use task_sequence::{Action, Step, Variables};

use crate::context::{Context, resolved};
use crate::layout::{self, Planned};
use crate::platform::{Disk, NewPartition, Result, Role};
use crate::{possible, system_place, target};

/// Compares the destinations of the sequence's images with the volumes that the disk will have.
///
/// # Errors
/// When one of them is none of these.
pub fn check(context: &Context<'_>, disk: &Disk, planned: &Planned) -> Result<()> {
    if is_open(context) {
        return Ok(());
    }
    for step in context.possible_steps() {
        let Ok(known) = resolved(step, context.variables) else {
            continue;
        };
        if let Some(selector) = destination(&known.action) {
            let checked = check_numbers(selector, disk, planned)
                .and_then(|()| check_text(context, step, selector, planned));
            checked.with_context(|| format!("the destination of step \"{}\"", step.name()))?;
        }
    }
    Ok(())
}

/// Whether a step before the partitioning may say by variables which partitions there will be. Each image looks again when it comes.
fn is_open(context: &Context<'_>) -> bool {
    let listed = |name: &str| name.to_lowercase().starts_with("osdpartitions");
    let enabled = context.sequence.enabled_steps();
    let partitions = enabled.iter().position(|placed| match &placed.step.action {
        Action::FormatAndPartitionDisk(options) => options.partitions.is_empty(),
        _ => false,
    });
    let before = &enabled[..partitions.unwrap_or(0)];
    before
        .iter()
        .any(|placed| possible::sets(&placed.step.action, &listed))
}

fn destination(action: &Action) -> Option<&VolumeSelector> {
    match action {
        Action::ApplyOperatingSystemImage(options) => Some(&options.destination),
        Action::ApplyDataImage(options) => Some(&options.destination),
        _ => None,
    }
}

fn check_numbers(selector: &VolumeSelector, disk: &Disk, planned: &Planned) -> Result<()> {
    let (Some(wanted), Some(number)) = (selector.disk.get(), selector.partition.get()) else {
        return Ok(());
    };
    check_disk(*wanted, disk)?;
    let volumes = planned.table.partitions.iter().filter(|one| holds_image(one));
    if volumes.clone().any(|one| one.number == *number) {
        return Ok(());
    }
    let points = layout::mount_points(planned);
    let describe = |one: &NewPartition| {
        let point = points.iter().find(|(number, _)| *number == one.number);
        let point = point.map_or("", |(_, point)| point.as_str());
        let words = [one.file_system.as_deref().unwrap_or_default(), point].map(str::to_owned);
        format!("{} ({})", one.number, words.join(" ").trim())
    };
    let all: Vec<String> = volumes.map(describe).collect();
    bail!(
        "partition {number} of {} will be no volume for an image; these will be: {}",
        target::describe(disk),
        all.join(", ")
    )
}

/// Whether the run's disk is the one that a step means by its number.
///
/// # Errors
/// When it is another one.
pub fn check_disk(wanted: u32, disk: &Disk) -> Result<()> {
    if disk.removable {
        bail!(
            "disk {wanted} is not {}, on which the run works: removable disks have no number; give its partition a \
             `variable` and name that",
            target::describe(disk)
        );
    }
    if disk.number != wanted {
        bail!(
            "disk {wanted} is not the disk on which the run works, which is disk {}, {}: a run has one disk only",
            disk.number,
            target::describe(disk)
        );
    }
    Ok(())
}

fn holds_image(partition: &NewPartition) -> bool {
    let swap = partition.file_system.as_deref() == Some("swap");
    matches!(partition.role, Role::Linux | Role::Data) && !swap
}

/// Partitions get their ids when they are made: what names a volume by a text gets it from a variable that a step sets.
fn check_text(
    context: &Context<'_>,
    step: &Step,
    selector: &VolumeSelector,
    planned: &Planned,
) -> Result<()> {
    let written = destination(&step.action);
    let names = |name: &str| match (&selector.variable, written.and_then(|one| one.volume.as_ref())) {
        (Some(variable), _) => variable.eq_ignore_ascii_case(name),
        (None, Some(text)) => Variables::refers_to(text, name),
        // It names the volume of a system where the step does not.
        (None, None) => name.eq_ignore_ascii_case(system_place::NAME),
    };
    let shown = match (&selector.variable, &selector.volume) {
        (Some(variable), _) => format!("variable {variable}"),
        // What an earlier apply has made of the variable.
        (None, Some(text)) if system_place::shows(context, text) => return Ok(()),
        (None, Some(text)) => format!("\"{text}\""),
        (None, None) => return Ok(()),
    };
    let enabled = context.sequence.enabled_steps();
    let before = enabled.iter().take_while(|other| !std::ptr::eq(other.step, step));
    let (of_disks, others): (Vec<_>, Vec<_>) = before
        .map(|other| &other.step.action)
        .partition(|action| matches!(action, Action::FormatAndPartitionDisk(_)));
    let set_by = |actions: &[&Action]| actions.iter().any(|action| possible::sets(action, &names));
    if set_by(&others) {
        return Ok(());
    }
    // Those that variables gave to the partitioning are written in no step.
    match named_partition(planned, &names) {
        Some(partition) if !holds_image(partition) => bail!(
            "{shown} will be partition {}, which takes no image: name one of the kind `primary` or `logical`",
            partition.number
        ),
        Some(_) => return Ok(()),
        None if set_by(&of_disks) => return Ok(()),
        None => {}
    }
    bail!(
        "{shown} will be no volume of the run: give the partition a `variable`, and name it as `destination = {{ variable = \
         \"NAME\" }}`"
    )
}

/// The partition that gets a variable which is meant.
fn named_partition<'a>(planned: &'a Planned, names: &dyn Fn(&str) -> bool) -> Option<&'a NewPartition> {
    let mut partitions = planned.table.partitions.iter().zip(&planned.settings);
    let found = partitions.find(|(_, (_, settings))| {
        let variable = settings
            .as_ref()
            .and_then(|settings| settings.variable.as_deref());
        variable.is_some_and(names)
    });
    found.map(|(partition, _)| partition)
}
