//! The first block of a hive, judged before libhivex sees the file.
//!
//! Facts: Maxim Suhanov, "Windows registry file format specification".

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::failure::Failure;

/// Size of the base block; the bins follow.
pub(crate) const SIZE: usize = 4096;
/// Bytes that the checksum covers; it follows them.
pub(crate) const SUMMED: usize = 508;

/// The largest hives of Windows, SOFTWARE and COMPONENTS, have 50 to 250 MB.
const LARGEST: u64 = 512 << 20;

/// Refuses what is not a complete hive that was closed cleanly.
pub(crate) fn check(path: &Path) -> Result<(), Failure> {
    let name = path.display();
    let failed = |e: &std::io::Error| Failure::io(format!("reading {name}"), e);
    let found = path.symlink_metadata().map_err(|e| failed(&e))?;
    if !found.is_file() {
        return Err(Failure::new(format!("{name} is not a file"))
            .hint("name the hive itself: links are not followed"));
    }
    let mut block = [0; SIZE];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut block));
    match read {
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            return Err(Failure::new(format!("{name} is too short for a registry hive")));
        }
        other => other.map_err(|e| failed(&e))?,
    }
    judge(&block, found.len()).map_err(|wrong| wrong.in_file(&name.to_string()))
}

/// What is wrong with a base block.
#[derive(Debug, PartialEq, Eq)]
enum Wrong {
    Large(u64),
    Signature,
    Kind(u32),
    Dirty(u32, u32),
    Checksum,
    Short(u64),
}

fn judge(block: &[u8; SIZE], length: u64) -> Result<(), Wrong> {
    let bins = u64::from(number(block, 40));
    match () {
        () if length > LARGEST => Err(Wrong::Large(length)),
        () if !block.starts_with(b"regf") => Err(Wrong::Signature),
        () if number(block, 28) != 0 => Err(Wrong::Kind(number(block, 28))),
        () if number(block, 4) != number(block, 8) => Err(Wrong::Dirty(number(block, 4), number(block, 8))),
        () if number(block, SUMMED) != checksum(block) => Err(Wrong::Checksum),
        () if bins + SIZE as u64 > length => Err(Wrong::Short(bins + SIZE as u64)),
        () => Ok(()),
    }
}

impl Wrong {
    fn in_file(self, name: &str) -> Failure {
        let damaged = "the hive is damaged: apply the image again, or restore the file";
        match self {
            Self::Large(bytes) => Failure::new(format!("{name} has {bytes} bytes, more than any hive of Windows"))
                .hint("name a registry hive"),
            Self::Signature => {
                Failure::new(format!("{name} is not a registry hive")).hint("name a registry hive")
            }
            Self::Kind(kind) => Failure::new(format!("{name} is not a hive but one of its logs (type {kind})"))
                .hint("name the hive itself, without .LOG"),
            Self::Dirty(first, second) => Failure::new(format!(
                "{name} was not closed cleanly: its sequence numbers are {first} and {second}, so its log files \
                 hold changes that it lacks"
            ))
            .hint("start that Windows, shut it down in full (shutdown /s /f /t 0), after sysprep where it was generalized already, and \
                   capture it again"),
            Self::Checksum => {
                Failure::new(format!("the first block of {name} does not fit its checksum")).hint(damaged)
            }
            Self::Short(bytes) => {
                Failure::new(format!("{name} is cut off: it should have {bytes} bytes")).hint(damaged)
            }
        }
    }
}

fn number(block: &[u8; SIZE], offset: usize) -> u32 {
    let bytes = block[offset..].first_chunk().copied();
    u32::from_le_bytes(bytes.unwrap_or_default())
}

/// The checksum of a base block.
pub(crate) fn checksum(block: &[u8; SIZE]) -> u32 {
    let sum = (0..SUMMED)
        .step_by(4)
        .fold(0, |sum, offset| sum ^ number(block, offset));
    match sum {
        0 => 1,
        u32::MAX => u32::MAX - 1,
        sum => sum,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> [u8; SIZE] {
        *crate::empty::hive().first_chunk().unwrap()
    }

    #[test]
    fn each_fault_is_told_from_the_others() {
        let length = crate::empty::hive().len() as u64;
        assert_eq!(judge(&good(), length), Ok(()));
        assert_eq!(judge(&good(), length - 1), Err(Wrong::Short(length)));
        assert_eq!(judge(&good(), LARGEST + 1), Err(Wrong::Large(LARGEST + 1)));
        let changed = |offset: usize| {
            let mut block = good();
            block[offset] ^= 0x10;
            judge(&block, length)
        };
        assert_eq!(changed(0), Err(Wrong::Signature));
        assert_eq!(changed(4), Err(Wrong::Dirty(0x11, 1)));
        assert_eq!(changed(28), Err(Wrong::Kind(0x10)));
        assert_eq!(changed(12), Err(Wrong::Checksum));
    }

    #[test]
    fn a_checksum_is_never_all_zeros_or_ones() {
        let mut block = [0; SIZE];
        assert_eq!(checksum(&block), 1);
        block[..4].fill(0xff);
        assert_eq!(checksum(&block), u32::MAX - 1);
    }
}
