//! Where a captured image goes, as a folder that can be written.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use media_format::paths;
use task_sequence::steps::{CaptureDestination, CaptureOperatingSystemImage, DiskSelector};
use task_sequence::{Action, TaskSequence, Variables};

use crate::context::{Context, resolved};
use crate::journal::KnownVolume;
use crate::platform::{Account, Disk, Partition, Result};
use crate::{existing, own_table, target};

/// The opened destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The folder, mounted.
    pub folder: PathBuf,
    /// Name of the WIM.
    pub name: String,
    /// The destination in words.
    pub shown: String,
    /// The volume that it lies on, where that is one of the machine's disks.
    pub device: Option<PathBuf>,
}

/// Opens the destination of a capture step: mounts it and makes its folder.
///
/// # Errors
/// When it is not there, read-only, or the account is refused.
pub fn open(context: &Context<'_>, options: &CaptureOperatingSystemImage) -> Result<Destination> {
    let destination = options.destination.as_ref().ok_or_else(|| {
        anyhow!("the capture has no destination: set `destination` in the step or the variable OSDCaptureDestination")
    })?;
    let mut on = None;
    let (root, path, shown) = match destination {
        CaptureDestination::Media { path } => {
            if !context.media.is_writable() {
                bail!(
                    "the capture is to go onto the media, and an ISO cannot be written; use a stick, a disk or a share"
                );
            }
            // The folder may be written, or not: only there does the rest of the media stay as it was built.
            let below = path.replace('\\', "/");
            let below = below.strip_prefix("captures/").unwrap_or(&below);
            (
                context.media.data.join(paths::CAPTURES),
                below.to_owned(),
                format!("media:{}/{below}", paths::CAPTURES),
            )
        }
        CaptureDestination::Share { path } => {
            let (share, below) = split_unc(path)?;
            let root = context.platform.connect(&share, &account(options), None)?;
            (root, below, path.clone())
        }
        CaptureDestination::Disk {
            disk,
            partition,
            path,
        } => {
            let device = volume(context, disk, *partition)?;
            on = Some(device.clone());
            (
                context.platform.mount(&device, true)?,
                path.clone(),
                format!("{}/{path}", device.display()),
            )
        }
        CaptureDestination::Text(text) => bail!("`{text}` is not a destination"),
    };
    Ok(Destination {
        device: on,
        ..inside(&root, &path, shown)?
    })
}

fn account(options: &CaptureOperatingSystemImage) -> Account {
    let password = options.password.as_ref().map(|secret| secret.expose().to_owned());
    Account {
        user: options.account.clone().unwrap_or_default(),
        password: password.unwrap_or_default(),
    }
}

fn inside(root: &Path, path: &str, shown: String) -> Result<Destination> {
    let clean: Vec<&str> = path.split(['/', '\\']).filter(|part| !part.is_empty()).collect();
    if clean.contains(&"..") {
        bail!("the destination {shown} leads out of its volume");
    }
    let Some((name, folders)) = clean.split_last() else {
        bail!("the destination {shown} names no file")
    };
    let wim = Path::new(name)
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("wim"));
    let name = if wim {
        (*name).to_owned()
    } else {
        format!("{name}.wim")
    };
    Ok(Destination {
        folder: root.join(folders.join("/")),
        name,
        shown,
        device: None,
    })
}

/// `\\server\share\folder\name.wim` → `//server/share`, `folder/name.wim`.
fn split_unc(path: &str) -> Result<(String, String)> {
    let slashed = path.replace('\\', "/");
    let mut parts = slashed.trim_start_matches('/').splitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(server), Some(share), Some(below)) => Ok((format!("//{server}/{share}"), below.to_owned())),
        _ => bail!("{path} does not name a file on a share"),
    }
}

/// The volumes on other disks that captures of the sequence go to, as far as they are known by now.
pub fn volumes(context: &Context<'_>) -> Vec<PathBuf> {
    let steps = context.possible_steps().into_iter();
    let resolved = steps.filter_map(|step| resolved(step, context.variables).ok());
    let volumes = resolved.filter_map(|step| match step.action {
        Action::CaptureOperatingSystemImage(CaptureOperatingSystemImage {
            destination: Some(CaptureDestination::Disk { disk, partition, .. }),
            ..
        }) => volume(context, &disk, partition).ok(),
        _ => None,
    });
    volumes.collect()
}

