//! Which of an installation's boot managers a machine's firmware starts while Secure Boot is on.
//!
//! An installation has two sets of boot files: `\Windows\Boot\EFI`, signed below "Microsoft Windows Production PCA 2011",
//! and since 2024 `\Windows\Boot\EFI_EX`, signed below "Windows UEFI CA 2023". What counts is the firmware's own lists:
//! db, of what it starts, and dbx, of what it refuses. Here they are compared by names, certificates and digests; that a
//! signature is sound is for the firmware to prove.
//!
//! Facts: UEFI specification 2.10, 32.4.1 (signature lists) and 32.5 (image execution); PE format, "Attribute certificate
//! table"; Microsoft KB5025885; its script Make2023BootableMedia.ps1.

mod choice;
mod database;
mod program;
mod sbat;

pub use choice::{BootFiles, Choice, Firmware, Refused, choose};
pub use database::{Damaged, Database};
pub use program::{About, NoProgram, Program, Signature};
