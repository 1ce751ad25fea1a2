//! What lies on the media and on the target machine: the contract between `media-builder` and
//! `media-runtime`. No I/O.
//!
//! [`manifest`] names every file of the media with its digest, [`paths`] says where things lie, [`state`] is the
//! boot state that GRUB reads, [`journal`] the two slots that survive a power cut, [`event`] what the runtime
//! reports on its console, [`hive`] and [`wim`] what is spoken with the workers, [`drivers`] the index of the driver
//! packages.

mod boot_arguments;
pub mod drivers;
pub mod event;
pub mod hive;
pub mod journal;
pub mod manifest;
pub mod paths;
pub mod state;
pub mod wim;
pub mod xml_limits;

pub use boot_arguments::boot_arguments;
pub use manifest::Manifest;