/// The volume on another disk that the destination names. A restart may give its number to another disk, where the capture would
/// replace somebody's file; any other rule means what is attached, and somebody may have put an empty disk in the place of a full one.
fn volume(context: &Context<'_>, selector: &DiskSelector, partition: Option<u32>) -> Result<PathBuf> {
    let (found, path) = look_for(context, selector, partition)?;
    if rule(selector, context.variables)?.number.is_none() {
        return Ok(path);
    }
    let mut known = context.journal.saved.destinations.iter();
    match known.find(|known| known.rule == found.rule) {
        Some(known) if (&known.disk, &known.id) != (&found.disk, &found.id) => bail!(
            "the destination of the capture ({}) is {} by now, and was {} before: nothing was written there. A restart may have \
             changed the numbers: attach the disks as they were and restart the machine, or name the disk by its serial number \
             and build from the beginning",
            found.rule,
            found.shown,
            known.shown
        ),
        _ => Ok(path),
    }
}

/// What the destination of a step means for the rest of the run, where it is on another disk and known by now.
///
/// # Errors
/// When none or several volumes fit.
pub fn meant(context: &Context<'_>, action: &Action) -> Result<Option<KnownVolume>> {
    let Action::CaptureOperatingSystemImage(CaptureOperatingSystemImage {
        destination: Some(CaptureDestination::Disk { disk, partition, .. }),
        ..
    }) = action
    else {
        return Ok(None);
    };
    if open_variable(disk, context.variables).is_some() {
        return Ok(None);
    }
    Ok(Some(look_for(context, disk, *partition)?.0))
}

fn look_for(
    context: &Context<'_>,
    selector: &DiskSelector,
    partition: Option<u32>,
) -> Result<(KnownVolume, PathBuf)> {
    let disk = disk(context, selector)?;
    let found = volume_of(&disk, partition)?;
    let number = partition.map(|number| format!("partition {number}"));
    let rule = target::rule_text(&rule(selector, context.variables)?);
    let words = ["disk".to_owned(), rule]
        .into_iter()
        .filter(|word| !word.is_empty());
    let known = KnownVolume {
        rule: words.chain(number).collect::<Vec<_>>().join(", "),
        disk: target::identity(&disk),
        id: found.id.clone(),
        shown: format!("partition {} of {}", found.id, target::describe(&disk)),
    };
    Ok((known, found.path.clone()))
}

fn volume_of(disk: &Disk, partition: Option<u32>) -> Result<&Partition> {
    let mut volumes = disk.partitions.iter().filter(|candidate| match partition {
        Some(number) => candidate.entry() == number,
        None => matches!(
            candidate.file_system.as_str(),
            "vfat" | "exfat" | "ntfs" | "ext4" | "xfs" | "btrfs"
        ),
    });
    match (volumes.next(), volumes.next()) {
        (Some(volume), None) => Ok(volume),
        (None, _) => bail!(
            "{} has no volume that a capture can go to",
            target::describe(disk)
        ),
        (Some(_), Some(_)) => {
            bail!(
                "{} has several volumes; name one with `partition` in the destination",
                target::describe(disk)
            )
        }
    }
}

/// The disk of a destination on a disk: never the media, never the disk that the run works on.
///
/// # Errors
/// When none or several fit.
pub fn disk(context: &Context<'_>, selector: &DiskSelector) -> Result<Disk> {
    let own = own_disk(context)?;
    let disks = context.platform.disks()?;
    let candidates: Vec<Disk> = disks
        .into_iter()
        .filter(|disk| !disk.is_media && own.as_ref() != Some(&disk.path))
        // A run that does not remember itself, or is complete, has left its volumes on the disk that it works on.
        .filter(|disk| !own_table::is_own(disk, &context.media.manifest.media_id))
        .filter(|disk| {
            disk.partitions
                .iter()
                .any(|partition| !partition.file_system.is_empty())
        })
        .collect();
    let mut rule = rule(selector, context.variables)?;
    rule.erase = true;
    rule.bus = rule
        .bus
        .or_else(|| selector.removable.unwrap_or(false).then(|| "usb".to_owned()));
    let found = target::select(&candidates, &rule, &[])
        .context("looking for the disk of the capture's destination")?;
    Ok(found.disk().clone())
}

