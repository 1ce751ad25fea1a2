//! The machine's devices as Windows calls them, from sysfs.

use std::fs;
use std::path::{Path, PathBuf};

use windows_setup::drivers::ids::{
    AcpiDevice, DeviceIds, HdAudioDevice, HidDevice, MachineDevice, PciDevice, UsbClass, UsbDevice,
    UsbInterface, collections,
};

/// The host's own.
pub const SYSFS: &str = "/sys";
/// Base class and subclass of PCI-to-PCI bridges, which alone report their kind of port.
const PCI_BRIDGE: u32 = 0x0604;
/// The PCI Express capability (PCI Express Base Specification, 7.5.3).
const PCI_EXPRESS: u8 = 0x10;

/// The devices on PCI, USB, ACPI, HID and High Definition Audio beneath a sysfs folder, in the order of their names. A device whose values
/// cannot be read is none.
pub fn devices(sysfs: &Path) -> Vec<MachineDevice> {
    let bus = |name: &str, ids: fn(&Path) -> Vec<DeviceIds>| {
        let of_folder = |folder: PathBuf| {
            let file_name = folder.file_name().unwrap_or_default().to_string_lossy();
            let location = format!("{name} {file_name}");
            let devices = ids(&folder).into_iter();
            let devices = devices.map(|ids| MachineDevice {
                location: location.clone(),
                ids,
            });
            devices.collect::<Vec<_>>()
        };
        let folders = folders(&sysfs.join("bus").join(name).join("devices"));
        folders.into_iter().flat_map(of_folder).collect::<Vec<_>>()
    };
    [
        bus("pci", pci),
        bus("usb", usb),
        bus("acpi", acpi),
        bus("hid", hid),
        bus("hdaudio", hd_audio),
    ]
    .concat()
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<_> = entries.map(|entry| entry.path()).collect();
    folders.sort();
    folders
}

fn text(folder: &Path, name: &str) -> Option<String> {
    fs::read_to_string(folder.join(name))
        .ok()
        .map(|text| text.trim().to_owned())
}

/// A number in hexadecimal digits, with or without `0x`.
fn hex(folder: &Path, name: &str) -> Option<u32> {
    let text = text(folder, name)?;
    u32::from_str_radix(text.trim_start_matches("0x"), 16).ok()
}

fn short(folder: &Path, name: &str) -> Option<u16> {
    hex(folder, name)?.try_into().ok()
}

fn byte(folder: &Path, name: &str) -> Option<u8> {
    hex(folder, name)?.try_into().ok()
}

fn pci(folder: &Path) -> Vec<DeviceIds> {
    pci_device(folder)
        .map(|device| device.ids())
        .into_iter()
        .collect()
}

fn pci_device(folder: &Path) -> Option<PciDevice> {
    let class = hex(folder, "class")?;
    Some(PciDevice {
        vendor: short(folder, "vendor")?,
        device: short(folder, "device")?,
        subsystem_vendor: short(folder, "subsystem_vendor").unwrap_or(0),
        subsystem_device: short(folder, "subsystem_device").unwrap_or(0),
        revision: byte(folder, "revision").unwrap_or(0),
        class,
        port_type: (class >> 8 == PCI_BRIDGE).then(|| port_type(folder)).flatten(),
    })
}

/// The device/port type of the PCI Express capability. The list of capabilities is followed as often as it can have
/// members, since a broken device may close it to a ring.
fn port_type(folder: &Path) -> Option<u8> {
    let config = fs::read(folder.join("config")).ok()?;
    let mut place = usize::from(*config.get(0x34)?);
    for _ in 0..48 {
        let (id, next, flags) = (config.get(place)?, config.get(place + 1)?, config.get(place + 2)?);
        match *id {
            PCI_EXPRESS => return Some(flags >> 4),
            _ if *next < 0x40 => return None,
            _ => place = usize::from(*next & !3),
        }
    }
    None
}

/// A folder is a device (`1-4`) or an interface (`1-4:1.0`).
fn usb(folder: &Path) -> Vec<DeviceIds> {
    if folder.join("bInterfaceNumber").exists() {
        return usb_interface(folder)
            .map(|interface| interface.ids())
            .into_iter()
            .collect();
    }
    usb_device(folder)
        .map(|device| device.ids())
        .into_iter()
        .collect()
}

