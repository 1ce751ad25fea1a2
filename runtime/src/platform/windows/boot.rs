//! How the machine starts: the firmware's entries, and the staged loader. The system itself starts as it did.

use std::fs::OpenOptions;
use std::path::Path;

use anyhow::{Context as _, bail};

use windows_setup::secure_boot::BootFiles;

use super::images::lettered;
use super::{Windows, bindings};
use crate::in_windows::efi::{self, HardDrive, Signature};
use crate::in_windows::{bcdboot, firmware, recovery};
use crate::platform::{Boot, Disks as _, Firmware, Result};
use crate::staging::{self, first_stages};

impl Boot for Windows {
    fn firmware(&self) -> Firmware {
        firmware::kind(self).unwrap_or_else(|| {
            if bindings::has_firmware_variables() {
                Firmware::Uefi
            } else {
                Firmware::Bios
            }
        })
    }

    fn secure_boot(&self) -> Option<bool> {
        (self.firmware() == Firmware::Uefi).then(|| firmware::secure_boot(self))
    }

    fn signature_list(&self, name: &str) -> Option<Vec<u8>> {
        bindings::signature_list(name).ok()
    }

    fn install_windows(&self, root: &Path, boot: &Path, locale: &str, files: BootFiles) -> Result<bool> {
        let Some(log) = &self.pe else { return Ok(false) };
        let (windows, system) = (lettered(root)?, lettered(boot)?);
        bcdboot::install(self, log, self.firmware(), (&windows, &system), locale, files)?;
        Ok(true)
    }

    fn register_recovery(&self, root: &Path, folder: &Path) -> Result<()> {
        let Some(log) = &self.pe else {
            bail!("Windows registers its own recovery environment");
        };
        let mut above = folder.ancestors();
        let volume = above
            .nth(2)
            .context("the recovery environment lies in no folder")?;
        recovery::register(self, log, &lettered(root)?, &lettered(volume)?)
    }

    fn check_this_start(&self) -> Result<()> {
        this_start().map(drop)
    }

    fn register_this_start(&self, label: &str) -> Result<()> {
        let known = this_start()?;
        let entry = efi::relabelled(&known, label)
            .context("the firmware's entry that has started the machine cannot be understood")?;
        // The machine may have been started by the entry of an earlier run.
        let before = entries(label)?;
        add_first(label, &entry)?;
        before
            .into_iter()
            .try_for_each(|(number, _)| remove(number, label))
    }

    fn install_loader(&self, root: &Path, _disk: &Path, _boot: Option<&Path>) -> Result<String> {
        bail!(
            "the system at {} is made to start in the boot image, not inside Windows",
            root.display()
        )
    }

    fn register(&self, disk: &Path, partition: u32, label: &str, loader: &str) -> Result<()> {
        if !bindings::has_firmware_variables() {
            return Ok(());
        }
        let place = self.hard_drive(disk, partition)?;
        add_first(label, &efi::entry(label, &place, loader))
    }

    fn is_registered(&self, partition: &str, label: &str) -> Result<bool> {
        let entries = entries(label)?;
        Ok(entries.iter().any(|(_, entry)| efi::is_on(entry, partition)))
    }

    fn unregister(&self, label: &str) -> Result<()> {
        entries(label)?
            .into_iter()
            .try_for_each(|(number, _)| remove(number, label))
    }

    fn start_next(&self, label: &str) -> Result<bool> {
        let Some((number, _)) = entries(label)?.into_iter().next() else {
            return Ok(false);
        };
        // The next start may be cut short, and the one after it must lead to the same place.
        put_first(number).with_context(|| format!("putting {label} first in the firmware's boot order"))?;
        bindings::set_firmware_variable("BootNext", &number.to_le_bytes())
            .with_context(|| format!("making the firmware start {label} next"))?;
        Ok(true)
    }

    fn first_sectors(&self, disk: &Path, count: u64) -> Result<Vec<u8>> {
        first_stages::read_from(disk, count)
    }

    fn put_back_sectors(&self, disk: &Path, sectors: &[u8]) -> Result<()> {
        first_stages::put_back_on(disk, sectors)
    }

