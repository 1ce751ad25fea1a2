//! What media start: one file with everything, made here and read here.
//!
//! The Linux PE has kernel, initramfs and boot loaders, made from the packages of a Debian suite. Nothing of the host's
//! own release is used: packages come through a private apt root, and the few tools that must match them (GRUB's
//! `grub-mkimage`, `depmod`) run from the unpacked packages. Root is not needed. A WinPE is made from the user's own
//! Windows files.

mod apt;
mod archive;
mod closure;
mod contents;
mod depmod;
mod elf;
mod error;
mod grub;
mod initramfs;
mod kernel_modules;
mod make;
mod manifest;
mod packages;
mod sources;
mod tool;
pub mod winpe;
pub(crate) mod worker;

pub use archive::{BootImage, inspect, verify};
pub use error::{Error, Result};
pub use make::{Options, WINDOWS_RUNTIME, build};
pub use manifest::{Driver, Kind, Linux, Manifest, Member, WinPe};

/// Receives what the build is doing: the phase, how much of it is done, and of how much.
pub type Progress<'a> = &'a mut dyn FnMut(&str, u64, u64);
