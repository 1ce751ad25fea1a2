//! The engine on the media: runs a task sequence over every restart to its end.
//!
//! [`engine`] decides (pure), [`run`] does, [`steps`] are what it does, [`platform`] is the machine they do it to.

pub mod afterwards;
pub mod attempt;
pub mod boot_state;
pub mod connections;
pub mod context;
pub mod debugger;
pub mod destination;
pub mod detected;
pub mod engine;
pub mod existing;
pub mod facts;
pub mod finished;
pub mod fstab;
pub mod generalize;
pub mod grub;
pub mod image_places;
pub mod in_windows;
pub mod journal;
pub mod kept;
pub mod layout;
pub mod leaving;
pub mod log;
pub mod logs;
pub mod media;
pub mod own_table;
pub mod password;
#[cfg(unix)]
pub mod pe;
#[cfg(unix)]
pub mod person;
pub mod platform;
pub mod possible;
pub mod preflight;
pub mod questions;
pub mod reporter;
pub mod room;
pub mod run;
pub mod running;
pub mod screen;
pub mod selinux;
pub mod shadow;
pub mod staging;
pub mod start;
pub mod steps;
pub mod system_place;
pub mod target;
pub mod variables;
pub mod volumes;
pub mod wim_files;
pub mod windows;
pub mod winpe_boot;
