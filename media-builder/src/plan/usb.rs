//! The image of a stick: GRUB's core for BIOS, a FAT32 boot partition, an exFAT data partition. With a WinPE there is no
//! GRUB, and the stick starts on UEFI alone: on a BIOS, Windows' boot manager reads no GPT.

use disk_image::partition_table::{GptParams, GptPartition, plan_gpt};
use disk_image::{Extent, FileTree, Layout, exfat, fat, grub};
use media_format::manifest::{MediaLayout, Volume};
use media_format::paths::{BOOT_LABEL, CAPTURES, DATA_LABEL, LOGS};
use uuid::{Uuid, uuid};

use super::{Contents, Format, MediaPlan, PlanError, PlanOptions, VolumePlan, files, ids};
use crate::boot_image::Kind;
use crate::project::Usb;
use crate::resolve::ResolvedMedia;

const MIB: u64 = 1 << 20;
const SECTOR: u32 = 512;
/// GRUB's core lies in the megabyte before the boot partition.
const CORE: (u64, u64) = (MIB, MIB);
const BOOT_START: u64 = 2 * MIB;
/// The boot partition grows in these steps, so that a slightly larger boot image leaves the data where it is.
const BOOT_STEP: u64 = 64 * MIB;
/// What the place of GRUB's core is called among the volumes.
pub(super) const GRUB_CORE: &str = "grub-core";
/// Sticks like their partitions aligned to their erase blocks.
const DATA_ALIGNMENT: u64 = 4 * MIB;
/// The table's backup needs the last sectors.
const TABLE_BACKUP: u64 = MIB;
/// Room for captures and logs unless the project says otherwise.
const FREE: u64 = 8_000_000_000;

