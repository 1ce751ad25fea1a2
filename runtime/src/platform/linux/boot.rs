//! How the machine starts: firmware entries, GRUB of the system, the staged loader.

use std::fs::{self, OpenOptions};
use std::path::Path;

use anyhow::{Context as _, bail};

use super::bound::Bound;
use super::{Linux, boot_entries};
use crate::grub::Grub;
use crate::platform::{Boot, Command, Disks as _, Files as _, Firmware, Output, Processes, Result};
use crate::staging::{self, first_stages};
use crate::volumes;

const EFI: &str = "/sys/firmware/efi";
/// EFI_GLOBAL_VARIABLE (UEFI specification 3.3).
const SECURE_BOOT: &str = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
/// EFI_IMAGE_SECURITY_DATABASE_GUID (UEFI specification 32.4.1).
const SIGNATURE_LISTS: &str = "d719b2cb-3d3a-4596-a3bc-dad00e67656f";
/// In front of a variable's content in its file.
const ATTRIBUTES: usize = 4;

impl Boot for Linux {
    fn firmware(&self) -> Firmware {
        if Path::new(EFI).exists() {
            Firmware::Uefi
        } else {
            Firmware::Bios
        }
    }

    fn secure_boot(&self) -> Option<bool> {
        (self.firmware() == Firmware::Uefi)
            .then(|| fs::read(SECURE_BOOT).is_ok_and(|value| value.get(4) == Some(&1)))
    }

    fn signature_list(&self, name: &str) -> Option<Vec<u8>> {
        let mut value = fs::read(format!("{EFI}/efivars/{name}-{SIGNATURE_LISTS}")).ok()?;
        (value.len() >= ATTRIBUTES).then(|| value.split_off(ATTRIBUTES))
    }

    fn install_loader(&self, root: &Path, disk: &Path, boot: Option<&Path>) -> Result<String> {
        link_by_uuid(disk)?;
        let bound = boot
            .map(|boot| Bound::folder(boot, root, "boot/efi"))
            .transpose()?;
        let installed = self.install_grub(root, &disk.display().to_string(), boot.is_some());
        bound.map_or(Ok(()), Bound::release)?;
        installed?;
        Ok("/EFI/BOOT/BOOTX64.EFI".into())
    }

    fn register(&self, disk: &Path, partition: u32, label: &str, loader: &str) -> Result<()> {
        if self.firmware() == Firmware::Bios {
            return Ok(());
        }
        self.forget_gone(label)?;
        let (disk, number, path) = (
            disk.display().to_string(),
            partition.to_string(),
            loader.replace('/', "\\"),
        );
        self.checked(
            "efibootmgr",
            &["-q", "-c", "-d", &disk, "-p", &number, "-L", label, "-l", &path],
            None,
        )?;
        Ok(())
    }

    fn is_registered(&self, partition: &str, label: &str) -> Result<bool> {
        if self.firmware() == Firmware::Bios {
            return Ok(false);
        }
        let listed = self.entries()?.unwrap_or_default();
        let mut lines = listed.lines().map(str::to_ascii_lowercase);
        Ok(lines.any(|line| {
            entry_number(&line, &label.to_ascii_lowercase()).is_some()
                && line.contains(&partition.to_ascii_lowercase())
        }))
    }

    fn unregister(&self, label: &str) -> Result<()> {
        if self.firmware() == Firmware::Bios {
            return Ok(());
        }
        let Some(listed) = self.entries()? else {
            return boot_entries::remove(label);
        };
        for number in listed.lines().filter_map(|line| entry_number(line, label)) {
            self.checked("efibootmgr", &["-q", "-B", "-b", number], None)?;
        }
        Ok(())
    }

    fn start_next(&self, _label: &str) -> Result<bool> {
        // The entry is first in the boot order, and the system's own GRUB leads there too.
        Ok(false)
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
            Firmware::Bios => self.stage_bios(disk, media),
        }
    }
}

impl Linux {
    /// GRUB's first stages go where a BIOS starts: the first sector, and the gap before the first partition (MBR)
    /// or the BIOS boot partition (GPT).
    fn stage_bios(&self, disk: &Path, media: &Path) -> Result<()> {
        let sector_size = 512;
        let device = fs::File::open(disk).with_context(|| format!("opening {}", disk.display()))?;
        let table = super::table::read(&device, sector_size).context("the disk has no partition table")?;
        let gpt = table
            .entries
            .iter()
            .find(|entry| entry.kind.starts_with("21686148"));
        let lba = match gpt {
            Some(entry) => entry.start,
            None if !table.gpt => 1,
            None => bail!("the GPT has no BIOS boot partition, so a BIOS cannot start from it"),
        };
        let mut file = OpenOptions::new().read(true).write(true).open(disk)?;
        first_stages::write(self, media, &mut file, lba)?;
        file.sync_all()?;
        Ok(())
    }

    fn install_grub(&self, root: &Path, disk: &str, uefi: bool) -> Result<()> {
        let has = |program: &str| self.exists(&volumes::below(root, program));
        match Grub::of(has, self.secure_boot() == Some(true))? {
            Grub::Debian => self.install_debians_grub(root, disk, uefi),
            Grub::Grub2 => self.install_grub2(root, disk, uefi),
        }
    }

