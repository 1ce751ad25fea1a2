//! Combines a boot image, a task sequence and its packages into bootable media.

pub mod boot_image;
pub mod commands;
mod escaped;
pub mod execute;
pub mod inspect;
pub mod media;
pub mod plan;
pub mod platform;
pub mod problem;
pub mod project;
pub mod resolve;
pub mod split;
pub mod toml_problem;
pub mod try_media;
pub mod verify;
