//! USB (Standard USB Identifiers). Since Windows 8.1 the classes are also reported for the vendor alone
//! (`USB\COMPAT_VID_…`).

use super::DeviceIds;

/// Class, subclass and protocol of a device or interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsbClass {
    /// Class.
    pub class: u8,
    /// Subclass.
    pub subclass: u8,
    /// Protocol.
    pub protocol: u8,
}

/// A device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsbDevice {
    /// `idVendor`.
    pub vendor: u16,
    /// `idProduct`.
    pub product: u16,
    /// `bcdDevice`.
    pub revision: u16,
    /// The class of the device; of its interface, where that is its only one.
    pub class: UsbClass,
    /// Whether it has several interfaces, each of which is a device of its own.
    pub composite: bool,
}

/// An interface of a composite device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsbInterface {
    /// The device.
    pub device: UsbDevice,
    /// `bInterfaceNumber`; of a function of several interfaces, that of the first.
    pub number: u8,
    /// Its class.
    pub class: UsbClass,
}

impl UsbDevice {
    /// What Windows calls it.
    pub fn ids(&self) -> DeviceIds {
        let compatible = match self.composite {
            true => self
                .class
                .three("USB\\Dev")
                .into_iter()
                .chain(["USB\\COMPOSITE".into()])
                .collect(),
            false => self.compatible(self.class),
        };
        DeviceIds {
            hardware: self.hardware(""),
            compatible,
        }
    }

    fn hardware(&self, interface: &str) -> Vec<String> {
        let device = format!("USB\\VID_{:04X}&PID_{:04X}", self.vendor, self.product);
        vec![
            format!("{device}&REV_{:04X}{interface}", self.revision),
            format!("{device}{interface}"),
        ]
    }

    fn compatible(&self, class: UsbClass) -> Vec<String> {
        let vendor = format!("USB\\COMPAT_VID_{:04X}&", self.vendor);
        [class.three(&vendor), class.three("USB\\")].concat()
    }
}

impl UsbInterface {
    /// What Windows calls it.
    pub fn ids(&self) -> DeviceIds {
        DeviceIds {
            hardware: self.device.hardware(&format!("&MI_{:02X}", self.number)),
            compatible: self.device.compatible(self.class),
        }
    }
}

impl UsbClass {
    fn three(self, prefix: &str) -> Vec<String> {
        let class = format!("{prefix}Class_{:02X}", self.class);
        let subclass = format!("{class}&SubClass_{:02X}", self.subclass);
        vec![format!("{subclass}&Prot_{:02X}", self.protocol), subclass, class]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERIAL: UsbDevice = UsbDevice {
        vendor: 0x1A86,
        product: 0x7523,
        revision: 0x0264,
        class: UsbClass {
            class: 0xFF,
            subclass: 1,
            protocol: 2,
        },
        composite: false,
    };

    #[test]
    fn a_device_with_one_interface_has_its_class() {
        let ids = SERIAL.ids();
        assert_eq!(
            ids.hardware,
            ["USB\\VID_1A86&PID_7523&REV_0264", "USB\\VID_1A86&PID_7523"]
        );
        assert_eq!(
            ids.compatible,
            [
                "USB\\COMPAT_VID_1A86&Class_FF&SubClass_01&Prot_02",
                "USB\\COMPAT_VID_1A86&Class_FF&SubClass_01",
                "USB\\COMPAT_VID_1A86&Class_FF",
                "USB\\Class_FF&SubClass_01&Prot_02",
                "USB\\Class_FF&SubClass_01",
                "USB\\Class_FF",
            ]
        );
    }

    #[test]
    fn a_composite_device_and_its_interfaces_are_devices() {
        let device = UsbDevice {
            composite: true,
            class: UsbClass {
                class: 0,
                subclass: 0,
                protocol: 0,
            },
            ..SERIAL
        };
        assert_eq!(
            device.ids().compatible,
            [
                "USB\\DevClass_00&SubClass_00&Prot_00",
                "USB\\DevClass_00&SubClass_00",
                "USB\\DevClass_00",
                "USB\\COMPOSITE"
            ]
        );
        let interface = UsbInterface {
            device,
            number: 1,
            class: SERIAL.class,
        };
        let ids = interface.ids();
        assert_eq!(
            ids.hardware,
            [
                "USB\\VID_1A86&PID_7523&REV_0264&MI_01",
                "USB\\VID_1A86&PID_7523&MI_01"
            ]
        );
        assert_eq!(ids.compatible.len(), 6);
    }
}
