//! The partition table of a stick: a GPT, or an MBR where it starts a WinPE. On a BIOS Windows' boot manager reads no GPT, and
//! Microsoft's own tools make such a stick with an MBR, too.

use disk_image::Layout;
use disk_image::partition_table::{
    Error, GptParams, GptPartition, MbrParams, MbrPartition, plan_gpt, plan_mbr,
};
use uuid::{Uuid, uuid};

use super::usb::{GRUB_CORE, SECTOR};
use super::{PlanError, VolumePlan, ids};
use crate::boot_image::Kind;
use crate::resolve::ResolvedMedia;

const TYPE_BIOS_BOOT: Uuid = uuid!("21686148-6449-6e6f-744e-656564454649");
const TYPE_ESP: Uuid = uuid!("c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
const TYPE_DATA: Uuid = uuid!("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7");
/// FAT32 that is found by its place, and exFAT.
const MBR_FAT32: u8 = 0x0C;
const MBR_EXFAT: u8 = 0x07;
/// What code in the first sector has room for, in either table.
pub(super) type BootCode = [u8; 440];

/// Plans the table of a stick of that size.
pub(super) fn plan(
    media: &ResolvedMedia,
    volumes: &[VolumePlan],
    size: u64,
    boot_code: Option<BootCode>,
) -> Result<Layout, PlanError> {
    match media.boot.kind {
        Kind::LinuxPe => Ok(gpt(media, volumes, size, boot_code)?),
        Kind::WinPe => mbr(media, volumes, size, boot_code).map_err(|error| match error {
            Error::BeyondMbr { .. } => PlanError::StickTooLarge(size),
            other => other.into(),
        }),
    }
}

fn gpt(
    media: &ResolvedMedia,
    volumes: &[VolumePlan],
    size: u64,
    boot_code: Option<BootCode>,
) -> Result<Layout, Error> {
    plan_gpt(&GptParams {
        disk_guid: ids::guid(media.media_id, "disk"),
        disk_size: size,
        sector_size: SECTOR,
        boot_code,
        partitions: volumes.iter().map(|volume| partition(media, volume)).collect(),
    })
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

/// GRUB's core needs no entry: it lies in the gap before the first partition.
fn mbr(
    media: &ResolvedMedia,
    volumes: &[VolumePlan],
    size: u64,
    boot_code: Option<BootCode>,
) -> Result<Layout, Error> {
    let partitions = volumes.iter().filter(|volume| volume.file_system != GRUB_CORE);
    let entry = |volume: &VolumePlan| {
        let is_boot = volume.file_system == "fat32";
        MbrPartition {
            kind: if is_boot { MBR_FAT32 } else { MBR_EXFAT },
            active: is_boot,
            start: volume.offset,
            size: volume.size,
        }
    };
    plan_mbr(&MbrParams {
        disk_size: size,
        sector_size: SECTOR,
        disk_signature: ids::serial(media.media_id, "disk"),
        boot_code,
        primary: partitions.map(entry).collect(),
        extended: None,
        logical: vec![],
    })
}
