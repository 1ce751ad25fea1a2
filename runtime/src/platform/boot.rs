//! How the firmware starts the machine.

use std::path::Path;

use anyhow::Context as _;
use windows_setup::secure_boot::BootFiles;

use super::Result;

/// The firmware's start of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmware {
    /// UEFI.
    Uefi,
    /// BIOS.
    Bios,
}

/// How the machine starts.
pub trait Boot {
    /// UEFI or BIOS.
    fn firmware(&self) -> Firmware;
    /// Whether Secure Boot is on; nothing on a BIOS machine.
    fn secure_boot(&self) -> Option<bool>;
    /// One of the firmware's lists for Secure Boot, `db` or `dbx`; nothing where it has none or cannot be asked.
    fn signature_list(&self, _name: &str) -> Option<Vec<u8>> {
        None
    }
    /// Makes the system under `root` start from `disk` by its own boot loader (GRUB), without touching the
    /// firmware's variables. `boot` is where the EFI system partition is mounted, on UEFI. Gives the loader's path
    /// there.
    fn install_loader(&self, root: &Path, disk: &Path, boot: Option<&Path>) -> Result<String>;
    /// Makes the Windows under `root` start from the firmware's partition that is mounted at `boot`, where the boot image has a
    /// program for that; gives whether it has.
    fn install_windows(&self, _root: &Path, _boot: &Path, _locale: &str, _files: BootFiles) -> Result<bool> {
        Ok(false)
    }
    /// Tells the Windows under `root` that its recovery environment lies in that folder of the recovery partition.
    fn register_recovery(&self, root: &Path, _folder: &Path) -> Result<()> {
        anyhow::bail!(
            "the recovery environment of the Windows at {} is registered in Windows PE, or by Windows itself",
            root.display()
        )
    }
    /// Whether the firmware says which of its entries has started the machine.
    fn check_this_start(&self) -> Result<()> {
        anyhow::bail!("only Windows PE asks the firmware what has started the machine")
    }
    /// Adds a firmware entry of that label for what has started the machine, and puts it first; others of that label go.
    fn register_this_start(&self, label: &str) -> Result<()> {
        self.check_this_start()
            .with_context(|| format!("adding the firmware's entry {label}"))
    }
    /// Adds a firmware entry for that loader on that partition and puts it first; nothing on BIOS.
    fn register(&self, disk: &Path, partition: u32, label: &str, loader: &str) -> Result<()>;
    /// Whether the firmware has an entry of that label for that partition.
    fn is_registered(&self, partition: &str, label: &str) -> Result<bool>;
    /// Removes the firmware entries of that label; nothing on BIOS.
    fn unregister(&self, label: &str) -> Result<()>;
    /// Makes the firmware start the entry of that label once, at the next start; gives whether it will. Where it does
    /// not, the boot order and the media lead there.
    fn start_next(&self, label: &str) -> Result<bool>;
    /// The first sectors of a disk, of 512 bytes: what a BIOS starts, and what follows it.
    fn first_sectors(&self, disk: &Path, count: u64) -> Result<Vec<u8>>;
    /// Puts such sectors back; the partition table stays as it is.
    fn put_back_sectors(&self, disk: &Path, sectors: &[u8]) -> Result<()>;
    /// Files of the boot image that the media carries and that start it, for staging.
    fn stage_loader(&self, boot: &Path, disk: &Path, media: &Path) -> Result<()>;
}
