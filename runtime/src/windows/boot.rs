//! What makes an applied Windows start: the files that bcdboot copies, and the boot configuration store.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use media_format::hive::protocol::{Query, Source};
use uuid::Uuid;
use windows_setup::bcd::{self, BootFirmware, InstalledWindows, Nx, Partition, Store};
use windows_setup::secure_boot::BootFiles;

use super::hives::{self, Hive};
use super::volume;
use crate::context::Context;
use crate::platform::{Disk, Firmware, Platform, Result};

/// What the boot menu of the media starts on a machine with UEFI.
pub const UEFI_LOADER: &str = "/EFI/Microsoft/Boot/bootmgfw.efi";
/// What it starts on a machine with a BIOS, and after the run GRUB in the disk's boot sector.
pub const BIOS_LOADER: &str = "/bootmgr";
/// What Windows' own tools call their entry in the firmware.
pub const ENTRY: &str = "Windows Boot Manager";
/// Where firmware looks on a disk that it has no entry for.
const FALLBACK: &str = "EFI/BOOT/BOOTX64.EFI";
const BOOT_MANAGER: &str = "EFI/Microsoft/Boot/bootmgfw.efi";
/// Folders of the installation, and where they go on the EFI system partition.
const OF_UEFI: [(&str, &str); 3] = [
    ("Windows/Boot/EFI", "EFI/Microsoft/Boot"),
    ("Windows/Boot/Fonts", "EFI/Microsoft/Boot/Fonts"),
    ("Windows/Boot/Resources", "EFI/Microsoft/Boot/Resources"),
];
/// What takes the place of files of the same name, but for the mark, where those of 2023 are chosen.
const OF_2023: [(&str, &str); 2] = [
    ("Windows/Boot/EFI_EX", "EFI/Microsoft/Boot"),
    ("Windows/Boot/Fonts_EX", "EFI/Microsoft/Boot/Fonts"),
];
/// At the end of their names.
const MARK: &str = "_ex";
/// The same for the active partition of a machine with a BIOS.
const OF_BIOS: [(&str, &str); 3] = [
    ("Windows/Boot/PCAT", "Boot"),
    ("Windows/Boot/Fonts", "Boot/Fonts"),
    ("Windows/Boot/Resources", "Boot/Resources"),
];
/// Of these, what goes beside that folder.
const AT_THE_ROOT: [&str; 2] = ["bootmgr", "bootnxt"];
/// Levels of a store's keys.
const STORE_DEPTH: u32 = 4;

