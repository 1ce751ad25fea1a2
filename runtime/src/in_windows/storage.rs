//! What Windows answers when it is asked about a disk: bytes in the form of its C structures.

use super::partition::{self, Partition};
use crate::platform::{Bus, MBR_ENTRIES};

/// A disk as its driver describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Manufacturer and model.
    pub model: String,
    /// Serial number; may be empty.
    pub serial: String,
    /// How it is attached.
    pub bus: Bus,
    /// Its medium can be taken out.
    pub removable: bool,
}

/// The question that is answered with a description (`STORAGE_PROPERTY_QUERY`: the device, in the standard way).
pub const DESCRIBE: [u8; 12] = [0; 12];

/// A description (`STORAGE_DEVICE_DESCRIPTOR`).
pub fn description(answer: &[u8]) -> Option<Description> {
    let text = |at: usize| text_at(answer, number(answer, at)? as usize);
    let words = [text(12), text(16)].into_iter().flatten();
    let words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
    Some(Description {
        model: words.join(" "),
        serial: text(24).unwrap_or_default(),
        bus: bus(number(answer, 28)?),
        removable: *answer.get(10)? != 0,
    })
}

/// `STORAGE_BUS_TYPE`.
fn bus(kind: u32) -> Bus {
    match kind {
        2 | 3 | 11 => Bus::Ata,
        7 => Bus::Usb,
        12 | 13 => Bus::Mmc,
        17 => Bus::Nvme,
        1 | 6 | 8 | 9 | 10 => Bus::Scsi,
        _ => Bus::Other,
    }
}

/// A text at a place of the answer; 0 stands for none.
fn text_at(answer: &[u8], at: usize) -> Option<String> {
    let bytes = answer.get(at..).filter(|_| at > 0)?;
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some(String::from_utf8_lossy(&bytes[..end]).trim().to_owned())
}

/// Bytes of a sector and of the disk (`DISK_GEOMETRY_EX`).
pub fn geometry(answer: &[u8]) -> Option<(u32, u64)> {
    let size = u64::from_le_bytes(answer.get(24..32)?.try_into().ok()?);
    Some((partition::sector_size(answer)?, size))
}

/// The partitions of a disk (`DRIVE_LAYOUT_INFORMATION_EX`), without the unused entries of an MBR.
pub fn partitions(answer: &[u8], disk: u32) -> Vec<Partition> {
    const FIRST: usize = 48;
    const EACH: usize = 144;
    let count = number(answer, 4).unwrap_or(0) as usize;
    let entries = answer.get(FIRST..).unwrap_or_default().chunks_exact(EACH);
    let mut logical = MBR_ENTRIES;
    let with_entry = |(index, mut partition): (u32, Partition)| {
        // Behind the entries of the MBR come those of the tables in the extended partition.
        logical += u32::from(index >= MBR_ENTRIES);
        partition.entry = if index < MBR_ENTRIES { index + 1 } else { logical };
        partition
    };
    (0..)
        .zip(entries.take(count))
        .filter_map(|(index, entry)| Some((index, partition::information(entry, disk)?)))
        .filter(|(_, partition)| partition.number > 0 && partition.kind != "0x00")
        .map(with_entry)
        .collect()
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_has_model_serial_number_and_bus() {
        let mut answer = vec![0; 40];
        for (at, place) in [(12, 40_u32), (16, 46), (24, 0), (28, 17)] {
            answer[at..at + 4].copy_from_slice(&place.to_le_bytes());
        }
        answer.extend(b"ACME \0Fast Disk 1  \0");
        let found = description(&answer).unwrap();
        assert_eq!(
            (found.model.as_str(), found.serial.as_str()),
            ("ACME Fast Disk 1", "")
        );
        assert_eq!((found.bus, found.removable), (Bus::Nvme, false));
        answer[10] = 1;
        answer[24] = 46;
        let found = description(&answer).unwrap();
        assert_eq!((found.serial.as_str(), found.removable), ("Fast Disk 1", true));
        // No end, or beyond the answer.
        answer[24] = 200;
        assert_eq!(description(&answer).unwrap().serial, "");
        assert_eq!(description(&answer[..20]), None);
    }

    #[test]
    fn a_disk_has_its_size_and_its_partitions() {
        let mut answer = vec![0; 32];
        answer[20..24].copy_from_slice(&4096_u32.to_le_bytes());
        answer[24..32].copy_from_slice(&(5_u64 << 30).to_le_bytes());
        assert_eq!(geometry(&answer), Some((4096, 5 << 30)));
        assert_eq!(geometry(&answer[..30]), None);
        let mut layout = vec![0; 48 + 12 * 144];
        layout[4] = 12;
        for (entry, number, kind) in [
            (0, 1, 7),
            (1, 0, 0),
            (2, 2, 0x0C),
            (3, 0, 0x0F),
            (4, 3, 7),
            (5, 0, 5),
            (8, 4, 7),
        ] {
            let at = 48 + entry * 144;
            layout[at + 24] = number;
            layout[at + 32] = kind;
        }
        let found = partitions(&layout, 3);
        let found: Vec<_> = found
            .iter()
            .map(|p| (p.disk, p.number, p.kind.as_str()))
            .collect();
        assert_eq!(
            found,
            [(3, 1, "0x07"), (3, 2, "0x0c"), (3, 3, "0x07"), (3, 4, "0x07")]
        );
        // As the kernel of Linux counts.
        let ids = partitions(&layout, 3);
        let ids: Vec<_> = ids.iter().map(|p| p.id_on("0badcafe")).collect();
        assert_eq!(ids, ["0badcafe-01", "0badcafe-03", "0badcafe-05", "0badcafe-06"]);
        assert!(partitions(&layout[..60], 3).is_empty() && partitions(&[], 3).is_empty());
    }
}
