//! El Torito: the boot catalog, and what GRUB's boot image must know about its place.

use super::{Error, SECTOR};
use crate::extent::Extent;

const PLATFORM_BIOS: u8 = 0;
const PLATFORM_EFI: u8 = 0xef;
const BOOTABLE: u8 = 0x88;
const LAST_SECTION: u8 = 0x91;
/// 512-byte sectors of GRUB's image that the BIOS loads: `cdboot.img`, which loads the rest.
const GRUB_LOAD_SECTORS: u16 = 4;
/// A BIOS loads to 0x7C00, and the memory from 0xA0000 on is the screen's.
const MOST_PROGRAM: usize = 0xA_0000 - 0x7C00;
/// Where `diskboot.img`, after the 2048 bytes of `cdboot.img`, keeps the sector of the rest of GRUB.
const GRUB_SECTOR_OFFSET: usize = 2548;

/// Places of the boot images.
#[derive(Debug, Clone, Copy)]
pub(super) struct BootImages {
    /// First sector of the BIOS image.
    pub(super) bios: Option<u32>,
    /// 512-byte sectors of it that the BIOS loads.
    pub(super) bios_load_sectors: u16,
    /// First sector and bytes of the EFI image.
    pub(super) efi: Option<(u32, u64)>,
}

impl Default for BootImages {
    fn default() -> Self {
        Self {
            bios: None,
            bios_load_sectors: GRUB_LOAD_SECTORS,
            efi: None,
        }
    }
}

/// The boot catalog: the BIOS image as the default entry and the EFI image in a section, or the EFI image alone.
pub(super) fn catalog(images: &BootImages) -> Vec<u8> {
    let efi = images
        .efi
        .map(|(sector, length)| entry(sector, efi_sectors(length)));
    let mut out = Vec::with_capacity(SECTOR as usize);
    match (images.bios, efi) {
        (Some(sector), efi) => {
            out.extend(validation(PLATFORM_BIOS));
            out.extend(entry(sector, images.bios_load_sectors));
            if let Some(efi) = efi {
                out.extend(section_header(PLATFORM_EFI));
                out.extend(efi);
            }
        }
        (None, Some(efi)) => {
            out.extend(validation(PLATFORM_EFI));
            out.extend(efi);
        }
        (None, None) => {}
    }
    out.resize(SECTOR as usize, 0);
    out
}

/// The 16-bit count of 512-byte sectors; 1 means "to the end of the disc" (UEFI 2.10, 13.3.2.1), where the FAT
/// knows its own size.
fn efi_sectors(length: u64) -> u16 {
    u16::try_from(length.div_ceil(512)).unwrap_or(1)
}

fn validation(platform: u8) -> [u8; 32] {
    let mut out = [0; 32];
    out[0] = 1;
    out[1] = platform;
    out[30..].copy_from_slice(&[0x55, 0xaa]);
    let sum = out.chunks(2).fold(0_u16, |sum, word| {
        sum.wrapping_add(u16::from_le_bytes([word[0], word[1]]))
    });
    out[28..30].copy_from_slice(&sum.wrapping_neg().to_le_bytes());
    out
}

fn entry(sector: u32, load_sectors: u16) -> [u8; 32] {
    let mut out = [0; 32];
    out[0] = BOOTABLE;
    out[6..8].copy_from_slice(&load_sectors.to_le_bytes());
    out[8..12].copy_from_slice(&sector.to_le_bytes());
    out
}

fn section_header(platform: u8) -> [u8; 32] {
    let mut out = [0; 32];
    out[..4].copy_from_slice(&[LAST_SECTION, platform, 1, 0]);
    out
}

/// How many 512-byte sectors the BIOS loads of a program: all.
pub(super) fn sectors_of_program(program: &[u8]) -> Result<u16, Error> {
    match program.len() {
        1..=MOST_PROGRAM => Ok(program.len().div_ceil(512) as u16),
        length => Err(Error::BiosProgramSize(length)),
    }
}

/// Refuses what cannot be GRUB's El Torito image.
pub(super) fn check_image(image: &[u8]) -> Result<(), Error> {
    let enough = image.len() >= GRUB_SECTOR_OFFSET + 8 && u32::try_from(image.len()).is_ok();
    if enough {
        Ok(())
    } else {
        Err(Error::BiosImageSize(image.len()))
    }
}

/// The boot image as it lies in the ISO: with GRUB's own sector and the boot information table.
pub(super) fn patched(mut image: Vec<u8>, sector: u32) -> Extent {
    // In units of 512 bytes, past cdboot.img (4) and diskboot.img (1).
    let rest = u64::from(sector) * 4 + 5;
    image[GRUB_SECTOR_OFFSET..GRUB_SECTOR_OFFSET + 8].copy_from_slice(&rest.to_le_bytes());
    let table = [
        super::volume::FIRST,
        sector,
        image.len() as u32,
        checksum(&image[64..]),
    ];
    image[8..64].fill(0);
    for (slot, value) in image[8..24].chunks_mut(4).zip(table) {
        slot.copy_from_slice(&value.to_le_bytes());
    }
    Extent::bytes(u64::from(sector) * SECTOR, image)
}

fn checksum(bytes: &[u8]) -> u32 {
    let word = |chunk: &[u8]| {
        let mut word = [0; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        u32::from_le_bytes(word)
    };
    bytes
        .chunks(4)
        .fold(0, |sum, chunk| sum.wrapping_add(word(chunk)))
}
