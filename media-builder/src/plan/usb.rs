//! The image of a stick: GRUB's core for BIOS, a FAT32 boot partition, an exFAT data partition. A WinPE that was made without
//! GRUB starts on UEFI alone.

use disk_image::{Extent, FileTree, Layout, exfat, fat, grub};
use media_format::manifest::{MediaLayout, Volume};
use media_format::paths::{BOOT_LABEL, CAPTURES, DATA_LABEL, LOGS};

use super::{Contents, Format, MediaPlan, PlanError, PlanOptions, VolumePlan, files, ids, usb_table};
use crate::project::Usb;
use crate::resolve::ResolvedMedia;

const MIB: u64 = 1 << 20;
pub(super) const SECTOR: u32 = 512;
/// GRUB's core lies in the megabyte before the boot partition.
const CORE: (u64, u64) = (MIB, MIB);
const BOOT_START: u64 = 2 * MIB;
/// The boot partition grows in these steps, so that a slightly larger boot image leaves the data where it is.
const BOOT_STEP: u64 = 64 * MIB;
/// What the place of GRUB's core is called among the volumes.
pub(super) const GRUB_CORE: &str = "grub-core";
/// Sticks like their partitions aligned to their erase blocks.
const DATA_ALIGNMENT: u64 = 4 * MIB;
/// The backup of a GPT needs the last sectors; behind an MBR they are empty.
const TABLE_BACKUP: u64 = MIB;
/// Room for captures and logs unless the project says otherwise.
const FREE: u64 = 8_000_000_000;

/// Of a stick without GRUB.
const UEFI_ONLY: &str = "the boot image has no GRUB, so the stick starts on UEFI only: for a BIOS too, make the WinPE again with \
    `media-builder boot-image build --winpe SOURCE --bios-from LINUX-PE`";

/// Plans the image.
pub(super) fn plan(media: &ResolvedMedia, options: PlanOptions) -> Result<MediaPlan, PlanError> {
    let mut all = files::boot_files(media);
    all.extend(files::package_files(media, Volume::Data));
    all.extend(files::windows_runtime(media, Volume::Data));
    all.push(files::media_id_file(media));
    all.extend(files::winpe_grub(media));
    let contents = Contents::new(media, MediaLayout::Usb, all);
    let boot = boot_partition(media, &contents, options)?;
    let data_start = (BOOT_START + boot.size).next_multiple_of(DATA_ALIGNMENT);
    let data = data_partition(media, &contents, options, data_start)?;
    let mut volumes = volumes(boot.size, data_start, data.size);
    let mut warnings = Vec::new();
    if !media.boot.has_grub() {
        volumes.retain(|volume| volume.file_system != GRUB_CORE);
        warnings.push(UEFI_ONLY.to_owned());
    }
    let layout = disk(media, &volumes, boot, data)?;
    Ok(contents.finish(Format::Usb, layout, volumes, warnings))
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
    let grub = media.boot.has_grub().then(|| embedded(media)).transpose()?;
    let (boot_code, core) = grub.map(|grub| (grub.boot_code, grub.core)).unzip();
    let mut layout = usb_table::plan(media, volumes, end + TABLE_BACKUP, boot_code)?;
    layout
        .extents
        .extend(core.map(|core| Extent::bytes(CORE.0, core)));
    for (volume, content) in volumes.iter().rev().zip([data, boot]) {
        layout.embed(volume.offset, content);
    }
    Ok(layout.finish())
}

fn embedded(media: &ResolvedMedia) -> Result<grub::Embedded, PlanError> {
    Ok(grub::embed(
        media.boot.bios_code("boot.img")?,
        media.boot.bios_code("core-usb.img")?,
        CORE.0 / u64::from(SECTOR),
    )?)
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
