//! Values of device elements: which disk and partition, or which file, something is started from.
//!
//! A value is a GUID of an object with further options (or zeros) and a descriptor: type, flags, size of the
//! descriptor, padding, and what the type needs. Facts: Misty, "Devices Partition - Data"; the analysis of devices in
//! pybcd; the bytes of its published stores and of an iPXE script that makes a store for WinPE with reg.exe.

use uuid::Uuid;

use super::element::Element;

const DISK: u32 = 0;
const BOOT: u32 = 5;
const PARTITION: u32 = 6;
const LOCATE: u32 = 8;

/// Of a descriptor that has a partition, or room for one.
const PARTITION_SIZE: u32 = 0x48;
const HEADER_SIZE: u32 = 0x10;
/// The descriptor refers to options of the object in front of it.
const HAS_OPTIONS: u32 = 1;
const RAM_DISK: u32 = 3;
const FILE_VERSION: u32 = 1;
/// A path within the device that follows.
const FILE_ON_DEVICE: u32 = 5;

/// A partition, as firmware and Windows agree to name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partition {
    /// On a disk with a GUID partition table.
    Gpt {
        /// The disk's GUID, from the table's header.
        disk: Uuid,
        /// The partition's own GUID, from its entry.
        partition: Uuid,
    },
    /// On a disk with a master boot record.
    Mbr {
        /// The disk's signature, from offset 0x1b8.
        signature: u32,
        /// Where the partition begins, in bytes.
        offset: u64,
    },
}

/// Where something is started from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Device {
    /// The partition or disc that the boot manager itself was started from.
    Boot,
    /// A partition.
    Partition(Partition),
    /// The first partition that has the path which another element of the same object names.
    Locate(Element),
    /// A WIM that is unpacked into memory.
    RamDisk {
        /// Where the WIM lies.
        on: Box<Device>,
        /// Its path there.
        path: String,
        /// The object that names the RAM disk's `boot.sdi`.
        options: Uuid,
    },
}

impl Device {
    /// The value as it is stored.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let options = match self {
            Self::RamDisk { options, .. } => options.to_bytes_le(),
            _ => [0; 16],
        };
        [options.to_vec(), self.descriptor()].concat()
    }

    fn descriptor(&self) -> Vec<u8> {
        match self {
            Self::Boot => described(BOOT, 0, &[0; (PARTITION_SIZE - HEADER_SIZE) as usize]),
            Self::Partition(partition) => described(PARTITION, 0, &partition.encode()),
            // By element; no parent device; and an empty path, for that is for the other kind of search.
            Self::Locate(element) => described(
                LOCATE,
                0,
                &[numbers(&[0, element.number(), 0]), vec![0, 0]].concat(),
            ),
            Self::RamDisk { on, path, .. } => {
                let disk = numbers(&[RAM_DISK, 0, 0, 0, 0, 0]);
                described(DISK, HAS_OPTIONS, &[disk, file(on, path)].concat())
            }
        }
    }
}

/// A file descriptor: version, size, kind of path, the device, the path with its end.
fn file(on: &Device, path: &str) -> Vec<u8> {
    let path: Vec<u8> = path
        .encode_utf16()
        .chain([0])
        .flat_map(u16::to_le_bytes)
        .collect();
    let body = [on.descriptor(), path].concat();
    let size = 12 + body.len() as u32;
    [numbers(&[FILE_VERSION, size, FILE_ON_DEVICE]), body].concat()
}

fn described(kind: u32, flags: u32, body: &[u8]) -> Vec<u8> {
    let size = HEADER_SIZE + body.len() as u32;
    [numbers(&[kind, flags, size, 0]), body.to_vec()].concat()
}

impl Partition {
    /// The partition, the kind of table, and the disk: 16, 4 + 4 and 16 bytes, and room for more.
    fn encode(&self) -> Vec<u8> {
        let (partition, table, disk) = match self {
            Self::Gpt { disk, partition } => (partition.to_bytes_le(), 0, disk.to_bytes_le()),
            Self::Mbr { signature, offset } => (
                u128::from(*offset).to_le_bytes(),
                1,
                u128::from(*signature).to_le_bytes(),
            ),
        };
        [
            partition.to_vec(),
            numbers(&[0, table]),
            disk.to_vec(),
            vec![0; 16],
        ]
        .concat()
    }
}

fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(device: &Device) -> String {
        media_format::manifest::hex(&device.encode())
    }

    #[test]
    fn a_gpt_partition_has_the_bytes_of_a_real_store() {
        // pybcd's BCDrecovery: Windows 8.1 on UEFI.
        let partition = Partition::Gpt {
            disk: Uuid::from_bytes_le(*b"\x38\x3e\xc2\x9d\x40\xaf\xa5\x4d\xa6\xe9\x9b\x28\xa4\xa0\x7b\xd1"),
            partition: Uuid::parse_str("3ff27d8f-bfd5-4f78-8029-25e764cf8291").unwrap(),
        };
        assert_eq!(
            hex(&Device::Partition(partition)),
            "00000000000000000000000000000000060000000000000048000000000000008f7df23fd5bf784f802925e764cf8291\
             0000000000000000383ec29d40afa54da6e99b28a4a07bd100000000000000000000000000000000"
        );
    }

    #[test]
    fn an_mbr_partition_has_the_bytes_that_are_explained() {
        // Misty, "Devices Partition - Data": signature at 0x38, offset 0x15f00000 (sector 0x0af800) at 0x20.
        let partition = Partition::Mbr {
            signature: 0xb3eb_a8f1,
            offset: 0x000a_f800 * 512,
        };
        assert_eq!(
            hex(&Device::Partition(partition)),
            "00000000000000000000000000000000060000000000000048000000000000000000f015000000000000000000000000\
             0000000001000000f1a8ebb300000000000000000000000000000000000000000000000000000000"
        );
    }

    #[test]
    fn a_ram_disk_on_the_boot_device_has_the_bytes_of_a_real_store() {
        // ramdisk=[boot]\boot\boot.wim,{ramdiskoptions} in pybcd's BCDTest.
        let device = Device::RamDisk {
            on: Box::new(Device::Boot),
            path: r"\boot\boot.wim".into(),
            options: Uuid::parse_str("ae5534e0-a924-466c-b836-758539a3ee3a").unwrap(),
        };
        assert_eq!(
            hex(&device),
            "e03455ae24a96c46b836758539a3ee3a00000000010000009a0000000000000003000000000000000000000000000000\
             000000000000000001000000720000000500000005000000000000004800000000000000000000000000000000000000\
             00000000000000000000000000000000000000000000000000000000000000000000000000000000000000005c006200\
             6f006f0074005c0062006f006f0074002e00770069006d000000"
        );
    }

    #[test]
    fn a_search_names_the_element() {
        // The layout of the search in pybcd's BCDTest, without the virtual disk that it is made on there.
        assert_eq!(
            hex(&Device::Locate(Element::PATH)),
            "0000000000000000000000000000000008000000000000001e000000000000000000000002000012000000000000"
        );
    }
}
