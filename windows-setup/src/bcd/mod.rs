//! Boot configuration data: what Windows' boot manager reads, as edits of a registry hive.
//!
//! A store is planned as what it shall hold, [`Store`], and becomes edits by comparison with what is there: nothing, or
//! the image's own `Windows\System32\config\BCD-Template`. [`InstalledWindows`] plans the store of a machine,
//! [`WinPe`] that of media which start a WIM in memory.
//!
//! Facts: Microsoft, "Boot Configuration Data Reference" (element and object types); Geoff Chappell, "BCD Objects" and
//! "BCD Elements"; the System Informer project, `ntbcd.h`; Misty, "BCDEdit: Devices"; M. Graeber's listing of a Windows 10 `BCD-Template` by bcdedit; and
//! stores of real machines that the pybcd and BCD-SYS projects publish.

mod device;
mod element;
mod object;
mod store;
mod template;
mod windows;
mod winpe;

pub use device::{Device, Partition};
pub use element::{Data, Element};
pub use object::{Object, ObjectId, ObjectType};
pub use store::{NotAStore, Store, edits};
pub use windows::{BootFirmware, InstalledWindows, Nx, Recovery};
pub use winpe::WinPe;

/// Where the boot manager of an UEFI looks for its store, on the EFI system partition.
pub const UEFI_STORE: &str = r"\EFI\Microsoft\Boot\BCD";
/// Where the boot manager of a BIOS looks for its store, on the active partition.
pub const BIOS_STORE: &str = r"\Boot\BCD";
/// The template of an installation, on its Windows partition.
pub const TEMPLATE: &str = r"\Windows\System32\config\BCD-Template";
