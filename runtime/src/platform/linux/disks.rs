//! Disks by sysfs, file systems by the standard tools.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use media_format::paths::{BOOT_LABEL, DATA_LABEL};

use super::{Linux, fat_peek, probe, recovery, table};
use crate::platform::waiting::{self, PATIENCE};
use crate::platform::{
    Bus, Command, Disk, Disks, NewPartition, NewTable, Partition, Processes, Result, Space,
};
use crate::target::{self, ConfirmedTarget};

const BLOCK: &str = "/sys/block";
/// A name that stays: mount points are named after devices, and these change with the next start.
const SYSTEM: &str = "/run/media-runtime/target";
/// The kernel makes the nodes of new partitions at once; a slow controller may take a moment.
const SMALL_FAT32: u64 = 260 << 20;
const NODES_WITHIN: Duration = Duration::from_secs(20);

fn lead_to(root: &Path, name: &Path) -> std::io::Result<()> {
    if fs::read_link(name).is_ok_and(|there| there == root) {
        return Ok(());
    }
    name.parent().map_or(Ok(()), fs::create_dir_all)?;
    match fs::remove_file(name) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::os::unix::fs::symlink(root, name)
}

impl Disks for Linux {
    fn disks(&self) -> Result<Vec<Disk>> {
        let mut names: Vec<String> = fs::read_dir(BLOCK)
            .context("listing the disks")?
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| is_disk(name))
            .collect();
        names.sort();
        let mut disks: Vec<Disk> = names.iter().filter_map(|name| disk(name)).collect();
        let possible = disks.iter_mut().filter(|disk| !disk.is_media && !disk.removable);
        (0..)
            .zip(possible)
            .for_each(|(number, disk)| disk.number = number);
        Ok(disks)
    }

    fn write_table(&self, target: &ConfirmedTarget, new: &NewTable) -> Result<NewTable> {
        let disk = target.disk();
        target.reconfirm(&self.disks()?)?;
        for partition in &disk.partitions {
            self.unmount(&partition.path)?;
        }
        table::write(&disk.path, disk.size, disk.sector_size, new)
            .with_context(|| format!("partitioning {}", target::describe(disk)))?;
        let arguments = vec![
            "blockdev".into(),
            "--rereadpt".into(),
            disk.path.display().to_string(),
        ];
        let output = self.run(&Command {
            program: "busybox".into(),
            arguments,
            ..Command::default()
        })?;
        if output.code != 0 {
            bail!(
                "the kernel does not take over the new partitions of {}: {}",
                target::describe(disk),
                output.stderr.trim()
            );
        }
        new.partitions
            .iter()
            .try_for_each(|partition| wait_for(&node(&disk.path, partition.number)))?;
        Ok(new.clone())
    }

    fn make_file_system(&self, target: &ConfirmedTarget, partition: &NewPartition) -> Result<()> {
        let Some(kind) = &partition.file_system else {
            return Ok(());
        };
        let device = node(&target.disk().path, partition.number);
        let command = mkfs(kind, partition, target.disk().sector_size, &device)?;
        let output = self
            .run(&command)
            .with_context(|| format!("formatting {}", device.display()))?;
        if output.code != 0 {
            bail!(
                "formatting {} as {kind}: {} says: {}",
                device.display(),
                command.program,
                output.stderr.trim()
            );
        }
        Ok(())
    }

    fn peek(&self, partition: &Path, file: &str) -> Result<Option<Vec<u8>>> {
        fat_peek::peek(partition, file)
    }

    fn files_losing_attributes(&self, partition: &Path) -> Result<Vec<String>> {
        fat_peek::marked(partition)
    }

    fn mount(&self, device: &Path, writable: bool) -> Result<PathBuf> {
        self.mount_volume(device, writable)
    }

    fn unmount(&self, device: &Path) -> Result<()> {
        self.unmount_volume(device)
    }

    fn unclean(&self, device: &Path) -> Result<Option<String>> {
        let kind = probe::probe(device).kind;
        let unclean = recovery::unclean(device, &kind);
        let unclean = match unclean {
            Ok(None) if kind == "ntfs" => self.hibernated(device),
            other => other,
        };
        unclean.with_context(|| format!("looking at the journal of {}", device.display()))
    }

    fn recover(&self, device: &Path) -> Result<()> {
        self.recover_volume(device)
    }

    fn mount_inside(&self, folder: &Path, at: &Path) -> Result<()> {
        self.show_inside(folder, at)
    }

    fn unmount_inside(&self, at: &Path) -> Result<()> {
        self.hide_inside(at)
    }

    fn lead_to_system(&self, root: &Path) -> Result<String> {
        lead_to(root, Path::new(SYSTEM))
            .with_context(|| format!("leading {SYSTEM} to {}", root.display()))?;
        Ok(SYSTEM.to_owned())
    }

    fn overlay(&self, folder: &Path) -> Result<PathBuf> {
        self.mount_overlay(folder)
    }

    fn remove_overlay(&self, view: &Path) -> Result<()> {
        self.unmount_overlay(view)
    }

    fn flush(&self) -> Result<()> {
        if !waiting::is_done_within(PATIENCE, rustix::fs::sync) {
            bail!(
                "a disk, the media or a share has not taken what was written for it within {} minutes; look at these and \
                 their cables, and switch the machine off before you try again",
                PATIENCE.as_secs() / 60
            );
        }
        Ok(())
    }

    fn space(&self, folder: &Path) -> Result<Space> {
        let there = |place: &Path| self.target_of(place).ok().filter(|found| found.path().exists());
        let place = folder.ancestors().find_map(there);
        let place = place.ok_or_else(|| anyhow!("{} is nowhere", folder.display()))?;
        let place = place.path();
        let volume =
            rustix::fs::statvfs(place).with_context(|| format!("asking for room at {}", folder.display()))?;
        let used = volume.f_blocks.saturating_sub(volume.f_bfree);
        Ok(Space {
            free: volume.f_bavail * volume.f_frsize,
            used: used * volume.f_frsize,
            largest_file: largest_file(place)?,
        })
    }
}

