//! A new hive that holds nothing but its root key: the base block, and one bin with the key and its security.
//!
//! Facts: Maxim Suhanov, "Windows registry file format specification"; the version and the shape are those of the
//! stores that `bcdedit /createstore` makes. The security is that of Windows' own hives: full control for SYSTEM and
//! administrators, inherited by what is made below.

use crate::base_block::{SIZE, SUMMED, checksum};

const NAME: &[u8] = b"NewStoreRoot";
const NONE: u32 = u32::MAX;

/// Offsets within the bins: the first cell follows the bin's header.
const KEY: u32 = 0x20;
const SECURITY: u32 = 0x80;

const KEY_ALL_ACCESS: u32 = 0xf_003f;
const CONTAINER_INHERIT: u8 = 2;
/// Self-relative, with an access list.
const DESCRIPTOR_CONTROL: u16 = 0x8004;
/// Root of a hive, cannot be deleted, name of one byte a character.
const ROOT_FLAGS: u16 = 0x2c;

/// The bytes of the file.
pub(crate) fn hive() -> Vec<u8> {
    [base_block().to_vec(), bin()].concat()
}

fn base_block() -> [u8; SIZE] {
    let mut block = [0; SIZE];
    let fields = [
        numbers(&[1, 1, 0, 0, 1, 3, 0, 1]), // sequences, time, version 1.3, a hive, in memory as on disk
        numbers(&[KEY, SIZE as u32, 1]),    // root, size of the bins, sectors of 512 bytes
    ];
    let header = [b"regf".to_vec(), fields.concat()].concat();
    block[..header.len()].copy_from_slice(&header);
    let sum = checksum(&block);
    block[SUMMED..SUMMED + 4].copy_from_slice(&sum.to_le_bytes());
    block
}

fn bin() -> Vec<u8> {
    let header = [b"hbin".to_vec(), numbers(&[0, SIZE as u32, 0, 0, 0, 0, 0])].concat();
    let mut bin = [header, cell(&root_key()), cell(&security())].concat();
    let free = SIZE - bin.len();
    bin.extend((free as u32).to_le_bytes());
    bin.resize(SIZE, 0);
    bin
}

/// A cell in use: its size is negative, and a multiple of eight.
fn cell(content: &[u8]) -> Vec<u8> {
    let size = (content.len() + 4).next_multiple_of(8);
    let mut cell = (size as u32).wrapping_neg().to_le_bytes().to_vec();
    cell.extend(content);
    cell.resize(size, 0);
    cell
}

fn root_key() -> Vec<u8> {
    let mut key = [b"nk".to_vec(), ROOT_FLAGS.to_le_bytes().to_vec()].concat();
    key.extend(numbers(&[0, 0, 0, 0])); // time, spare, parent
    key.extend(numbers(&[0, 0, NONE, NONE])); // no subkeys, of either kind
    key.extend(numbers(&[0, NONE])); // no values
    key.extend(numbers(&[SECURITY, NONE])); // no class
    key.extend(numbers(&[0; 5])); // longest names and data, work variable
    key.extend((NAME.len() as u16).to_le_bytes());
    key.extend([0, 0]);
    key.extend(NAME);
    key
}

/// The security record is alone in its ring, and one key refers to it.
fn security() -> Vec<u8> {
    let descriptor = descriptor();
    let size = descriptor.len() as u32;
    let header = [b"sk\0\0".to_vec(), numbers(&[SECURITY, SECURITY, 1, size])];
    [header.concat(), descriptor].concat()
}

fn descriptor() -> Vec<u8> {
    let (administrators, system) = (sid(&[32, 544]), sid(&[18]));
    let list = access_list(&[entry(&administrators), entry(&system)]);
    let header = 20;
    let owner = header + list.len() as u32;
    let group = owner + administrators.len() as u32;
    let mut descriptor = vec![1, 0];
    descriptor.extend(DESCRIPTOR_CONTROL.to_le_bytes());
    descriptor.extend(numbers(&[owner, group, 0, header]));
    [descriptor, list, administrators, system].concat()
}

fn access_list(entries: &[Vec<u8>]) -> Vec<u8> {
    let body = entries.concat();
    let (size, count) = (8 + body.len() as u16, entries.len() as u16);
    let header = [2, size, count, 0].map(u16::to_le_bytes).concat();
    [header, body].concat()
}

/// Allows everything, here and below.
fn entry(sid: &[u8]) -> Vec<u8> {
    let mut entry = vec![0, CONTAINER_INHERIT];
    entry.extend((8 + sid.len() as u16).to_le_bytes());
    entry.extend(KEY_ALL_ACCESS.to_le_bytes());
    entry.extend(sid);
    entry
}

/// An identifier of the NT authority.
fn sid(parts: &[u32]) -> Vec<u8> {
    let header = vec![1, parts.len() as u8, 0, 0, 0, 0, 0, 5];
    [header, numbers(parts)].concat()
}

fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_and_its_security_lie_where_they_are_said_to_lie() {
        let hive = hive();
        assert_eq!(hive.len(), 2 * SIZE);
        let at = |offset: u32| &hive[SIZE + offset as usize + 4..][..2];
        assert_eq!(at(KEY), b"nk");
        assert_eq!(at(SECURITY), b"sk");
    }
}
