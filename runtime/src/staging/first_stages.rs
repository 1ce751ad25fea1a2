//! GRUB where a BIOS starts a disk: its first sector, and the core image that follows elsewhere.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::Context as _;
use disk_image::grub;
use media_format::paths;

use crate::platform::{Files, Result};

/// A BIOS starts from sectors of this size only.
const SECTOR: usize = 512;

/// Writes the media's GRUB to a disk, with the core at that sector. What starts it comes last; the partition table stays. Windows
/// takes nothing but whole sectors.
///
/// # Errors
/// When the media has no GRUB, or the disk cannot be written.
pub fn write(
    files: &impl Files,
    media: &Path,
    disk: &mut (impl Read + Seek + Write),
    lba: u64,
) -> Result<()> {
    let read = |path: &str| {
        files
            .read(&media.join(path))?
            .with_context(|| format!("the media has no {path}"))
    };
    let grub = grub::embed(&read(paths::BIOS_BOOT)?, &read(paths::BIOS_CORE)?, lba)?;
    put(disk, &grub, lba).context("writing GRUB's first stages")
}

fn put(disk: &mut (impl Read + Seek + Write), grub: &grub::Embedded, lba: u64) -> std::io::Result<()> {
    // On the heap, where it is aligned as drivers of Windows may want it.
    let mut first = Box::new([0; SECTOR]);
    disk.rewind()?;
    disk.read_exact(&mut first[..])?;
    first[..grub.boot_code.len()].copy_from_slice(&grub.boot_code);
    disk.seek(SeekFrom::Start(lba * SECTOR as u64))?;
    disk.write_all(&grub.core)?;
    disk.rewind()?;
    disk.write_all(&first[..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn the_partition_table_and_what_lies_behind_the_core_stay() {
        let grub = grub::Embedded {
            boot_code: [1; 440],
            core: vec![2; 2 * SECTOR],
        };
        let mut disk = Cursor::new(vec![9; 5 * SECTOR]);
        put(&mut disk, &grub, 1).unwrap();
        let bytes = disk.into_inner();
        assert!(bytes[..440] == [1; 440] && bytes[440..SECTOR] == [9; 72]);
        assert!(bytes[SECTOR..3 * SECTOR] == [2; 2 * SECTOR] && bytes[3 * SECTOR..] == [9; 2 * SECTOR]);
        assert!(put(&mut Cursor::new(vec![9; 100]), &grub, 1).is_err());
    }
}
