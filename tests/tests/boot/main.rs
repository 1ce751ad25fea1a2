//! Real media, booted in virtual machines. One program, so that all its machines share this computer's processors.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]
#![allow(unreachable_pub)] // A module of a test program has no outside.

mod boot_image;
mod build_and_capture;
mod console;
mod cuts;
mod disks;
mod files;
mod recording;
mod refusals;
mod support;
mod windows;
mod winpe;
