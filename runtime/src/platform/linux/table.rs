//! Partition tables: read to know the disks, written to make the target's.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use disk_image::partition_table::{GptParams, GptPartition, plan_gpt};
use disk_image::read::{Device, PartitionTable};
use disk_image::{Content, Layout};
use uuid::Uuid;

use crate::platform::{HIDDEN_ATTRIBUTE, NewPartition, NewTable, Result, Role};
use crate::volumes;

mod mbr;

/// What a table says about one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) number: u32,
    pub(super) id: String,
    pub(super) kind: String,
    /// Sector at which it begins.
    pub(super) start: u64,
    pub(super) name: String,
    pub(super) attributes: u64,
    /// In an MBR: the one that a BIOS starts.
    pub(super) active: bool,
}

/// Identifier and partitions of a disk's table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) id: String,
    /// GPT, else MBR.
    pub(super) gpt: bool,
    pub(super) entries: Vec<Entry>,
}

/// Reads the table of a disk; nothing where there is none that can be understood.
pub(super) fn read(device: &File, sector_size: u32) -> Option<Table> {
    read_gpt(device, sector_size).or_else(|| mbr::read(device, sector_size))
}

fn read_gpt(file: &File, sector_size: u32) -> Option<Table> {
    let device = Device::new(file.try_clone().ok()?).ok()?;
    let gpt = PartitionTable::read_in_sectors(&device, sector_size.into()).ok()?;
    let text = |guid: [u8; 16]| Uuid::from_bytes_le(guid).to_string();
    let entries = gpt.partitions.into_iter().map(|partition| Entry {
        number: partition.number,
        id: text(partition.unique_guid),
        kind: text(partition.type_guid),
        start: partition.offset / gpt.sector,
        name: partition.name,
        attributes: partition.attributes,
        active: false,
    });
    Some(Table {
        id: text(gpt.disk_guid),
        gpt: true,
        entries: entries.collect(),
    })
}

/// Erases the old tables and signatures and writes the new table. The device is opened exclusively: a mounted one
/// is refused by the kernel.
pub(super) fn write(device: &Path, size: u64, sector_size: u32, table: &NewTable) -> Result<()> {
    let layout = if table.gpt {
        gpt(size, sector_size, table)?
    } else {
        mbr::plan(size, sector_size, table)?
    };
    let exclusive = i32::try_from(rustix::fs::OFlags::EXCL.bits()).unwrap_or_default();
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(exclusive)
        .open(device)
        .with_context(|| {
            format!(
                "opening {} for nobody but us (is a volume of it mounted?)",
                device.display()
            )
        })?;
    mark_unfinished(&file, &table.id)?;
    erase(&file, size, table)?;
    write_layout(&file, &layout)?;
    file.sync_all()?;
    Ok(())
}

/// A first sector with nothing but the identifier of this run: a cut anywhere before the table is complete leaves a disk
/// that is known as the run's own, unfinished one.
fn mark_unfinished(file: &File, id: &str) -> Result<()> {
    let signature: String = id.chars().take(8).collect();
    let mut sector = [0; 512];
    sector[440..444].copy_from_slice(&u32::from_str_radix(&signature, 16)?.to_le_bytes());
    sector[510..].copy_from_slice(&[0x55, 0xAA]);
    file.write_all_at(&sector, 0).context("marking the disk")?;
    file.sync_all()?;
    Ok(())
}

/// Old signatures would make new partitions look formatted: the start and end of the disk and the start of each new
/// partition are cleared.
fn erase(file: &File, size: u64, table: &NewTable) -> Result<()> {
    const EDGE: u64 = 1 << 20;
    let zeroes = vec![0; 1 << 20];
    let starts = table.partitions.iter().map(|partition| partition.start);
    for offset in [512, size.saturating_sub(EDGE)].into_iter().chain(starts) {
        let length = usize::try_from((size - offset).min(EDGE))?;
        file.write_all_at(&zeroes[..length], offset)
            .context("clearing old signatures")?;
    }
    Ok(())
}

