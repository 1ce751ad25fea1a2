//! What Windows calls some dozens of well-known devices, by the names that Linux has for them.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use windows_setup::drivers::ids::{
    AcpiDevice, DeviceIds, HdAudioDevice, HidDevice, MachineDevice, PciDevice, UsbClass, UsbDevice,
    UsbInterface,
};

const DEVICES: &str = include_str!("hardware-ids.txt");

/// The hexadecimal number behind each mark of a name, such as `v` in `v00008086d0000A352`, in that order.
fn numbers(name: &str, marks: &[&str]) -> Vec<u32> {
    let mut rest = name;
    let number = |mark: &&str| {
        let digits = rest
            .strip_prefix(mark)
            .unwrap_or_else(|| panic!("{mark} in {name}"));
        // Digits are upper case, and marks are not.
        let end = digits
            .find(|c: char| c.is_ascii_lowercase())
            .unwrap_or(digits.len());
        let (digits, behind) = digits.split_at(end);
        rest = behind;
        u32::from_str_radix(digits, 16).unwrap()
    };
    marks.iter().map(number).collect()
}

/// What the name does not say.
struct Words<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Words<'a> {
    fn of(words: impl Iterator<Item = &'a str>) -> Self {
        Self(
            words
                .map(|word| word.split_once('=').unwrap_or((word, "")))
                .collect(),
        )
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn number(&self, name: &str) -> Option<u32> {
        let digits = self.0.get(name)?;
        Some(u32::from_str_radix(digits, 16).unwrap())
    }

    fn pair(&self, name: &str) -> (u16, u16) {
        let (first, second) = self.0[name].split_once(':').unwrap();
        let number = |digits| u16::from_str_radix(digits, 16).unwrap();
        (number(first), number(second))
    }
}

fn pci(name: &str, words: &Words<'_>) -> DeviceIds {
    let numbers = numbers(name, &["v", "d", "sv", "sd", "bc", "sc", "i"]);
    let short = |place: usize| u16::try_from(numbers[place]).unwrap();
    let byte = |name| words.number(name).map(|number| u8::try_from(number).unwrap());
    PciDevice {
        vendor: short(0),
        device: short(1),
        subsystem_vendor: short(2),
        subsystem_device: short(3),
        revision: byte("revision").unwrap(),
        class: numbers[4] << 16 | numbers[5] << 8 | numbers[6],
        port_type: byte("port"),
    }
    .ids()
}

fn usb(name: &str, words: &Words<'_>) -> DeviceIds {
    let marks = ["v", "p", "d", "dc", "dsc", "dp", "ic", "isc", "ip", "in"];
    let numbers = numbers(name, &marks);
    let short = |place: usize| u16::try_from(numbers[place]).unwrap();
    let byte = |place: usize| u8::try_from(numbers[place]).unwrap();
    let class = |place| UsbClass {
        class: byte(place),
        subclass: byte(place + 1),
        protocol: byte(place + 2),
    };
    let composite = words.has("composite") || words.has("interface");
    let device = UsbDevice {
        vendor: short(0),
        product: short(1),
        revision: short(2),
        class: if composite { class(3) } else { class(6) },
        composite,
    };
    if !words.has("interface") {
        return device.ids();
    }
    UsbInterface {
        device,
        number: byte(9),
        class: class(6),
    }
    .ids()
}

fn acpi(name: &str) -> DeviceIds {
    let mut ids = name.split(':').filter(|id| !id.is_empty()).map(str::to_owned);
    AcpiDevice {
        hardware_id: ids.next().unwrap(),
        compatible_ids: ids.collect(),
    }
    .ids()
}

fn hid(name: &str, words: &Words<'_>) -> DeviceIds {
    let numbers = numbers(name, &["b", "g", "v", "p"]);
    let device = HidDevice {
        vendor: numbers[2].try_into().unwrap(),
        product: numbers[3].try_into().unwrap(),
        revision: words.number("revision").unwrap().try_into().unwrap(),
        interface: words.number("interface").map(|number| number.try_into().unwrap()),
        collections: vec![words.pair("usage")],
    };
    device.ids().remove(0)
}

fn hd_audio(name: &str, words: &Words<'_>) -> DeviceIds {
    let numbers = numbers(name, &["v", "r", "a"]);
    HdAudioDevice {
        function: numbers[2].try_into().unwrap(),
        vendor: (numbers[0] >> 16).try_into().unwrap(),
        device: (numbers[0] & 0xFFFF).try_into().unwrap(),
        subsystem: words.number("subsystem").unwrap(),
        // The lowest 8 bits are the stepping.
        revision: (numbers[1] >> 8).try_into().unwrap(),
        controller: Some(words.pair("controller")),
    }
    .ids()
}

/// A device by its line.
fn device(line: &str) -> (MachineDevice, bool) {
    let mut words = line.split(' ');
    let (bus, name) = words.next().unwrap().split_once(':').unwrap();
    let words = Words::of(words);
    let ids = match bus {
        "pci" => pci(name, &words),
        "usb" => usb(name, &words),
        "acpi" => acpi(name),
        "hid" => hid(name, &words),
        "hdaudio" => hd_audio(name, &words),
        _ => panic!("{bus} is no bus that is looked at"),
    };
    let location = line.to_owned();
    (MachineDevice { location, ids }, words.has("storage"))
}

#[test]
fn well_known_devices_have_the_ids_of_windows_in_its_order() {
    let lines = DEVICES.lines().filter(|line| !line.starts_with('#'));
    let text: Vec<&str> = lines.collect();
    let blocks: Vec<&[&str]> = text
        .split(|line| line.is_empty())
        .filter(|block| !block.is_empty())
        .collect();
    assert!(blocks.len() > 60, "{}", blocks.len());
    for block in blocks {
        let (found, storage) = device(block[0]);
        let listed = |kind: &str| -> Vec<&str> {
            let lines = block[1..].iter();
            lines.filter_map(|line| line.trim().strip_prefix(kind)).collect()
        };
        assert_eq!(found.ids.hardware, listed("hardware "), "{}", block[0]);
        assert_eq!(found.ids.compatible, listed("compatible "), "{}", block[0]);
        assert_eq!(found.is_storage(), storage, "{}", block[0]);
    }
}
