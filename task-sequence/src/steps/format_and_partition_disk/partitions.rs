//! The partitions of `format-and-partition-disk`, also as ConfigMgr's OSDPartitions… variables give them.

use std::collections::BTreeSet;

use super::FormatAndPartitionDisk;
use crate::setting::{FromText, ResolveError, Setting};
use crate::size::{Extent, Size};
use crate::steps::{FileSystem, Partition, PartitionKind, PartitionStyle};
use crate::validate::Check;
use crate::variables::Variables;

/// How many partitions there are, and the variables of the n-th; `#` stands for n, counted from 0.
pub(super) const MAPPED: &[(&str, &str)] = &[
    ("OSDPartitions", "partitions"),
    ("OSDPartitions#Type", "partitions.kind"),
    ("OSDPartitions#Size", "partitions.size"),
    ("OSDPartitions#SizeUnits", "partitions.size"),
    ("OSDPartitions#FileSystem", "partitions.file_system"),
    ("OSDPartitions#QuickFormat", "partitions.quick"),
    ("OSDPartitions#VolumeName", "partitions.label"),
    ("OSDPartitions#VolumeLetterVariable", "partitions.variable"),
    ("OSDPartitions#Bootable", "partitions.bootable"),
];

const MOST_PARTITIONS: u32 = 128;

/// Why extended and logical partitions cannot be made in this order: an MBR describes one extended partition, and what lies in it
/// comes behind it.
pub fn misplaced_partitions(partitions: &[Partition]) -> Option<&'static str> {
    let is = |partition: &Partition, kind| partition.kind == kind;
    if partitions.iter().filter(|partition| is(partition, PartitionKind::Extended)).count() > 1 {
        return Some("a disk has one `extended` partition at most: put all `logical` ones behind it");
    }
    let mut inside = false;
    let stray = partitions.iter().any(|partition| {
        inside = is(partition, PartitionKind::Extended) || inside && is(partition, PartitionKind::Logical);
        is(partition, PartitionKind::Logical) && !inside
    });
    stray.then_some("`logical` partitions lie in an extended one: put them directly behind a partition of the kind `extended`")
}

/// The partitions that OSDPartitions and its companions describe.
pub(super) fn from_variables(variables: &Variables) -> Result<Vec<Partition>, ResolveError> {
    let Some(count) = variables.get("OSDPartitions").filter(|count| !count.is_empty()) else {
        return Ok(Vec::new());
    };
    let count = u32::from_text(count).map_err(|why| wrong("OSDPartitions", &why))?;
    if count > MOST_PARTITIONS {
        return Err(wrong("OSDPartitions", &format!("{count} partitions are more than {MOST_PARTITIONS}")));
    }
    (0..count).map(|number| partition(number, variables)).collect()
}

fn wrong(variable: &str, why: &str) -> ResolveError {
    ResolveError {
        setting: "partitions".into(),
        why: format!("the value of variable {variable} is wrong: {why}"),
    }
}

/// The variables of one partition.
struct Numbered<'a> {
    number: u32,
    variables: &'a Variables,
}

impl Numbered<'_> {
    fn text(&self, part: &str) -> Option<&str> {
        let name = format!("OSDPartitions{}{part}", self.number);
        self.variables.get(&name).filter(|text| !text.is_empty())
    }

    fn setting<T: FromText>(&self, part: &str) -> Result<Setting<T>, ResolveError> {
        let Some(text) = self.text(part) else { return Ok(Setting::Absent) };
        let read = T::from_variable(text).map(Setting::Value);
        read.map_err(|why| wrong(&format!("OSDPartitions{}{part}", self.number), &why))
    }

    /// A number of megabytes, gigabytes or percent; all that is left where there is none.
    fn size(&self) -> Result<Extent, ResolveError> {
        let Some(number) = self.text("Size") else { return Ok(Extent::Rest) };
        let unit = self.text("SizeUnits").unwrap_or("MB");
        let text = match unit.to_ascii_lowercase().as_str() {
            "percent" | "%" => format!("{number}%"),
            _ => format!("{number} {unit}"),
        };
        Extent::from_text(&text).map_err(|why| wrong(&format!("OSDPartitions{}Size", self.number), &why))
    }
}

