//! Combines a boot image, a task sequence and its packages into bootable media.

pub mod commands;
pub mod problem;