/// FAT counts the bytes of a file with 32 bits.
fn largest_file(place: &Path) -> Result<Option<u64>> {
    const MSDOS_SUPER_MAGIC: i64 = 0x4d44;
    let found =
        rustix::fs::statfs(place).with_context(|| format!("asking for the kind of {}", place.display()))?;
    Ok((found.f_type as i64 == MSDOS_SUPER_MAGIC).then_some(u64::from(u32::MAX)))
}

fn is_disk(name: &str) -> bool {
    let virtual_kinds = ["loop", "ram", "zram", "dm-", "md", "fd", "nbd"];
    let is_virtual = virtual_kinds.iter().any(|prefix| name.starts_with(prefix));
    let is_boot_area = name.starts_with("mmcblk") && name.contains("boot");
    !is_virtual && !is_boot_area
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path)
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

fn number(path: impl AsRef<Path>) -> u64 {
    read(path).parse().unwrap_or(0)
}

fn disk(name: &str) -> Option<Disk> {
    let folder = Path::new(BLOCK).join(name);
    let size = number(folder.join("size")) * 512;
    // The paths of an NVMe disk with several controllers are hidden disks without a node of their own.
    if size == 0 || number(folder.join("hidden")) == 1 {
        return None;
    }
    let path = Path::new("/dev").join(name);
    let sector_size = u32::try_from(number(folder.join("queue/logical_block_size")))
        .ok()
        .filter(|size| *size > 0)?;
    let bus = bus(&folder, name);
    let device = fs::File::open(&path).ok();
    let device = device.as_ref();
    let found = device.and_then(|device| table::read(device, sector_size));
    let whole = device.map(probe::probe_open).unwrap_or_default();
    let volume_set = device.and_then(probe::volume_set).unwrap_or_default();
    let partitions = partitions(&folder, name, found.as_ref());
    // A stick with an MBR has no names of partitions, but its FAT volume has one.
    let is_media = whole.label == "MEDIA_BOOT"
        || partitions
            .iter()
            .any(|p| [BOOT_LABEL, DATA_LABEL].contains(&p.name.as_str()) || p.label == BOOT_LABEL);
    Some(Disk {
        number: 0,
        model: [
            read(folder.join("device/vendor")),
            read(folder.join("device/model")),
        ]
        .join(" ")
        .trim()
        .to_owned(),
        serial: serial(&folder),
        wwn: first_of(&[folder.join("wwid"), folder.join("device/wwid")]),
        size,
        sector_size,
        bus,
        removable: number(folder.join("removable")) == 1 || bus == Bus::Usb,
        read_only: number(folder.join("ro")) == 1,
        is_media,
        volume_set,
        table_id: found.as_ref().map(|table| table.id.clone()).unwrap_or_default(),
        has_content: found.is_some_and(|table| !table.entries.is_empty())
            || !whole.kind.is_empty()
            || !device.is_some_and(|device| probe::edges_are_zero(device, size)),
        partitions,
        path,
    })
}

