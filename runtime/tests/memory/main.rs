//! Whole runs on a machine in memory whose power can fail at every operation.
// A test that unwraps fails with the place, which is what it is for.
#![allow(clippy::unwrap_used)]

mod boot;
mod cuts;
mod disks;
mod driver;
mod files;
mod fixture;
mod images;
mod machine;
mod outcome;
mod programs;
mod runs;
mod world;
