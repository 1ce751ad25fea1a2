//! Variables of a UEFI firmware in the file that keeps them (PI specification, volume 3, 3.2; `VariableFormat.h` of EDK II).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The head of the volume, in which the length of that head lies.
const VOLUME: usize = 0x30;
/// The head of the store of variables behind it.
const STORE: usize = 28;
/// The head of an authenticated variable; the sizes of its name and its data, and its state.
const HEAD: usize = 60;
const NAME_SIZE: usize = 36;
const DATA_SIZE: usize = 40;
const STATE: usize = 2;
const BEGINS: [u8; 2] = [0xaa, 0x55];
/// Written completely, and not deleted yet (the second: its successor is being written). The bytes of others stay, too.
const COUNTS: [u8; 2] = [0x3f, 0x3e];

/// Those that count, by their names; what was deleted or replaced is left out.
pub fn variables(file: &Path) -> BTreeMap<String, Vec<u8>> {
    let bytes = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let head = u16::from_le_bytes([bytes[VOLUME], bytes[VOLUME + 1]]);
    let mut at = usize::from(head) + STORE;
    let mut found = BTreeMap::new();
    while bytes[at..].starts_with(&BEGINS) {
        let size = |field: usize| {
            let four = bytes[at + field..][..4].try_into().expect("four bytes");
            u32::from_le_bytes(four) as usize
        };
        let (name, data) = (size(NAME_SIZE), size(DATA_SIZE));
        let content = &bytes[at + HEAD..][..name + data];
        if COUNTS.contains(&bytes[at + STATE]) {
            found.insert(wide(&content[..name]), content[name..].to_vec());
        }
        at = (at + HEAD + name + data).next_multiple_of(4);
    }
    found
}

/// The labels of the entries that the firmware offers to start.
pub fn boot_entries(variables: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let is_entry = |name: &str| {
        name.strip_prefix("Boot")
            .is_some_and(|number| number.len() == 4 && number.chars().all(|c| c.is_ascii_hexdigit()))
    };
    let entries = variables.iter().filter(|(name, _)| is_entry(name));
    // Attributes and the length of the device path stand before the label.
    entries.map(|(_, data)| wide(&data[6..])).collect()
}

/// UTF-16 up to its zero.
fn wide(bytes: &[u8]) -> String {
    let units = bytes
        .chunks_exact(2)
        .map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    let text: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
    String::from_utf16_lossy(&text)
}
