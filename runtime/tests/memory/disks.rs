//! Disks, tables, file systems, mounts, views.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use runtime::in_windows::diskpart;
use runtime::platform::{Disk, Disks, NewPartition, NewTable, Result, Role, Space};
use runtime::target::ConfirmedTarget;

use crate::machine::Memory;
use crate::world::{BootSector, Node, Part, Place, Volume, key};

/// As FAT32's 4 GiB, for images of a few kilobytes.
pub(crate) const LARGEST_FILE: u64 = 1000;

impl Disks for Memory {
    fn disks(&self) -> Result<Vec<Disk>> {
        Ok(self.world().seen())
    }

    fn check_table(&self, table: &NewTable) -> Result<()> {
        if self.world().winpe {
            return diskpart::check(table);
        }
        Ok(())
    }

    fn write_table(&self, target: &ConfirmedTarget, table: &NewTable) -> Result<NewTable> {
        target.reconfirm(&self.disks()?)?;
        let index = self.drive(&target.disk().path)?;
        for partition in &target.disk().partitions {
            self.unmount(&partition.path)?;
        }
        self.tick("erase table", |_| {})?;
        {
            let mut world = self.world_mut();
            // diskpart leaves nothing; ours first marks the disk as one of this run that is not finished.
            let mark = if world.winpe { "" } else { &table.id[..8] };
            let drive = &mut world.drives[index];
            drive.parts.clear();
            drive.table_id = mark.into();
            drive.boot_sector = BootSector::Empty;
        }
        self.tick("write table", |_| {})?;
        let mut world = self.world_mut();
        let mut table = table.clone();
        if world.names_partitions && table.gpt {
            table.partitions.iter_mut().for_each(named_by_system);
        }
        let drive = &mut world.drives[index];
        drive.table_id.clone_from(&table.id);
        drive.parts = table.partitions.iter().map(unformatted).collect();
        let end = drive.parts.last().map_or(0, |part| part.start + part.size);
        anyhow::ensure!(end <= drive.size, "the partitions end behind the disk");
        Ok(table)
    }

    fn make_file_system(&self, target: &ConfirmedTarget, partition: &NewPartition) -> Result<()> {
        let kind = partition
            .file_system
            .clone()
            .context("no file system is wanted")?;
        let index = self.drive(&target.disk().path)?;
        self.tick(&format!("make {kind}"), |_| {})?;
        let mut world = self.world_mut();
        let mut parts = world.drives[index].parts.iter_mut();
        let part = parts
            .find(|part| part.number == partition.number)
            .context("no such partition")?;
        let kind = if kind == "fat32" { "vfat" } else { &kind };
        part.volume = Volume {
            label: partition.label.clone(),
            ..Volume::new(kind, partition.size)
        };
        Ok(())
    }

    fn peek(&self, partition: &Path, file: &str) -> Result<Option<Vec<u8>>> {
        let world = self.world();
        let place = world
            .device(partition)
            .ok_or_else(|| anyhow!("no {}", partition.display()))?;
        Ok(world.volume(&place).bytes(file).cloned())
    }

    fn files_losing_attributes(&self, partition: &Path) -> Result<Vec<String>> {
        let world = self.world();
        let place = world.device(partition).context("no such device")?;
        let volume = world.volume(&place);
        anyhow::ensure!(volume.kind == "vfat", "{} is not FAT", partition.display());
        Ok(volume.marked.clone())
    }

    fn mount(&self, device: &Path, writable: bool) -> Result<PathBuf> {
        let mut world = self.world_mut();
        let place = world
            .device(device)
            .ok_or_else(|| anyhow!("mounting {}: no such device", device.display()))?;
        if world.volume(&place).kind.is_empty() {
            bail!("mounting {}: no file system", device.display());
        }
        let root = world
            .volatile
            .root
            .map(|(drive, part)| Place::Volume(drive, Some(part)));
        // Windows has every volume mounted, its own as its root.
        if world.runs_windows() && root.as_ref() == Some(&place) {
            return Ok("/".into());
        }
        if world.volume(&place).damaged {
            bail!("mounting {}: the superblock is damaged", device.display());
        }
        if writable {
            let known = world.volatile.mounts.get(device).is_some_and(|mount| mount.1);
            let volume = world.volume_mut(&place);
            // The kernel replays the journals of Linux, and refuses a marked NTFS.
            if volume.kind == "ntfs" && volume.unclean && !known {
                bail!("mounting {}: the volume is dirty", device.display());
            }
            volume.unclean &= volume.kind == "ntfs";
        }
        let folder = mount_folder(device)?;
        let mounted = world
            .volatile
            .mounts
            .entry(device.to_owned())
            .or_insert((folder, false));
        mounted.1 |= writable;
        Ok(mounted.0.clone())
    }

