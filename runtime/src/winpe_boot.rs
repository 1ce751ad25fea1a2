//! How a run whose boot image is a Windows PE comes to the installed Windows and back. On UEFI its media have no menu that reads
//! the boot state, so the firmware is told: it has an entry for each of the two while the run lasts, and the one that is to start
//! comes first. On a BIOS GRUB reads it, on the stick and on the target.

use anyhow::{Context as _, bail};
use media_format::event::Environment;
use media_format::manifest::MediaLayout;
use media_format::state::Next;
use std::path::Path;

use crate::boot_state;
use crate::context::find_partition;
use crate::journal::Journal;
use crate::log::Log;
use crate::media::Media;
use crate::platform::{Firmware, Platform, Result, System};
use crate::staging::BOOT_ENTRY;
use crate::windows::boot::UEFI_LOADER;

/// Label of the firmware's entry for the installed Windows while a run lasts: other disks may have Windows, too.
pub const SYSTEM_ENTRY: &str = "media-runtime: Windows";
/// What a stick is started by.
const MEDIA_LOADER: &str = "/EFI/BOOT/BOOTX64.EFI";

/// Whether the boot image that runs is a Windows PE.
pub fn is_here(platform: &dyn Platform, here: Environment) -> bool {
    here == Environment::Pe && platform.system() == System::Windows
}

/// Whether the firmware is told where to go next.
pub fn tells_firmware(platform: &dyn Platform, here: Environment) -> bool {
    is_here(platform, here) && platform.firmware() == Firmware::Uefi
}

/// Whether restarts will lead to the installed Windows and back, before anything is changed.
///
/// # Errors
/// When a BIOS has started it from something else than a stick with GRUB, or the firmware does not say what has started it.
pub fn check(platform: &dyn Platform, media: &Media) -> Result<()> {
    if platform.firmware() == Firmware::Bios {
        return check_bios(media);
    }
    match media.manifest.layout {
        MediaLayout::Usb => stick(platform, media).map(drop),
        MediaLayout::Iso => platform.check_this_start(),
    }
}

fn check_bios(media: &Media) -> Result<()> {
    let media_is = match media.manifest.layout {
        MediaLayout::Iso => "a disc, whose boot manager starts Windows PE every time",
        MediaLayout::Usb if media.has_grub() => return Ok(()),
        MediaLayout::Usb => "a stick without GRUB (make the WinPE with `--bios-from`)",
    };
    bail!(
        "this machine was started by BIOS, and this media is {media_is}: nothing would lead to Windows and back. Use a stick with \
         GRUB, a machine that starts by UEFI, or the Linux PE as the boot image"
    )
}

/// Whether a Windows that runs can restart into the media, before anything is changed.
///
/// # Errors
/// When it is a disc, or its partition is not there.
pub fn check_inside(platform: &dyn Platform, media: &Media) -> Result<()> {
    if platform.firmware() == Firmware::Bios {
        return check_bios(media);
    }
    match media.manifest.layout {
        MediaLayout::Usb => stick(platform, media).map(drop),
        // The entry that has started the machine is that of Windows, and none of the others names a disc by anything on it.
        MediaLayout::Iso => bail!(
            "this media is a disc that starts Windows PE, and inside Windows nothing says which of the firmware's entries starts \
             that disc: build the media as a stick (`--format usb`) or with the Linux PE, or generalize Windows with sysprep and \
             start the machine from the disc"
        ),
    }
}

/// The stick's partition that firmware starts: its disk and its number.
fn stick(platform: &dyn Platform, media: &Media) -> Result<(std::path::PathBuf, u32)> {
    let (disk, _, number) = find_partition(platform, &media.boot_id)?;
    Ok((disk.path, number))
}

/// Adds both entries; the media comes first until Windows is made to start.
///
/// # Errors
/// When the firmware refuses one.
pub fn register(platform: &dyn Platform, media: &Media, disk: &Path, number: u32) -> Result<()> {
    register_system(platform, disk, number)?;
    register_media(platform, media)
}

/// Adds the entry for the installed Windows, and puts it first.
///
/// # Errors
/// When the firmware refuses it.
pub fn register_system(platform: &dyn Platform, disk: &Path, number: u32) -> Result<()> {
    unregister(platform)?;
    platform.register(disk, number, SYSTEM_ENTRY, UEFI_LOADER)
}

fn register_media(platform: &dyn Platform, media: &Media) -> Result<()> {
    match media.manifest.layout {
        MediaLayout::Usb => {
            let (disk, number) = stick(platform, media)?;
            platform.unregister(BOOT_ENTRY)?;
            platform.register(&disk, number, BOOT_ENTRY, MEDIA_LOADER)
        }
        // A disc has no partition that an entry could name. That of an earlier run may be the one that has started the machine.
        MediaLayout::Iso => platform.register_this_start(BOOT_ENTRY),
    }
}

/// Adds the entry for the media from inside Windows. Windows itself stays first until the run leaves it: a restart between its
/// steps comes back to it at once.
///
/// # Errors
/// When the firmware refuses.
pub fn register_inside(platform: &dyn Platform, media: &Media) -> Result<()> {
    register_media(platform, media)?;
    platform.start_next(SYSTEM_ENTRY).map(drop)
}

/// Before sysprep inside Windows, which must not start again afterwards: the entry of a stick that starts Windows PE is made anew
/// where firmware or a program has lost it. A disc's can only be made while the disc has started the machine, and GRUB needs none.
///
/// # Errors
/// When the stick is gone, or the firmware refuses the entry.
pub fn assure_inside(platform: &dyn Platform, media: &Media, log: &Log) -> Result<()> {
    let by_entry = platform.firmware() == Firmware::Uefi && media.manifest.layout == MediaLayout::Usb;
    if !media.starts_windows_pe() || !by_entry {
        return Ok(());
    }
    stick(platform, media)
        .context("looking for the media, which the machine is to start after sysprep: attach it again")?;
    if platform.is_registered(&media.boot_id, BOOT_ENTRY)? {
        return Ok(());
    }
    log.warning("the firmware has lost the entry that starts the media: it is made anew");
    register_inside(platform, media)
}

/// Makes the media start next and first: bcdboot puts its own entry before all others. Nothing outside Windows PE and on a BIOS.
///
/// # Errors
/// When the firmware refuses.
pub fn hold(platform: &dyn Platform, here: Environment) -> Result<()> {
    if tells_firmware(platform, here) {
        platform.start_next(BOOT_ENTRY)?;
    }
    Ok(())
}

/// Removes the entry for the installed Windows; Windows has its own.
///
/// # Errors
/// When the firmware refuses.
pub fn unregister(platform: &dyn Platform) -> Result<()> {
    platform.unregister(SYSTEM_ENTRY)
}

/// The entry that leads there.
pub fn entry(target: Environment) -> &'static str {
    match target {
        Environment::Os => SYSTEM_ENTRY,
        Environment::Pe => BOOT_ENTRY,
    }
}

/// Compares where the machine came to with where it was to start, as the menu of a Linux PE does. Windows restarts by itself while
/// it is set up, and firmware may start the media in between; and a cut may have come between the journal and the boot state.
///
/// # Errors
/// When the boot state cannot be read or written.
pub fn arrive(platform: &dyn Platform, journal: &mut Journal) -> Result<()> {
    if boot_state::next(platform, journal)? != Some(Next::Os) {
        return Ok(());
    }
    match journal.saved.progress.restart {
        None => journal.saved.progress.restart = Some(Environment::Os),
        Some(Environment::Pe) => boot_state::set_next(platform, journal, Next::Pe)?,
        Some(Environment::Os) => {}
    }
    Ok(())
}