/// Makes the Windows under `root` start from the partition of the firmware's that is mounted at `boot`. Gives the loader's
/// path there.
///
/// # Errors
/// When the installation lacks what is needed, or the partition cannot be written.
pub fn install(context: &Context<'_>, root: &Path, boot: &Path, files: BootFiles) -> Result<&'static str> {
    let locale = &context.windows()?.language;
    if context.platform.install_windows(root, boot, locale, files)? {
        return Ok(match context.platform.firmware() {
            Firmware::Uefi => UEFI_LOADER,
            Firmware::Bios => BIOS_LOADER,
        });
    }
    let loader = match context.platform.firmware() {
        Firmware::Uefi => install_uefi(context, root, boot, files)?,
        Firmware::Bios => install_bios(context, root, boot)?,
    };
    // Without the store nothing starts: it comes last.
    write_store(context, root, boot).context("writing the boot configuration store")?;
    Ok(loader)
}

fn install_uefi(context: &Context<'_>, root: &Path, esp: &Path, files: BootFiles) -> Result<&'static str> {
    copy_folders(context, root, esp, &OF_UEFI)?;
    if files == BootFiles::Ca2023 {
        copy_folders(context, root, esp, &OF_2023)?;
    }
    let manager = volume::locate(context.platform, esp, BOOT_MANAGER)?;
    if !context.platform.exists(&manager) {
        return Err(anyhow!(
            "the installation has no Windows\\Boot\\EFI\\bootmgfw.efi, so nothing can start it"
        ));
    }
    context.platform.copy(&manager, &esp.join(FALLBACK))?;
    Ok(UEFI_LOADER)
}

fn install_bios(context: &Context<'_>, root: &Path, active: &Path) -> Result<&'static str> {
    let platform = context.platform;
    copy_folders(context, root, active, &OF_BIOS)?;
    for name in AT_THE_ROOT {
        let copied = volume::locate(platform, active, &format!("Boot/{name}"))?;
        if platform.exists(&copied) {
            platform.rename(&copied, &active.join(name))?;
        }
    }
    if !platform.exists(&active.join(BIOS_LOADER.trim_start_matches('/'))) {
        return Err(anyhow!(
            "the installation has no Windows\\Boot\\PCAT\\bootmgr, so nothing can start it"
        ));
    }
    Ok(BIOS_LOADER)
}

fn copy_folders(context: &Context<'_>, root: &Path, to: &Path, folders: &[(&str, &str)]) -> Result<()> {
    let platform = context.platform;
    for (from, place) in folders {
        let from = volume::locate(platform, root, from)?;
        copy_folder(platform, &from, &volume::locate(platform, to, place)?)
            .with_context(|| format!("copying the boot files of Windows ({})", from.display()))?;
    }
    Ok(())
}

fn copy_folder(platform: &dyn Platform, from: &Path, to: &Path) -> Result<()> {
    for name in platform.list(from)? {
        let (from, to) = (from.join(&name), to.join(without_mark(&name)));
        if platform.is_link(&from) {
            continue;
        }
        if platform.is_folder(&from) {
            copy_folder(platform, &from, &to)?;
        } else {
            platform.copy(&from, &to)?;
        }
    }
    Ok(())
}

/// `bootmgfw_EX.efi` → `bootmgfw.efi`.
fn without_mark(name: &str) -> String {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let at = stem.len().saturating_sub(MARK.len());
    match stem.get(at..) {
        Some(end) if end.eq_ignore_ascii_case(MARK) => format!("{}.{extension}", &stem[..at]),
        _ => name.to_owned(),
    }
}

fn write_store(context: &Context<'_>, root: &Path, boot: &Path) -> Result<()> {
    let template = volume::locate(context.platform, root, bcd::TEMPLATE)?;
    let known = context
        .platform
        .exists(&template)
        .then(|| read_template(context, root))
        .transpose();
    let known = known.unwrap_or_else(|error| {
        context.log.warning(format!(
            "the image's own BCD-Template cannot be used, so the store is made without it: {error:#}"
        ));
        None
    });
    let source = if known.is_some() {
        Source::Copy(template)
    } else {
        Source::Nothing
    };
    let store = match context.platform.firmware() {
        Firmware::Uefi => bcd::UEFI_STORE,
        Firmware::Bios => bcd::BIOS_STORE,
    };
    let store = volume::locate(context.platform, boot, store)?;
    hives::write(
        context.platform,
        &store,
        source,
        installed(context)?.edits(known.as_ref()),
    )
}

fn read_template(context: &Context<'_>, root: &Path) -> Result<Store> {
    let query = Query::Key {
        key: String::new(),
        depth: STORE_DEPTH,
    };
    let keys = Hive::at(context.platform, root, bcd::TEMPLATE)?.key(query)?;
    Ok(Store::read(&keys.context("it is empty")?)?)
}

fn installed(context: &Context<'_>) -> Result<InstalledWindows> {
    let target = context.target()?;
    let system = context.windows()?;
    let (firmware, boot) = match context.platform.firmware() {
        Firmware::Uefi => (BootFirmware::Uefi, target.efi.as_deref()),
        Firmware::Bios => (BootFirmware::Bios, Some(target.state.as_str())),
    };
    let boot = boot.context("the disk has no EFI system partition")?;
    Ok(InstalledWindows {
        firmware,
        system: partition(context, boot)?,
        windows: partition(context, &target.system)?,
        description: system.name.clone(),
        locale: system.language.clone(),
        timeout: None,
        nx: system.server.then_some(Nx::OptOut),
        recovery: None,
    })
}

fn partition(context: &Context<'_>, id: &str) -> Result<Partition> {
    let (disk, _, number) = context.partition(id)?;
    named(&disk, id, number)
}

/// As firmware and Windows agree to name it.
fn named(disk: &Disk, id: &str, number: u32) -> Result<Partition> {
    if let (Ok(disk), Ok(partition)) = (Uuid::parse_str(&disk.table_id), Uuid::parse_str(id)) {
        return Ok(Partition::Gpt { disk, partition });
    }
    let signature = u32::from_str_radix(&disk.table_id, 16);
    let found = disk
        .partitions
        .iter()
        .find(|partition| partition.number == number);
    let offset = found.context("the partition is gone")?.start;
    let signature = signature.with_context(|| format!("{} has no partition table", disk.path.display()))?;
    Ok(Partition::Mbr { signature, offset })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_2023_lose_their_mark_and_others_keep_their_names() {
        assert_eq!(without_mark("bootmgfw_EX.efi"), "bootmgfw.efi");
        assert_eq!(without_mark("segoe_slboot_ex.ttf"), "segoe_slboot.ttf");
        for other in ["bootmgfw.efi", "nl-NL", "_e", "boot_example.efi"] {
            assert_eq!(without_mark(other), other);
        }
    }
}
