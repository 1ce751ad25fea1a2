//! Disks in Windows PE: partitioned and formatted by Windows' own program, from scripts that are planned here. A script is in the
//! log line by line, so that somebody can run the same one by hand.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use uuid::Uuid;

use super::{path, tools};
use crate::log::Log;
use crate::platform::{Disk, Files, Machine, NewPartition, NewTable, Partition, Processes, Result, Role};

const PROGRAM: &str = "diskpart.exe";
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
/// What diskpart makes of FAT32.
const LARGEST_FAT32: u64 = 32 << 30;
/// Microsoft ("DiskPart scripts and examples"): the service behind it needs this time to end, or the next script fails.
const PAUSE: Duration = Duration::from_secs(15);
/// The type of a recovery partition, on each style.
const RECOVERY: (&str, &str) = ("de94bba4-06d1-4d40-a16a-bfd50179d6ac", "27");
/// Required by the platform, and without a drive letter.
const RECOVERY_ATTRIBUTES: &str = "0x8000000000000001";
/// Hidden, and without a drive letter.
const HIDDEN_ATTRIBUTES: &str = "0xc000000000000000";

/// Whether diskpart can make the table and its file systems.
///
/// # Errors
/// When it cannot, before anything is changed.
pub fn check(table: &NewTable) -> Result<()> {
    for partition in &table.partitions {
        kind(partition, table)?;
        file_system(partition)?;
    }
    Ok(())
}

/// Takes everything from a disk and gives it an empty table with the identifier of the run.
pub fn empty(disk: u32, table: &NewTable) -> String {
    let style = if table.gpt { "gpt" } else { "mbr" };
    script(disk)
        .line("online disk noerr")
        .line("clean")
        .line(&format!("convert {style}"))
        .line(&format!("uniqueid disk id={}", table.id.to_uppercase()))
        .text
}

/// Makes the partitions. What is there already, diskpart has made with the empty table, unasked: it goes.
///
/// # Errors
/// When diskpart does not make such a partition.
pub fn create(disk: u32, table: &NewTable, there: &[u32]) -> Result<String> {
    let mut script = script(disk);
    for number in there {
        script = script
            .line(&format!("select partition {number}"))
            .line("delete partition override");
    }
    for partition in &table.partitions {
        let place = format!("size={} offset={}", partition.size / MIB, partition.start / KIB);
        let (kind, id) = kind(partition, table)?;
        script = script.line(&format!("create partition {kind} {place}{id}"));
        if partition.role == Role::State {
            // Windows' boot manager lies on the partition of the boot state.
            script = script.line("active");
        }
        if partition.file_system.is_none() {
            script = with_type(script, partition, table.gpt);
        }
    }
    Ok(script.text)
}

/// Makes the file system of a partition. A recovery partition and a hidden one get their type only then: before, Windows would not
/// show it as a volume.
///
/// # Errors
/// When diskpart does not make such a file system.
pub fn format(disk: u32, partition: &NewPartition) -> Result<String> {
    let kind = file_system(partition)?.context("no file system is wanted")?;
    let quick = if partition.quick { " quick" } else { "" };
    let label = if partition.label.is_empty() {
        String::new()
    } else {
        format!(" label=\"{}\"", partition.label)
    };
    let mut script = script(disk)
        .line(&format!("select partition {}", partition.number))
        .line(&format!("format fs={kind}{label}{quick} override"));
    script = with_type(script, partition, Uuid::parse_str(&partition.guid).is_ok());
    Ok(script.text)
}

/// The table as it lies on the disk now: Windows gives the partitions of a GPT identifiers of its own, so they are found by
/// their places. It does not count an extended partition.
///
/// # Errors
/// When the disk has another table than what was asked for.
pub fn as_made(table: &NewTable, disk: &Disk) -> Result<NewTable> {
    ensure!(
        disk.table_id.eq_ignore_ascii_case(&table.id),
        "the new table of {} has the identifier {} and not {}",
        disk.path.display(),
        disk.table_id,
        table.id
    );
    let counted = |partition: &&mut NewPartition| partition.role != Role::Extended;
    let mut made = table.clone();
    let count = made.partitions.iter_mut().filter(counted).count();
    ensure!(
        disk.partitions.len() == count,
        "{} has {} partitions, and {count} were asked for",
        disk.path.display(),
        disk.partitions.len()
    );
    for partition in made.partitions.iter_mut().filter(counted) {
        let found = found(partition, disk)?;
        partition.number = found.number;
        partition.guid.clone_from(&found.id);
    }
    Ok(made)
}

