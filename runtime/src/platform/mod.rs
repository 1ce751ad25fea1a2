//! What the steps need of the machine, as small traits. `linux` and `windows` do it for real; the tests' `memory` plays a
//! machine whose power can fail after any operation, so that they can cut everywhere.

mod boot;
pub mod deadline;
mod digest;
mod disks;
mod files;
pub mod hardware;
mod images;
mod machine;
mod network;
mod output;
mod overwritten;
mod packages;
mod processes;
mod registry;
pub mod smbios;
mod tables;
mod waiting;

#[cfg(unix)]
pub mod linux;
#[cfg(windows)]
pub mod windows;

pub use self::boot::{Boot, Firmware};
#[cfg(unix)]
pub(crate) use self::disks::HIDDEN_ATTRIBUTE;
pub use self::disks::{Bus, Disk, Disks, Partition, Space};
pub use self::files::Files;
pub use self::images::{Drivers, Hives, Images};
pub use self::machine::{Machine, System};
pub use self::network::{Account, Network};
pub use self::packages::{Packages, Runner, Upgraded};
pub use self::processes::{Command, Output, Processes};
pub use self::registry::{Data, Registry};
pub use self::tables::{MBR_ENTRIES, NewPartition, NewTable, Role};

/// Result of an operation on the machine; the error says what was being done, to what, and why it failed.
pub type Result<T> = anyhow::Result<T>;

/// The whole machine.
pub trait Platform:
    Disks + Files + Images + Drivers + Hives + Boot + Packages + Processes + Network + Machine + Registry
{
}
impl<T: Disks + Files + Images + Drivers + Hives + Boot + Packages + Processes + Network + Machine + Registry>
    Platform for T
{
}
