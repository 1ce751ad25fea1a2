//! HID: each top-level collection of a report descriptor is a device (HID Hardware IDs for Top-Level Collections).

use std::fmt::Write as _;

use super::DeviceIds;

/// A HID device on USB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HidDevice {
    /// Vendor.
    pub vendor: u16,
    /// Product.
    pub product: u16,
    /// Revision.
    pub revision: u16,
    /// Interface of a composite USB device.
    pub interface: Option<u8>,
    /// Usage page and usage of the top-level collections.
    pub collections: Vec<(u16, u16)>,
}

impl HidDevice {
    /// What Windows calls each collection.
    pub fn ids(&self) -> Vec<DeviceIds> {
        let several = self.collections.len() > 1;
        let collections = self.collections.iter().enumerate();
        let ids = collections.map(|(index, usage)| self.collection(several.then_some(index + 1), *usage));
        ids.collect()
    }

    fn collection(&self, number: Option<usize>, (page, usage): (u16, u16)) -> DeviceIds {
        let vendor = format!("HID\\VID_{:04X}", self.vendor);
        let product = format!("{vendor}&PID_{:04X}", self.product);
        let mut rest = String::new();
        if let Some(interface) = self.interface {
            let _infallible = write!(rest, "&MI_{interface:02X}");
        }
        if let Some(number) = number {
            let _infallible = write!(rest, "&Col{number:02}");
        }
        let mut hardware = vec![
            format!("{product}&REV_{:04X}{rest}", self.revision),
            format!("{product}{rest}"),
            format!("{vendor}&UP:{page:04X}_U:{usage:04X}"),
        ];
        hardware.extend(system_name(page, usage).map(|name| format!("HID_DEVICE_SYSTEM_{name}")));
        hardware.extend([
            format!("HID_DEVICE_UP:{page:04X}_U:{usage:04X}"),
            "HID_DEVICE".into(),
        ]);
        DeviceIds {
            hardware,
            compatible: vec![],
        }
    }
}

fn system_name(page: u16, usage: u16) -> Option<&'static str> {
    Some(match (page, usage) {
        (1, 1 | 2) => "MOUSE",
        (1, 4 | 5) => "GAME",
        (1, 6 | 7) => "KEYBOARD",
        (1, 0x80) => "CONTROL",
        (0x0C, 1) => "CONSUMER",
        _ => return None,
    })
}

/// Usage page and usage of the top-level application collections of a report descriptor (Device Class Definition for
/// HID 1.11, 6.2.2).
pub fn collections(mut descriptor: &[u8]) -> Vec<(u16, u16)> {
    let (mut page, mut usage, mut depth) = (0_u32, None, 0_usize);
    let mut found = Vec::new();
    while let Some((item, value, size, rest)) = item(descriptor) {
        descriptor = rest;
        match item {
            0x04 => page = value,
            0x08 if usage.is_none() => usage = Some(if size == 4 { value } else { page << 16 | value }),
            0xA0 => {
                if depth == 0 && value == 1 {
                    let usage = usage.unwrap_or(page << 16);
                    found.push(((usage >> 16) as u16, usage as u16));
                }
                depth += 1;
            }
            0xC0 => depth = depth.saturating_sub(1),
            _ => {}
        }
        // Main items end what local items said.
        if item & 0x0C == 0 {
            usage = None;
        }
    }
    found
}

/// Tag and type of the next item, its value, its size and what follows.
fn item(descriptor: &[u8]) -> Option<(u8, u32, usize, &[u8])> {
    let (&prefix, rest) = descriptor.split_first()?;
    if prefix == 0xFE {
        let size = usize::from(*rest.first()?);
        return Some((prefix, 0, size, rest.get(2 + size..)?));
    }
    let size = [0, 1, 2, 4][usize::from(prefix & 3)];
    let data = rest.get(..size)?;
    let value = data
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u32::from(*byte));
    Some((prefix & 0xFC, value, size, &rest[size..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keyboard, then consumer control.
    const DESCRIPTOR: [u8; 20] = [
        5, 1, 9, 6, 0xA1, 1, 5, 7, 9, 1, 0xA1, 0, 0xC0, 0xC0, 5, 0x0C, 9, 1, 0xA1, 1,
    ];

    #[test]
    fn only_top_level_collections_are_devices() {
        assert_eq!(collections(&DESCRIPTOR), [(1, 6), (0x0C, 1)]);
        assert_eq!(
            collections(&[0x0B, 2, 0, 0, 0xFF, 0xA1, 1]),
            [(0xFF00, 2)],
            "a usage with its page"
        );
        assert_eq!(collections(&[0xFE, 200, 0, 1]), [], "a long item that is cut off");
    }

    #[test]
    fn a_keyboard_has_the_ids_that_windows_shows() {
        let mut device = HidDevice {
            vendor: 0x1532,
            product: 0x029F,
            revision: 0x0200,
            interface: Some(0),
            collections: vec![(1, 6)],
        };
        assert_eq!(
            device.ids()[0].hardware,
            [
                "HID\\VID_1532&PID_029F&REV_0200&MI_00",
                "HID\\VID_1532&PID_029F&MI_00",
                "HID\\VID_1532&UP:0001_U:0006",
                "HID_DEVICE_SYSTEM_KEYBOARD",
                "HID_DEVICE_UP:0001_U:0006",
                "HID_DEVICE",
            ]
        );
        device.collections = collections(&DESCRIPTOR);
        assert_eq!(device.ids()[1].hardware[1], "HID\\VID_1532&PID_029F&MI_00&Col02");
    }
}