fn first_of(paths: &[PathBuf]) -> String {
    paths
        .iter()
        .map(read)
        .find(|text| !text.is_empty())
        .unwrap_or_default()
}

fn bus(folder: &Path, name: &str) -> Bus {
    let device = fs::canonicalize(folder.join("device"))
        .unwrap_or_default()
        .display()
        .to_string();
    match () {
        () if name.starts_with("nvme") => Bus::Nvme,
        () if name.starts_with("mmcblk") => Bus::Mmc,
        () if device.contains("/usb") => Bus::Usb,
        () if name.starts_with("vd") => Bus::Virtio,
        () if device.contains("/ata") => Bus::Ata,
        () if name.starts_with("sd") || name.starts_with("sr") => Bus::Scsi,
        () => Bus::Other,
    }
}

/// The serial number where the driver shows it, else from page 0x80 of a SCSI disk's vital product data, else that of the USB device:
/// of most of those Linux reads no such pages, because many cannot bear it.
fn serial(folder: &Path) -> String {
    let plain = first_of(&[folder.join("serial"), folder.join("device/serial")]);
    if !plain.is_empty() {
        return plain;
    }
    let page = fs::read(folder.join("device/vpd_pg80")).unwrap_or_default();
    let text = String::from_utf8_lossy(page.get(4..).unwrap_or_default());
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    if text.is_empty() {
        return usb_serial(folder).unwrap_or_default();
    }
    text.to_owned()
}

/// Interfaces, hosts and targets lie between a disk and the device that is plugged in; only that has an `idVendor`.
fn usb_serial(folder: &Path) -> Option<String> {
    let disk = fs::canonicalize(folder.join("device")).ok()?;
    let device = disk.ancestors().find(|folder| folder.join("idVendor").exists())?;
    Some(read(device.join("serial")))
}

fn partitions(folder: &Path, disk: &str, found: Option<&table::Table>) -> Vec<Partition> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut partitions: Vec<Partition> = names
        .filter(|name| name.starts_with(disk) && folder.join(name).join("partition").exists())
        .map(|name| partition(folder, &name, found))
        .collect();
    partitions.sort_by_key(|partition| partition.number);
    partitions
}

fn partition(folder: &Path, name: &str, found: Option<&table::Table>) -> Partition {
    let folder = folder.join(name);
    let number_in_table = u32::try_from(number(folder.join("partition"))).unwrap_or_default();
    let entry = found.and_then(|table| table.entries.iter().find(|entry| entry.number == number_in_table));
    let path = Path::new("/dev").join(name);
    let volume = probe::probe(&path);
    Partition {
        number: number_in_table,
        id: entry.map(|entry| entry.id.clone()).unwrap_or_default(),
        kind: entry.map(|entry| entry.kind.clone()).unwrap_or_default(),
        name: entry.map(|entry| entry.name.clone()).unwrap_or_default(),
        attributes: entry.map(|entry| entry.attributes).unwrap_or_default(),
        active: entry.is_some_and(|entry| entry.active),
        start: number(folder.join("start")) * 512,
        size: number(folder.join("size")) * 512,
        file_system: volume.kind,
        label: volume.label,
        uuid: volume.uuid,
        path,
    }
}

/// `/dev/sda` and 1 → `/dev/sda1`; `/dev/nvme0n1` and 1 → `/dev/nvme0n1p1`.
fn node(disk: &Path, number: u32) -> PathBuf {
    let text = disk.display().to_string();
    let separator = if text.ends_with(|c: char| c.is_ascii_digit()) {
        "p"
    } else {
        ""
    };
    PathBuf::from(format!("{text}{separator}{number}"))
}