    /// Debian's GRUB, by the system's own programs.
    fn install_debians_grub(&self, root: &Path, disk: &str, uefi: bool) -> Result<()> {
        let arguments: &[&str] = if uefi {
            &[
                "--target=x86_64-efi",
                "--efi-directory=/boot/efi",
                "--no-nvram",
                "--removable",
                "--uefi-secure-boot",
            ]
        } else {
            &["--target=i386-pc", disk]
        };
        self.checked("grub-install", arguments, Some(root))
            .context("installing GRUB in the system")?;
        self.checked("update-grub", &[], Some(root))
            .context("writing GRUB's menu in the system")?;
        Ok(())
    }

    /// Every table has other GUIDs: what an earlier one has left leads nowhere, and firmware has little room for it.
    fn forget_gone(&self, label: &str) -> Result<()> {
        let disks = self.disks()?;
        let partitions = disks.iter().flat_map(|disk| &disk.partitions);
        let known: Vec<String> = partitions.map(|partition| partition.id.to_lowercase()).collect();
        let listed = self.entries()?.unwrap_or_default();
        for line in listed.lines() {
            let gone = partition_of(line).is_some_and(|id| !known.contains(&id));
            if let Some(number) = entry_number(line, label).filter(|_| gone) {
                self.checked("efibootmgr", &["-q", "-B", "-b", number], None)?;
            }
        }
        Ok(())
    }

    fn entries(&self) -> Result<Option<String>> {
        let command = Command {
            program: "efibootmgr".into(),
            // Newer ones print the device paths without it, older ones only with it.
            arguments: vec!["-v".into()],
            ..Command::default()
        };
        match self.run(&command) {
            Ok(output) => Ok(Some(output.stdout)),
            // The installed system may lack the program.
            Err(_) => Ok(None),
        }
    }

    pub(super) fn checked(&self, program: &str, arguments: &[&str], root: Option<&Path>) -> Result<Output> {
        let output = self.run(&Command {
            program: program.into(),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            environment: [("LC_ALL".to_owned(), "C".to_owned())].into(),
            root: root.map(Path::to_owned),
            ..Command::default()
        })?;
        if output.code != 0 {
            bail!(
                "{program} ended with {}: {}",
                output.code,
                output.stderr.trim().replace('\n', " / ")
            );
        }
        Ok(output)
    }
}

/// The boot image has no udev. Without these links `update-grub` writes the device node into the menu instead of the
/// file system's UUID, and nodes change from machine to machine.
fn link_by_uuid(disk: &Path) -> Result<()> {
    let folder = Path::new("/dev/disk/by-uuid");
    fs::create_dir_all(folder)?;
    let name = disk
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    for entry in fs::read_dir(Path::new("/sys/block").join(&name))?.flatten() {
        let partition = entry.file_name().to_string_lossy().into_owned();
        let device = Path::new("/dev").join(&partition);
        let uuid = super::probe::probe(&device).uuid;
        if uuid.is_empty() || !partition.starts_with(&name) {
            continue;
        }
        let link = folder.join(uuid);
        if fs::symlink_metadata(&link).is_err() {
            std::os::unix::fs::symlink(&device, &link)
                .with_context(|| format!("linking {}", link.display()))?;
        }
    }
    Ok(())
}

/// `…HD(1,GPT,b3f1…,0x800,0x32000)…` → `b3f1…`.
fn partition_of(line: &str) -> Option<String> {
    let (_, rest) = line.split_once(",GPT,")?;
    let (id, _) = rest.split_once(',')?;
    Some(id.to_lowercase())
}

/// `Boot0003* media-runtime\tHD(…)` → `0003`.
fn entry_number<'a>(line: &'a str, label: &str) -> Option<&'a str> {
    let rest = line.strip_prefix("Boot").or_else(|| line.strip_prefix("boot"))?;
    let number = rest.get(..4)?;
    let name = rest
        .get(4..)?
        .trim_start_matches('*')
        .trim_start()
        .split('\t')
        .next()?;
    (name == label && number.chars().all(|c| c.is_ascii_hexdigit())).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_by_their_whole_label() {
        assert_eq!(
            entry_number("Boot0003* media-runtime\tHD(1,GPT)/File(x)", "media-runtime"),
            Some("0003")
        );
        assert_eq!(
            entry_number("Boot0003* media-runtime-2\tHD", "media-runtime"),
            None
        );
        assert_eq!(entry_number("BootOrder: 0003,0001", "media-runtime"), None);
    }

    #[test]
    fn the_partition_of_an_entry_is_known() {
        let line = "Boot0001* Windows Boot Manager\tHD(1,GPT,3AD8A6A7-0F5C-4A35-8A1B-2B9C8A7E1F00,0x800,0x100000)/File(x)";
        let id = partition_of(line).unwrap();
        assert_eq!(id, "3ad8a6a7-0f5c-4a35-8a1b-2b9c8a7e1f00");
        assert_eq!(partition_of("Boot0002* UEFI Shell\tFvVol(x)"), None);
    }
}