fn usb_device(folder: &Path) -> Option<UsbDevice> {
    let own = usb_class(folder, ["bDeviceClass", "bDeviceSubClass", "bDeviceProtocol"])?;
    let count: u32 = text(folder, "bNumInterfaces")
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    // A device that leaves its class to its interfaces, or says that it groups them.
    let composite = count > 1 && matches!((own.class, own.subclass, own.protocol), (0, ..) | (0xEF, 2, 1));
    let first = || {
        let interface = folders(folder)
            .into_iter()
            .find(|entry| entry.join("bInterfaceNumber").exists())?;
        interface_class(&interface)
    };
    Some(UsbDevice {
        vendor: short(folder, "idVendor")?,
        product: short(folder, "idProduct")?,
        revision: short(folder, "bcdDevice").unwrap_or(0),
        class: if own.class == 0 && !composite {
            first().unwrap_or(own)
        } else {
            own
        },
        composite,
    })
}

fn usb_class(folder: &Path, names: [&str; 3]) -> Option<UsbClass> {
    Some(UsbClass {
        class: byte(folder, names[0])?,
        subclass: byte(folder, names[1])?,
        protocol: byte(folder, names[2])?,
    })
}

fn interface_class(folder: &Path) -> Option<UsbClass> {
    let of_function = [
        "iad_bFunctionClass",
        "iad_bFunctionSubClass",
        "iad_bFunctionProtocol",
    ];
    let of_interface = ["bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol"];
    usb_class(folder, of_function).or_else(|| usb_class(folder, of_interface))
}

/// Interfaces are devices of their own in composite devices only, and several that form a function are one.
fn usb_interface(folder: &Path) -> Option<UsbInterface> {
    let device = usb_device(&parent(folder)?).filter(|device| device.composite)?;
    let number = byte(folder, "bInterfaceNumber")?;
    let first = byte(folder, "iad_bFirstInterface").unwrap_or(number);
    (number == first).then_some(UsbInterface {
        device,
        number,
        class: interface_class(folder)?,
    })
}

/// The folder in which the real folder of a device lies; on a bus there are links to them.
fn parent(folder: &Path) -> Option<PathBuf> {
    fs::canonicalize(folder).ok()?.parent().map(Path::to_owned)
}

/// `modalias` has all ids: `acpi:PNP0A08:PNP0A03:`.
fn acpi(folder: &Path) -> Vec<DeviceIds> {
    let modalias = text(folder, "modalias").unwrap_or_default();
    let ids = modalias.strip_prefix("acpi:").unwrap_or_default();
    let mut ids = ids.split(':').filter(|id| !id.is_empty()).map(str::to_owned);
    let device = ids.next().map(|hardware_id| AcpiDevice {
        hardware_id,
        compatible_ids: ids.collect(),
    });
    device.map(|device| device.ids()).into_iter().collect()
}

/// A folder is named `BUS:VENDOR:PRODUCT.NUMBER`; only those on USB (bus 3) have these ids in Windows.
fn hid(folder: &Path) -> Vec<DeviceIds> {
    hid_device(folder).map(|device| device.ids()).unwrap_or_default()
}

fn hid_device(folder: &Path) -> Option<HidDevice> {
    let name = folder.file_name()?.to_str()?;
    let (bus, rest) = name.split_once(':')?;
    let (vendor, rest) = rest.split_once(':')?;
    let (product, _) = rest.split_once('.')?;
    let number = |digits: &str| u16::from_str_radix(digits, 16).ok();
    let interface = parent(folder)?;
    let device = parent(&interface).and_then(|folder| usb_device(&folder));
    let own = byte(&interface, "bInterfaceNumber");
    (number(bus)? == 3).then_some(HidDevice {
        vendor: number(vendor)?,
        product: number(product)?,
        revision: device.map_or(0, |device| device.revision),
        interface: own.filter(|_| device.is_some_and(|device| device.composite)),
        collections: collections(&fs::read(folder.join("report_descriptor")).ok()?),
    })
}

/// A codec that the kernel's driver of the controller has found; the controller's folder is around it.
fn hd_audio(folder: &Path) -> Vec<DeviceIds> {
    hd_audio_device(folder)
        .map(|device| device.ids())
        .into_iter()
        .collect()
}

