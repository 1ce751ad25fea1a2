//! The journal on the target's boot partition: two slots in one preallocated file, overwritten in place in turn
//! and never renamed, because FAT promises nothing about a rename over a power cut.
//!
//! A slot: magic (8 bytes), sequence number (u64), payload length (u32), 4 zero bytes, SHA-256 of everything
//! before it and of the payload (32 bytes), payload. Integers are little-endian. The valid slot with the higher
//! sequence number counts; a torn write leaves the other one.

use sha2::{Digest, Sha256};
use thiserror::Error;

/// Bytes of one slot.
pub const SLOT_LENGTH: usize = 256 * 1024;
/// Bytes of the whole file.
pub const FILE_LENGTH: usize = 2 * SLOT_LENGTH;

/// Bytes that a slot has room for.
pub const MOST_PAYLOAD: usize = SLOT_LENGTH - PAYLOAD;

const MAGIC: &[u8; 8] = b"MRJRNL01";
const HEADER: usize = 24;
const PAYLOAD: usize = HEADER + 32;

/// The payload does not fit in a slot.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the run's journal needs {needed} bytes and a slot holds {}", SLOT_LENGTH - PAYLOAD)]
pub struct TooLong {
    /// Bytes of the payload.
    pub needed: usize,
}

/// The content of the newest valid slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Counts the writes, from 1.
    pub sequence: u64,
    /// What was written.
    pub payload: Vec<u8>,
}

/// Where in the file the slot of that sequence number lies, in bytes.
pub fn offset(sequence: u64) -> u64 {
    (sequence % 2) * SLOT_LENGTH as u64
}

/// The bytes to write at [`offset`]`(sequence)`: header and payload, without the unused rest of the slot.
///
/// # Errors
/// When the payload is longer than a slot.
pub fn encode(sequence: u64, payload: &[u8]) -> Result<Vec<u8>, TooLong> {
    if PAYLOAD + payload.len() > SLOT_LENGTH {
        return Err(TooLong {
            needed: payload.len(),
        });
    }
    let mut slot = Vec::with_capacity(PAYLOAD + payload.len());
    slot.extend_from_slice(MAGIC);
    slot.extend_from_slice(&sequence.to_le_bytes());
    slot.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    let digest = digest(&slot, payload);
    slot.extend_from_slice(&digest);
    slot.extend_from_slice(payload);
    Ok(slot)
}

/// The newest valid slot of a journal file, if any.
pub fn newest(file: &[u8]) -> Option<Slot> {
    file.chunks(SLOT_LENGTH)
        .take(2)
        .filter_map(decode)
        .max_by_key(|slot| slot.sequence)
}

fn decode(slot: &[u8]) -> Option<Slot> {
    let header = slot.get(..HEADER)?;
    let sequence = u64::from_le_bytes(header[8..16].try_into().ok()?);
    let length = usize::try_from(u64::from_le_bytes(header[16..24].try_into().ok()?)).ok()?;
    let payload = slot.get(PAYLOAD..PAYLOAD.checked_add(length)?)?;
    // After the last number there would be no next one.
    let valid = sequence < u64::MAX
        && header.starts_with(MAGIC)
        && slot.get(HEADER..PAYLOAD)? == digest(header, payload);
    valid.then(|| Slot {
        sequence,
        payload: payload.to_vec(),
    })
}

fn digest(header: &[u8], payload: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(header)
        .chain_update(payload)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(file: &mut [u8], sequence: u64, payload: &[u8]) {
        let start = usize::try_from(offset(sequence)).unwrap();
        let slot = encode(sequence, payload).unwrap();
        file[start..start + slot.len()].copy_from_slice(&slot);
    }

    #[test]
    fn the_newest_slot_counts() {
        let mut file = vec![0; FILE_LENGTH];
        assert_eq!(newest(&file), None);
        write(&mut file, 1, b"one");
        write(&mut file, 2, b"two, and longer");
        write(&mut file, 3, b"three");
        assert_eq!(
            newest(&file),
            Some(Slot {
                sequence: 3,
                payload: b"three".to_vec()
            })
        );
    }

    #[test]
    fn a_write_torn_at_any_byte_leaves_the_one_before() {
        let mut file = vec![0; FILE_LENGTH];
        write(&mut file, 1, b"older");
        write(&mut file, 2, b"before");
        let slot = encode(3, b"torn in the middle").unwrap();
        let start = usize::try_from(offset(3)).unwrap();
        for length in 0..slot.len() {
            let mut torn = file.clone();
            torn[start..start + length].copy_from_slice(&slot[..length]);
            let kept = newest(&torn).unwrap();
            assert!(kept.payload == b"before", "torn after {length} bytes: {kept:?}");
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let slot = encode(7, b"payload").unwrap();
        for bit in 0..slot.len() * 8 {
            let mut damaged = slot.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&damaged), None, "bit {bit}");
        }
    }

    #[test]
    fn too_long_a_payload_is_refused() {
        assert!(encode(1, &vec![0; SLOT_LENGTH]).is_err());
    }
}
