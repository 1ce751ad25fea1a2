//! How the machine starts: the firmware's entries, and the staged loader. The system itself starts as it did.

use std::path::Path;

use anyhow::{Context as _, bail};

use super::{Windows, bindings};
use crate::in_windows::efi::{self, HardDrive};
use crate::in_windows::firmware;
use crate::platform::{Boot, Disks as _, Firmware, Result};
use crate::staging;

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
        let number = free_number()?;
        bindings::set_firmware_variable(&efi::entry_name(number), &efi::entry(label, &place, loader))
            .with_context(|| format!("adding the firmware's entry {label}"))?;
        put_first(number).with_context(|| format!("putting {label} first in the firmware's boot order"))
    }

    fn is_registered(&self, partition: &str, label: &str) -> Result<bool> {
        let entries = entries(label)?;
        Ok(entries.iter().any(|(_, entry)| efi::is_on(entry, partition)))
    }

    fn unregister(&self, label: &str) -> Result<()> {
        for (number, _) in entries(label)? {
            bindings::set_firmware_variable(&efi::entry_name(number), &[])
                .with_context(|| format!("removing the firmware's entry {number:04X} ({label})"))?;
            let Ok(order) = bindings::firmware_variable("BootOrder") else {
                continue;
            };
            bindings::set_firmware_variable("BootOrder", &efi::without(&order, number))
                .context("taking the entry out of the firmware's boot order")?;
        }
        Ok(())
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

    fn stage_loader(&self, boot: &Path, _disk: &Path, media: &Path) -> Result<()> {
        staging::copy_efi_loader(self, boot, media)
    }
}

impl Windows {
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
            id: uuid::Uuid::parse_str(&place.id)
                .with_context(|| format!("{} is no partition of a GPT", place.path.display()))?,
        })
    }
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