const TYPE_BIOS_BOOT: Uuid = uuid!("21686148-6449-6e6f-744e-656564454649");
const TYPE_ESP: Uuid = uuid!("c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
const TYPE_DATA: Uuid = uuid!("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7");

/// Plans the image.
pub(super) fn plan(media: &ResolvedMedia, options: PlanOptions) -> Result<MediaPlan, PlanError> {
    let mut all = files::boot_files(media);
    all.extend(files::package_files(media, Volume::Data));
    all.extend(files::windows_runtime(media, Volume::Data));
    all.push(files::media_id_file(media));
    let contents = Contents::new(media, MediaLayout::Usb, all);
    let boot = boot_partition(media, &contents, options)?;
    let data_start = (BOOT_START + boot.size).next_multiple_of(DATA_ALIGNMENT);
    let data = data_partition(media, &contents, options, data_start)?;
    let mut volumes = volumes(boot.size, data_start, data.size);
    if media.boot.kind == Kind::WinPe {
        volumes.retain(|volume| volume.file_system != GRUB_CORE);
    }
    let layout = disk(media, &volumes, boot, data)?;
    Ok(contents.finish(Format::Usb, layout, volumes, vec![]))
}

fn boot_partition(
    media: &ResolvedMedia,
    contents: &Contents,
    options: PlanOptions,
) -> Result<Layout, PlanError> {
    let mut tree = FileTree::default();
    contents.insert_files(&mut tree, Volume::Boot, &media.sources)?;
    contents.insert_manifest(&mut tree)?;
    let params = fat::Params {
        kind: fat::Kind::Fat32,
        size: fat::minimum_size(&tree, fat::Kind::Fat32).next_multiple_of(BOOT_STEP),
        sector_size: SECTOR,
        serial: ids::serial(media.media_id, "esp"),
        label: BOOT_LABEL.into(),
        hidden_sectors: (BOOT_START / u64::from(SECTOR)) as u32,
        timestamp: i64::from(options.timestamp),
    };
    Ok(fat::plan(&tree, &params)?)
}

fn data_partition(
    media: &ResolvedMedia,
    contents: &Contents,
    options: PlanOptions,
    start: u64,
) -> Result<Layout, PlanError> {
    let mut tree = FileTree::default();
    contents.insert_files(&mut tree, Volume::Data, &media.sources)?;
    for folder in files::package_folders(media).chain([CAPTURES, LOGS]) {
        tree.insert_folder(folder).map_err(PlanError::Path)?;
    }
    let needed = exfat::minimum_size(&tree);
    let params = exfat::Params {
        size: data_size(&media.project.settings.usb, needed, start)?,
        sector_size: SECTOR,
        serial: ids::serial(media.media_id, "data"),
        label: DATA_LABEL.into(),
        partition_offset: start,
        timestamp: i64::from(options.timestamp),
    };
    Ok(exfat::plan(&tree, &params)?)
}

fn data_size(usb: &Usb, needed: u64, start: u64) -> Result<u64, PlanError> {
    let Some(size) = usb.size.map(|size| size.0) else {
        let free = usb.free.map_or(FREE, |free| free.0);
        return Ok((needed + free).next_multiple_of(MIB));
    };
    let room = size.saturating_sub(start + TABLE_BACKUP) / MIB * MIB;
    if room < needed {
        return Err(PlanError::StickTooSmall {
            size,
            needed: start + needed + TABLE_BACKUP,
        });
    }
    Ok(room)
}

fn volumes(boot: u64, data_start: u64, data: u64) -> Vec<VolumePlan> {
    let volume = |label: &str, file_system, (offset, size)| VolumePlan {
        label: label.into(),
        file_system,
        offset,
        size,
    };
    vec![
        volume("", GRUB_CORE, CORE),
        volume(BOOT_LABEL, "fat32", (BOOT_START, boot)),
        volume(DATA_LABEL, "exfat", (data_start, data)),
    ]
}

fn disk(
    media: &ResolvedMedia,
    volumes: &[VolumePlan],
    boot: Layout,
    data: Layout,
) -> Result<Layout, PlanError> {
    let end = volumes
        .iter()
        .map(|volume| volume.offset + volume.size)
        .max()
        .unwrap_or(0);
    let grub = match media.boot.kind {
        Kind::LinuxPe => Some(grub::embed(
            media.boot.bios_code("boot.img")?,
            media.boot.bios_code("core-usb.img")?,
            CORE.0 / u64::from(SECTOR),
        )?),
        Kind::WinPe => None,
    };
    let (boot_code, core) = grub.map(|grub| (grub.boot_code, grub.core)).unzip();
    let mut layout = plan_gpt(&GptParams {
        disk_guid: ids::guid(media.media_id, "disk"),
        disk_size: end + TABLE_BACKUP,
        sector_size: SECTOR,
        boot_code,
        partitions: volumes.iter().map(|volume| partition(media, volume)).collect(),
    })?;
    layout
        .extents
        .extend(core.map(|core| Extent::bytes(CORE.0, core)));
    for (volume, content) in volumes.iter().rev().zip([data, boot]) {
        layout.embed(volume.offset, content);
    }
    Ok(layout.finish())
}

fn partition(media: &ResolvedMedia, volume: &VolumePlan) -> GptPartition {
    let (name, type_guid) = match volume.file_system {
        GRUB_CORE => ("bios", TYPE_BIOS_BOOT),
        "fat32" => ("esp", TYPE_ESP),
        _ => ("data", TYPE_DATA),
    };
    GptPartition {
        type_guid,
        unique_guid: ids::guid(media.media_id, name),
        name: if volume.label.is_empty() {
            "GRUB".into()
        } else {
            volume.label.clone()
        },
        start: volume.offset,
        size: volume.size,
        attributes: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Size;

    #[test]
    fn the_data_partition_has_the_free_room_or_fills_the_stick() {
        let usb = Usb {
            free: Some(Size(100 * MIB)),
            size: None,
        };
        assert_eq!(data_size(&usb, MIB + 1, 0).unwrap(), 102 * MIB);
        let usb = Usb {
            free: None,
            size: Some(Size(64 * MIB + 5)),
        };
        assert_eq!(data_size(&usb, MIB, 10 * MIB).unwrap(), 53 * MIB);
        let usb = Usb {
            free: None,
            size: Some(Size(64 * MIB)),
        };
        assert!(matches!(
            data_size(&usb, 60 * MIB, 10 * MIB),
            Err(PlanError::StickTooSmall { .. })
        ));
    }
}
