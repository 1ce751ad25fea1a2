//! A whole image: an ISO, or a disk with partitions.

use std::fs::File;
use std::path::Path;

use super::device::{Device, ReadError};
use super::exfat::Exfat;
use super::fat::Fat;
use super::gpt::{Partition, PartitionTable};
use super::iso::Iso;
use super::volume::Volume;

/// What kind of image it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// ISO 9660.
    Iso,
    /// A disk with a GUID partition table.
    Disk,
}

/// An opened image with the volumes that could be read.
pub struct Image {
    format: Format,
    device: Device,
    table: Option<PartitionTable>,
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
            table,
            iso: Some(iso),
            fat: vec![],
            exfat: vec![],
            problems,
        })
    }

    fn open_disk(device: Device) -> Result<Self, ReadError> {
        let table = PartitionTable::read(&device)?;
        let mut problems = table.problems.clone();
        let (mut fat, mut exfat) = (Vec::new(), Vec::new());
        // A thousand partitions of the same bytes would be a thousand volumes to check.
        if overlap(&table.partitions) {
            return Err(device.damaged("partition table", 0, "its partitions overlap".into()));
        }
        for partition in &table.partitions {
            let opened = device
                .window(partition.offset, partition.length)
                .and_then(|window| {
                    if Exfat::is_here(&window) {
                        exfat.push(Exfat::open(window)?);
                    } else if Fat::is_here(&window) {
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
            table: Some(table),
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

    /// Its partition table, if it has one.
    pub fn partition_table(&self) -> Option<&PartitionTable> {
        self.table.as_ref()
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

fn overlap(partitions: &[Partition]) -> bool {
    let mut places: Vec<_> = partitions.iter().map(|part| (part.offset, part.length)).collect();
    places.sort_unstable();
    places
        .windows(2)
        .any(|pair| pair[0].0.saturating_add(pair[0].1) > pair[1].0)
}