    fn stage_loader(&self, boot: &Path, disk: &Path, media: &Path) -> Result<()> {
        match self.firmware() {
            Firmware::Uefi => staging::copy_efi_loader(self, boot, media),
            Firmware::Bios => self
                .stage_bios(disk, media)
                .with_context(|| format!("making {} start by a BIOS", disk.display())),
        }
    }
}

impl Windows {
    /// Into the first sector, and into the gap before the first partition: no volume lies there, so Windows lets it be written.
    fn stage_bios(&self, disk: &Path, media: &Path) -> Result<()> {
        const CORE: u64 = 1;
        let mut file = OpenOptions::new().read(true).write(true).open(disk)?;
        first_stages::write(self, media, &mut file, CORE)?;
        Ok(file.sync_all()?)
    }

    fn hard_drive(&self, disk: &Path, partition: u32) -> Result<HardDrive> {
        let disks = self.disks()?;
        let found = disks.iter().find(|known| known.path == disk);
        let found = found.with_context(|| format!("there is no disk {}", disk.display()))?;
        let mut partitions = found.partitions.iter();
        let place = partitions
            .find(|known| known.number == partition)
            .with_context(|| format!("{} has no partition {partition}", disk.display()))?;
        let sector = u64::from(found.sector_size);
        Ok(HardDrive {
            number: place.number,
            start: place.start / sector,
            size: place.size / sector,
            signature: Signature::of(&place.id)
                .with_context(|| format!("{} has no identifier of a partition", place.path.display()))?,
        })
    }
}

fn remove(number: u16, label: &str) -> Result<()> {
    bindings::set_firmware_variable(&efi::entry_name(number), &[])
        .with_context(|| format!("removing the firmware's entry {number:04X} ({label})"))?;
    let Ok(order) = bindings::firmware_variable("BootOrder") else {
        return Ok(());
    };
    bindings::set_firmware_variable("BootOrder", &efi::without(&order, number))
        .context("taking the entry out of the firmware's boot order")
}

fn add_first(label: &str, entry: &[u8]) -> Result<()> {
    let number = free_number()?;
    bindings::set_firmware_variable(&efi::entry_name(number), entry)
        .with_context(|| format!("adding the firmware's entry {label}"))?;
    put_first(number).with_context(|| format!("putting {label} first in the firmware's boot order"))
}

/// The firmware's entry that has started the machine.
fn this_start() -> Result<Vec<u8>> {
    let current = bindings::firmware_variable("BootCurrent")
        .context("asking the firmware which of its entries has started the machine")?;
    let number = efi::numbers(&current).first().copied();
    let name = efi::entry_name(number.context("the firmware does not say what has started the machine")?);
    bindings::firmware_variable(&name)
        .with_context(|| format!("reading the firmware's entry {name}, which has started the machine"))
}

/// The boot order; empty where the firmware has none yet.
fn order() -> Result<Vec<u8>> {
    const NOT_FOUND: i32 = 203;
    match bindings::firmware_variable("BootOrder") {
        Err(error) if error.raw_os_error() == Some(NOT_FOUND) => Ok(Vec::new()),
        order => order.context("reading the firmware's boot order"),
    }
}

fn put_first(number: u16) -> Result<()> {
    let known = order()?;
    let wanted = efi::first(&known, number);
    if wanted != known {
        bindings::set_firmware_variable("BootOrder", &wanted)?;
    }
    Ok(())
}

fn free_number() -> Result<u16> {
    let mut numbers = 0..=u16::MAX;
    numbers
        .find(|number| bindings::firmware_variable(&efi::entry_name(*number)).is_err())
        .context("the firmware has no room for an entry more")
}

/// The firmware's entries of that label; none where there are no variables.
fn entries(label: &str) -> Result<Vec<(u16, Vec<u8>)>> {
    if !bindings::has_firmware_variables() {
        return Ok(Vec::new());
    }
    let order = order()?;
    let numbers = efi::numbers(&order).into_iter();
    let entries = numbers.filter_map(|number| {
        let entry = bindings::firmware_variable(&efi::entry_name(number)).ok()?;
        Some((number, entry))
    });
    Ok(entries
        .filter(|(_, entry)| efi::label(entry).as_deref() == Some(label))
        .collect())
}
