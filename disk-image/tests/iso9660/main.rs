//! ISO images judged by programs that share no code with the planner: xorriso, isoinfo, 7z, sgdisk, mtools, file.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

mod boot;
mod judges;
mod random;
mod refusals;
mod sample;
mod trees;
