//! Whole runs on a machine in memory whose power can fail at every operation.
// A test that unwraps fails with the place, which is what it is for.
#![allow(clippy::unwrap_used)]

mod asked;
mod boot;
mod captures_linux;
mod client_linux;
mod conditions_linux;
mod cuts;
mod data_images;
mod debugging;
mod detected;
mod disk_rules;
mod disks;
mod driver;
mod facts_of_the_engine;
mod failures;
mod files;
mod finished;
mod fixture;
mod frames;
mod hives;
mod images;
mod installs;
mod join_linux;
mod leaving;
mod logical_volumes;
mod machine;
mod outcome;
mod packages_linux;
mod possible;
mod programs;
mod random;
mod readiness;
mod refusals;
mod registry;
mod running;
mod runs;
mod scripts;
mod scripts_linux;
mod secrets;
mod sequences;
mod settings;
#[path = "../../../windows-setup/tests/common/signed_programs.rs"]
mod signed_programs;
mod time_limits;
mod volumes;
mod windows;
mod windows_answers;
mod windows_boot;
mod windows_drivers;
mod windows_inside;
mod windows_runs;
mod windows_secrets;
mod windows_volumes;
mod winpe_runs;
mod world;