    fn unmount(&self, device: &Path) -> Result<()> {
        let mut world = self.world_mut();
        if let Some((folder, _)) = world.volatile.mounts.remove(device) {
            let inside = &mut world.volatile.inside;
            inside.retain(|at, from| *from != folder && !at.starts_with(&folder));
        }
        Ok(())
    }

    fn unclean(&self, device: &Path) -> Result<Option<String>> {
        let world = self.world();
        let place = world
            .device(device)
            .ok_or_else(|| anyhow!("no {}", device.display()))?;
        Ok(world
            .volume(&place)
            .unclean
            .then(|| "was not shut down cleanly".into()))
    }

    fn recover(&self, device: &Path) -> Result<()> {
        let mut world = self.world_mut();
        let place = world.device(device).context("no such device")?;
        let volume = world.volume(&place);
        if volume.kind == "ntfs" && volume.unclean {
            let folder = mount_folder(device)?;
            world.volatile.mounts.insert(device.to_owned(), (folder, true));
        }
        Ok(())
    }

    fn mount_inside(&self, folder: &Path, at: &Path) -> Result<()> {
        if self.world().volatile.inside.contains_key(at) {
            return Ok(());
        }
        let (place, key, writable) = self.world().locate(at);
        let mut world = self.world_mut();
        if !world.volume(&place).tree.contains_key(&key) {
            anyhow::ensure!(writable, "making {}: read-only file system", at.display());
            world.volume_mut(&place).put(&key, Node::Folder);
        }
        world.volatile.inside.insert(at.to_owned(), folder.to_owned());
        Ok(())
    }

    fn unmount_inside(&self, at: &Path) -> Result<()> {
        let mut world = self.world_mut();
        let inside = &mut world.volatile.inside;
        let holds = inside.keys().any(|other| other != at && other.starts_with(at));
        anyhow::ensure!(!holds, "unmounting {}: it is busy", at.display());
        inside.remove(at);
        Ok(())
    }

    fn lead_to_system(&self, root: &Path) -> Result<String> {
        Ok(root.display().to_string())
    }

    fn overlay(&self, folder: &Path) -> Result<PathBuf> {
        let mut world = self.world_mut();
        let (place, below, _) = world.locate(folder);
        anyhow::ensure!(below.is_empty(), "only whole volumes have views");
        let copy = world.volume(&place).clone();
        let view = Path::new("/run/media-runtime/views").join(folder.file_name().context("no folder")?);
        world.volatile.views.insert(view.clone(), copy);
        Ok(view)
    }

    fn remove_overlay(&self, view: &Path) -> Result<()> {
        let mut world = self.world_mut();
        world.volatile.views.remove(view);
        world
            .volatile
            .inside
            .retain(|at, from| from != view && !at.starts_with(view));
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        let mut world = self.world_mut();
        if world.volatile.hangs {
            bail!("a disk does not answer");
        }
        world.unflushed.clear();
        Ok(())
    }

    fn space(&self, folder: &Path) -> Result<Space> {
        let world = self.world();
        let (place, _, _) = world.locate(folder);
        let volume = world.volume(&place);
        let used = volume.used();
        Ok(Space {
            free: volume.capacity.saturating_sub(used),
            used,
            largest_file: (volume.kind == "vfat").then_some(LARGEST_FILE),
        })
    }
}

fn mount_folder(device: &Path) -> Result<PathBuf> {
    Ok(Path::new("/run/media-runtime/mounts").join(device.file_name().context("no device")?))
}

impl Memory {
    pub(crate) fn drive(&self, path: &Path) -> Result<usize> {
        let found = self.world().drives.iter().position(|drive| drive.path == path);
        found.ok_or_else(|| anyhow!("there is no disk {}", path.display()))
    }

    /// The partition whose volume is mounted at that folder.
    pub(crate) fn partition_at(&self, folder: &Path) -> Result<(usize, usize)> {
        match self.world().locate(folder) {
            (Place::Volume(disk, Some(part)), below, _) if below.is_empty() => Ok((disk, part)),
            _ => bail!("{} is no mounted volume", key(folder)),
        }
    }
}

/// The identifier that diskpart gives to a partition is its own.
fn named_by_system(partition: &mut NewPartition) {
    partition.guid = format!("0badcafe-0000-4000-8000-{:012}", partition.number);
}

fn unformatted(new: &NewPartition) -> Part {
    let kind = match new.role {
        Role::Efi => "efi",
        Role::BiosBoot => "bios-boot",
        Role::State => "state",
        Role::Swap => "swap",
        Role::Msr => "e3c9e316-0b5c-4db8-817d-f92df00215ae",
        Role::Recovery => "de94bba4-06d1-4d40-a16a-bfd50179d6ac",
        _ => "data",
    };
    Part {
        number: new.number,
        id: new.guid.clone(),
        kind: kind.into(),
        name: new.name.clone(),
        active: new.role == Role::State,
        attributes: if new.role == Role::Hidden { 3 << 62 } else { 0 },
        start: new.start,
        size: new.size,
        volume: Volume::default(),
    }
}