fn wait_for(node: &Path) -> Result<()> {
    let end = Instant::now() + NODES_WITHIN;
    while !node.exists() {
        if Instant::now() > end {
            bail!(
                "the kernel has not made {} although the partition table was written",
                node.display()
            );
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn mkfs(kind: &str, partition: &NewPartition, sector_size: u32, device: &Path) -> Result<Command> {
    let label = partition.label.as_str();
    let (start, sector_size) = (
        (partition.start / u64::from(sector_size)).to_string(),
        sector_size.to_string(),
    );
    let mut arguments: Vec<&str> = match kind {
        // Too few clusters make a FAT16 of it for firmware: small volumes get the smallest clusters.
        "fat32" if partition.size < SMALL_FAT32 => vec!["-F", "32", "-s", "1"],
        "fat32" => vec!["-F", "32"],
        "ext4" => vec!["-F", "-q"],
        "xfs" | "btrfs" => vec!["-f", "-q"],
        "exfat" | "swap" => vec![],
        // Windows' boot code reads where its volume begins, and the BIOS' view of the disk, from the boot sector.
        "ntfs" => vec!["-F", "-p", &start, "-H", "255", "-S", "63", "-s", &sector_size],
        other => bail!("no program makes file systems of kind {other}"),
    };
    if kind == "ntfs" && partition.quick {
        arguments.push("-Q");
    }
    let upper = label.to_uppercase();
    if !label.is_empty() {
        let (flag, label) = if kind == "fat32" {
            ("-n", upper.as_str())
        } else {
            ("-L", label)
        };
        arguments.extend([flag, label]);
    }
    let program = match kind {
        "fat32" => "mkfs.fat",
        "swap" => "mkswap",
        "ntfs" => "mkntfs",
        other => return Ok(command(&format!("mkfs.{other}"), &arguments, device)),
    };
    Ok(command(program, &arguments, device))
}

fn command(program: &str, arguments: &[&str], device: &Path) -> Command {
    let arguments = arguments
        .iter()
        .map(|argument| (*argument).to_owned())
        .chain([device.display().to_string()]);
    Command {
        program: program.into(),
        arguments: arguments.collect(),
        ..Command::default()
    }
}

#[cfg(test)]
#[path = "mkfs_tests.rs"]
mod mkfs_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partition_nodes_follow_the_kernels_rule() {
        assert_eq!(node(Path::new("/dev/sda"), 2), Path::new("/dev/sda2"));
        assert_eq!(node(Path::new("/dev/nvme0n1"), 2), Path::new("/dev/nvme0n1p2"));
        assert_eq!(node(Path::new("/dev/mmcblk0"), 1), Path::new("/dev/mmcblk0p1"));
    }

    #[test]
    fn what_is_no_disk_is_left_out() {
        assert!(is_disk("sda") && is_disk("sr0") && is_disk("nvme0n1") && is_disk("mmcblk0"));
        assert!(!is_disk("loop0") && !is_disk("mmcblk0boot0") && !is_disk("dm-0"));
    }

    /// As the kernel shows a stick: the disk's folder links to a device some folders below the one that was plugged in.
    #[test]
    fn a_stick_has_the_serial_number_of_its_usb_device() {
        let sys = tempfile::tempdir().unwrap();
        let device = sys.path().join("usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0");
        let block = device.join("block/sda");
        fs::create_dir_all(&block).unwrap();
        std::os::unix::fs::symlink(&device, block.join("device")).unwrap();
        fs::write(sys.path().join("usb2/idVendor"), "1d6b\n").unwrap();
        fs::write(sys.path().join("usb2/serial"), "the hub's\n").unwrap();
        fs::write(sys.path().join("usb2/2-1/idVendor"), "46f4\n").unwrap();
        assert_eq!(serial(&block), "", "a device without a serial number");
        fs::write(sys.path().join("usb2/2-1/serial"), "DISK1\n").unwrap();
        assert_eq!(serial(&block), "DISK1");
        fs::write(device.join("vpd_pg80"), b"\0\x80\0\x08WD-1234\0").unwrap();
        assert_eq!(
            serial(&block),
            "WD-1234",
            "the disk in a case says more than the case"
        );
    }
}
