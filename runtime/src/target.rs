//! Which disk may be erased. Only [`select`] makes a [`ConfirmedTarget`], and only a `ConfirmedTarget` can be
//! erased.

use thiserror::Error;

use crate::journal::Target;
use crate::platform::{Bus, Disk};

/// A disk that was selected without ambiguity, is not our media, not the capture destination, and that nobody
/// exchanged since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmedTarget {
    disk: Disk,
}

impl ConfirmedTarget {
    /// The disk.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Looks at the disks again just before the erasing: the same device must still be the same disk.
    ///
    /// # Errors
    /// When it is not.
    pub fn reconfirm(&self, disks: &[Disk]) -> Result<(), Refusal> {
        let same = disks.iter().any(|disk| {
            disk.path == self.disk.path
                && identity(disk) == identity(&self.disk)
                && disk.size == self.disk.size
        });
        if same {
            Ok(())
        } else {
            Err(Refusal::Exchanged(describe(&self.disk)))
        }
    }
}

/// The disk that the run has partitioned, to make its volumes anew.
///
/// # Errors
/// When it is another disk, or the run did not partition it.
pub fn own(disks: &[Disk], disk: &Disk, target: &Target) -> Result<ConfirmedTarget, Refusal> {
    let confirmed = ConfirmedTarget { disk: disk.clone() };
    if !target.ours || !target.is_on(disk) || identity(disk) != target.disk {
        return Err(Refusal::NotEmpty(describe(disk)));
    }
    confirmed.reconfirm(disks)?;
    Ok(confirmed)
}

/// How the sequence names the disk. Every given property must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rule {
    /// Number among the possible targets, from 0.
    pub number: Option<u32>,
    /// Serial number, or world-wide name.
    pub serial: Option<String>,
    /// At least this many bytes.
    pub min_size: Option<u64>,
    /// At most this many bytes.
    pub max_size: Option<u64>,
    /// How it is attached; naming USB allows removable disks.
    pub bus: Option<String>,
    /// Removable disks are possible, too.
    pub removable: bool,
    /// A disk with content may be erased.
    pub erase: bool,
    /// Disks with the table identifier that an interrupted run of this media gave to them: such a disk counts as empty,
    /// and only that one, since disks without serial numbers look alike.
    pub own_table_ids: Vec<(std::path::PathBuf, String)>,
    /// Bytes that the layout and the image need.
    pub needed: u64,
}

/// Why no disk was selected. Nothing was changed.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// No disk at all, or only our media and excluded ones.
    #[error("no disk can be the target: {0}")]
    None(String),
    /// None fits the rule.
    #[error("no disk fits the rule of the step ({rule}); the machine has {disks}")]
    NoMatch {
        /// The rule.
        rule: String,
        /// The possible disks.
        disks: String,
    },
    /// Several fit.
    #[error(
        "{count} disks could be the target and the step does not say which: {disks}; name one by serial, number, \
         size or bus"
    )]
    Ambiguous {
        /// How many.
        count: usize,
        /// Which.
        disks: String,
    },
    /// It holds something.
    #[error("{0} is not empty; set `erase-existing = true` in the step to allow that it is erased")]
    NotEmpty(String),
    /// Too small.
    #[error("{disk} is too small: {needed} bytes are needed")]
    TooSmall {
        /// Which.
        disk: String,
        /// Bytes.
        needed: u64,
    },
    /// Write-protected.
    #[error("{0} is write-protected")]
    ReadOnly(String),
    /// Another disk than before.
    #[error("{0} was exchanged or renumbered since it was selected; nothing was erased")]
    Exchanged(String),
}

