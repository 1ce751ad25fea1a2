//! El Torito: what firmware starts from a CD.

use super::device::{Device, ReadError, u16_at, u32_at};
use super::iso::SECTOR;

const ENTRY: usize = 32;
const BOOTABLE: u8 = 0x88;

/// An entry of the boot catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootEntry {
    /// 0 for BIOS, 0xEF for UEFI.
    pub platform: u8,
    /// Where the boot image lies, in bytes.
    pub offset: u64,
    /// Bytes that the firmware loads; UEFI boot images of 32 MiB and more say 0 or 1 and reach to the image's end.
    pub length: u64,
}

/// Reads the boot catalogue and notes what is wrong with it.
pub(super) fn read(
    device: &Device,
    sector: u32,
    problems: &mut Vec<String>,
) -> Result<Vec<BootEntry>, ReadError> {
    let bytes = device.bytes(u64::from(sector) * SECTOR, SECTOR)?;
    let sum = bytes[..ENTRY]
        .chunks_exact(2)
        .fold(0_u16, |sum, word| sum.wrapping_add(u16_at(word, 0)));
    if bytes[0] != 1 || bytes[30..32] != [0x55, 0xaa] || sum != 0 {
        problems.push("the boot catalogue has no valid validation entry".into());
    }
    let mut platform = bytes[1];
    let mut found = Vec::new();
    for (number, entry) in bytes.chunks_exact(ENTRY).enumerate().skip(1) {
        match entry[0] {
            0x90 | 0x91 => platform = entry[1],
            BOOTABLE => {
                let boot = BootEntry {
                    platform,
                    offset: u64::from(u32_at(entry, 8)) * SECTOR,
                    length: u64::from(u16_at(entry, 6)) * 512,
                };
                if device.window(boot.offset, boot.length.max(512)).is_err() {
                    problems.push(format!(
                        "entry {number} of the boot catalogue points outside of the image"
                    ));
                }
                found.push(boot);
            }
            _ => break,
        }
    }
    if found.is_empty() {
        problems.push("the boot catalogue has no bootable entry".into());
    }
    Ok(found)
}
