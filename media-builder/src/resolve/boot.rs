//! The boot image that the media starts from; its members are used in place.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use disk_image::SourceId;
use media_format::manifest::hex;
use sha2::{Digest, Sha256};

use super::digest_cache::unhex;
use super::sources::Sources;
use crate::boot_image::{self, Kind, Manifest, winpe};
use crate::plan::PlanError;
use crate::platform;

/// A boot image that media are made from.
#[derive(Debug, Default)]
pub struct BootImage {
    /// What system it starts.
    pub kind: Kind,
    /// What identifies it in the manifest.
    pub identity: String,
    /// Members that go to the media as they are, by name.
    pub files: BTreeMap<String, SourceId>,
    /// Whether it can mount the volumes of Windows.
    pub mounts_ntfs: bool,
    /// What firmware starts from outside of files, by name (`boot.img`, `core-usb.img`, …).
    pub bios: BTreeMap<String, Vec<u8>>,
}

impl BootImage {
    /// Whether it has the GRUB that starts a stick on a BIOS. A Linux PE has it, and a WinPE that was given one.
    pub fn has_grub(&self) -> bool {
        self.bios.contains_key("core-usb.img")
    }

    /// Boot code by name.
    ///
    /// # Errors
    /// When the boot image has none of that name.
    pub fn bios_code(&self, name: &str) -> Result<&[u8], PlanError> {
        self.bios
            .get(name)
            .map(Vec::as_slice)
            .ok_or_else(|| PlanError::BootCode(name.to_owned()))
    }
}

/// Where the boot image is looked for when the project names none.
pub fn default_path() -> Option<PathBuf> {
    Some(platform::cache_folder()?.join("linux-pe.tar"))
}

/// Reads what the boot image consists of.
///
/// # Errors
/// When it is no boot image, or lacks something that media need.
pub(super) fn read(path: &Path, sources: &mut Sources) -> anyhow::Result<BootImage> {
    ensure!(
        path.exists(),
        "there is no boot image {0}: make one with `media-builder boot-image build -o {0}` (from your own Windows PE with \
         `--winpe SOURCE`)",
        path.display()
    );
    let image = boot_image::inspect(path)?;
    let reading = || format!("reading the boot image {}", path.display());
    let file = File::open(path).with_context(reading)?;
    let whole = platform::identity(&file.metadata().with_context(reading)?);
    let mut boot = BootImage {
        kind: image.manifest.kind,
        identity: identity(&image.manifest).with_context(reading)?,
        mounts_ntfs: mounts_ntfs(&image.manifest),
        ..BootImage::default()
    };
    for member in &image.manifest.members {
        let offset = image.offsets[&member.path];
        if let Some(name) = member.path.strip_prefix("bios/") {
            boot.bios.insert(name.to_owned(), image.code(&member.path)?);
        } else {
            let id = sources.add_part(path.to_owned(), whole, offset, member.size, unhex(&member.sha256));
            boot.files.insert(member.path.clone(), id);
        }
    }
    check(&boot).with_context(reading)?;
    Ok(boot)
}

/// Suite and kernel, or version, for people; a digest of the whole description (with the digests in it) for machines.
fn identity(manifest: &Manifest) -> anyhow::Result<String> {
    let digest = hex(&Sha256::digest(serde_json::to_vec(manifest)?)[..8]);
    let name = match (manifest.kind, &manifest.linux, &manifest.winpe) {
        (Kind::LinuxPe, Some(linux), _) => format!("{} {}", linux.suite, linux.kernel_version),
        (Kind::WinPe, _, Some(winpe)) => format!("winpe {}", winpe.version),
        _ => bail!("it does not say what it was made from: make it again"),
    };
    Ok(format!("{name} {digest}"))
}

/// The kernel of Debian 12 has no ntfs3.
fn mounts_ntfs(manifest: &Manifest) -> bool {
    let linux = manifest.linux.as_ref();
    linux.is_none_or(|linux| linux.modules.iter().any(|name| name == "ntfs3"))
}

fn check(boot: &BootImage) -> anyhow::Result<()> {
    let (files, code): (&[&str], &[&str]) = match boot.kind {
        Kind::LinuxPe => (
            &["vmlinuz", "initrd.img", "efi/BOOTX64.EFI", "efi/grubx64.efi"],
            &["boot.img", "boot_hybrid.img", "core-usb.img", "eltorito.img"],
        ),
        Kind::WinPe => (
            &[
                "media/bootmgr",
                "media/bootmgr.efi",
                "media/efi/boot/bootx64.efi",
                "media/sources/boot.wim",
            ],
            &[winpe::BIOS_PROGRAM, winpe::UEFI_IMAGE],
        ),
    };
    let missing = files.iter().find(|name| !boot.files.contains_key(**name));
    match missing.or_else(|| code.iter().find(|name| !boot.bios.contains_key(**name))) {
        Some(name) => bail!("it has no {name}: make it again with `media-builder boot-image build`"),
        None => Ok(()),
    }
}
