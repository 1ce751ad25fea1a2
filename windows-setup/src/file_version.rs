//! The version that a program or library of Windows carries (VS_FIXEDFILEINFO in its resources).

use goblin::pe::header::Header;
use goblin::pe::section_table::SectionTable;

/// RT_VERSION.
const VERSION: u32 = 16;
/// From the PE signature to the optional header.
const OPTIONAL_HEADER: usize = 24;
/// VS_VERSIONINFO: three lengths and its key, padded to four bytes.
const FIXED_INFO: usize = 40;
const SIGNATURE: u32 = 0xFEEF_04BD;
/// A resource's directory in a directory, instead of data.
const IS_DIRECTORY: u32 = 1 << 31;

/// The version as four numbers, such as `10.0.19041.1`; nothing where the file carries none.
#[must_use]
pub fn file_version(bytes: &[u8]) -> Option<String> {
    let header = Header::parse(bytes).ok()?;
    let optional = header.optional_header?;
    let table = optional.data_directories.get_resource_table()?;
    let mut offset = usize::try_from(header.dos_header.pe_pointer)
        .ok()?
        .checked_add(OPTIONAL_HEADER)?
        .checked_add(header.coff_header.size_of_optional_header.into())?;
    let sections = header.coff_header.sections(bytes, &mut offset).ok()?;
    let resources = bytes.get(place(&sections, table.virtual_address)?..)?;
    // By type, by name, by language: the first name and language count.
    let names = child(resources, 0, Some(VERSION))?;
    let languages = child(resources, names.checked_sub(IS_DIRECTORY)?, None)?;
    let data = child(resources, languages.checked_sub(IS_DIRECTORY)?, None)?;
    let address = number(resources, usize::try_from(data).ok()?)?;
    fixed_info(bytes.get(place(&sections, address)?..)?)
}

/// Where an address in memory lies in the file.
fn place(sections: &[SectionTable], address: u32) -> Option<usize> {
    let holds = |section: &&SectionTable| {
        let after = address.checked_sub(section.virtual_address);
        after.is_some_and(|after| after < section.size_of_raw_data)
    };
    let section = sections.iter().find(holds)?;
    let place = (address - section.virtual_address).checked_add(section.pointer_to_raw_data)?;
    usize::try_from(place).ok()
}

/// What an entry of a directory leads to: the one with that id, or the first.
fn child(resources: &[u8], directory: u32, id: Option<u32>) -> Option<u32> {
    let directory = resources.get(usize::try_from(directory).ok()?..)?;
    // The numbers of entries with a name and with an id; those with a name come first.
    let counts = number(directory, 12)?;
    let count = (counts & 0xFFFF) + (counts >> 16);
    let mut entries = directory
        .get(16..)?
        .chunks_exact(8)
        .take(usize::try_from(count).ok()?);
    let found = entries.find(|entry| id.is_none() || number(entry, 0) == id)?;
    number(found, 4)
}

fn fixed_info(version: &[u8]) -> Option<String> {
    let info = version.get(FIXED_INFO..)?;
    if number(info, 0)? != SIGNATURE {
        return None;
    }
    let (high, low) = (number(info, 8)?, number(info, 12)?);
    Some(format!(
        "{}.{}.{}.{}",
        high >> 16,
        high & 0xFFFF,
        low >> 16,
        low & 0xFFFF
    ))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A library of resources only, with that version.
    fn library(version: [u16; 4]) -> Vec<u8> {
        let mut file = vec![0; 0x200];
        let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, b"MZ");
        put(60, &64u32.to_le_bytes());
        put(64, b"PE\0\0\x64\x86\x01\0");
        // The optional header's length, and that it is a library.
        put(84, &[240, 0, 0x22, 0x20]);
        put(88, &[0x0B, 0x02]);
        put(88 + 32, &0x1000u32.to_le_bytes());
        put(88 + 36, &0x200u32.to_le_bytes());
        put(88 + 108, &16u32.to_le_bytes());
        // The third directory: resources.
        put(88 + 112 + 16, &0x1000u32.to_le_bytes());
        put(88 + 112 + 20, &0x200u32.to_le_bytes());
        let section = 88 + 240;
        put(section, b".rsrc");
        for (at, value) in [(8, 0x200u32), (12, 0x1000), (16, 0x200), (20, 0x200)] {
            put(section + at, &value.to_le_bytes());
        }
        file.extend(resources(version));
        file.resize(0x400, 0);
        file
    }

    fn resources(version: [u16; 4]) -> Vec<u8> {
        let directory = |id: u32, to: u32| {
            let mut bytes = vec![0; 14];
            bytes.extend(1u16.to_le_bytes());
            bytes.extend([id.to_le_bytes(), to.to_le_bytes()].concat());
            bytes
        };
        let mut bytes = [
            directory(16, IS_DIRECTORY | 24),
            directory(1, IS_DIRECTORY | 48),
            directory(1033, 72),
        ]
        .concat();
        bytes.extend([0x1000u32 + 88, 92, 0, 0].map(u32::to_le_bytes).concat());
        bytes.extend([92u16, 52, 0].map(u16::to_le_bytes).concat());
        bytes.extend("VS_VERSION_INFO\0".encode_utf16().flat_map(u16::to_le_bytes));
        bytes.extend([0, 0]);
        let [major, minor, build, revision] = version.map(u32::from);
        let numbers = [SIGNATURE, 0x1_0000, major << 16 | minor, build << 16 | revision];
        bytes.extend(numbers.map(u32::to_le_bytes).concat());
        bytes
    }

    #[test]
    fn the_version_of_a_library_is_read() {
        let version = file_version(&library([10, 0, 19041, 1]));
        assert_eq!(version.as_deref(), Some("10.0.19041.1"));
        assert_eq!(file_version(b"#!/bin/sh\n"), None);
        assert_eq!(file_version(b""), None);
    }

    #[test]
    fn no_damage_ends_the_program() {
        let whole = library([1, 2, 3, 4]);
        for at in 0..whole.len() {
            let _ = file_version(&whole[..at]);
            for value in [0, 0x7F, 0xFF] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                let _ = file_version(&damaged);
            }
        }
        // A directory that leads to itself.
        let mut loops = whole;
        loops[0x200 + 20..0x200 + 24].copy_from_slice(&IS_DIRECTORY.to_le_bytes());
        assert_eq!(file_version(&loops), None);
    }
}
