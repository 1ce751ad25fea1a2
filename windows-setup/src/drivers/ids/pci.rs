//! PCI (Identifiers for PCI Devices), in the lists that Windows 10 and later report.

use super::DeviceIds;

/// What a function's configuration space says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PciDevice {
    /// Vendor.
    pub vendor: u16,
    /// Device.
    pub device: u16,
    /// Vendor of the subsystem.
    pub subsystem_vendor: u16,
    /// Subsystem.
    pub subsystem_device: u16,
    /// Revision.
    pub revision: u8,
    /// Base class, subclass and programming interface, a byte each.
    pub class: u32,
    /// Kind of port, where it is a bridge with the PCI Express capability (4 is a root port).
    pub port_type: Option<u8>,
}

impl PciDevice {
    /// What Windows calls it.
    pub fn ids(&self) -> DeviceIds {
        let function = format!("PCI\\VEN_{:04X}&DEV_{:04X}", self.vendor, self.device);
        let subsystem = format!(
            "{function}&SUBSYS_{:04X}{:04X}",
            self.subsystem_device, self.subsystem_vendor
        );
        let revision = format!("&REV_{:02X}", self.revision);
        let interface = format!("CC_{:06X}", self.class & 0xFF_FFFF);
        let class = format!("CC_{:04X}", self.class >> 8 & 0xFFFF);
        let vendor = format!("PCI\\VEN_{:04X}", self.vendor);
        let hardware = vec![
            format!("{subsystem}{revision}"),
            subsystem,
            format!("{function}&{interface}"),
            format!("{function}&{class}"),
        ];
        let mut compatible = vec![
            format!("{function}{revision}"),
            function,
            format!("{vendor}&{interface}"),
            format!("{vendor}&{class}"),
            vendor,
        ];
        for code in [interface, class] {
            compatible.extend(self.port_type.map(|port| format!("PCI\\{code}&DT_{port:X}")));
            compatible.push(format!("PCI\\{code}"));
        }
        DeviceIds { hardware, compatible }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_management_device_has_the_lists_that_windows_shows() {
        let vmd = PciDevice {
            vendor: 0x8086,
            device: 0x9A0B,
            subsystem_vendor: 0x1028,
            subsystem_device: 0x0A5A,
            revision: 1,
            class: 0x010400,
            port_type: None,
        };
        let ids = vmd.ids();
        assert_eq!(
            ids.hardware,
            [
                "PCI\\VEN_8086&DEV_9A0B&SUBSYS_0A5A1028&REV_01",
                "PCI\\VEN_8086&DEV_9A0B&SUBSYS_0A5A1028",
                "PCI\\VEN_8086&DEV_9A0B&CC_010400",
                "PCI\\VEN_8086&DEV_9A0B&CC_0104",
            ]
        );
        assert_eq!(
            ids.compatible,
            [
                "PCI\\VEN_8086&DEV_9A0B&REV_01",
                "PCI\\VEN_8086&DEV_9A0B",
                "PCI\\VEN_8086&CC_010400",
                "PCI\\VEN_8086&CC_0104",
                "PCI\\VEN_8086",
                "PCI\\CC_010400",
                "PCI\\CC_0104",
            ]
        );
    }

    #[test]
    fn a_root_port_has_its_kind_of_port() {
        let port = PciDevice {
            vendor: 0x15AD,
            device: 0x07A0,
            subsystem_vendor: 0x15AD,
            subsystem_device: 0x07A0,
            revision: 1,
            class: 0x060400,
            port_type: Some(4),
        };
        let compatible = port.ids().compatible;
        assert_eq!(
            compatible[5..],
            [
                "PCI\\CC_060400&DT_4",
                "PCI\\CC_060400",
                "PCI\\CC_0604&DT_4",
                "PCI\\CC_0604"
            ]
        );
    }
}
