//! What Windows answers when it is asked which partition a volume is.

/// Where a volume lies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Partition {
    /// Number of the disk.
    pub disk: u32,
    /// Number of the partition, as Windows counts: without extended ones and unused entries.
    pub number: u32,
    /// Number of its entry, as the kernel of the Linux PE counts: those of logical partitions from 5.
    pub entry: u32,
    /// Bytes from the start of the disk.
    pub start: u64,
    /// Bytes.
    pub size: u64,
    /// GPT type GUID, or the MBR type as `0x83`.
    pub kind: String,
    /// The unique GUID; empty on an MBR disk.
    pub id: String,
    /// Name in a GPT.
    pub name: String,
    /// Attributes in a GPT.
    pub attributes: u64,
    /// Active in an MBR.
    pub active: bool,
}

impl Partition {
    /// What the partition is called, as the kernel of the Linux PE does: its GUID, or the signature of the MBR and the number of
    /// its entry.
    pub fn id_on(&self, table_id: &str) -> String {
        if self.id.is_empty() {
            return format!("{table_id}-{:02x}", self.entry);
        }
        self.id.clone()
    }
}

/// Number of the disk (`STORAGE_DEVICE_NUMBER`); nothing for a CD, which Windows counts for itself.
pub fn disk_number(answer: &[u8]) -> Option<u32> {
    const FILE_DEVICE_DISK: u32 = 7;
    (number(answer, 0)? == FILE_DEVICE_DISK).then_some(())?;
    number(answer, 4)
}

/// A partition (`PARTITION_INFORMATION_EX`) of that disk.
pub fn information(answer: &[u8], disk: u32) -> Option<Partition> {
    const GPT: u32 = 1;
    let number_by_windows = number(answer, 24)?;
    let common = Partition {
        disk,
        number: number_by_windows,
        entry: number_by_windows,
        start: long(answer, 8)?,
        size: long(answer, 16)?,
        ..Partition::default()
    };
    if number(answer, 0)? != GPT {
        let (kind, active) = (format!("0x{:02x}", answer.get(32)?), *answer.get(33)? != 0);
        return Some(Partition {
            kind,
            active,
            ..common
        });
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
        attributes: long(answer, 64)?,
        name: String::from_utf16_lossy(&units),
        ..common
    })
}

/// Bytes of a sector (`DISK_GEOMETRY`).
pub fn sector_size(answer: &[u8]) -> Option<u32> {
    number(answer, 20).filter(|size| *size > 0)
}

/// Identity of a partition table (`DRIVE_LAYOUT_INFORMATION_EX`): the GUID of a GPT, or the MBR's signature as 8
/// hexadecimal digits.
pub fn table_id(answer: &[u8]) -> Option<String> {
    const MBR: u32 = 0;
    const GPT: u32 = 1;
    match number(answer, 0)? {
        MBR => Some(format!("{:08x}", number(answer, 8)?)),
        GPT => guid(answer, 8),
        // A disk that nobody has partitioned.
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00112233-4455-6677-8899-aabbccddeeff";

    fn answer(style: u32) -> Vec<u8> {
        let mut bytes = vec![0; 144];
        bytes[0..4].copy_from_slice(&style.to_le_bytes());
        bytes[8..16].copy_from_slice(&1_048_576u64.to_le_bytes());
        bytes[16..24].copy_from_slice(&(5u64 << 30).to_le_bytes());
        bytes[24..28].copy_from_slice(&3u32.to_le_bytes());
        bytes
    }

    #[test]
    fn a_partition_of_a_gpt_has_its_guid_and_one_of_an_mbr_its_type() {
        let mut gpt = answer(1);
        gpt[48..64].copy_from_slice(&uuid::Uuid::parse_str(ID).unwrap().to_bytes_le());
        gpt[71] = 0xC0;
        let name: Vec<u8> = "Windows".encode_utf16().flat_map(u16::to_le_bytes).collect();
        gpt[72..72 + name.len()].copy_from_slice(&name);
        let found = information(&gpt, 2).unwrap();
        assert_eq!(
            (found.disk, found.number, found.start, found.size),
            (2, 3, 1 << 20, 5 << 30)
        );
        assert_eq!((found.id.as_str(), found.name.as_str()), (ID, "Windows"));
        assert_eq!(found.attributes, 3 << 62);
        let mut mbr = answer(0);
        mbr[32] = 7;
        assert!(!information(&mbr, 0).unwrap().active);
        mbr[33] = 1;
        let found = information(&mbr, 0).unwrap();
        assert_eq!(
            (found.kind.as_str(), found.id.as_str(), found.active),
            ("0x07", "", true)
        );
        assert_eq!(found.id_on("abcdef12"), "abcdef12-03");
        assert!((0..mbr.len() - 1).all(|length| information(&gpt[..length], 0).is_none()));
    }

    #[test]
    fn a_cd_has_no_number_of_a_disk_and_a_table_its_identity() {
        assert_eq!(disk_number(&[7, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0]), Some(1));
        assert_eq!(disk_number(&[2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(
            table_id(&[0, 0, 0, 0, 4, 0, 0, 0, 0x12, 0xEF, 0xCD, 0xAB]).as_deref(),
            Some("abcdef12")
        );
        assert_eq!(table_id(&[1, 0, 0]), None);
        assert_eq!(table_id(&[2; 48]), None);
        let mut geometry = [0; 24];
        assert_eq!(sector_size(&geometry), None);
        geometry[21] = 0x10;
        assert_eq!(sector_size(&geometry), Some(4096));
        assert_eq!(sector_size(&geometry[..23]), None);
    }
}
