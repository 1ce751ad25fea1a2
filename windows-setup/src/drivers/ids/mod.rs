//! What Windows calls a device: hardware ids and compatible ids, the most specific one first (Device Identification
//! Strings).

mod acpi;
mod hdaudio;
mod hid;
mod pci;
mod usb;

pub use acpi::AcpiDevice;
pub use hdaudio::HdAudioDevice;
pub use hid::{HidDevice, collections};
pub use pci::PciDevice;
pub use usb::{UsbClass, UsbDevice, UsbInterface};

/// The ids of a device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceIds {
    /// Hardware ids.
    pub hardware: Vec<String>,
    /// Compatible ids.
    pub compatible: Vec<String>,
}

/// A device of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineDevice {
    /// Where it is, for messages: `pci 0000:00:0e.0`.
    pub location: String,
    /// What Windows calls it.
    pub ids: DeviceIds,
}

impl MachineDevice {
    /// Whether it is a controller of disks: the system may be unable to start without its driver.
    pub fn is_storage(&self) -> bool {
        self.ids.compatible.iter().any(|id| id.starts_with("PCI\\CC_01"))
    }
}
