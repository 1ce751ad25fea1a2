//! What is done inside a running Windows, apart from the calls themselves: it decides on facts that the platform gives,
//! so every system can test it.

pub mod account;
pub mod bcdboot;
pub mod client;
pub mod devices;
pub mod diskpart;
pub mod dism;
pub mod driver_store;
pub mod drvload;
pub mod efi;
pub mod facts;
#[cfg(test)]
pub(crate) mod fake;
pub mod firmware;
pub mod installed;
pub mod installers;
pub mod membership;
pub mod offline_hive;
pub mod packed;
pub mod partition;
pub mod path;
pub mod pending;
pub mod placed_drivers;
pub mod power;
pub mod powershell;
pub mod recovery;
pub mod registry;
pub mod storage;
pub mod sysprep;
pub mod text;
pub mod tools;
pub mod updates;
pub mod winpe;
