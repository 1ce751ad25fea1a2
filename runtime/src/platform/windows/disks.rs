//! Disks as far as a running Windows needs them: the volumes that are mounted, and which partitions they are.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use windows_sys::Win32::System::Ioctl::IOCTL_DISK_GET_DRIVE_GEOMETRY;

use super::volumes::{self, Volume};
use super::{Windows, bindings};
use crate::in_windows::partition;
use crate::platform::{Bus, Disk, Disks, Files as _, NewPartition, NewTable, Result, Space};
use crate::target::ConfirmedTarget;

impl Disks for Windows {
    fn disks(&self) -> Result<Vec<Disk>> {
        Ok(disks(&volumes::all()))
    }

    fn write_table(&self, _target: &ConfirmedTarget, _table: &NewTable) -> Result<()> {
        bail!("{ONLY_IN_BOOT_IMAGE}: partitioning a disk")
    }

    fn make_file_system(&self, _target: &ConfirmedTarget, _partition: &NewPartition) -> Result<()> {
        bail!("{ONLY_IN_BOOT_IMAGE}: formatting a volume")
    }

    fn peek(&self, partition: &Path, file: &str) -> Result<Option<Vec<u8>>> {
        self.read(&partition.join(file))
    }

    fn mount(&self, device: &Path, _writable: bool) -> Result<PathBuf> {
        // Windows has mounted every volume that it knows; its root is what stands for it here.
        Ok(device.to_owned())
    }

    fn unmount(&self, _device: &Path) -> Result<()> {
        self.flush()
    }

    fn recover(&self, _device: &Path) -> Result<()> {
        Ok(())
    }

    fn unclean(&self, _device: &Path) -> Result<Option<String>> {
        Ok(None)
    }

    fn mount_inside(&self, folder: &Path, at: &Path) -> Result<()> {
        bail!(
            "{ONLY_IN_BOOT_IMAGE}: showing {} at {}",
            folder.display(),
            at.display()
        )
    }

    fn unmount_inside(&self, _at: &Path) -> Result<()> {
        Ok(())
    }

    fn overlay(&self, folder: &Path) -> Result<PathBuf> {
        bail!("{ONLY_IN_BOOT_IMAGE}: making a view of {}", folder.display())
    }

    fn remove_overlay(&self, _view: &Path) -> Result<()> {
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        for volume in volumes::all().iter().filter(|volume| !volume.removable) {
            // A volume that nobody may write to has nothing to flush.
            if let Ok(device) = OpenOptions::new().write(true).open(volume.device()) {
                let _ = device.sync_all();
            }
        }
        Ok(())
    }

    fn space(&self, folder: &Path) -> Result<Space> {
        let (free, total) = bindings::free_space(folder)
            .with_context(|| format!("asking for room at {}", folder.display()))?;
        Ok(Space {
            free,
            used: total.saturating_sub(free),
            largest_file: None,
        })
    }
}

const ONLY_IN_BOOT_IMAGE: &str = "this is done in the boot image, not inside Windows";

/// The volumes by their disks; one that Windows knows no disk of counts as a disk.
fn disks(volumes: &[Volume]) -> Vec<Disk> {
    let media_id = volumes
        .iter()
        .find_map(|volume| volume.media.as_ref())
        .map(|media| media.media_id.clone());
    let number = |volume: &Volume| volume.place.as_ref().map(|place| place.disk);
    let mut disks: Vec<(Option<u32>, Disk)> = Vec::new();
    for volume in volumes {
        let known = number(volume);
        let position = disks
            .iter()
            .position(|(other, disk)| known.is_some() && *other == known || carries_data_of(disk, volume));
        let position = position.unwrap_or_else(|| {
            disks.push((known, empty(volume, known)));
            disks.len() - 1
        });
        let disk = &mut disks[position].1;
        let partition = volume.as_partition(&disk.table_id, media_id.as_deref());
        disk.is_media |= is_media(volume);
        if disk.volume_set.is_empty() {
            disk.partitions.push(partition);
        }
    }
    disks.into_iter().map(|(_, disk)| disk).collect()
}

fn is_media(volume: &Volume) -> bool {
    volume.media.is_some() || volume.label == media_format::paths::DATA_LABEL
}

/// The second partition of a stick of which Windows says nothing.
fn carries_data_of(disk: &Disk, volume: &Volume) -> bool {
    let data = volume.place.is_none() && volume.media.is_none();
    data && disk.is_media
        && disk.volume_set.is_empty()
        && disk.number == UNKNOWN
        && volume.root.join(media_format::paths::PACKAGES).is_dir()
}

const UNKNOWN: u32 = u32::MAX;

fn sector_size(disk: u32) -> Option<u32> {
    let device = format!(r"\\.\PhysicalDrive{disk}");
    let geometry = bindings::ask_device(&device, IOCTL_DISK_GET_DRIVE_GEOMETRY, &[]).ok()?;
    partition::sector_size(&geometry)
}

fn empty(volume: &Volume, number: Option<u32>) -> Disk {
    let path: PathBuf = match number {
        Some(number) if volume.volume_set().is_empty() => {
            PathBuf::from(format!(r"\\.\PhysicalDrive{number}"))
        }
        // A CD has one volume, which is read by its root.
        _ => volume.root.clone(),
    };
    Disk {
        number: number.unwrap_or(UNKNOWN),
        sector_size: number.and_then(sector_size).unwrap_or(512),
        path,
        model: String::new(),
        serial: String::new(),
        wwn: String::new(),
        size: 0,
        bus: Bus::Other,
        removable: volume.removable,
        read_only: false,
        is_media: is_media(volume),
        volume_set: volume.volume_set(),
        table_id: volume.table_id(),
        partitions: Vec::new(),
        has_content: true,
    }
}
