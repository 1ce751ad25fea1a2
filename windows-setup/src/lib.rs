//! What Windows reads when it is set up and started: answer files, the boot configuration store, the registry
//! of an installation, driver packages. Planned from values in memory; nothing here touches a file.

pub mod bcd;
pub mod drivers;
mod file_version;
pub mod inf;
pub mod offline_registry;
pub mod secure_boot;
mod signed_message;
pub mod unattend;

pub use file_version::file_version;
