//! Destinations of images beside the disk that the sequence partitions: volumes that there will not be.

use super::{EnabledStep, Given, Problem, error};
use crate::steps::{Action, FormatAndPartitionDisk, Partition, PartitionKind, VolumeSelector};

/// The layout gets this many partitions more at most: an EFI system partition and one of Microsoft's, or two that a BIOS needs.
const ADDED: usize = 2;
/// An apply gives it a value.
const SYSTEM: &str = "OSDTargetSystemDrive";

pub(super) fn check(enabled: &[EnabledStep<'_>], given: &Given, problems: &mut Vec<Problem>) {
    let resolved = |placed: &EnabledStep<'_>| placed.step.action.resolve(given.values()).ok();
    let layouts: Vec<FormatAndPartitionDisk> = enabled
        .iter()
        .filter_map(|placed| match resolved(placed)? {
            Action::FormatAndPartitionDisk(options) => Some(options),
            _ => None,
        })
        .collect();
    // Variables that only the run knows may say which partitions there will be.
    let open = |layout: &FormatAndPartitionDisk| layout.partitions.is_empty();
    let by_variables = given
        .names()
        .any(|name| name.to_lowercase().starts_with("osdpartitions"));
    let open = layouts.iter().any(open) && (by_variables || given.has_unseen_scripts());
    if layouts.is_empty() || open {
        return;
    }
    for placed in enabled {
        let action = resolved(placed);
        let found = action.as_ref().and_then(destination).and_then(|selector| {
            other_disk(selector, &layouts)
                .or_else(|| no_partition(selector, &layouts))
                .or_else(|| no_volume(selector, &layouts, given))
        });
        if let Some(message) = found {
            error(placed, format!("`destination`: {message}"), problems);
        }
    }
}

fn destination(action: &Action) -> Option<&VolumeSelector> {
    match action {
        Action::ApplyOperatingSystemImage(options) => Some(&options.destination),
        Action::ApplyDataImage(options) => Some(&options.destination),
        _ => None,
    }
}

fn other_disk(selector: &VolumeSelector, layouts: &[FormatAndPartitionDisk]) -> Option<String> {
    let wanted = selector.disk.get()?;
    let numbers = layouts.iter().map(|layout| layout.disk.number.get().copied());
    let numbers: Vec<u32> = numbers.collect::<Option<_>>()?;
    (!numbers.contains(wanted)).then(|| {
        format!(
            "it names disk {wanted}, and the sequence partitions disk {}: a run has one disk only",
            numbers[0]
        )
    })
}

fn no_partition(selector: &VolumeSelector, layouts: &[FormatAndPartitionDisk]) -> Option<String> {
    let wanted = usize::try_from(*selector.partition.get()?).ok()?;
    let most = layouts.iter().map(highest_number).max()?;
    (wanted > most).then(|| format!("it names partition {wanted}, and the disk will have {most} at most"))
}

/// Logical partitions count from 5, however many others there are.
fn highest_number(layout: &FormatAndPartitionDisk) -> usize {
    const BEFORE_LOGICAL: usize = 4;
    let logical = |partition: &&Partition| partition.kind == PartitionKind::Logical;
    let logical = layout.partitions.iter().filter(logical).count();
    // Without a list the layout is a system and, for Windows, its recovery environment.
    let others = layout.partitions.len().max(2) + ADDED;
    others.max(BEFORE_LOGICAL + logical)
}

fn no_volume(selector: &VolumeSelector, layouts: &[FormatAndPartitionDisk], given: &Given) -> Option<String> {
    let name = selector.variable.as_deref()?;
    let mut named = layouts
        .iter()
        .flat_map(|layout| &layout.partitions)
        .filter_map(|partition| partition.variable.as_deref());
    let by_run = name.eq_ignore_ascii_case(SYSTEM) || named.any(|other| other.eq_ignore_ascii_case(name));
    (!by_run && !given.contains(name) && !given.has_unseen_scripts()).then(|| {
        format!("nothing gives the variable {name} a value: write `variable = \"{name}\"` in a partition")
    })
}