/// The disk that the run works on: the one that it has partitioned, or that has the system which was there before.
fn own_disk(context: &Context<'_>) -> Result<Option<PathBuf>> {
    if let Some(target) = &context.journal.saved.target {
        // By a partition and not by identity: virtual disks often have no serial number, and then all look the same.
        let disks = context.platform.disks()?;
        return Ok(disks
            .into_iter()
            .find(|disk| target.is_on(disk))
            .map(|disk| disk.path));
    }
    if builds(context.sequence) {
        return Ok(None);
    }
    Ok(Some(existing::find(context)?.0.path))
}

/// Whether the run makes its system, and does not capture one that was there before.
pub fn builds(sequence: &TaskSequence) -> bool {
    // Whatever its condition is: what it depends on may still change.
    let steps = sequence.enabled_steps();
    let mut actions = steps.iter().map(|enabled| &enabled.step.action);
    actions.any(|action| matches!(action, Action::FormatAndPartitionDisk(_)))
}

/// The variable that is to say which disk is meant and has no value; nothing where the selector says the number itself.
pub fn open_variable<'a>(selector: &'a DiskSelector, variables: &Variables) -> Option<&'a str> {
    let name = selector.variable.as_deref()?;
    let has_value = variables.get(name).is_some_and(|text| !text.trim().is_empty());
    (selector.number.get().is_none() && !has_value).then_some(name)
}

/// The rule of a disk selector.
///
/// # Errors
/// When the variable that it names has no value, or is no number: a rule without it would mean another disk.
pub fn rule(selector: &DiskSelector, variables: &Variables) -> Result<target::Rule> {
    if let Some(name) = open_variable(selector, variables) {
        bail!("variable {name} is to say which disk is meant and has no value: set it before this step");
    }
    let of_variable = || {
        let name = selector.variable.as_deref()?;
        let number = variables.get(name)?.trim().parse();
        Some(number.with_context(|| format!("variable {name} is no disk number")))
    };
    let number = match selector.number.get() {
        Some(number) => Some(*number),
        None => of_variable().transpose()?,
    };
    Ok(target::Rule {
        number,
        serial: selector.serial.clone(),
        min_size: selector.min_size.get().map(|size| size.bytes()),
        max_size: selector.max_size.get().map(|size| size.bytes()),
        bus: selector.bus.get().map(|bus| bus.as_str().to_owned()),
        removable: selector.removable.unwrap_or(false),
        ..target::Rule::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_split_from_the_path_below_it() {
        let split = split_unc("\\\\10.0.2.100\\captures\\debian\\ref.wim").unwrap();
        assert_eq!(split, ("//10.0.2.100/captures".into(), "debian/ref.wim".into()));
        assert!(split_unc("\\\\server\\share").is_err());
    }

    #[test]
    fn a_destination_stays_on_its_volume_and_is_a_wim() {
        let place = inside(Path::new("/m"), "a/b", "x".into()).unwrap();
        assert_eq!((place.folder, place.name), ("/m/a".into(), "b.wim".into()));
        assert!(inside(Path::new("/m"), "../b.wim", "x".into()).is_err());
        assert!(inside(Path::new("/m"), "/", "x".into()).is_err());
    }

    #[test]
    fn a_variable_without_a_value_names_no_disk() {
        let selector = DiskSelector {
            variable: Some("TargetDisk".into()),
            ..DiskSelector::default()
        };
        let mut variables = Variables::new();
        let error = rule(&selector, &variables).unwrap_err().to_string();
        assert!(
            error.contains("variable TargetDisk") && error.contains("no value"),
            "{error}"
        );
        variables.set("TargetDisk", " ").unwrap();
        assert!(rule(&selector, &variables).is_err());
        variables.set("targetdisk", "first").unwrap();
        assert!(rule(&selector, &variables).is_err());
        variables.set("targetdisk", " 1 ").unwrap();
        assert_eq!(rule(&selector, &variables).unwrap().number, Some(1));
    }
}
