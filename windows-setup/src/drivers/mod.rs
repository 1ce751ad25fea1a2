//! Driver packages: what is in them, what a machine's devices are called, and which package is for which device.

pub mod catalog;
pub mod ids;
mod index;
mod matching;
mod plan;
mod rank;

use media_format::drivers::Architecture;

pub use index::{Listing, index_inf, is_driver_inf};
pub use matching::{Candidate, Machine, matches};
pub use plan::{Choice, LeftOut, Plan, Reason, Request, WhyLeftOut, plan, plan_package};
pub use rank::{Place, rank};

/// The system that drivers are chosen for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct System {
    /// Architecture of the installation, not of the machine.
    pub architecture: Architecture,
    /// Major version; 10 for Windows 11 too.
    pub major: u32,
    /// Minor version.
    pub minor: u32,
    /// Build.
    pub build: u32,
    /// [`System::WORKSTATION`], [`System::DOMAIN_CONTROLLER`] or [`System::SERVER`].
    pub product_type: u32,
    /// Product suites (`VER_SUITE_…`).
    pub suites: u32,
}

impl System {
    /// `VER_NT_WORKSTATION`.
    pub const WORKSTATION: u32 = 1;
    /// `VER_NT_DOMAIN_CONTROLLER`.
    pub const DOMAIN_CONTROLLER: u32 = 2;
    /// `VER_NT_SERVER`.
    pub const SERVER: u32 = 3;
}