/// The partition of a disk that lies where that one was asked for.
///
/// # Errors
/// When there is none.
pub fn found<'a>(partition: &NewPartition, disk: &'a Disk) -> Result<&'a Partition> {
    let same = |known: &&Partition| known.start == partition.start && known.size == partition.size;
    disk.partitions.iter().find(same).with_context(|| {
        format!(
            "{} has no partition of {} bytes at byte {}",
            disk.path.display(),
            partition.size,
            partition.start
        )
    })
}

/// Runs a script that lies there as long as that takes.
///
/// # Errors
/// When diskpart fails; it stops at the first line that does.
pub fn run(
    machine: &(impl Files + Machine + Processes + ?Sized),
    log: &Log,
    file: &Path,
    script: &str,
) -> Result<()> {
    machine.write(file, script.as_bytes(), 0o600)?;
    log.info(format!("script for diskpart ({}):", file.display()));
    script.lines().for_each(|line| log.info(format!("  {line}")));
    let words = ["/s".to_owned(), path::text(file)];
    let ran = tools::run(machine, log, PROGRAM, &words, None);
    machine.sleep(PAUSE);
    machine.remove(file)?;
    ran.map(drop)
}

/// What diskpart calls the partition, and the type that it is told besides.
fn kind(partition: &NewPartition, table: &NewTable) -> Result<(&'static str, &'static str)> {
    let windows = matches!(partition.role, Role::Data | Role::Recovery | Role::Hidden);
    Ok(match (partition.role, table.gpt) {
        (Role::Efi, true) => ("efi", ""),
        (Role::Msr, true) => ("msr", ""),
        (_, true) if windows => ("primary", ""),
        (Role::State, false) => ("primary", " id=0c"),
        (Role::Extended, false) => ("extended", ""),
        // It is told no type: the file system gives it one.
        (_, false) if windows && table.is_logical(partition) => ("logical", ""),
        (_, false) if windows => ("primary", " id=07"),
        (role, gpt) => bail!(
            "diskpart makes no partition of the kind {role:?} on {}; use the Linux PE as the boot image",
            if gpt { "GPT" } else { "MBR" }
        ),
    })
}

/// What diskpart calls the file system.
fn file_system(partition: &NewPartition) -> Result<Option<&str>> {
    let Some(kind) = partition.file_system.as_deref() else {
        return Ok(None);
    };
    let written = |character: char| matches!(character, ' '..='~') && character != '"';
    if !partition.label.chars().all(written) {
        bail!(
            "a script of diskpart cannot hold the label {}: use ASCII characters without quotation marks",
            partition.label
        );
    }
    match kind {
        "fat32" | "vfat" if partition.size > LARGEST_FAT32 => bail!(
            "diskpart makes FAT32 of up to 32 GiB only, and partition {} is larger; use exFAT or NTFS",
            partition.number
        ),
        "fat32" | "vfat" => Ok(Some("fat32")),
        "ntfs" | "exfat" => Ok(Some(kind)),
        other => bail!("diskpart does not make {other}; use the Linux PE as the boot image"),
    }
}

/// The type and the attributes of what is no ordinary volume.
fn with_type(script: Script, partition: &NewPartition, gpt: bool) -> Script {
    let (of_gpt, of_mbr) = RECOVERY;
    let hidden = match partition.file_system.as_deref() {
        Some("fat32" | "vfat") => "1c",
        _ => "17",
    };
    match (partition.role, gpt) {
        (Role::Recovery, true) => script
            .line(&format!("set id={of_gpt} override"))
            .line(&format!("gpt attributes={RECOVERY_ATTRIBUTES}")),
        (Role::Recovery, false) => script.line(&format!("set id={of_mbr} override")),
        (Role::Hidden, true) => script.line(&format!("gpt attributes={HIDDEN_ATTRIBUTES}")),
        (Role::Hidden, false) => script.line(&format!("set id={hidden} override")),
        _ => script,
    }
}

/// Lines that end as Windows ends them.
struct Script {
    text: String,
}

fn script(disk: u32) -> Script {
    let text = String::new();
    Script { text }.line(&format!("select disk {disk}"))
}

impl Script {
    fn line(mut self, line: &str) -> Self {
        self.text += line;
        self.text += "\r\n";
        self
    }
}

#[cfg(test)]
mod tests;
