//! Disks as far as a running Windows needs them: the volumes that are mounted, and which partitions they are.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use windows_sys::Win32::System::Ioctl::{
    IOCTL_DISK_GET_DRIVE_GEOMETRY_EX, IOCTL_DISK_GET_DRIVE_LAYOUT_EX, IOCTL_STORAGE_QUERY_PROPERTY,
};

use super::volumes::{self, Volume};
use super::{Windows, bindings};
use crate::in_windows::{partition, storage};
use crate::platform::{Bus, Disk, Disks, Files as _, NewPartition, NewTable, Partition, Result, Space};
use crate::target::ConfirmedTarget;

impl Disks for Windows {
    fn disks(&self) -> Result<Vec<Disk>> {
        Ok(disks(&self.read_volumes()))
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

    fn unclean(&self, device: &Path) -> Result<Option<String>> {
        // A running Windows has put its own volumes in order.
        if self.pe.is_none() {
            return Ok(None);
        }
        if is_asleep(device)? {
            let why = "holds a Windows that sleeps (hibernation, or a shutdown with fast startup): part of it is in memory";
            return Ok(Some(why.into()));
        }
        let name = volumes::device_of(&device.display().to_string());
        let dirty = bindings::is_dirty(&name)
            .with_context(|| format!("asking whether {name} was put away as it should be"))?;
        Ok(dirty.then(|| "has a mark that it is to be checked".into()))
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

const ONLY_IN_BOOT_IMAGE: &str = "this is done in the Linux PE, not in Windows or Windows PE";

/// What a sleeping Windows has put onto its volume begins with its name.
fn is_asleep(volume: &Path) -> Result<bool> {
    let path = volume.join("hiberfil.sys");
    let mut name = [0; 4];
    let read = std::fs::File::open(&path).and_then(|mut file| file.read_exact(&mut name));
    match read {
        Ok(()) => Ok(name.eq_ignore_ascii_case(b"hibr")),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof) => Ok(false),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

/// The disks of the machine by their numbers, with all partitions, those without a volume too. None where Windows does not
/// answer, as Wine does not.
fn physical() -> Vec<(Option<u32>, Disk)> {
    const MOST: u32 = 64;
    (0..MOST)
        .filter_map(|number| Some((Some(number), physical_disk(number)?)))
        .collect()
}

fn physical_disk(number: u32) -> Option<Disk> {
    let path = format!(r"\\.\PhysicalDrive{number}");
    let layout = bindings::ask_device(&path, IOCTL_DISK_GET_DRIVE_LAYOUT_EX, &[]).ok()?;
    let geometry = bindings::ask_device(&path, IOCTL_DISK_GET_DRIVE_GEOMETRY_EX, &[]).ok()?;
    let (sector_size, size) = storage::geometry(&geometry)?;
    let described = bindings::ask_device(&path, IOCTL_STORAGE_QUERY_PROPERTY, &storage::DESCRIBE).ok()?;
    let described = storage::description(&described)?;
    let table_id = partition::table_id(&layout).unwrap_or_default();
    let partitions: Vec<Partition> = storage::partitions(&layout, number)
        .into_iter()
        .map(|place| without_volume(place, &table_id))
        .collect();
    Some(Disk {
        number,
        path: path.into(),
        model: described.model,
        serial: described.serial,
        wwn: String::new(),
        size,
        sector_size,
        bus: described.bus,
        removable: described.removable || described.bus == Bus::Usb,
        read_only: false,
        is_media: false,
        volume_set: String::new(),
        has_content: !partitions.is_empty(),
        table_id,
        partitions,
    })
}

/// A partition as the table has it; what its volume says is added where it has one.
fn without_volume(place: partition::Partition, table_id: &str) -> Partition {
    let path = format!(
        r"\\?\GLOBALROOT\Device\Harddisk{}\Partition{}\",
        place.disk, place.number
    );
    Partition {
        number: place.number,
        path: path.into(),
        id: place.id_on(table_id),
        kind: place.kind,
        name: place.name,
        start: place.start,
        size: place.size,
        file_system: String::new(),
        label: String::new(),
        uuid: String::new(),
    }
}

/// The volumes by their disks; one that Windows knows no disk of counts as a disk.
fn disks(volumes: &[Volume]) -> Vec<Disk> {
    let media_id = volumes
        .iter()
        .find_map(|volume| volume.media.as_ref())
        .map(|media| media.media_id.clone());
    let number = |volume: &Volume| volume.place.as_ref().map(|place| place.disk);
    let mut disks = physical();
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
            enter(disk, partition);
        }
    }
    disks.into_iter().map(|(_, disk)| disk).collect()
}

/// A volume takes the place of the partition that it lies on; where Windows does not say which that is, it comes beside the others.
fn enter(disk: &mut Disk, volume: Partition) {
    let same = |known: &&mut Partition| {
        known.number == volume.number && known.start == volume.start && known.file_system.is_empty()
    };
    match disk.partitions.iter_mut().find(same) {
        Some(known) => *known = volume,
        None => disk.partitions.push(volume),
    }
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
        sector_size: 512,
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