fn partition(number: u32, variables: &Variables) -> Result<Partition, ResolveError> {
    let from = Numbered { number, variables };
    let kind = from.setting::<PartitionKind>("Type")?.unwrap_or(PartitionKind::Primary);
    Ok(Partition {
        file_system: from.setting("FileSystem")?,
        label: from.text("VolumeName").map(str::to_owned),
        variable: from.text("VolumeLetterVariable").map(str::to_owned),
        quick: from.setting("QuickFormat")?,
        bootable: from.setting("Bootable")?,
        ..Partition::new(kind, from.size()?)
    })
}

pub(super) fn check(options: &FormatAndPartitionDisk, check: &mut Check<'_>) {
    if options.disk.only == Some(false) {
        check.error("`only = false` says nothing: leave it out");
    }
    let (inside, outside): (Vec<&Partition>, Vec<&Partition>) = options.partitions.iter().partition(|partition| is_logical(partition));
    check_shares(&outside, "disk", check);
    check_shares(&inside, "extended partition", check);
    check_names(&options.partitions, check);
    if let Some(why) = misplaced_partitions(&options.partitions) {
        check.error(why);
    }
    match options.style.get() {
        Some(PartitionStyle::Mbr) => check_mbr(&options.partitions, check),
        Some(PartitionStyle::Gpt) => check_gpt(&options.partitions, check),
        _ => {}
    }
    for partition in &options.partitions {
        check_partition(partition, check);
    }
}

fn is_logical(partition: &Partition) -> bool {
    partition.kind == PartitionKind::Logical
}

/// The shares of what lies side by side, on the disk or in the extended partition.
fn check_shares(partitions: &[&Partition], of: &str, check: &mut Check<'_>) {
    let rests = partitions.iter().filter(|partition| partition.size.get() == Some(&Extent::Rest)).count();
    if rests > 1 {
        check.error(format!("more than one partition takes the rest of the {of}"));
    }
    let shares = partitions.iter().filter_map(|partition| match partition.size.get() {
        Some(Extent::Percent(percent)) => Some(u32::from(*percent)),
        _ => None,
    });
    let sum: u32 = shares.sum();
    if sum > 100 {
        check.error(format!("the partitions take {sum}% of the {of} together: 100% are possible"));
    }
    if sum == 100 && rests > 0 {
        check.error(format!("a partition takes the rest of the {of}, but the shares already add up to 100%"));
    }
}

fn check_names(partitions: &[Partition], check: &mut Check<'_>) {
    let mut variables = BTreeSet::new();
    let mut mount_points = BTreeSet::new();
    for partition in partitions {
        if let Some(variable) = &partition.variable {
            check.settable("variable", Some(variable));
            if !variables.insert(variable.to_lowercase()) {
                check.error(format!("two partitions use the variable `{variable}`"));
            }
        }
        if let Some(mount_point) = &partition.mount_point
            && !mount_points.insert(mount_point.trim_end_matches('/'))
        {
            check.error(format!("two partitions are mounted at `{mount_point}`"));
        }
        if let Some(mount_point) = &partition.mount_point
            && !is_plain_path(mount_point)
        {
            check.error(format!("`{mount_point}` is no mount point: a path such as `/home` is"));
        }
    }
}

/// Absolute and without detours; a variable is known only later.
fn is_plain_path(path: &str) -> bool {
    let plain = |part: &str| part != "." && part != "..";
    path.contains('%') || (path.starts_with('/') && !path.contains("//") && path.split('/').all(plain))
}

