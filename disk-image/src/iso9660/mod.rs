//! ISO 9660 level 3 with Rock Ridge, Joliet, El Torito and, where wanted, a hybrid partition table.
//!
//! Order in the image: system area (boot code, partition table), volume descriptors, boot catalog, BIOS boot
//! image, path tables, folders, Rock Ridge continuations, files in tree order, EFI system partition, backup
//! partition table. Everything lies inside the ISO volume, so that no reader meets data "after the end".
//!
//! Choices:
//! - Folders deeper than eight levels are not relocated: every reader since the nineties follows them, and a
//!   relocated folder confuses those without Rock Ridge more than a deep one does.
//! - The EFI image is not visible as a file: it is an El Torito image and a partition, whose files may be in the
//!   volume too; a third view of the same bytes would only be copied and digested twice.
//! - The EFI image comes last, so that firmware which takes it to reach to the end of the disc is right.
//! - Files are `r-xr-xr-x`, as on a FAT or exFAT stick, so that scripts run from either medium.

mod directory;
mod el_torito;
mod error;
mod hybrid;
mod moment;
mod names;
mod nodes;
mod path_table;
mod planner;
mod rock_ridge;
mod volume;

use uuid::Uuid;

use crate::extent::Layout;
use crate::tree::FileTree;
pub use error::Error;

/// Bytes of a logical sector.
pub const SECTOR: u64 = 2048;

/// What describes a volume beside its files.
#[derive(Debug, Clone)]
pub struct Params {
    /// Volume label: 1 to 32 of A-Z, 0-9 and `_`. Joliet shows its first 16 characters.
    pub volume_id: String,
    /// System identifier: up to 32 a-characters (A-Z, 0-9, `_`, space and ``!"%&'()*+,-./:;<=>?``).
    pub system_id: String,
    /// Volume set identifier: up to 128 of A-Z, 0-9 and `_`. Joliet shows its first 64.
    pub volume_set_id: String,
    /// Publisher: up to 128 a-characters.
    pub publisher: String,
    /// Application: up to 128 a-characters.
    pub application: String,
    /// All dates of the volume, in seconds since 1970 (UTC). GRUB and udev take it as the volume's UUID.
    pub timestamp: u64,
    /// Whether Windows' view of the names (Joliet) is written too.
    pub joliet: bool,
    /// Whether file names have no version, and no dot where there is no extension (`BOOTMGR` and not `BOOTMGR.;1`).
    /// Outside of the standard, and how oscdimg writes them: Windows' boot programs look for them so.
    pub plain_names: bool,
    /// What makes it boot.
    pub boot: Boot,
    /// GUIDs of the partition table; without them there is none, and the image is for optical drives only.
    pub guids: Option<Guids>,
}

/// What makes the image boot; the parts are independent, but the hybrid boot code needs the BIOS image.
#[derive(Debug, Clone, Default)]
pub struct Boot {
    /// The El Torito image for BIOS.
    pub bios_image: Option<BiosImage>,
    /// The EFI system partition: a FAT file system.
    pub efi_image: Option<Layout>,
    /// GRUB's `boot_hybrid.img`: the boot code for an image that was written to a stick.
    pub hybrid_mbr: Option<Vec<u8>>,
}

/// Where the El Torito image for BIOS comes from.
#[derive(Debug, Clone)]
pub enum BiosImage {
    /// The bytes of GRUB's (`cdboot.img` followed by `core.img`), which are patched; no file shows them.
    Bytes(Vec<u8>),
    /// GRUB's as a file of the tree, whose content must be [`crate::Content::Bytes`] since it is patched.
    File(String),
    /// A program that finds its way by itself, such as Windows' `etfsboot.com`: the BIOS loads it as a whole, and
    /// nothing of it is changed.
    Program(Vec<u8>),
}

/// GUIDs of the partition table; explicit, so that equal inputs give equal images.
#[derive(Debug, Clone, Copy)]
pub struct Guids {
    /// Of the whole disk.
    pub disk: Uuid,
    /// Of the partition that covers the ISO's own data.
    pub data: Uuid,
    /// Of the EFI system partition.
    pub efi: Uuid,
}

/// Lays out `tree` as an ISO image.
///
/// # Errors
/// When a name or a parameter cannot be represented or the image would be too large; every error names what to
/// change.
pub fn plan(tree: &FileTree, params: &Params) -> Result<Layout, Error> {
    planner::plan(tree, params)
}
