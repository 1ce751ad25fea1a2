//! What makes an applied Windows start: the files that bcdboot copies, and the boot configuration store.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use media_format::hive::protocol::{Query, Source};
use uuid::Uuid;
use windows_setup::bcd::{self, BootFirmware, InstalledWindows, Nx, Partition, Store};

use super::hives::{self, Hive};
use super::volume;
use crate::context::Context;
use crate::platform::{Disk, Platform, Result};

/// What the boot menu of the media starts.
pub const LOADER: &str = "/EFI/Microsoft/Boot/bootmgfw.efi";
/// What Windows' own tools call their entry in the firmware.
pub const ENTRY: &str = "Windows Boot Manager";
/// Where firmware looks on a disk that it has no entry for.
const FALLBACK: &str = "EFI/BOOT/BOOTX64.EFI";
const MANAGER: &str = "EFI/Microsoft/Boot";
/// Folders of the installation, and where they go on the EFI system partition.
const COPIED: [(&str, &str); 3] = [
    ("Windows/Boot/EFI", ""),
    ("Windows/Boot/Fonts", "Fonts"),
    ("Windows/Boot/Resources", "Resources"),
];
/// Levels of a store's keys.
const STORE_DEPTH: u32 = 4;

/// Makes the Windows under `root` start from the EFI system partition that is mounted at `esp`.
///
/// # Errors
/// When the installation lacks what is needed, or the partition cannot be written.
pub fn install(context: &Context<'_>, root: &Path, esp: &Path) -> Result<()> {
    let platform = context.platform;
    for (from, to) in COPIED {
        let from = volume::locate(platform, root, from)?;
        let to = if to.is_empty() {
            esp.join(MANAGER)
        } else {
            esp.join(MANAGER).join(to)
        };
        copy_folder(platform, &from, &to)
            .with_context(|| format!("copying the boot files of Windows ({})", from.display()))?;
    }
    let loader = esp.join(LOADER.trim_start_matches('/'));
    if !platform.exists(&loader) {
        return Err(anyhow!(
            "the installation has no Windows\\Boot\\EFI\\bootmgfw.efi, so nothing can start it"
        ));
    }
    platform.copy(&loader, &esp.join(FALLBACK))?;
    // Without the store nothing starts: it comes last.
    write_store(context, root, esp).context("writing the boot configuration store")
}

fn copy_folder(platform: &dyn Platform, from: &Path, to: &Path) -> Result<()> {
    for name in platform.list(from)? {
        let (from, to) = (from.join(&name), to.join(&name));
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

fn write_store(context: &Context<'_>, root: &Path, esp: &Path) -> Result<()> {
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
    let store = volume::locate(context.platform, esp, bcd::UEFI_STORE)?;
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
    let efi = target
        .efi
        .as_deref()
        .context("the disk has no EFI system partition")?;
    Ok(InstalledWindows {
        firmware: BootFirmware::Uefi,
        system: partition(context, efi)?,
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
