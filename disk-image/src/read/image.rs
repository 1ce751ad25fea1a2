//! A whole image: an ISO, or a disk with partitions.

use std::fs::File;
use std::path::Path;

use super::device::{Device, ReadError};
use super::exfat::Exfat;
use super::fat::Fat;
use super::gpt::PartitionTable;
use super::iso::Iso;
use super::mbr::{self, MbrPartition};
use super::volume::Volume;

/// What kind of image it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// ISO 9660.
    Iso,
    /// A disk with a partition table.
    Disk,
}

/// A partition of either kind of table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its name in a GPT, what it is in an MBR.
    pub name: String,
    /// Bytes from the start of the disk.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// The type of an MBR.
    kind: Option<u8>,
}

/// An opened image with the volumes that could be read.
pub struct Image {
    format: Format,
    device: Device,
    has_gpt: bool,
    partitions: Vec<Place>,
    iso: Option<Iso>,
    fat: Vec<Fat>,
    exfat: Vec<Exfat>,
    problems: Vec<String>,
}

impl Image {
    /// Opens an image file or a device.
    ///
    /// # Errors
    /// When it cannot be read or is no image.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let file = File::open(path).map_err(|source| ReadError::Io {
            offset: 0,
            length: 0,
            source,
        })?;
        Self::new(Device::new(file)?)
    }

    /// Opens the image in a device.
    ///
    /// # Errors
    /// When it is no image.
    pub fn new(device: Device) -> Result<Self, ReadError> {
        match Iso::is_here(&device) {
            true => Self::open_iso(device),
            false => Self::open_disk(device),
        }
    }

    fn open_iso(device: Device) -> Result<Self, ReadError> {
        let iso = Iso::open(device.clone())?;
        let mut problems = Vec::new();
        // A hybrid image is also a disk; a plain one has no table.
        let has_table = device.bytes(512, 8).is_ok_and(|bytes| bytes == *b"EFI PART");
        let table = PartitionTable::read(&device).ok();
        match &table {
            Some(table) => problems.extend(table.problems.clone()),
            None if has_table => {
                problems.push("both partition tables of the hybrid image are damaged".into())
            }
            None => {}
        }
        Ok(Self {
            format: Format::Iso,
            device,
            has_gpt: table.is_some(),
            partitions: table.as_ref().map(of_gpt).unwrap_or_default(),
            iso: Some(iso),
            fat: vec![],
            exfat: vec![],
            problems,
        })
    }

    fn open_disk(device: Device) -> Result<Self, ReadError> {
        let (has_gpt, partitions, mut problems) = match PartitionTable::read(&device) {
            Ok(table) => (true, of_gpt(&table), table.problems),
            Err(ReadError::Unknown) => {
                let entries = mbr::read(&device)?;
                (false, of_mbr(&entries), mbr::problems(&entries))
            }
            Err(error) => return Err(error),
        };
        let (mut fat, mut exfat) = (Vec::new(), Vec::new());
        // A thousand partitions of the same bytes would be a thousand volumes to check.
        if overlap(&partitions) {
            return Err(device.damaged("partition table", 0, "its partitions overlap".into()));
        }
        for partition in &partitions {
            let opened = device
                .window(partition.offset, partition.length)
                .and_then(|window| {
                    if Exfat::is_here(&window) {
                        problems.extend(unfit(partition, &EXFAT_TYPES));
                        exfat.push(Exfat::open(window)?);
                    } else if Fat::is_here(&window) {
                        problems.extend(unfit(partition, &FAT_TYPES));
                        fat.push(Fat::open(window)?);
                    }
                    Ok(())
                });
            if let Err(error) = opened {
                problems.push(format!("partition {:?}: {error}", partition.name));
            }
        }
        Ok(Self {
            format: Format::Disk,
            device,
            has_gpt,
            partitions,
            iso: None,
            fat,
            exfat,
            problems,
        })
    }

    /// Its kind.
    pub fn format(&self) -> Format {
        self.format
    }

    /// All its bytes.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Its partitions; none without a table.
    pub fn partitions(&self) -> &[Place] {
        &self.partitions
    }

    /// Whether its table is a GPT.
    pub fn has_gpt(&self) -> bool {
        self.has_gpt
    }

    /// The ISO 9660 tree, if it is an ISO.
    pub fn iso(&self) -> Option<&Iso> {
        self.iso.as_ref()
    }

    /// The volume that the firmware starts from: the FAT partition of a stick, the tree of an ISO.
    pub fn boot(&self) -> Option<&dyn Volume> {
        match &self.iso {
            Some(iso) => Some(iso),
            None => self.fat.first().map(|fat| fat as &dyn Volume),
        }
    }

    /// The volume of the packages: the exFAT partition of a stick, the tree of an ISO.
    pub fn data(&self) -> Option<&dyn Volume> {
        match &self.iso {
            Some(iso) => Some(iso),
            None => self.exfat.first().map(|exfat| exfat as &dyn Volume),
        }
    }

    /// All volumes.
    pub fn volumes(&self) -> impl Iterator<Item = &dyn Volume> {
        let iso = self.iso.iter().map(|volume| volume as &dyn Volume);
        let fat = self.fat.iter().map(|volume| volume as &dyn Volume);
        iso.chain(fat)
            .chain(self.exfat.iter().map(|volume| volume as &dyn Volume))
    }

    /// What is wrong with the structures of the image and of its volumes.
    pub fn check(&self) -> Vec<String> {
        let mut problems = self.problems.clone();
        for volume in self.volumes() {
            let label = volume.label();
            problems.extend(
                volume
                    .check()
                    .into_iter()
                    .map(|problem| format!("volume {label}: {problem}")),
            );
        }
        problems
    }
}

/// What an MBR calls a partition with exFAT, and one with FAT32 (by its place, and by cylinders).
const EXFAT_TYPES: [u8; 1] = [0x07];
const FAT_TYPES: [u8; 2] = [0x0C, 0x0B];

fn of_gpt(table: &PartitionTable) -> Vec<Place> {
    let places = table.partitions.iter().map(|partition| Place {
        name: partition.name.clone(),
        offset: partition.offset,
        length: partition.length,
        kind: None,
    });
    places.collect()
}

fn of_mbr(entries: &[MbrPartition]) -> Vec<Place> {
    let places = entries.iter().map(|entry| Place {
        name: format!(
            "{} (type {:#04x}{})",
            entry.number,
            entry.kind,
            if entry.active { ", active" } else { "" }
        ),
        offset: entry.offset,
        length: entry.length,
        kind: Some(entry.kind),
    });
    places.collect()
}

/// Firmware and Windows look at a partition's type before they look at its volume.
fn unfit(partition: &Place, types: &[u8]) -> Option<String> {
    let wrong = partition.kind.is_some_and(|kind| !types.contains(&kind));
    wrong.then(|| format!("partition {} has the type of another file system", partition.name))
}

fn overlap(partitions: &[Place]) -> bool {
    let mut places: Vec<_> = partitions.iter().map(|part| (part.offset, part.length)).collect();
    places.sort_unstable();
    places
        .windows(2)
        .any(|pair| pair[0].0.saturating_add(pair[0].1) > pair[1].0)
}
