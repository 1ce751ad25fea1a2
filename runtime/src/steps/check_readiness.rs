//! Ends the sequence on a machine that does not suffice, and says everything that is missing.

use std::time::Duration;

use media_format::event::Environment;
use task_sequence::steps::{CheckReadiness, NetworkNeed};
use task_sequence::{Action, Facts as _};

use super::{Result, format_and_partition_disk};
use crate::context::{Context, Failure, resolved};
use crate::engine::Outcome;
use crate::facts::{MachineFacts, installed_memory};
use crate::platform::{self, Disk, hardware::Row};
use crate::{destination, existing};

/// Seconds.
const CONNECTED_WITHIN: u32 = 20;

pub(super) fn run(options: &CheckReadiness, context: &mut Context<'_>) -> Result {
    let mut missing = hardware(options, context);
    missing.extend(surroundings(options, context));
    missing.extend(disks(options, context)?);
    if missing.is_empty() {
        return Ok(Outcome::Done);
    }
    Err(Failure::new(format!(
        "this machine does not suffice: {}",
        missing.join("; ")
    )))
}

fn hardware(options: &CheckReadiness, context: &Context<'_>) -> Vec<String> {
    let processors = context.platform.hardware("Win32_Processor");
    let memory = installed_memory(context.platform);
    let cores = sum(&processors, "NumberOfCores");
    let speeds = processors.iter().map(|row| number(row, "MaxClockSpeed"));
    let speed = speeds.max().unwrap_or(0);
    let needed = [
        (
            "bytes of memory",
            options.memory.get().map(|size| size.bytes()),
            memory,
        ),
        (
            "processor cores",
            options.processor_cores.get().map(|cores| u64::from(*cores)),
            cores,
        ),
        (
            "MHz",
            options.processor_speed.get().map(|speed| u64::from(*speed)),
            speed,
        ),
    ];
    needed.into_iter().filter_map(too_little).collect()
}

/// What is needed, if it is more than there is.
fn too_little((what, needed, there): (&str, Option<u64>, u64)) -> Option<String> {
    let needed = needed.filter(|needed| *needed > there)?;
    Some(format!("{needed} {what} are needed, and it has {there}"))
}

fn sum(rows: &[Row], property: &str) -> u64 {
    rows.iter().map(|row| number(row, property)).sum()
}

fn number(row: &Row, property: &str) -> u64 {
    row.get(property).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn surroundings(options: &CheckReadiness, context: &Context<'_>) -> Vec<String> {
    let rows = |class: &str| context.platform.hardware(class);
    let has = |rows: &[Row], property: &str, value: &str| {
        rows.iter()
            .any(|row| row.get(property).is_some_and(|text| text == value))
    };
    let mut missing = Vec::new();
    if options.power.get() == Some(&true) && has(&rows("Win32_Battery"), "BatteryStatus", "1") {
        missing.push("it runs on its battery, and power from outside is needed".to_owned());
    }
    missing.extend(options.network.get().and_then(|need| network(*need, context)));
    missing.extend(firmware(options, context));
    missing.extend(
        options
            .tpm
            .as_deref()
            .and_then(|needed| tpm(needed, &rows("Win32_Tpm"))),
    );
    missing
}

/// A cable takes some seconds to be noticed, and this step is often the first.
fn network(need: NetworkNeed, context: &Context<'_>) -> Option<String> {
    let is =
        |adapter: &Row, property: &str, value: &str| adapter.get(property).is_some_and(|text| text == value);
    let suffices = |adapter: &Row| {
        let fits = need == NetworkNeed::Any || is(adapter, "AdapterType", "Ethernet 802.3");
        fits && is(adapter, "NetEnabled", "True")
    };
    for _ in 0..CONNECTED_WITHIN {
        if context
            .platform
            .hardware("Win32_NetworkAdapter")
            .iter()
            .any(suffices)
        {
            return None;
        }
        context.platform.sleep(Duration::from_secs(1));
    }
    let by = if need == NetworkNeed::Wired {
        " by wire"
    } else {
        ""
    };
    Some(format!("a network connection{by} is needed, and it has none"))
}

fn firmware(options: &CheckReadiness, context: &Context<'_>) -> Option<String> {
    let facts = MachineFacts {
        platform: context.platform,
        variables: context.variables,
        here: context.here,
    };
    let needed = options.firmware.get()?;
    let there = facts.firmware().ok()?;
    (there != *needed).then(|| format!("it was started by {there}, and {needed} is needed"))
}

fn tpm(needed: &str, found: &[Row]) -> Option<String> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let there = found.iter().find_map(|row| row.get("SpecVersion"));
    match there {
        None => Some(format!("a TPM {needed} is needed, and its firmware shows none")),
        Some(there) if number(needed).is_some_and(|needed| number(there) >= Some(needed)) => None,
        Some(there) => Some(format!("a TPM {needed} is needed, and it has {there}")),
    }
}

fn disks(options: &CheckReadiness, context: &Context<'_>) -> platform::Result<Vec<String>> {
    let bytes = |size: &task_sequence::Setting<task_sequence::Size>| size.get().map(|size| size.bytes());
    let mut missing = Vec::new();
    if let Some(needed) = bytes(&options.disk) {
        missing.extend(too_little(("bytes on its disk", Some(needed), disk(context)?)));
    }
    if let Some(needed) = bytes(&options.free_space) {
        match free_space(context)? {
            Some(free) => missing.extend(too_little((
                "free bytes on the system's volume",
                Some(needed),
                free,
            ))),
            None => context.log.warning(
                "`free-space` is not judged: the system has no volume yet (`disk` says how large its disk has to be)",
            ),
        }
    }
    Ok(missing)
}

/// Bytes on the volume of the system that the run builds or captures; nothing while it has none.
fn free_space(context: &Context<'_>) -> platform::Result<Option<u64>> {
    let platform = context.platform;
    let has_system = context.target().is_ok_and(|target| !target.system.is_empty());
    if has_system || context.here == Environment::Os {
        return Ok(Some(platform.space(&context.system_root(false)?)?.free));
    }
    if destination::builds(context.sequence) {
        return Ok(None);
    }
    let (_, partition) = existing::find(context)?;
    let space = platform.space(&platform.mount(&partition.path, false)?);
    platform.unmount(&partition.path)?;
    Ok(Some(space?.free))
}

/// Bytes of the disk that the run works on, or will: the one that the sequence partitions, or that has the system which is there.
/// Where that cannot be said yet, of the largest that it could be.
fn disk(context: &Context<'_>) -> platform::Result<u64> {
    if let Ok(target) = context.target() {
        let volume = target.volumes.first().map_or(&target.system, |volume| &volume.id);
        return Ok(context.partition(volume)?.0.size);
    }
    let known = if destination::builds(context.sequence) {
        to_partition(context)
    } else {
        existing::find(context).ok().map(|(disk, _)| disk)
    };
    if let Some(disk) = known {
        return Ok(disk.size);
    }
    let disks = context.platform.disks()?;
    let possible = disks.iter().filter(|disk| !disk.is_media && !disk.removable);
    Ok(possible.map(|disk| disk.size).max().unwrap_or(0))
}

/// The disk that the sequence will partition, as far as that is known by now.
fn to_partition(context: &Context<'_>) -> Option<Disk> {
    let steps = context.possible_steps().into_iter();
    let mut resolved = steps.filter_map(|step| resolved(step, context.variables).ok());
    resolved.find_map(|step| match step.action {
        Action::FormatAndPartitionDisk(options) => format_and_partition_disk::chosen(&options, context),
        _ => None,
    })
}
