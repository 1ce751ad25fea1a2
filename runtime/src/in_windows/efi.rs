//! The firmware's boot entries (UEFI specification, 3.1.3).

/// The name of an entry's variable.
pub fn entry_name(number: u16) -> String {
    format!("Boot{number:04X}")
}

/// The entries of a boot order.
pub fn numbers(order: &[u8]) -> Vec<u16> {
    let pairs = order.chunks_exact(2);
    pairs.map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// A boot order in which an entry comes first.
pub fn first(order: &[u8], number: u16) -> Vec<u8> {
    [number.to_le_bytes().to_vec(), without(order, number)].concat()
}

/// What a device path knows a partition's table by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// The partition's unique GUID in a GPT.
    Gpt(uuid::Uuid),
    /// The signature of the MBR.
    Mbr(u32),
}

impl Signature {
    /// From what the partition is called: its GUID, or the signature of the MBR and the number of its entry (`0badf00d-01`).
    pub fn of(partition: &str) -> Option<Self> {
        if let Ok(id) = uuid::Uuid::parse_str(partition) {
            return Some(Self::Gpt(id));
        }
        let (table, _) = partition.split_once('-')?;
        u32::from_str_radix(table, 16).ok().map(Self::Mbr)
    }

    /// How a device path's node for a partition ends: with the signature, and the kinds of table and of signature, which have the
    /// same numbers.
    fn bytes(self) -> [u8; 18] {
        const MBR: u8 = 1;
        const GPT: u8 = 2;
        let mut bytes = [0; 18];
        let kind = match self {
            Self::Gpt(id) => {
                bytes[..16].copy_from_slice(&id.to_bytes_le());
                GPT
            }
            Self::Mbr(signature) => {
                bytes[..4].copy_from_slice(&signature.to_le_bytes());
                MBR
            }
        };
        bytes[16..].fill(kind);
        bytes
    }
}

/// A partition, as a device path names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HardDrive {
    /// Its number in the table.
    pub number: u32,
    /// Its first sector.
    pub start: u64,
    /// How many sectors it has.
    pub size: u64,
    /// Its table's, or its own.
    pub signature: Signature,
}

/// An active entry that starts a file of a partition (UEFI specification, 3.1.3 and 10.3.5).
pub fn entry(label: &str, partition: &HardDrive, loader: &str) -> Vec<u8> {
    const ACTIVE: u32 = 1;
    const END: [u8; 4] = [0x7F, 0xFF, 4, 0];
    let path = [hard_drive(partition), file(loader), END.to_vec()].concat();
    let length = u16::try_from(path.len()).unwrap_or(u16::MAX);
    let mut entry = ACTIVE.to_le_bytes().to_vec();
    entry.extend(length.to_le_bytes());
    entry.extend(text(label));
    entry.extend(path);
    entry
}

/// The same start under another label; nothing where the bytes are no entry. What follows the device path stays behind: by it
/// firmware knows the entries that it has made itself, and removes them again.
pub fn relabelled(known: &[u8], new: &str) -> Option<Vec<u8>> {
    let length = usize::from(u16::from_le_bytes(known.get(4..6)?.try_into().ok()?));
    let begin = 6 + text(&label(known)?).len();
    let path = known.get(begin..begin + length).filter(|path| !path.is_empty())?;
    Some([&known[..6], &text(new), path].concat())
}

/// Type and length of a device path's node for a partition.
const NODE: [u8; 4] = [4, 1, 42, 0];

fn hard_drive(partition: &HardDrive) -> Vec<u8> {
    let mut node = NODE.to_vec();
    node.extend(partition.number.to_le_bytes());
    node.extend(partition.start.to_le_bytes());
    node.extend(partition.size.to_le_bytes());
    node.extend(partition.signature.bytes());
    node
}

fn file(path: &str) -> Vec<u8> {
    let name = text(&path.replace('/', "\\"));
    let length = u16::try_from(name.len() + 4).unwrap_or(u16::MAX);
    let mut node = vec![4, 4];
    node.extend(length.to_le_bytes());
    node.extend(name);
    node
}

fn text(text: &str) -> Vec<u8> {
    text.encode_utf16()
        .chain([0])
        .flat_map(u16::to_le_bytes)
        .collect()
}

/// A boot order without an entry.
pub fn without(order: &[u8], number: u16) -> Vec<u8> {
    let others = numbers(order).into_iter().filter(|other| *other != number);
    others.flat_map(u16::to_le_bytes).collect()
}

/// The label of an entry: after its attributes and the length of its device path, up to a zero.
pub fn label(entry: &[u8]) -> Option<String> {
    let units = numbers(entry.get(6..)?);
    let end = units.iter().position(|unit| *unit == 0)?;
    String::from_utf16(&units[..end]).ok()
}

