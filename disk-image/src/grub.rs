//! GRUB for BIOS on a disk: connects its first sector with its core image, as `grub-bios-setup` does.

/// Bytes of a sector as GRUB's first stages see them.
const SECTOR: usize = 512;

/// Bytes of `boot.img` that are code; the partition table follows.
const BOOT_CODE_LENGTH: usize = 440;

/// Where `boot.img` keeps the sector of the core image: 64 bits.
const KERNEL_SECTOR: usize = 0x5C;

/// Where `boot.img` jumps over its check of the drive number: two bytes.
const DRIVE_CHECK: usize = 0x66;

/// Where the core image's first sector lists the sectors that follow: start (64 bits), count and segment
/// (16 bits each).
const BLOCK_LIST: usize = SECTOR - 12;

/// The most sectors that fit below the 640 KiB line, where the BIOS loads them.
const MAX_SECTORS: usize = 0x7_8000 / SECTOR;

/// What goes on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embedded {
    /// For sector 0, before the partition table.
    pub boot_code: [u8; BOOT_CODE_LENGTH],
    /// For the BIOS boot partition, padded to whole sectors.
    pub core: Vec<u8>,
}

/// Why GRUB's images cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// `boot.img` is something else.
    #[error(
        "preparing GRUB for BIOS: boot.img is no boot sector of GRUB for i386-pc: take the one of grub-pc-bin"
    )]
    BootImage,
    /// `core.img` is something else.
    #[error(
        "preparing GRUB for BIOS: core.img does not begin with GRUB's disk loader: make it with grub-mkimage -O i386-pc"
    )]
    CoreImage,
    /// `core.img` does not fit in memory.
    #[error("preparing GRUB for BIOS: core.img has {0} bytes, the BIOS can load 480 KiB: leave modules out")]
    CoreTooLarge(usize),
    /// The place of the core image does not exist.
    #[error("preparing GRUB for BIOS: sector {0} is no place for core.img")]
    Place(u64),
}

/// Connects `boot.img` with `core.img`, which will lie at sector `core_lba` (of 512 bytes) of the disk.
///
/// # Errors
/// When either image is not what GRUB makes.
pub fn embed(boot_img: &[u8], core_img: &[u8], core_lba: u64) -> Result<Embedded, Error> {
    let next = core_lba
        .checked_add(1)
        .filter(|_| core_lba > 0)
        .ok_or(Error::Place(core_lba))?;
    let boot_code = boot_code(boot_img, core_lba)?;
    let core = core(core_img, next)?;
    Ok(Embedded { boot_code, core })
}

fn boot_code(boot_img: &[u8], core_lba: u64) -> Result<[u8; BOOT_CODE_LENGTH], Error> {
    let jump = |at: usize| boot_img.get(at) == Some(&0xEB);
    if boot_img.len() != SECTOR || boot_img[510..] != [0x55, 0xAA] || !jump(0) || !jump(DRIVE_CHECK) {
        return Err(Error::BootImage);
    }
    let mut code = [0; BOOT_CODE_LENGTH];
    code.copy_from_slice(&boot_img[..BOOT_CODE_LENGTH]);
    code[KERNEL_SECTOR..KERNEL_SECTOR + 8].copy_from_slice(&core_lba.to_le_bytes());
    // Two no-operations in place of the jump: some BIOSes pass 0 for the first hard disk, and the check that
    // now runs makes 0x80 of it.
    code[DRIVE_CHECK..DRIVE_CHECK + 2].copy_from_slice(&[0x90, 0x90]);
    Ok(code)
}

fn core(core_img: &[u8], next: u64) -> Result<Vec<u8>, Error> {
    let sectors = core_img.len().div_ceil(SECTOR);
    if sectors > MAX_SECTORS {
        return Err(Error::CoreTooLarge(core_img.len()));
    }
    // The loader is linked for segment 0x820, and says so in its list.
    if sectors < 2 || core_img[BLOCK_LIST + 10..SECTOR] != 0x0820_u16.to_le_bytes() {
        return Err(Error::CoreImage);
    }
    let mut core = core_img.to_vec();
    core.resize(sectors * SECTOR, 0);
    core[BLOCK_LIST..BLOCK_LIST + 8].copy_from_slice(&next.to_le_bytes());
    core[BLOCK_LIST + 8..BLOCK_LIST + 10].copy_from_slice(&((sectors - 1) as u16).to_le_bytes());
    Ok(core)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boot_image() -> Vec<u8> {
        let mut image = vec![0; SECTOR];
        image[0] = 0xEB;
        image[DRIVE_CHECK] = 0xEB;
        image[510..].copy_from_slice(&[0x55, 0xAA]);
        image
    }

    fn core_image(length: usize) -> Vec<u8> {
        let mut image = vec![7; length];
        image[510..512].copy_from_slice(&[0x20, 0x08]);
        image
    }

    #[test]
    fn connects_both_images() {
        let embedded = embed(&boot_image(), &core_image(1300), 2048).expect("both images are sound");
        assert_eq!(embedded.boot_code[0x5C..0x64], 2048_u64.to_le_bytes());
        assert_eq!(embedded.boot_code[0x66..0x68], [0x90, 0x90]);
        assert_eq!(embedded.core.len(), 1536);
        assert_eq!(embedded.core[500..508], 2049_u64.to_le_bytes());
        assert_eq!(embedded.core[508..512], [2, 0, 0x20, 0x08]);
    }

    #[test]
    fn refuses_what_grub_did_not_make() {
        assert_eq!(embed(&[0; 512], &core_image(1024), 34), Err(Error::BootImage));
        assert_eq!(
            embed(&boot_image()[..400], &core_image(1024), 34),
            Err(Error::BootImage)
        );
        assert_eq!(embed(&boot_image(), &[0; 1024], 34), Err(Error::CoreImage));
        assert_eq!(embed(&boot_image(), &core_image(512), 34), Err(Error::CoreImage));
        assert_eq!(embed(&boot_image(), &[], 34), Err(Error::CoreImage));
        assert_eq!(
            embed(&boot_image(), &core_image(1 << 20), 34),
            Err(Error::CoreTooLarge(1 << 20))
        );
        assert_eq!(embed(&boot_image(), &core_image(1024), 0), Err(Error::Place(0)));
        assert_eq!(
            embed(&boot_image(), &core_image(1024), u64::MAX),
            Err(Error::Place(u64::MAX))
        );
    }
}
