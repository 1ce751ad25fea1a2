//! A Windows that does not run, as the boot image sees it: its image, its volume, its registry, what makes it start, and what
//! the run plants in it and takes out again.

pub mod answers;
pub mod boot;
pub mod boot_files;
pub mod device_encryption;
pub mod drivers;
pub mod existing;
pub mod hives;
pub mod image;
pub mod planted;
pub mod recovery;
pub mod volume;
