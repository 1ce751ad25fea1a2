//! Answer files: every setting in its place, the user's own file, and secrets.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

mod each_setting;
mod golden;
mod merging;
mod properties;
mod secrets;

use windows_setup::unattend::{Architecture, Image};

const AMD64: Image = Image {
    architecture: Architecture::Amd64,
    version: (10, 0),
};
