//! The machine itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use windows_setup::drivers::ids::MachineDevice;

use super::Result;

/// A family of operating systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Linux.
    Linux,
    /// Windows.
    Windows,
}

/// What the machine is.
pub trait Machine {
    /// The system that runs this program.
    fn system(&self) -> System;
    /// The root of that system: `/`, or the drive of Windows.
    fn root(&self) -> PathBuf;
    /// Identity, addresses, memory as ready-made task sequence variables (`_SMSTSMake`, …).
    fn variables(&self) -> Vec<(String, String)>;
    /// The memory that the system has, in bytes.
    fn memory(&self) -> u64;
    /// Seconds since 1970, UTC.
    fn now(&self) -> i64;
    /// Random bytes for identifiers and passwords.
    fn random(&self, bytes: &mut [u8]);
    /// Shows a text on the screen of a machine that shows nothing else of the run, and does not wait until somebody has read it.
    ///
    /// # Errors
    /// When it cannot be shown; nobody may be there.
    fn tell(&self, _text: &str) -> Result<()> {
        Ok(())
    }
    /// Waits.
    fn sleep(&self, time: Duration);
    /// The machine's devices as Windows calls them; none inside an installed Windows, which knows them.
    fn devices(&self) -> Vec<MachineDevice> {
        vec![]
    }
    /// Rows of a hardware query's class, each property by name.
    fn hardware(&self, class: &str) -> Vec<BTreeMap<String, String>>;
}
