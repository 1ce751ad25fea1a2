//! Areas of a volume that must hold nothing but what was planned, even on a used disk.

use crate::extent::{Content, Extent};

/// Rounds up to a multiple of `unit`; the largest number stands for everything that does not fit.
pub(crate) fn align_up(value: u64, unit: u64) -> u64 {
    value.div_ceil(unit).saturating_mul(unit)
}

/// Bytes at the start of an area of `length` bytes, and zeroes to its end: free space may keep what a disk held
/// before, the rest of a FAT or of a folder may not.
pub(crate) fn area(offset: u64, bytes: Vec<u8>, length: u64) -> [Extent; 2] {
    let bytes = Extent::bytes(offset, bytes);
    let (end, rest) = (bytes.end(), length.saturating_sub(bytes.length));
    [
        bytes,
        Extent {
            offset: end,
            length: rest,
            content: Content::Zero,
            last: false,
        },
    ]
}
