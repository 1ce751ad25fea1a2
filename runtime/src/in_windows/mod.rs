//! What is done inside a running Windows, apart from the calls themselves: it decides on facts that the platform gives,
//! so every system can test it.

pub mod efi;
pub mod firmware;
pub mod installed;
pub mod pending;
pub mod power;
pub mod registry;
pub mod smbios;
pub mod text;
pub mod updates;