/// One of the four is the one that the machine starts from, which a BIOS gets in any case.
fn check_mbr(partitions: &[Partition], check: &mut Check<'_>) {
    const MOST: usize = 3;
    let others = partitions.iter().filter(|partition| partition.kind != PartitionKind::Efi && !is_logical(partition)).count();
    if others > MOST {
        check.error(format!(
            "an MBR disk has room for {MOST} partitions beside the one that the machine starts from, not {others}: \
             use GPT, or put some of them as `logical` ones into an `extended` one"
        ));
    }
    if partitions.iter().any(|partition| matches!(partition.kind, PartitionKind::Msr | PartitionKind::BiosBoot)) {
        check.error("partitions of the kinds `msr` and `bios-boot` exist only on GPT disks");
    }
}

fn check_gpt(partitions: &[Partition], check: &mut Check<'_>) {
    if partitions.iter().any(|partition| matches!(partition.kind, PartitionKind::Extended | PartitionKind::Logical)) {
        check.error(
            "partitions of the kinds `extended` and `logical` exist only on MBR disks: write \"primary\", of which a GPT \
             holds 128",
        );
    }
}

fn check_partition(partition: &Partition, check: &mut Check<'_>) {
    if let Some(Extent::Bytes(Size(0))) = partition.size.get() {
        check.error("a partition has the size 0");
    }
    if let Some(label) = partition.label.as_deref().filter(|label| !crate::setting::has_variable(label)) {
        let longest = longest_label(partition);
        if label.chars().count() > longest {
            check.error(format!("the label `{label}` is longer than the {longest} characters of its file system"));
        }
    }
    let file_system = partition.file_system.get();
    if partition.kind == PartitionKind::Efi && !matches!(file_system, None | Some(FileSystem::Fat32)) {
        check.error("an EFI system partition is formatted with fat32: firmware reads nothing else");
    }
    if partition.kind == PartitionKind::Extended && has_volume(partition) {
        check.error(
            "an extended partition holds nothing but the logical ones: remove its file system, label, variable and mount point",
        );
    }
    if partition.kind == PartitionKind::Hidden && partition.mount_point.is_some() {
        check.error("a hidden partition is mounted nowhere: remove its `mount-point`, or write `kind = \"primary\"`");
    }
}

/// Whether something is asked for that only a volume has.
fn has_volume(partition: &Partition) -> bool {
    let formatted = !matches!(partition.file_system.get(), None | Some(FileSystem::None));
    let named = [&partition.label, &partition.variable, &partition.mount_point];
    formatted || named.iter().any(|name| name.is_some())
}

fn longest_label(partition: &Partition) -> usize {
    match partition.file_system.get() {
        Some(FileSystem::Fat32) => 11,
        Some(FileSystem::Exfat) => 15,
        Some(FileSystem::Xfs) => 12,
        Some(FileSystem::Ext4 | FileSystem::Swap) => 16,
        _ => 32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_come_from_variables() {
        let mut variables = Variables::new();
        for (name, value) in [
            ("OSDPartitions", "2"),
            ("OSDPartitions0Type", "EFI"),
            ("OSDPartitions0Size", "499"),
            ("OSDPartitions0SizeUnits", "MB"),
            ("OSDPartitions0FileSystem", "FAT32"),
            ("OSDPartitions1Type", "Primary"),
            ("OSDPartitions1Size", "100"),
            ("OSDPartitions1SizeUnits", "Percent"),
        ] {
            variables.set(name, value).unwrap();
        }
        let partitions = from_variables(&variables).unwrap();
        assert_eq!(partitions[0].kind, PartitionKind::Efi);
        assert_eq!(partitions[0].size, Setting::Value(Extent::Bytes(Size(499 << 20))));
        assert_eq!(partitions[1].size, Setting::Value(Extent::Percent(100)));
        variables.set("OSDPartitions1Size", "200").unwrap();
        assert!(from_variables(&variables).unwrap_err().to_string().contains("1% to 100%"));
    }
}