fn hd_audio_device(folder: &Path) -> Option<HdAudioDevice> {
    const AUDIO: u8 = 1;
    const MODEM: u8 = 2;
    let chip = hex(folder, "vendor_id")?.to_be_bytes();
    let has_audio = hex(folder, "afg").is_some_and(|group| group != 0);
    let controller = parent(folder).and_then(|folder| pci_device(&folder));
    // Of 24 bits, the lowest 8 are the stepping.
    let revision = hex(folder, "revision_id").unwrap_or(0) >> 8;
    Some(HdAudioDevice {
        function: if has_audio { AUDIO } else { MODEM },
        vendor: u16::from_be_bytes([chip[0], chip[1]]),
        device: u16::from_be_bytes([chip[2], chip[3]]),
        subsystem: hex(folder, "subsystem_id").unwrap_or(0),
        revision: u16::try_from(revision).unwrap_or(0),
        controller: controller.map(|controller| (controller.vendor, controller.device)),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A sysfs of files and links from a bus to its devices.
    struct Sysfs(tempfile::TempDir);

    impl Sysfs {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn device(&self, bus: &str, path: &str, values: &[(&str, &str)]) -> PathBuf {
            let folder = self.0.path().join("devices").join(path);
            fs::create_dir_all(&folder).unwrap();
            for (name, value) in values {
                fs::write(folder.join(name), format!("{value}\n")).unwrap();
            }
            let devices = self.0.path().join("bus").join(bus).join("devices");
            fs::create_dir_all(&devices).unwrap();
            symlink(&folder, devices.join(folder.file_name().unwrap())).unwrap();
            folder
        }

        fn pci(&self, name: &str, vendor: &str, device: &str, class: &str) -> PathBuf {
            let values = [
                ("vendor", vendor),
                ("device", device),
                ("subsystem_vendor", "0x1028"),
                ("subsystem_device", "0x0a20"),
                ("revision", "0x20"),
                ("class", class),
            ];
            self.device("pci", &format!("pci0000:00/{name}"), &values)
        }

        fn devices(&self) -> Vec<MachineDevice> {
            devices(self.0.path())
        }
    }

    #[test]
    fn a_machine_whose_disks_are_behind_vmd_only_shows_its_controller() {
        let sysfs = Sysfs::new();
        sysfs.pci("0000:00:0e.0", "0x8086", "0x467f", "0x010400");
        let port = sysfs.pci("0000:00:1c.0", "0x8086", "0x51b8", "0x060400");
        let mut config = vec![0; 256];
        config[0x34] = 0x40;
        config[0x40..0x43].copy_from_slice(&[0x01, 0x80, 0x03]);
        config[0x80..0x83].copy_from_slice(&[0x10, 0x00, 0x42]);
        fs::write(port.join("config"), &config).unwrap();
        sysfs.device("pci", "pci0000:00/0000:00:1d.0", &[("vendor", "0x8086")]);
        let found = sysfs.devices();
        assert_eq!(found.len(), 2, "what has no class is no device: {found:?}");
        assert_eq!(found[0].location, "pci 0000:00:0e.0");
        assert!(found[0].is_storage() && !found[1].is_storage());
        assert_eq!(
            found[0].ids.hardware[0],
            "PCI\\VEN_8086&DEV_467F&SUBSYS_0A201028&REV_20"
        );
        assert!(found[1].ids.compatible.contains(&"PCI\\CC_0604&DT_4".to_owned()));
        config[0x41] = 0x40;
        fs::write(port.join("config"), &config).unwrap();
        let in_a_ring = &sysfs.devices()[1];
        assert!(!in_a_ring.ids.compatible.iter().any(|id| id.contains("&DT_")));
    }

    const KEYBOARD: [u8; 7] = [5, 1, 9, 6, 0xA1, 1, 0xC0];

    #[test]
    fn composite_devices_have_their_interfaces_and_others_their_class() {
        let sysfs = Sysfs::new();
        let device = |path: &str, interfaces, class| {
            let values = [
                ("idVendor", "1532"),
                ("idProduct", "029f"),
                ("bcdDevice", "0200"),
                ("bNumInterfaces", interfaces),
                ("bDeviceClass", class),
                ("bDeviceSubClass", "00"),
                ("bDeviceProtocol", "00"),
            ];
            sysfs.device("usb", path, &values);
        };
        let interface = |path: &str, number, extra: &[(&str, &str)]| {
            let class = [
                ("bInterfaceNumber", number),
                ("bInterfaceClass", "03"),
                ("bInterfaceSubClass", "01"),
                ("bInterfaceProtocol", "01"),
            ];
            sysfs.device("usb", path, &[&class[..], extra].concat());
        };
        device("usb1/1-1", " 3", "00");
        interface("usb1/1-1/1-1:1.0", "00", &[]);
        let function = [
            ("iad_bFirstInterface", "01"),
            ("iad_bFunctionClass", "0e"),
            ("iad_bFunctionSubClass", "03"),
            ("iad_bFunctionProtocol", "00"),
        ];
        interface("usb1/1-1/1-1:1.1", "01", &function);
        interface("usb1/1-1/1-1:1.2", "02", &function);
        device("usb1/1-2", " 1", "00");
        interface("usb1/1-2/1-2:1.0", "00", &[]);
        let hid = sysfs.device("hid", "usb1/1-1/1-1:1.0/0003:1532:029F.0001", &[]);
        fs::write(hid.join("report_descriptor"), KEYBOARD).unwrap();
        let found = sysfs.devices();
        let first: Vec<_> = found
            .iter()
            .map(|device| device.ids.hardware[0].as_str())
            .collect();
        assert_eq!(
            first,
            [
                "USB\\VID_1532&PID_029F&REV_0200",
                "USB\\VID_1532&PID_029F&REV_0200&MI_00",
                "USB\\VID_1532&PID_029F&REV_0200&MI_01",
                "USB\\VID_1532&PID_029F&REV_0200",
                "HID\\VID_1532&PID_029F&REV_0200&MI_00",
            ]
        );
        assert!(found[0].ids.compatible.contains(&"USB\\COMPOSITE".to_owned()));
        assert!(found[2].ids.compatible.contains(&"USB\\Class_0E".to_owned()));
        assert!(
            found[3]
                .ids
                .compatible
                .contains(&"USB\\Class_03&SubClass_01&Prot_01".to_owned())
        );
    }

    #[test]
    fn acpi_ids_come_from_the_alias_and_a_folder_without_one_is_no_device() {
        let sysfs = Sysfs::new();
        sysfs.device(
            "acpi",
            "LNXSYSTM:00/PNP0A08:00",
            &[("modalias", "acpi:PNP0A08:PNP0A03:")],
        );
        sysfs.device("acpi", "LNXSYSTM:00/device:00", &[]);
        let found = sysfs.devices();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].ids.hardware[1], "ACPI\\PNP0A08");
        assert_eq!(found[0].ids.compatible[0], "ACPI\\PNP0A03");
        assert!(devices(Path::new("nowhere")).is_empty());
    }

    #[test]
    fn every_function_of_this_host_has_its_ids() {
        let functions = folders(&Path::new(SYSFS).join("bus/pci/devices")).len();
        let found = devices(Path::new(SYSFS));
        let pci: Vec<_> = found
            .iter()
            .filter(|device| device.location.starts_with("pci "))
            .collect();
        assert_eq!(pci.len(), functions);
        for device in &found {
            assert!(!device.ids.hardware.is_empty(), "{}", device.location);
        }
        assert!(
            pci.iter()
                .all(|device| device.ids.hardware.len() == 4 && device.ids.compatible.len() >= 7)
        );
    }

    #[test]
    fn a_codec_is_known_by_itself_and_by_its_controller() {
        let sysfs = Sysfs::new();
        sysfs.pci("0000:00:1f.3", "0x8086", "0xa0c8", "0x040300");
        let values = [
            ("vendor_id", "0x10ec0295"),
            ("subsystem_id", "0x10280a20"),
            ("revision_id", "0x100002"),
            ("afg", "0x1"),
        ];
        sysfs.device("hdaudio", "pci0000:00/0000:00:1f.3/hdaudioC0D0", &values);
        let devices = sysfs.devices();
        let codec = devices.last().unwrap();
        assert_eq!(codec.location, "hdaudio hdaudioC0D0");
        let id = r"HDAUDIO\FUNC_01&VEN_10EC&DEV_0295&SUBSYS_10280A20&REV_1000";
        assert_eq!(codec.ids.hardware[0], id);
        let id = r"HDAUDIO\FUNC_01&CTLR_VEN_8086&CTLR_DEV_A0C8&VEN_10EC&DEV_0295&REV_1000";
        assert_eq!(codec.ids.compatible[0], id);
    }
}
