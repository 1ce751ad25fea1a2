//! Readers of every format that the planners lay out, written from the formats' specifications and sharing no
//! code with planners and writers, so that they can judge them.
//!
//! Input is hostile: every number of it is checked before it is used, every loop has a cap, and nothing panics.

mod device;
mod el_torito;
mod exfat;
mod fat;
mod gpt;
mod image;
mod iso;
mod mbr;
mod rock_ridge;
mod table;
mod volume;

pub use device::{Content, Device, ReadError, Run};
pub use el_torito::BootEntry;
pub use exfat::Exfat;
pub use fat::Fat;
pub use gpt::{Partition, PartitionTable};
pub use image::{Format, Image, Place};
pub use iso::Iso;
pub use volume::{Found, Kind, Node, Volume};

#[cfg(test)]
mod tests;
