//! The boot image: one uncompressed tar, so that its members are used in place.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use disk_image::SourceId;
use media_format::manifest::hex;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::sources::Sources;
use crate::plan::PlanError;
use crate::platform;

/// Largest member that is kept in memory: the BIOS boot code, which planners patch.
const LARGEST_CODE: u64 = 4 << 20;

/// A boot image that media are made from.
#[derive(Debug, Default)]
pub struct BootImage {
    /// What identifies it in the manifest.
    pub identity: String,
    /// Members that go to the media as they are, by name.
    pub files: BTreeMap<String, SourceId>,
    /// BIOS boot code by name (`boot.img`, `core-usb.img`, …).
    pub bios: BTreeMap<String, Vec<u8>>,
}

/// Where the boot image is looked for when the project names none.
pub fn default_path() -> Option<PathBuf> {
    Some(platform::cache_folder()?.join("linux-pe.tar"))
}

/// Reads the list of members.
///
/// # Errors
/// When it is no boot image.
pub(super) fn read(path: &Path, sources: &mut Sources) -> anyhow::Result<BootImage> {
    let reading = || format!("reading the boot image {}", path.display());
    let file = File::open(path).with_context(|| {
        format!(
            "{}: build one with `media-builder boot-image build -o {}`",
            reading(),
            path.display()
        )
    })?;
    let identity = platform::identity(&file.metadata().with_context(reading)?);
    let mut boot = BootImage::default();
    let mut archive = tar::Archive::new(file);
    for entry in archive.entries_with_seek().with_context(reading)? {
        let mut entry = entry.with_context(reading)?;
        let name = entry.path().with_context(reading)?.to_string_lossy().into_owned();
        let size = entry.size();
        if name == "boot-image.json" {
            boot.identity = read_identity(&mut entry).with_context(reading)?;
        } else if let Some(name) = name.strip_prefix("bios/").filter(|_| size <= LARGEST_CODE) {
            let mut code = Vec::new();
            entry.read_to_end(&mut code).with_context(reading)?;
            boot.bios.insert(name.to_owned(), code);
        } else if entry.header().entry_type().is_file() {
            let id = sources.add_part(path.to_owned(), identity, entry.raw_file_position(), size);
            boot.files.insert(name, id);
        }
    }
    check(&boot).with_context(reading)?;
    Ok(boot)
}

/// Suite and kernel for people, a digest of the description (with all digests in it) for machines.
fn read_identity(entry: &mut impl Read) -> anyhow::Result<String> {
    let mut text = Vec::new();
    entry
        .take(LARGEST_CODE)
        .read_to_end(&mut text)
        .context("reading boot-image.json")?;
    let manifest: Value = serde_json::from_slice(&text).context("reading boot-image.json")?;
    let field = |name: &str| manifest.get(name).and_then(Value::as_str).unwrap_or("unknown");
    let digest = hex(&Sha256::digest(&text)[..8]);
    Ok(format!("{} {} {digest}", field("suite"), field("kernel_version")))
}

fn check(boot: &BootImage) -> anyhow::Result<()> {
    if boot.identity.is_empty() {
        bail!("it has no boot-image.json: this is not a boot image");
    }
    for name in ["vmlinuz", "initrd.img", "efi/BOOTX64.EFI", "efi/grubx64.efi"] {
        if !boot.files.contains_key(name) {
            bail!("it has no {name}: build it again with `media-builder boot-image build`");
        }
    }
    for name in ["boot.img", "boot_hybrid.img", "core-usb.img", "eltorito.img"] {
        if !boot.bios.contains_key(name) {
            bail!("it has no bios/{name}: build it again with `media-builder boot-image build`");
        }
    }
    Ok(())
}

impl BootImage {
    /// BIOS boot code by name.
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