/// Selects the one disk that the rule means.
///
/// # Errors
/// When none or several fit, or the one that fits must not be erased.
pub fn select(
    disks: &[Disk],
    rule: &Rule,
    excluded: &[std::path::PathBuf],
) -> Result<ConfirmedTarget, Refusal> {
    let usb_named = rule
        .bus
        .as_deref()
        .is_some_and(|bus| bus.eq_ignore_ascii_case("usb"));
    let named = rule.serial.is_some() || usb_named || rule.removable;
    let possible: Vec<&Disk> = disks
        .iter()
        .filter(|disk| !disk.is_media && !excluded.contains(&disk.path))
        .filter(|disk| !disk.removable || named)
        .collect();
    if possible.is_empty() {
        return Err(Refusal::None(why_none(disks, excluded)));
    }
    let fitting: Vec<&Disk> = possible
        .iter()
        .enumerate()
        .filter(|(number, disk)| fits(*number, disk, rule))
        .map(|(_, d)| *d)
        .collect();
    match fitting.as_slice() {
        [] => Err(Refusal::NoMatch {
            rule: rule_text(rule),
            disks: describe_all(&possible),
        }),
        [disk] => confirm(disk, rule),
        several => Err(Refusal::Ambiguous {
            count: several.len(),
            disks: describe_all(several),
        }),
    }
}

fn fits(number: usize, disk: &Disk, rule: &Rule) -> bool {
    let same = |a: &str, b: &str| a.trim().eq_ignore_ascii_case(b.trim()) && !a.trim().is_empty();
    // The machine's own count does not change when the capture's destination is left out; removable disks have none.
    let number = if disk.removable {
        number
    } else {
        disk.number as usize
    };
    rule.number.is_none_or(|wanted| wanted as usize == number)
        && rule
            .serial
            .as_deref()
            .is_none_or(|serial| same(serial, &disk.serial) || same(serial, &disk.wwn))
        && rule.min_size.is_none_or(|size| disk.size >= size)
        && rule.max_size.is_none_or(|size| disk.size <= size)
        && rule
            .bus
            .as_deref()
            .is_none_or(|bus| same(bus, disk.bus.as_str()) || alias(bus, disk.bus))
}

fn alias(name: &str, bus: Bus) -> bool {
    matches!(
        (name.to_ascii_lowercase().as_str(), bus),
        ("ata" | "ide", Bus::Ata) | ("sas" | "raid", Bus::Scsi) | ("sd", Bus::Mmc)
    )
}

fn confirm(disk: &Disk, rule: &Rule) -> Result<ConfirmedTarget, Refusal> {
    let interrupted = rule
        .own_table_ids
        .iter()
        .any(|(path, id)| *path == disk.path && id.eq_ignore_ascii_case(&disk.table_id));
    if disk.read_only {
        return Err(Refusal::ReadOnly(describe(disk)));
    }
    if disk.size < rule.needed {
        return Err(Refusal::TooSmall {
            disk: describe(disk),
            needed: rule.needed,
        });
    }
    if disk.has_content && !rule.erase && !interrupted {
        return Err(Refusal::NotEmpty(describe(disk)));
    }
    Ok(ConfirmedTarget { disk: disk.clone() })
}

/// What identifies a disk over restarts, whatever its device node.
pub fn identity(disk: &Disk) -> String {
    format!("{}|{}|{}", disk.wwn, disk.serial, disk.size)
}

/// A disk as an operator recognizes it.
pub fn describe(disk: &Disk) -> String {
    let serial = if disk.serial.is_empty() {
        "no serial number".into()
    } else {
        format!("serial {}", disk.serial)
    };
    let gigabytes = disk.size as f64 / 1e9;
    format!(
        "{} ({} {:.1} GB, {}, {serial})",
        disk.path.display(),
        disk.model.trim(),
        gigabytes,
        disk.bus.as_str()
    )
}

fn describe_all(disks: &[&Disk]) -> String {
    disks
        .iter()
        .map(|disk| describe(disk))
        .collect::<Vec<_>>()
        .join(", ")
}

