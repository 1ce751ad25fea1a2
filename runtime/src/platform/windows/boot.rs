//! How the machine starts. Inside Windows nothing of it is made anew, only the next start is chosen.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use media_format::hive::protocol::{Answer, Operation};
use media_format::wim::info::WimInfo;
use media_format::wim::protocol::{Message, Request, Summary};

use super::{Windows, bindings};
use crate::in_windows::{efi, firmware};
use crate::platform::{Boot, Firmware, Hives, Images, Result};

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

    fn register(&self, _disk: &Path, _partition: u32, label: &str, _loader: &str) -> Result<()> {
        bail!("the firmware's entry {label} is added in the boot image, not inside Windows")
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
        bindings::set_firmware_variable("BootNext", &number.to_le_bytes())
            .with_context(|| format!("making the firmware start {label} next"))?;
        Ok(true)
    }

    fn stage_loader(&self, boot: &Path, _disk: &Path, _media: &Path) -> Result<()> {
        bail!("the boot image is staged on {} in the boot image", boot.display())
    }
}

/// The firmware's entries of that label; none where there are no variables.
fn entries(label: &str) -> Result<Vec<(u16, Vec<u8>)>> {
    if !bindings::has_firmware_variables() {
        return Ok(Vec::new());
    }
    let order = bindings::firmware_variable("BootOrder").context("reading the firmware's boot order")?;
    let numbers = efi::numbers(&order).into_iter();
    let entries = numbers.filter_map(|number| {
        let entry = bindings::firmware_variable(&efi::entry_name(number)).ok()?;
        Some((number, entry))
    });
    Ok(entries
        .filter(|(_, entry)| efi::label(entry).as_deref() == Some(label))
        .collect())
}

impl Images for Windows {
    fn image_info(&self, wim: &Path) -> Result<WimInfo> {
        let file = std::fs::File::open(wim).with_context(|| format!("opening {}", wim.display()))?;
        WimInfo::read(&mut std::io::BufReader::new(file))
            .with_context(|| format!("reading {}", wim.display()))
    }

    fn image_request(
        &self,
        _request: &Request,
        _limit: Option<Duration>,
        _progress: &mut dyn FnMut(&Message),
    ) -> Result<Summary> {
        bail!("images are applied and captured in the boot image, not inside Windows")
    }
}

impl Hives for Windows {
    fn hive(&self, _operation: &Operation) -> Result<Vec<Answer>> {
        bail!("hives of a system that does not run are edited in the boot image, not inside Windows")
    }
}