/// Whether the device path of an entry leads to a partition, by what that is called ([`Signature::of`]). The numbers and places of
/// partitions in a GPT may have changed; in an MBR the number is all that tells them apart.
pub fn is_on(entry: &[u8], partition: &str) -> bool {
    let Some(signature) = Signature::of(partition) else {
        return false;
    };
    let number = match signature {
        Signature::Gpt(_) => None,
        Signature::Mbr(_) => partition.split_once('-').map(|(_, number)| number),
    };
    let number = number.and_then(|number| u32::from_str_radix(number, 16).ok());
    let end = signature.bytes();
    entry.windows(NODE.len() + 38).any(|node| {
        let found = u32::from_le_bytes([node[4], node[5], node[6], node[7]]);
        node.starts_with(&NODE) && node.ends_with(&end) && number.is_none_or(|number| number == found)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_known_by_its_whole_label() {
        let mut entry = vec![1, 0, 0, 0, 4, 0];
        entry.extend("media-runtime\0".encode_utf16().flat_map(u16::to_le_bytes));
        entry.extend([0x7F, 0xFF, 4, 0]);
        assert_eq!(label(&entry).as_deref(), Some("media-runtime"));
        assert_eq!(label(&entry[..20]), None);
        assert_eq!(label(&[]), None);
        let id = "00112233-4455-6677-8899-aabbccddeeff";
        assert!(!is_on(&entry, id) && !is_on(&[], id));
        entry.extend(hard_drive(&HardDrive {
            number: 1,
            start: 2048,
            size: 2048,
            signature: Signature::of(id).unwrap(),
        }));
        assert!(is_on(&entry, id) && !is_on(&entry, "no GUID"));
        assert_eq!(entry_name(0x1A), "Boot001A");
    }

    /// Byte for byte as the specification lays it out.
    #[test]
    fn an_entry_names_its_partition_and_its_loader() {
        let partition = HardDrive {
            number: 1,
            start: 0x800,
            size: 0x3_2000,
            signature: Signature::of("3ad8a6a7-0f5c-4a35-8a1b-2b9c8a7e1f00").unwrap(),
        };
        let made = entry("m", &partition, "/EFI/a");
        let hex: String = made.iter().map(|byte| format!("{byte:02x}")).collect();
        let expected = [
            "01000000",
            "4000",
            "6d000000",
            "04012a00",
            "01000000",
            "0008000000000000",
            "0020030000000000",
            "a7a6d83a5c0f354a8a1b2b9c8a7e1f00",
            "0202",
            "04041200",
            "5c004500460049005c0061000000",
            "7fff0400",
        ];
        assert_eq!(hex, expected.concat());
        assert_eq!(label(&made).as_deref(), Some("m"));
        assert!(is_on(&made, "3ad8a6a7-0f5c-4a35-8a1b-2b9c8a7e1f00"));
        let of_mbr = HardDrive {
            signature: Signature::of("0badf00d-01").unwrap(),
            ..partition
        };
        let made = entry("m", &of_mbr, "/EFI/a");
        assert!(is_on(&made, "0badf00d-01"));
        assert!(!is_on(&made, "0badf00d-02") && !is_on(&made, "0badf00e-01"));
        let made: String = made.iter().map(|byte| format!("{byte:02x}")).collect();
        let of_gpt = [expected[7], expected[8]].concat();
        assert_eq!(made, hex.replace(&of_gpt, "0df0ad0b0000000000000000000000000101"));
        assert_eq!(Signature::of("media"), None);
    }

    #[test]
    fn an_entry_under_another_label_starts_the_same() {
        let mut known = vec![1, 0, 0, 0, 6, 0];
        known.extend(text("UEFI DVD"));
        known.extend([2, 1, 0x7F, 0xFF, 4, 0]);
        let plain = known.clone();
        known.extend(b"made by the firmware");
        let made = relabelled(&known, "media-runtime").unwrap();
        assert_eq!(label(&made).as_deref(), Some("media-runtime"));
        assert_eq!(relabelled(&made, "UEFI DVD"), Some(plain.clone()));
        assert_eq!(relabelled(&plain[..plain.len() - 1], "x"), None);
        assert_eq!(relabelled(&[], "x"), None);
    }

    #[test]
    fn an_order_loses_only_that_entry() {
        let order = [3, 0, 1, 0, 0x1A, 0];
        assert_eq!(first(&order, 1), [1, 0, 3, 0, 0x1A, 0]);
        assert_eq!(first(&[], 7), [7, 0]);
        assert_eq!(numbers(&order), [3, 1, 0x1A]);
        assert_eq!(without(&order, 1), [3, 0, 0x1A, 0]);
    }
}