fn why_none(disks: &[Disk], excluded: &[std::path::PathBuf]) -> String {
    if disks.is_empty() {
        return "the boot image sees no disk: attach one, set the controller to AHCI in the firmware, or take a boot image with its driver".into();
    }
    let reason = |disk: &Disk| {
        let why = if disk.is_media {
            "is the boot media"
        } else if excluded.contains(&disk.path) {
            "is the capture destination"
        } else {
            "is removable and not named by the step"
        };
        format!("{} {why}", describe(disk))
    };
    disks.iter().map(reason).collect::<Vec<_>>().join("; ")
}

/// A rule in words; empty where any disk will do.
pub fn rule_text(rule: &Rule) -> String {
    let mut parts = Vec::new();
    parts.extend(rule.number.map(|number| format!("number {number}")));
    parts.extend(rule.serial.as_ref().map(|serial| format!("serial {serial}")));
    parts.extend(rule.min_size.map(|size| format!("at least {size} bytes")));
    parts.extend(rule.max_size.map(|size| format!("at most {size} bytes")));
    parts.extend(rule.bus.as_ref().map(|bus| format!("bus {bus}")));
    parts.extend(rule.removable.then(|| "removable or not".to_owned()));
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(name: &str, size: u64, bus: Bus) -> Disk {
        Disk {
            model: "Model".into(),
            serial: format!("S-{name}"),
            ..Disk::empty(format!("/dev/{name}"), size, bus)
        }
    }

    fn only() -> Rule {
        Rule::default()
    }

    #[test]
    fn the_only_disk_is_the_target() {
        let disks = [disk("vda", 10, Bus::Virtio)];
        assert_eq!(select(&disks, &only(), &[]).unwrap().disk(), &disks[0]);
    }

    #[test]
    fn two_possible_disks_and_no_rule_are_refused() {
        let disks = [disk("vda", 10, Bus::Virtio), disk("vdb", 10, Bus::Virtio)];
        assert!(matches!(
            select(&disks, &only(), &[]),
            Err(Refusal::Ambiguous { count: 2, .. })
        ));
        let by_serial = Rule {
            serial: Some("s-vdb".into()),
            ..only()
        };
        assert_eq!(
            select(&disks, &by_serial, &[]).unwrap().disk().path,
            disks[1].path
        );
        let excluded = [disks[1].path.clone()];
        assert_eq!(
            select(&disks, &only(), &excluded).unwrap().disk().path,
            disks[0].path
        );
    }

    #[test]
    fn a_removable_disk_is_possible_where_the_rule_says_so() {
        let mut stick = disk("sda", 10, Bus::Usb);
        stick.removable = true;
        let removable = Rule {
            removable: true,
            ..only()
        };
        assert!(select(std::slice::from_ref(&stick), &only(), &[]).is_err());
        assert!(select(std::slice::from_ref(&stick), &removable, &[]).is_ok());
        let both = [stick.clone(), disk("sdb", 10, Bus::Ata)];
        let refusal = select(&both, &removable, &[]).unwrap_err();
        assert!(
            matches!(refusal, Refusal::Ambiguous { count: 2, .. }),
            "{refusal}"
        );
        stick.is_media = true;
        assert!(select(&[stick], &removable, &[]).is_err(), "the media");
    }

    #[test]
    fn a_card_is_named_by_its_bus() {
        let disks = [disk("mmcblk0", 10, Bus::Mmc), disk("sda", 10, Bus::Ata)];
        let cards = Rule {
            bus: Some("mmc".into()),
            ..only()
        };
        assert_eq!(select(&disks, &cards, &[]).unwrap().disk(), &disks[0]);
    }

    #[test]
    fn media_and_removable_disks_are_never_targets_by_accident() {
        let mut stick = disk("sda", 10, Bus::Usb);
        stick.is_media = true;
        let refusal = select(&[stick.clone()], &only(), &[]).unwrap_err().to_string();
        assert!(refusal.contains("is the boot media"), "{refusal}");
        let named = Rule {
            serial: Some("S-sda".into()),
            erase: true,
            ..only()
        };
        assert!(
            select(&[stick], &named, &[]).is_err(),
            "not even when it is named"
        );
        let usb = disk("sdb", 10, Bus::Usb);
        assert!(select(std::slice::from_ref(&usb), &only(), &[]).is_err());
        assert!(
            select(
                &[usb],
                &Rule {
                    bus: Some("usb".into()),
                    ..only()
                },
                &[]
            )
            .is_ok()
        );
    }

    #[test]
    fn content_is_kept_unless_the_sequence_says_so_or_it_is_our_own() {
        let mut full = disk("vda", 10, Bus::Virtio);
        full.has_content = true;
        full.table_id = "ABCD".into();
        let disks = [full];
        assert!(matches!(select(&disks, &only(), &[]), Err(Refusal::NotEmpty(_))));
        assert!(
            select(
                &disks,
                &Rule {
                    erase: true,
                    ..only()
                },
                &[]
            )
            .is_ok()
        );
        assert!(
            select(
                &disks,
                &Rule {
                    own_table_ids: vec![("/dev/vda".into(), "abcd".into())],
                    ..only()
                },
                &[]
            )
            .is_ok()
        );
    }

    #[test]
    fn too_small_and_write_protected_disks_are_refused() {
        let mut protected = disk("vda", 10, Bus::Virtio);
        assert!(matches!(
            select(&[protected.clone()], &Rule { needed: 11, ..only() }, &[]),
            Err(Refusal::TooSmall { .. })
        ));
        protected.read_only = true;
        assert!(matches!(
            select(&[protected], &only(), &[]),
            Err(Refusal::ReadOnly(_))
        ));
    }

    #[test]
    fn a_number_is_the_machines_also_when_a_disk_is_left_out() {
        let mut disks = [disk("vda", 10, Bus::Virtio), disk("vdb", 10, Bus::Virtio)];
        disks[1].number = 1;
        let second = Rule {
            number: Some(1),
            ..only()
        };
        let excluded = [disks[0].path.clone()];
        let found = select(&disks, &second, &excluded).unwrap();
        assert_eq!(found.disk().path, disks[1].path);
        let first = Rule {
            number: Some(0),
            ..only()
        };
        assert!(matches!(
            select(&disks, &first, &excluded),
            Err(Refusal::NoMatch { .. })
        ));
    }

    #[test]
    fn only_the_disk_that_the_run_partitioned_is_its_own() {
        let mut own_disk = disk("vda", 10, Bus::Virtio);
        own_disk.partitions = vec![crate::platform::Partition {
            number: 1,
            path: "/dev/vda1".into(),
            id: "state".into(),
            kind: String::new(),
            name: String::new(),
            attributes: 0,
            active: false,
            start: 1,
            size: 9,
            file_system: String::new(),
            label: String::new(),
            uuid: String::new(),
        }];
        let target = Target {
            disk: identity(&own_disk),
            state: "state".into(),
            ours: true,
            ..Target::default()
        };
        let disks = [own_disk.clone(), disk("vdb", 10, Bus::Virtio)];
        assert_eq!(own(&disks, &own_disk, &target).unwrap().disk(), &own_disk);
        assert!(own(&disks, &disks[1], &target).is_err());
        let adopted = Target {
            ours: false,
            ..target.clone()
        };
        assert!(own(&disks, &own_disk, &adopted).is_err());
        assert!(own(&disks[1..], &own_disk, &target).is_err());
    }

    #[test]
    fn an_exchanged_disk_is_noticed() {
        let disks = [disk("vda", 10, Bus::Virtio)];
        let target = select(&disks, &only(), &[]).unwrap();
        assert!(target.reconfirm(&disks).is_ok());
        let mut other = disks.clone();
        other[0].serial = "S-other".into();
        assert!(matches!(target.reconfirm(&other), Err(Refusal::Exchanged(_))));
    }
}
