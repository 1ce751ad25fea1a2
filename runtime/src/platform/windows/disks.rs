//! Disks as far as a running Windows needs them: the volumes that are mounted, and which partitions they are.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use windows_sys::Win32::System::Ioctl::{
    IOCTL_DISK_GET_DRIVE_GEOMETRY_EX, IOCTL_DISK_GET_DRIVE_LAYOUT_EX, IOCTL_DISK_IS_WRITABLE,
    IOCTL_STORAGE_QUERY_PROPERTY,
};

use super::images::lettered;
use super::volumes::{self, Volume};
use super::{Windows, bindings, registry};
use crate::in_windows::{diskpart, partition, storage};
use crate::platform::{
    Bus, Disk, Disks, Files as _, Machine as _, NewPartition, NewTable, Partition, Result, Role, Space,
};
use crate::target::{self, ConfirmedTarget};

impl Disks for Windows {
    fn disks(&self) -> Result<Vec<Disk>> {
        disks(&self.read_volumes())
    }

    fn check_table(&self, table: &NewTable) -> Result<()> {
        diskpart::check(table)
    }

    fn write_table(&self, target: &ConfirmedTarget, table: &NewTable) -> Result<NewTable> {
        self.write_table_by_diskpart(target, table)
            .with_context(|| format!("partitioning {}", target::describe(target.disk())))
    }

