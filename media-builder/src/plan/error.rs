//! Why content does not fit the media.

use disk_image::{exfat, fat, grub, iso9660, partition_table};
use thiserror::Error;

/// Why an image cannot be planned.
#[derive(Debug, Error)]
pub enum PlanError {
    /// Two files of one path, or a path that is none.
    #[error("two things want to be `{0}` on the media")]
    Path(String),
    /// The boot image lacks something.
    #[error("the boot image has no bios/{0}: build it again with `media-builder boot-image build`")]
    BootCode(String),
    /// Media with a WinPE without the names that Windows reads.
    #[error("WinPE sees no long names on an ISO without Joliet: remove `joliet = false` under [iso]")]
    WindowsNeedsJoliet,
    /// FAT.
    #[error(transparent)]
    Fat(#[from] fat::Error),
    /// exFAT.
    #[error(transparent)]
    ExFat(#[from] exfat::Error),
    /// ISO 9660.
    #[error(transparent)]
    Iso(#[from] iso9660::Error),
    /// GPT or MBR.
    #[error(transparent)]
    PartitionTable(#[from] partition_table::Error),
    /// GRUB.
    #[error(transparent)]
    Grub(#[from] grub::Error),
    /// The stick's size is too small.
    #[error("a stick of {size} bytes (`usb.size`) is too small: the content needs {needed} bytes")]
    StickTooSmall {
        /// What was asked for.
        size: u64,
        /// What is needed.
        needed: u64,
    },
    /// What an MBR describes ends before the stick does.
    #[error(
        "a stick of {0} bytes with a WinPE is too large: it has an MBR, which describes 2 TiB; take a smaller `usb.size` or \
         `usb.free`, or the Linux PE as the boot image"
    )]
    StickTooLarge(u64),
}
