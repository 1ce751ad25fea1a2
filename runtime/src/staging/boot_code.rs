//! The boot code of a disk that was there before the run. On a BIOS, GRUB of the media takes its place while the run lasts: it leads to the
//! boot image or to Windows, as the boot state says. What it displaces lies on the boot partition until it is put back.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use media_format::paths;

use super::{WINDOWS_MENU, first_stages};
use crate::media::Media;
use crate::platform::{Disk, Platform, Result};
use crate::windows::volume;

/// The disk's first sectors as they were. It is complete when it is there: it is renamed when it is written.
const KEPT: &str = "media-runtime/first-sectors";
/// The menu that an earlier run of ours has left there.
const KEPT_MENU: &str = "media-runtime/grub.cfg";
const SECTOR: u64 = 512;
/// What every GRUB has in its first sector.
const GRUB: &[u8] = b"GRUB";
const ADVICE: &str = "generalize Windows with sysprep, and start the machine from the media";

/// Whether GRUB can take its place, before anything is changed.
///
/// # Errors
/// When it has no room there, or something would be lost.
pub fn check(platform: &dyn Platform, media: &Media, boot: &Path, disk: &Disk) -> Result<()> {
    if are_kept(platform, boot) {
        return Ok(());
    }
    if let Some(menu) = platform.read(&menu(platform, boot)?)?
        && menu != WINDOWS_MENU.as_bytes()
    {
        bail!(
            "the system partition has a \\{}, which another system starts from; {ADVICE}",
            paths::GRUB_CONFIG
        );
    }
    let path = disk.path.display();
    let count = first_stages::sectors(platform, &media.boot)?;
    let first = disk.partitions.iter().map(|partition| partition.start).min();
    if u64::from(disk.sector_size) != SECTOR || first.unwrap_or(0) < count * SECTOR {
        bail!(
            "{path} has no {count} sectors of {SECTOR} bytes before its first partition, which GRUB needs; {ADVICE}"
        );
    }
    let sectors = platform.first_sectors(&disk.path, count)?;
    let (code, gap) = sectors.split_at(sectors.len().min(SECTOR as usize));
    let is_grub = code.windows(GRUB.len()).any(|part| part == GRUB);
    if !is_grub && gap.iter().any(|byte| *byte != 0) {
        bail!(
            "{path} holds something between its partition table and its first partition, as copy protection and some boot \
             managers do, and GRUB needs that place; {ADVICE}"
        );
    }
    Ok(())
}

/// Keeps what GRUB will displace.
///
/// # Errors
/// When the disk cannot be read, or the boot partition not be written.
pub fn keep(platform: &dyn Platform, media: &Media, boot: &Path, disk: &Path) -> Result<()> {
    if are_kept(platform, boot) {
        return Ok(());
    }
    let keeping = || format!("keeping the boot code of {}", disk.display());
    if let Some(menu) = platform.read(&menu(platform, boot)?)? {
        platform
            .write(&boot.join(KEPT_MENU), &menu, 0o644)
            .with_context(keeping)?;
    }
    let count = first_stages::sectors(platform, &media.boot)?;
    let sectors = platform.first_sectors(disk, count).with_context(keeping)?;
    platform
        .write(&boot.join(KEPT), &sectors, 0o644)
        .with_context(keeping)?;
    platform.flush()
}

/// Whether GRUB stands in for another boot code, or is about to.
pub fn are_kept(platform: &dyn Platform, boot: &Path) -> bool {
    platform.exists(&boot.join(KEPT))
}

/// The disk starts as it did before the run. What was kept goes with the run's folder.
///
/// # Errors
/// When the disk or the boot partition cannot be written.
pub fn put_back(platform: &dyn Platform, boot: &Path, disk: &Path) -> Result<()> {
    let putting = || format!("putting the boot code of {} back", disk.display());
    let sectors = platform.read(&boot.join(KEPT))?.with_context(putting)?;
    platform.put_back_sectors(disk, &sectors).with_context(putting)?;
    let menu = menu(platform, boot)?;
    match platform.read(&boot.join(KEPT_MENU))? {
        Some(kept) => platform.write(&menu, &kept, 0o644),
        None => menu.parent().map_or(Ok(()), |folder| platform.remove(folder)),
    }
}

/// Windows has a folder `\Boot` there, and Linux tells the two apart.
fn menu(platform: &dyn Platform, boot: &Path) -> Result<PathBuf> {
    volume::locate(platform, boot, paths::GRUB_CONFIG)
}
