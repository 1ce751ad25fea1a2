//! Which bytes of an image lie in no file and never change, so that the manifest has digests of them too.
//!
//! The tables and folders of a stick's volumes are not among them: captures and logs come there. Neither is its partition
//! table, which changes when the last partition grows: the readers check it, and what lies where it says.

use std::collections::BTreeSet;
use std::ops::Range;

use disk_image::{Content, Extent, Layout};
use media_format::manifest::Region;

use super::files::UNKNOWN;
use super::{VolumePlan, usb};

/// The manifest has room for so many.
pub(super) const MOST: usize = 2;
/// Bytes of a disk's first sector that are code; the partition table follows.
const BOOT_CODE: u64 = 440;

/// A region whose digest comes later.
pub(super) fn unknown(offset: u64, length: u64) -> Region {
    Region {
        offset,
        length,
        sha256: UNKNOWN.to_owned(),
    }
}

/// Everything before the first file (system area, descriptors, boot catalogue, BIOS boot image, folders) and after the
/// last one (the EFI system partition, the backup of the partition table).
pub(super) fn of_iso(layout: &Layout) -> Vec<Range<u64>> {
    let mut seen = BTreeSet::new();
    let mut is_file = |extent: &&Extent| match &extent.content {
        // The EFI system partition comes after the files, and repeats some of them.
        Content::Source { source, offset } => seen.insert((*source, *offset)),
        Content::Late(_) => true,
        Content::Bytes(_) | Content::Zero => false,
    };
    let mut files = layout.extents.iter().filter(|extent| is_file(extent));
    let first = files.next();
    let start = first.map_or(layout.size, |extent| extent.offset);
    let end = files.last().or(first).map_or(layout.size, Extent::end);
    vec![0..start, end..layout.size]
}

/// The code of the first sector, and GRUB's core.
pub(super) fn of_stick(layout: &Layout, volumes: &[VolumePlan]) -> Vec<Range<u64>> {
    let cores = volumes
        .iter()
        .filter(|volume| volume.file_system == usb::GRUB_CORE);
    let core = cores.filter_map(|volume| {
        let extent = layout
            .extents
            .iter()
            .find(|extent| extent.offset == volume.offset)?;
        Some(extent.offset..extent.end())
    });
    std::iter::once(0..BOOT_CODE).chain(core).collect()
}