fn write_layout(file: &File, layout: &Layout) -> Result<()> {
    // What makes the table valid comes last: a cut before it leaves a disk that counts as unfinished.
    let (last, first): (Vec<_>, Vec<_>) = layout.extents.iter().partition(|extent| extent.last);
    for extent in first.into_iter().chain(last) {
        match &extent.content {
            Content::Bytes(bytes) => file
                .write_all_at(bytes, extent.offset)
                .context("writing the partition table")?,
            Content::Zero => file.write_all_at(&vec![0; usize::try_from(extent.length)?], extent.offset)?,
            Content::Source { .. } | Content::Late(_) => bail!("a partition table has no content from files"),
        }
    }
    Ok(())
}

fn gpt(size: u64, sector_size: u32, table: &NewTable) -> Result<Layout> {
    let partitions = table.partitions.iter().map(|partition| {
        Ok(GptPartition {
            type_guid: type_guid(partition)?,
            unique_guid: Uuid::parse_str(&partition.guid)?,
            name: partition.name.clone(),
            start: partition.start,
            size: partition.size,
            attributes: attributes(partition.role),
        })
    });
    let params = GptParams {
        disk_guid: Uuid::parse_str(&table.id)?,
        disk_size: size / u64::from(sector_size) * u64::from(sector_size),
        sector_size,
        boot_code: None,
        partitions: partitions.collect::<Result<_>>()?,
    };
    Ok(plan_gpt(&params)?)
}

/// Required by the platform (UEFI specification, table 5.8), hidden and without a drive letter (Microsoft,
/// "PARTITION_INFORMATION_GPT"): what Windows' own set-up gives them. systemd mounts nothing with bit 63 by itself.
fn attributes(role: Role) -> u64 {
    const REQUIRED: u64 = 1;
    const NO_DRIVE_LETTER: u64 = 1 << 63;
    match role {
        Role::Hidden => HIDDEN_ATTRIBUTE | NO_DRIVE_LETTER,
        Role::Recovery => REQUIRED | NO_DRIVE_LETTER,
        Role::Msr => NO_DRIVE_LETTER,
        _ => 0,
    }
}

/// Partition type GUIDs (UEFI specification, table 5.7; Discoverable Partitions Specification; GRUB; Microsoft).
fn type_guid(partition: &NewPartition) -> Result<Uuid> {
    let text = match partition.role {
        Role::Efi => "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
        Role::BiosBoot => "21686148-6449-6e6f-744e-656564454649",
        Role::Hidden if holds_linux(partition) => "0fc63daf-8483-4772-8e79-3d69d8477de4",
        Role::State | Role::Data | Role::Hidden => "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7",
        Role::Linux => "0fc63daf-8483-4772-8e79-3d69d8477de4",
        Role::Swap => "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f",
        Role::Msr => "e3c9e316-0b5c-4db8-817d-f92df00215ae",
        Role::Recovery => "de94bba4-06d1-4d40-a16a-bfd50179d6ac",
        Role::Extended => bail!("a GPT has no extended partition"),
    };
    Ok(Uuid::parse_str(text)?)
}

