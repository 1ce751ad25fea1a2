//! The boot image's start-up: what happens when media-runtime is the first process of a machine.
//!
//! Everything here is for speed and for being seen: no fixed waits, modules loaded inside this process as the kernel
//! announces devices, and messages on every console.

pub mod console;
mod device_events;
mod first_process;
mod module_index;
mod modules;
mod mounts;
pub mod network;
mod parameters;
pub mod power;
mod shell;
mod usb;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use parameters::{CommandLine, NetworkKind, command_line};
pub use shell::open as open_shell;

use device_events::DeviceEvents;

/// The start-up could not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file system that everything else needs could not be mounted.
    #[error("mounting {what} at {path}: {source}")]
    Mount {
        /// The file system.
        what: &'static str,
        /// Where.
        path: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The kernel's announcements of devices cannot be received.
    #[error("listening to the kernel's device events: {0}")]
    DeviceEvents(#[source] std::io::Error),
    /// The index of kernel modules in the boot image is unreadable.
    #[error("reading the index of kernel modules {path}: {source}; the boot image is damaged, make it again")]
    Modules {
        /// The file.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// What the machine is, once the start-up is done.
#[derive(Debug)]
pub struct Environment {
    /// Whether the firmware is UEFI and its variables are mounted.
    pub uefi: bool,
    /// What the start-up could do without, but the log should name.
    pub warnings: Vec<String>,
}

static EVENTS: OnceLock<Arc<DeviceEvents>> = OnceLock::new();

/// What this process is.
#[derive(Debug, PartialEq, Eq)]
pub enum Role {
    /// The runtime inside the boot image: call [`start`].
    BootImage,
    /// The runtime anywhere else.
    Ordinary,
}

/// To be called first: does the work of the first process and of `modprobe`, which are this program under other names,
/// and never returns from those.
pub fn role() -> Role {
    let called = std::env::args().next().unwrap_or_default();
    if std::process::id() == 1 {
        first_process::supervise();
    }
    match called.rsplit('/').next() {
        Some("modprobe") => std::process::exit(i32::from(!modules::modprobe(std::env::args().skip(1)))),
        Some(first_process::CHILD_NAME) => Role::BootImage,
        _ => Role::Ordinary,
    }
}

/// Brings the machine up: kernel file systems, consoles; drivers are loaded in the background from here on (see [`settle`]), and
/// the network is started apart.
pub fn start() -> Result<Environment, Error> {
    first_process::report_panics();
    let mut warnings = Vec::new();
    let uefi = mounts::kernel_file_systems(&mut warnings)?;
    console::quiet_kernel(&mut warnings);
    let events = DeviceEvents::start()?;
    // The kernel would ask for it through a process that waits until all disks are found.
    let uefi = uefi && {
        events.begin("efivarfs");
        mounts::firmware_variables(&mut warnings)
    };
    let _ = EVENTS.set(events);
    Ok(Environment { uefi, warnings })
}

/// Controllers start the disks behind them one after the other, which takes most of a minute where there are many.
const SETTLE_LIMIT: Duration = Duration::from_secs(180);

/// Returns when every driver for the devices known so far is loaded and has found what it drives; false when the longest time is over
/// that this can take, and drivers of devices that were there at the start have not come to an end. Devices that appear later (USB takes
/// a second) are handled as they come: wait for the thing that is needed with [`wait_for`], or for all of USB with [`settle_usb`].
pub fn settle() -> bool {
    EVENTS.get().is_none_or(|events| events.settle(SETTLE_LIMIT))
}

/// A device that does not answer is asked several times.
const USB_LIMIT: Duration = Duration::from_secs(30);

/// Returns when what is plugged in by USB is known, and its disks; false when the longest time is over that a device may take.
pub fn settle_usb() -> bool {
    EVENTS.get().is_none_or(|events| events.settle_usb(USB_LIMIT))
}

/// Starts to load what the processor has features for, in the background. To be called when nothing waits for the
/// processor any more.
///
/// # Errors
/// When no thread can be started.
pub fn use_processor_features() -> std::io::Result<()> {
    EVENTS.get().map_or(Ok(()), |events| events.load_for_processor())
}

/// Asks again after every change of the machine's devices until there is an answer or the time is over.
pub fn wait_for<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    match EVENTS.get() {
        Some(events) => events.wait_for(limit, ask),
        None => ask(),
    }
}
