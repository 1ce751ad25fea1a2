//! GRUB where a BIOS starts a disk: its first sector, and the core image that follows elsewhere.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::Context as _;
use disk_image::grub;
use media_format::paths;

use crate::platform::{Files, Result};

/// A BIOS starts from sectors of this size only.
const SECTOR: usize = 512;
/// Of the first one: then come the disk's signature and the table.
const BOOT_CODE: usize = 440;

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

/// How many sectors [`write`] writes with the core at the second one.
///
/// # Errors
/// When the media has no GRUB.
pub fn sectors(files: &(impl Files + ?Sized), media: &Path) -> Result<u64> {
    let core = files.read(&media.join(paths::BIOS_CORE))?;
    let core = core.with_context(|| format!("the media has no {}", paths::BIOS_CORE))?;
    Ok(1 + core.len().div_ceil(SECTOR) as u64)
}

/// The first sectors of a disk.
///
/// # Errors
/// When it cannot be read.
pub fn read_from(disk: &Path, count: u64) -> Result<Vec<u8>> {
    let sectors = File::open(disk).and_then(|mut file| read(&mut file, count));
    sectors.with_context(|| format!("reading the first sectors of {}", disk.display()))
}

fn read(disk: &mut (impl Read + Seek), count: u64) -> std::io::Result<Vec<u8>> {
    let mut sectors = vec![0; usize::try_from(count).map_or(0, |count| count * SECTOR)];
    disk.rewind()?;
    disk.read_exact(&mut sectors)?;
    Ok(sectors)
}

/// Puts them back: first what starts the disk, and only when that is on it, what it would have started. The partition table stays.
///
/// # Errors
/// When it cannot be written.
pub fn put_back_on(disk: &Path, sectors: &[u8]) -> Result<()> {
    let put = || {
        let mut file = OpenOptions::new().read(true).write(true).open(disk)?;
        put_back_code(&mut file, sectors)?;
        file.sync_all()?;
        put_back_gap(&mut file, sectors)?;
        file.sync_all()
    };
    put().with_context(|| format!("writing the first sectors of {}", disk.display()))
}

fn put_back_code(disk: &mut (impl Read + Seek + Write), sectors: &[u8]) -> std::io::Result<()> {
    let mut first = read(disk, 1)?;
    let length = sectors.len().min(BOOT_CODE);
    first[..length].copy_from_slice(&sectors[..length]);
    disk.rewind()?;
    disk.write_all(&first)
}

fn put_back_gap(disk: &mut (impl Seek + Write), sectors: &[u8]) -> std::io::Result<()> {
    disk.seek(SeekFrom::Start(SECTOR as u64))?;
    disk.write_all(sectors.get(SECTOR..).unwrap_or_default())
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

    #[test]
    fn what_grub_has_displaced_comes_back_and_a_new_table_stays() {
        let mut disk = Cursor::new((0..5 * SECTOR).map(|at| at as u8).collect::<Vec<u8>>());
        let before = disk.get_ref().clone();
        let kept = read(&mut disk, 3).unwrap();
        let grub = grub::Embedded {
            boot_code: [1; 440],
            core: vec![2; 2 * SECTOR],
        };
        put(&mut disk, &grub, 1).unwrap();
        disk.get_mut()[446] = 0x80;
        put_back_code(&mut disk, &kept).unwrap();
        put_back_gap(&mut disk, &kept).unwrap();
        let mut expected = before;
        expected[446] = 0x80;
        assert_eq!(disk.get_ref(), &expected);
        assert!(read(&mut disk, 6).is_err());
    }
}
