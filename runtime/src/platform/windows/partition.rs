//! What Windows answers when it is asked which partition a volume is.

/// Where a volume lies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Partition {
    /// Number of the disk.
    pub(super) disk: u32,
    /// Number of the partition.
    pub(super) number: u32,
    /// Bytes from the start of the disk.
    pub(super) start: u64,
    /// Bytes.
    pub(super) size: u64,
    /// GPT type GUID, or the MBR type as `0x83`.
    pub(super) kind: String,
    /// The unique GUID; empty on an MBR disk.
    pub(super) id: String,
    /// Name in a GPT.
    pub(super) name: String,
}

/// Disk and partition number (`STORAGE_DEVICE_NUMBER`).
pub(super) fn device_number(answer: &[u8]) -> Option<(u32, u32)> {
    Some((number(answer, 4)?, number(answer, 8)?))
}

/// A partition (`PARTITION_INFORMATION_EX`) of that disk.
pub(super) fn information(answer: &[u8], disk: u32) -> Option<Partition> {
    const GPT: u32 = 1;
    let common = Partition {
        disk,
        number: number(answer, 24)?,
        start: long(answer, 8)?,
        size: long(answer, 16)?,
        ..Partition::default()
    };
    if number(answer, 0)? != GPT {
        let kind = format!("0x{:02x}", answer.get(32)?);
        return Some(Partition { kind, ..common });
    }
    let units: Vec<u16> = answer
        .get(72..144)?
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .take_while(|unit| *unit != 0)
        .collect();
    Some(Partition {
        kind: guid(answer, 32)?,
        id: guid(answer, 48)?,
        name: String::from_utf16_lossy(&units),
        ..common
    })
}

/// Identity of a partition table (`DRIVE_LAYOUT_INFORMATION_EX`): the GUID of a GPT, or the MBR's signature as 8
/// hexadecimal digits.
pub(super) fn table_id(answer: &[u8]) -> Option<String> {
    const MBR: u32 = 0;
    if number(answer, 0)? == MBR {
        return Some(format!("{:08x}", number(answer, 8)?));
    }
    guid(answer, 8)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// A GUID as Windows keeps it: its first three parts little-endian.
fn guid(bytes: &[u8], at: usize) -> Option<String> {
    let bytes: [u8; 16] = bytes.get(at..at + 16)?.try_into().ok()?;
    Some(uuid::Uuid::from_bytes_le(bytes).to_string())
}
