//! Partition tables: read to know the disks, written to make the target's.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use disk_image::partition_table::{GptParams, GptPartition, MbrParams, MbrPartition, plan_gpt, plan_mbr};
use disk_image::{Content, Layout};
use uuid::Uuid;

use crate::platform::{NewTable, Result, Role};

/// What a table says about one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) number: u32,
    pub(super) id: String,
    pub(super) kind: String,
    /// Sector at which it begins.
    pub(super) start: u64,
    pub(super) name: String,
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
pub(super) fn read(device: &Path, sector_size: u32) -> Option<Table> {
    let mut file = File::open(device).ok()?;
    read_gpt(&mut file, sector_size).or_else(|| read_mbr(&mut file))
}

fn read_gpt(file: &mut File, sector_size: u32) -> Option<Table> {
    file.seek(SeekFrom::Start(0)).ok()?;
    let gpt = gptman::GPT::read_from(file, u64::from(sector_size)).ok()?;
    let text = |guid: [u8; 16]| Uuid::from_bytes_le(guid).to_string();
    let entries = gpt
        .iter()
        .filter(|(_, entry)| entry.is_used())
        .map(|(number, entry)| Entry {
            number,
            id: text(entry.unique_partition_guid),
            kind: text(entry.partition_type_guid),
            start: entry.starting_lba,
            name: entry.partition_name.as_str().to_owned(),
        });
    Some(Table {
        id: text(gpt.header.disk_guid),
        gpt: true,
        entries: entries.collect(),
    })
}

/// The four entries of an MBR; logical partitions get their numbers from the kernel.
fn read_mbr(file: &mut File) -> Option<Table> {
    let mut sector = [0; 512];
    file.seek(SeekFrom::Start(0)).ok()?;
    file.read_exact(&mut sector).ok()?;
    let looks_like_a_volume =
        sector[3..11] == *b"NTFS    " || sector[3..11] == *b"EXFAT   " || sector[0x52..0x55] == *b"FAT";
    if sector[510..] != [0x55, 0xAA] || looks_like_a_volume {
        return None;
    }
    let signature = u32::from_le_bytes(sector[440..444].try_into().ok()?);
    let id = format!("{signature:08x}");
    let entries = (0..4_u32)
        .zip(sector[446..510].chunks(16))
        .filter(|(_, entry)| entry[4] != 0);
    let entries = entries.map(|(index, entry)| Entry {
        number: index + 1,
        id: format!("{id}-{:02x}", index + 1),
        kind: format!("0x{:02x}", entry[4]),
        start: u32::from_le_bytes([entry[8], entry[9], entry[10], entry[11]]).into(),
        name: String::new(),
    });
    Some(Table {
        id: id.clone(),
        gpt: false,
        entries: entries.collect(),
    })
}

/// Erases the old tables and signatures and writes the new table. The device is opened exclusively: a mounted one
/// is refused by the kernel.
pub(super) fn write(device: &Path, size: u64, sector_size: u32, table: &NewTable) -> Result<()> {
    let layout = if table.gpt {
        gpt(size, sector_size, table)?
    } else {
        mbr(size, sector_size, table)?
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
            type_guid: type_guid(partition.role)?,
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

/// Required by the platform (UEFI specification, table 5.8) and without a drive letter (Microsoft, "PARTITION_INFORMATION_GPT"):
/// what Windows' own set-up gives them.
fn attributes(role: Role) -> u64 {
    const REQUIRED: u64 = 1;
    const NO_DRIVE_LETTER: u64 = 1 << 63;
    match role {
        Role::Recovery => REQUIRED | NO_DRIVE_LETTER,
        Role::Msr => NO_DRIVE_LETTER,
        _ => 0,
    }
}

/// Partition type GUIDs (UEFI specification, table 5.7; Discoverable Partitions Specification; GRUB; Microsoft).
fn type_guid(role: Role) -> Result<Uuid> {
    let text = match role {
        Role::Efi => "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
        Role::BiosBoot => "21686148-6449-6e6f-744e-656564454649",
        Role::State | Role::Data => "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7",
        Role::Linux => "0fc63daf-8483-4772-8e79-3d69d8477de4",
        Role::Swap => "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f",
        Role::Msr => "e3c9e316-0b5c-4db8-817d-f92df00215ae",
        Role::Recovery => "de94bba4-06d1-4d40-a16a-bfd50179d6ac",
        Role::Extended => bail!("a GPT has no extended partition"),
    };
    Ok(Uuid::parse_str(text)?)
}

fn mbr(size: u64, sector_size: u32, table: &NewTable) -> Result<Layout> {
    let first = |role| {
        table
            .partitions
            .iter()
            .position(|partition| partition.role == role)
    };
    // Windows' boot manager lies on the partition of the boot state.
    let active = first(Role::Linux).or_else(|| first(Role::State));
    let partitions = table.partitions.iter().enumerate().map(|(index, partition)| {
        let kind = match partition.role {
            Role::Efi => 0xEF,
            Role::State => 0x0C,
            Role::Linux => 0x83,
            Role::Swap => 0x82,
            Role::Data => 0x07,
            Role::Recovery => 0x27,
            Role::BiosBoot | Role::Msr | Role::Extended => bail!("an MBR has no such partition"),
        };
        Ok(MbrPartition {
            kind,
            active: Some(index) == active,
            start: partition.start,
            size: partition.size,
        })
    });
    let params = MbrParams {
        disk_size: size,
        sector_size,
        disk_signature: u32::from_str_radix(&table.id, 16)?,
        boot_code: None,
        primary: partitions.collect::<Result<_>>()?,
        logical: vec![],
    };
    Ok(plan_mbr(&params)?)
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
        let table = read(file.path(), 512).unwrap();
        assert_eq!(
            (table.id.as_str(), table.gpt, table.entries.len()),
            ("0badcafe", false, 0)
        );
    }
}