fn holds_linux(partition: &NewPartition) -> bool {
    let kind = partition.file_system.as_deref();
    kind.is_some_and(|kind| volumes::KINDS.contains(&kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_table_is_known_as_the_runs_own() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().write_all_at(&[0xAB; 4096], 0).unwrap();
        file.as_file().set_len(8 << 20).unwrap();
        let device = File::options().read(true).write(true).open(file.path()).unwrap();
        mark_unfinished(&device, "0badcafe-1111-4222-8333-444444444444").unwrap();
        let table = read(&device, 512).unwrap();
        assert_eq!(
            (table.id.as_str(), table.gpt, table.entries.len()),
            ("0badcafe", false, 0)
        );
    }

    fn partition(number: u32, role: Role, file_system: Option<&str>) -> NewPartition {
        const SIZE: u64 = 8 << 20;
        NewPartition {
            number,
            start: u64::from(number) * SIZE,
            size: SIZE,
            role,
            name: String::new(),
            file_system: file_system.map(str::to_owned),
            label: String::new(),
            quick: true,
            guid: format!("11111111-1111-4222-8333-{number:012}"),
        }
    }

    /// Writes a table into a file and gives what sfdisk says of it, and what we read.
    fn written(id: &str, partitions: Vec<NewPartition>) -> (String, Table) {
        const SIZE: u64 = 128 << 20;
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(SIZE).unwrap();
        let table = NewTable {
            gpt: id.len() > 8,
            id: id.into(),
            partitions,
        };
        write(file.path(), SIZE, 512, &table).unwrap();
        let sfdisk = |option: &str| {
            let output = std::process::Command::new("sfdisk")
                .arg(option)
                .arg(file.path())
                .output();
            let output = output.unwrap_or_else(|error| panic!("sfdisk: {error}"));
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
        };
        let said = sfdisk("--verify");
        assert!(said.contains("No errors detected"), "{said}");
        (sfdisk("--dump"), read(file.as_file(), 512).unwrap())
    }

    #[test]
    fn logical_partitions_are_read_as_they_were_written_and_numbered_from_5() {
        const MIB: u64 = 1 << 20;
        let placed = |number, role, file_system, start: u64, size: u64| NewPartition {
            start: start * MIB,
            size: size * MIB,
            ..partition(number, role, file_system)
        };
        let (dump, table) = written(
            "0badcafe",
            vec![
                placed(1, Role::State, Some("fat32"), 1, 7),
                placed(2, Role::Extended, None, 8, 50),
                placed(5, Role::Linux, Some("ext4"), 9, 20),
                placed(6, Role::Hidden, Some("ntfs"), 30, 28),
                placed(3, Role::Hidden, Some("fat32"), 58, 8),
                placed(4, Role::Hidden, Some("ext4"), 66, 8),
            ],
        );
        let found = table.entries.iter();
        let found: Vec<_> = found
            .map(|entry| (entry.id.as_str(), entry.kind.as_str(), entry.start / 2048))
            .collect();
        let expected = [
            ("0badcafe-01", "0x0c", 1),
            ("0badcafe-02", "0x0f", 8),
            ("0badcafe-03", "0x1c", 58),
            ("0badcafe-04", "0x83", 66),
            ("0badcafe-05", "0x83", 9),
            ("0badcafe-06", "0x17", 30),
        ];
        assert_eq!(found, expected, "{dump}");
        for (start, size, kind) in [(8, 50, "f"), (9, 20, "83"), (30, 28, "17")] {
            let line = format!(
                "start={:>12}, size={:>12}, type={kind}",
                start * 2048,
                size * 2048
            );
            assert!(dump.contains(&line), "{line} is not in:\n{dump}");
        }
    }

    #[test]
    fn a_hidden_partition_of_a_gpt_has_its_attributes() {
        let (dump, table) = written(
            "0badcafe-1111-4222-8333-444444444444",
            vec![
                partition(1, Role::Data, Some("ntfs")),
                partition(2, Role::Hidden, Some("ntfs")),
                partition(3, Role::Hidden, Some("ext4")),
            ],
        );
        let kinds: Vec<_> = table.entries.iter().map(|entry| &entry.kind[..8]).collect();
        assert_eq!(kinds, ["ebd0a0a2", "ebd0a0a2", "0fc63daf"]);
        assert_eq!(dump.matches("attrs=\"GUID:62,63\"").count(), 2, "{dump}");
        let read: Vec<_> = table.entries.iter().map(|entry| entry.attributes).collect();
        assert_eq!(read, [0, 3 << 62, 3 << 62]);
    }
}
