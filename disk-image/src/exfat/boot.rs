//! The boot region of an exFAT volume, with its checksum.

use super::Params;
use super::geometry::Geometry;

/// Sectors that the checksum covers; it fills the one after them.
const CHECKED: usize = 11;

/// Bytes of the boot sector that change while the volume is in use: its flags and the percentage.
const UNCHECKED: [usize; 3] = [106, 107, 112];

/// Halts the processor, should anything ever start this sector.
const HALT: u8 = 0xF4;

/// The twelve sectors; they lie on the volume twice.
pub(super) fn region(geometry: &Geometry, params: &Params, root: u32, used: u64) -> Vec<u8> {
    let sector = geometry.sector as usize;
    let mut region = vec![0; CHECKED * sector];
    region[..512].copy_from_slice(&boot_sector(geometry, params, root, used));
    // Eight sectors for more code, each with a signature.
    for number in 1..=8 {
        region[(number + 1) * sector - 4..(number + 1) * sector].copy_from_slice(&[0, 0, 0x55, 0xAA]);
    }
    let sum = checksum(&region).to_le_bytes();
    region.extend(sum.iter().cycle().take(sector));
    region
}

fn boot_sector(geometry: &Geometry, params: &Params, root: u32, used: u64) -> [u8; 512] {
    let sector = geometry.sector;
    let mut boot = [0; 512];
    put(&mut boot, 0, &[0xEB, 0x76, 0x90]);
    put(&mut boot, 3, b"EXFAT   ");
    put(&mut boot, 64, &(params.partition_offset / sector).to_le_bytes());
    put(&mut boot, 72, &(geometry.size / sector).to_le_bytes());
    let places = [
        geometry.fat_offset / sector,
        geometry.fat_length / sector,
        geometry.heap / sector,
        geometry.clusters,
        u64::from(root),
        u64::from(params.serial),
    ];
    for (index, place) in places.into_iter().enumerate() {
        put(&mut boot, 80 + index * 4, &(place as u32).to_le_bytes());
    }
    // Revision 1.00; no flags: one FAT, cleanly unmounted, no failures.
    put(&mut boot, 104, &[0, 1, 0, 0]);
    let shifts = [sector.ilog2() as u8, (geometry.cluster / sector).ilog2() as u8];
    put(&mut boot, 108, &shifts);
    put(&mut boot, 110, &[1, 0x80, (used * 100 / geometry.clusters) as u8]);
    boot[120..510].fill(HALT);
    put(&mut boot, 510, &[0x55, 0xAA]);
    boot
}

fn put(sector: &mut [u8; 512], at: usize, bytes: &[u8]) {
    sector[at..at + bytes.len()].copy_from_slice(bytes);
}

fn checksum(region: &[u8]) -> u32 {
    let counted = region
        .iter()
        .enumerate()
        .filter(|(at, _)| !UNCHECKED.contains(at));
    counted.fold(0_u32, |sum, (_, byte)| {
        sum.rotate_right(1).wrapping_add(u32::from(*byte))
    })
}