    fn make_file_system(&self, target: &ConfirmedTarget, partition: &NewPartition) -> Result<()> {
        self.format_by_diskpart(target, partition).with_context(|| {
            format!(
                "formatting partition {} of {}",
                partition.number,
                target::describe(target.disk())
            )
        })
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

    fn lead_to_system(&self, root: &Path) -> Result<String> {
        Ok(lettered(root)?.trim_end_matches('\\').to_owned())
    }

    fn overlay(&self, folder: &Path) -> Result<PathBuf> {
        bail!("{ONLY_IN_BOOT_IMAGE}: making a view of {}", folder.display())
    }

    fn remove_overlay(&self, _view: &Path) -> Result<()> {
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        registry::flush();
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

impl Windows {
    fn write_table_by_diskpart(&self, target: &ConfirmedTarget, table: &NewTable) -> Result<NewTable> {
        let number = self.number_of(target)?;
        self.diskpart(&diskpart::empty(number, table))?;
        let there: Vec<u32> = self.again(target)?.partitions.iter().map(|p| p.number).collect();
        self.diskpart(&diskpart::create(number, table, &there)?)?;
        diskpart::as_made(table, &self.again(target)?)
    }

    fn format_by_diskpart(&self, target: &ConfirmedTarget, partition: &NewPartition) -> Result<()> {
        let number = self.number_of(target)?;
        let disk = self.again(target)?;
        let found = diskpart::found(partition, &disk)?;
        if found.number != partition.number {
            bail!("it is number {} now", found.number);
        }
        self.diskpart(&diskpart::format(number, partition)?)?;
        // Windows lists no volume that is hidden; that diskpart succeeded says that it is formatted.
        if partition.role == Role::Hidden {
            return Ok(());
        }
        self.wait_for_volume(target, partition)
    }

    /// What diskpart calls the disk, which is asked just before each script: it is still the one that was selected.
    fn number_of(&self, target: &ConfirmedTarget) -> Result<u32> {
        let disk = self.again(target)?;
        if disk.path != Path::new(&device_path(disk.number)) {
            bail!("{} has no number", disk.path.display());
        }
        Ok(disk.number)
    }

    /// The disk as it is now.
    fn again(&self, target: &ConfirmedTarget) -> Result<Disk> {
        let disks = self.disks()?;
        target.reconfirm(&disks)?;
        let mut disks = disks.into_iter();
        let found = disks.find(|disk| disk.path == target.disk().path);
        found.context("the disk is gone")
    }

    fn diskpart(&self, script: &str) -> Result<()> {
        let Some(log) = &self.pe else {
            bail!("disks are partitioned and formatted in the boot image, not inside Windows");
        };
        diskpart::run(
            self,
            log,
            &self.root().join(r"media-runtime\diskpart.txt"),
            script,
        )
    }

    /// Windows shows a new volume some time after it was made.
    fn wait_for_volume(&self, target: &ConfirmedTarget, partition: &NewPartition) -> Result<()> {
        const WITHIN: Duration = Duration::from_secs(30);
        let end = Instant::now() + WITHIN;
        loop {
            let disk = self.again(target)?;
            if !diskpart::found(partition, &disk)?.file_system.is_empty() {
                return Ok(());
            }
            if Instant::now() > end {
                bail!("Windows PE does not show the new volume");
            }
            std::thread::sleep(Duration::from_millis(500));
        }
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
///
/// # Errors
/// When a disk is there and does not answer: without it, another would seem to be the only one.
fn physical() -> Result<Vec<(Option<u32>, Disk)>> {
    const MOST: u32 = 64;
    let mut disks = Vec::new();
    for number in 0..MOST {
        if let Some(disk) = physical_disk(number)? {
            disks.push((Some(number), disk));
        }
    }
    Ok(disks)
}

fn device_path(number: u32) -> String {
    format!(r"\\.\PhysicalDrive{number}")
}

/// Whether a disk without a table holds something all the same: a file system, or what another system keeps there.
fn begins_with_content(path: &str) -> bool {
    let mut bytes = vec![0; 1 << 20];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut bytes));
    read.is_err() || bytes.iter().any(|byte| *byte != 0)
}

fn is_write_protected(path: &str) -> bool {
    const WRITE_PROTECT: i32 = 19;
    let answer = bindings::ask_device(path, IOCTL_DISK_IS_WRITABLE, &[]);
    answer.is_err_and(|error| error.raw_os_error() == Some(WRITE_PROTECT))
}

/// None where there is no such drive, or no medium in it.
fn ask_disk(path: &str, question: u32, input: &[u8]) -> Result<Option<Vec<u8>>> {
    // Not found (2 and 3), not ready, no medium; and what Wine says of all of them: no such function, not supported.
    const NO_DISK: [i32; 6] = [1, 2, 3, 21, 50, 1112];
    match bindings::ask_device(path, question, input) {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.raw_os_error().is_some_and(|code| NO_DISK.contains(&code)) => Ok(None),
        Err(error) => Err(error).with_context(|| {
            format!("asking {path}: which disk is meant cannot be known while one does not answer; detach or mend it")
        }),
    }
}

fn physical_disk(number: u32) -> Result<Option<Disk>> {
    let path = device_path(number);
    let Some(layout) = ask_disk(&path, IOCTL_DISK_GET_DRIVE_LAYOUT_EX, &[])? else {
        return Ok(None);
    };
    let Some(geometry) = ask_disk(&path, IOCTL_DISK_GET_DRIVE_GEOMETRY_EX, &[])? else {
        return Ok(None);
    };
    let Some(described) = ask_disk(&path, IOCTL_STORAGE_QUERY_PROPERTY, &storage::DESCRIBE)? else {
        return Ok(None);
    };
    Ok(disk(number, path, &layout, &geometry, &described))
}

fn disk(number: u32, path: String, layout: &[u8], geometry: &[u8], described: &[u8]) -> Option<Disk> {
    let (sector_size, size) = storage::geometry(geometry)?;
    let described = storage::description(described)?;
    let table_id = partition::table_id(layout).unwrap_or_default();
    let partitions: Vec<Partition> = storage::partitions(layout, number)
        .into_iter()
        .map(|place| without_volume(place, &table_id))
        .collect();
    Some(Disk {
        number,
        has_content: !partitions.is_empty() || (table_id.is_empty() && begins_with_content(&path)),
        read_only: is_write_protected(&path),
        path: path.into(),
        model: described.model,
        serial: described.serial,
        wwn: String::new(),
        size,
        sector_size,
        bus: described.bus,
        removable: described.removable || described.bus == Bus::Usb,
        is_media: false,
        volume_set: String::new(),
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
        attributes: place.attributes,
        active: place.active,
        start: place.start,
        size: place.size,
        file_system: String::new(),
        label: String::new(),
        uuid: String::new(),
    }
}

/// The volumes by their disks; one that Windows knows no disk of counts as a disk.
fn disks(volumes: &[Volume]) -> Result<Vec<Disk>> {
    let media_id = volumes
        .iter()
        .find_map(|volume| volume.media.as_ref())
        .map(|media| media.media_id.clone());
    let number = |volume: &Volume| volume.place.as_ref().map(|place| place.disk);
    let mut disks = physical()?;
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
        disk.has_content = true;
        if disk.volume_set.is_empty() {
            enter(disk, partition);
        }
    }
    Ok(disks.into_iter().map(|(_, disk)| disk).collect())
}

/// A volume takes the place of the partition that it lies on; where Windows does not say which that is, it comes beside the others.
fn enter(disk: &mut Disk, volume: Partition) {
    let same = |known: &&mut Partition| {
        known.number == volume.number && known.start == volume.start && known.file_system.is_empty()
    };
    match disk.partitions.iter_mut().find(same) {
        Some(known) => {
            // Only the whole table says which entry of it the partition has.
            let id = std::mem::take(&mut known.id);
            *known = Partition { id, ..volume };
        }
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
        Some(number) if volume.volume_set().is_empty() => PathBuf::from(device_path(number)),
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
