//! The registry of an installation that does not run: plans of changes, and readers of what it says of itself.
//!
//! Paths are below the roots of the hives `\Windows\System32\config\SYSTEM` and `SOFTWARE`. What a plan depends on is
//! read first: each has its query beside it.

mod boot_driver;
mod installation;
mod software;
mod system;

use thiserror::Error;

pub use boot_driver::{BootDriver, boot_driver_queries, without_boot_driver};
pub use installation::{ImageState, Installation, NotAnInstallation};
pub use software::{
    CREATED_USER, FIRST_START, created_user_query, device_path, device_path_query, without_created_user,
    without_device_paths,
};
pub use system::{ControlSet, Service, ServiceStart};

/// The hive with services, drivers and set-up.
pub const SYSTEM_HIVE: &str = r"\Windows\System32\config\SYSTEM";
/// The hive with versions, states and DevicePath.
pub const SOFTWARE_HIVE: &str = r"\Windows\System32\config\SOFTWARE";

/// Why a change cannot be planned.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadChange {
    /// The SYSTEM hive does not say which control set Windows uses.
    #[error(r"the SYSTEM hive names no control set (Select\Current): it is not that of an installed Windows")]
    NoControlSet,
    /// A service's name has a backslash or a slash, or an impossible length.
    #[error("{0:?} is no name of a service: 1 to 256 characters without slash and backslash are")]
    ServiceName(String),
    /// A folder would end a path in the list, or is empty.
    #[error("the folder {0:?} cannot be in DevicePath: it is empty, or has a semicolon in it")]
    Folder(String),
}
