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

/// Whether the device path of an entry leads to the partition with that GUID.
pub fn is_on(entry: &[u8], partition: &str) -> bool {
    let Ok(id) = uuid::Uuid::parse_str(partition) else {
        return false;
    };
    let id = id.to_bytes_le();
    entry.windows(id.len()).any(|part| part == id)
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
        assert!(!is_on(&entry, id));
        entry.extend(uuid::Uuid::parse_str(id).unwrap().to_bytes_le());
        assert!(is_on(&entry, id) && !is_on(&entry, "no GUID"));
        assert_eq!(entry_name(0x1A), "Boot001A");
    }

    #[test]
    fn an_order_loses_only_that_entry() {
        let order = [3, 0, 1, 0, 0x1A, 0];
        assert_eq!(numbers(&order), [3, 1, 0x1A]);
        assert_eq!(without(&order, 1), [3, 0, 0x1A, 0]);
    }
}
