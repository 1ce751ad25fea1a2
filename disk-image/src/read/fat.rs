//! FAT12, FAT16 and FAT32 with long names.

use std::sync::Mutex;

use super::device::{Device, ReadError, Run, u16_at, u32_at};
use super::table::{Table, Usage, Width};
use super::volume::{Kind, Node, Place, Volume, collect};

const ENTRY: usize = 32;
/// A FAT folder has at most 65,536 entries.
const MAX_FOLDER: u64 = 65_536 * 32;
const END: u8 = 0;
const DELETED: u8 = 0xe5;
const LONG_NAME: u8 = 0x0f;
const READ_ONLY: u8 = 0x01;
const HIDDEN: u8 = 0x02;
const SYSTEM: u8 = 0x04;
const VOLUME_LABEL: u8 = 0x08;
const FOLDER: u8 = 0x10;

/// A FAT volume.
pub struct Fat {
    label: String,
    table: Table,
    root: Place,
    geometry: Geometry,
}

struct Geometry {
    sector: u64,
    reserved: u64,
    tables: u64,
    table_sectors: u64,
    root_entries: u64,
    sectors: u64,
    cluster_sectors: u64,
    root_cluster: u32,
    backup_boot: u64,
}

impl Geometry {
    fn parse(boot: &[u8]) -> Result<Self, &'static str> {
        let either = |short: u16, long: u32| {
            if short != 0 {
                u64::from(short)
            } else {
                u64::from(long)
            }
        };
        let geometry = Self {
            sector: u16_at(boot, 11).into(),
            cluster_sectors: boot[13].into(),
            reserved: u16_at(boot, 14).into(),
            tables: boot[16].into(),
            root_entries: u16_at(boot, 17).into(),
            sectors: either(u16_at(boot, 19), u32_at(boot, 32)),
            table_sectors: either(u16_at(boot, 22), u32_at(boot, 36)),
            root_cluster: if u16_at(boot, 22) == 0 {
                u32_at(boot, 44)
            } else {
                0
            },
            backup_boot: if u16_at(boot, 22) == 0 {
                u16_at(boot, 50).into()
            } else {
                0
            },
        };
        if !matches!(geometry.sector, 512 | 1024 | 2048 | 4096) {
            return Err("its sector size is none of 512, 1024, 2048 and 4096");
        }
        if !geometry.cluster_sectors.is_power_of_two() || geometry.cluster_sectors > 128 {
            return Err("its cluster size is no power of two up to 128 sectors");
        }
        let complete = geometry.reserved > 0 && (1..=2).contains(&geometry.tables);
        if !complete || geometry.table_sectors == 0 {
            return Err("it has no reserved sectors, no table, or more than two");
        }
        Ok(geometry)
    }

    fn root_sectors(&self) -> u64 {
        (self.root_entries * ENTRY as u64).div_ceil(self.sector)
    }

    fn heap_sector(&self) -> u64 {
        self.reserved + self.tables * self.table_sectors + self.root_sectors()
    }
}

impl Fat {
    /// Whether a volume looks like FAT.
    pub fn is_here(device: &Device) -> bool {
        device.bytes(0, 512).is_ok_and(|boot| {
            boot[510..] == [0x55, 0xaa] && Geometry::parse(&boot).is_ok() && &boot[3..11] != b"EXFAT   "
        })
    }

    /// Opens the volume.
    ///
    /// # Errors
    /// When its boot sector breaks the rules.
    pub fn open(device: Device) -> Result<Self, ReadError> {
        let boot = device.bytes(0, 512)?;
        let damaged = |why: &str| device.damaged("FAT boot sector", 0, why.to_owned());
        let geometry = Geometry::parse(&boot).map_err(damaged)?;
        let heap = geometry.heap_sector();
        let sectors = geometry
            .sectors
            .checked_sub(heap)
            .ok_or_else(|| damaged("no room for a cluster"))?;
        let clusters = u32::try_from(sectors / geometry.cluster_sectors).map_err(|_| damaged("too large"))?;
        let width = match clusters {
            _ if geometry.root_entries == 0 => Width::Fat32,
            0..4085 => Width::Fat12,
            _ => Width::Fat16,
        };
        let table_at = geometry.reserved * geometry.sector;
        let table = Table {
            width,
            fat: device.window(table_at, geometry.table_sectors * geometry.sector)?,
            volume: device.clone(),
            clusters,
            cluster_size: geometry.cluster_sectors * geometry.sector,
            heap: heap * geometry.sector,
            cache: Mutex::default(),
        };
        let root = match width {
            Width::Fat32 => Place::Clusters {
                first: geometry.root_cluster,
                contiguous: false,
                valid: u64::MAX,
            },
            _ => {
                let length = geometry.root_sectors() * geometry.sector;
                Place::Runs(vec![Run {
                    offset: Some(table.heap - length),
                    length,
                }])
            }
        };
        let mut fat = Self {
            label: String::new(),
            table: table.check()?,
            root,
            geometry,
        };
        fat.label = fat.find_label()?;
        Ok(fat)
    }

    fn find_label(&self) -> Result<String, ReadError> {
        let bytes = self.table.folder(&self.root, None, MAX_FOLDER)?;
        let entries = bytes.chunks_exact(ENTRY).take_while(|entry| entry[0] != END);
        let mut labels = entries.filter(|entry| entry[0] != DELETED && entry[11] & 0x3f == VOLUME_LABEL);
        Ok(labels
            .next()
            .map(|entry| text(&entry[..11]).trim_end().to_owned())
            .unwrap_or_default())
    }

    fn node(&self, entry: &[u8], long: Option<String>) -> Node {
        let high = if self.table.width == Width::Fat32 {
            u32::from(u16_at(entry, 20)) << 16
        } else {
            0
        };
        let is_folder = entry[11] & FOLDER != 0;
        Node {
            name: long.unwrap_or_else(|| short_name(entry)),
            kind: if is_folder { Kind::Folder } else { Kind::File },
            size: if is_folder { 0 } else { u32_at(entry, 28).into() },
            place: Place::Clusters {
                first: high | u32::from(u16_at(entry, 26)),
                contiguous: false,
                valid: u64::MAX,
            },
            attributes: entry[11],
        }
    }

    /// The paths of what is read-only, hidden or a file of the system.
    ///
    /// # Errors
    /// When a folder is damaged.
    pub fn marked(&self) -> Result<Vec<String>, ReadError> {
        let is_marked = |node: &Node| node.attributes & (READ_ONLY | HIDDEN | SYSTEM) != 0;
        let found = self.walk()?.into_iter();
        Ok(found
            .filter(|found| is_marked(&found.node))
            .map(|found| found.path)
            .collect())
    }

    fn compare_tables(&self) -> Result<Vec<String>, ReadError> {
        let length = self.table.fat.length();
        let start = self.geometry.reserved * self.geometry.sector;
        for copy in 1..self.geometry.tables {
            let mut at = 0;
            while at < length {
                let part = (length - at).min(1 << 20);
                let first = self.table.volume.bytes(start + at, part)?;
                if first != self.table.volume.bytes(start + copy * length + at, part)? {
                    return Ok(vec![format!(
                        "the two allocation tables differ within {part} bytes from {at}"
                    )]);
                }
                at += part;
            }
        }
        Ok(vec![])
    }

    fn compare_boot_sectors(&self) -> Result<Vec<String>, ReadError> {
        let Geometry {
            sector,
            backup_boot,
            reserved,
            ..
        } = self.geometry;
        if backup_boot == 0 || backup_boot == 0xffff {
            return Ok(vec![]);
        }
        if backup_boot >= reserved {
            return Ok(vec![
                "the backup boot sector lies outside of the reserved sectors".into(),
            ]);
        }
        let same = self.table.volume.bytes(0, 512)? == self.table.volume.bytes(backup_boot * sector, 512)?;
        Ok(if same {
            vec![]
        } else {
            vec!["the boot sector and its backup differ".into()]
        })
    }

    fn check_clusters(&self) -> Result<Vec<String>, ReadError> {
        let mut usage = Usage::new(self.table.clusters);
        let root = super::Found {
            path: "/".into(),
            node: self.root(),
        };
        for found in self.walk()?.into_iter().chain([root]) {
            if usage.is_full() {
                break;
            }
            if let Place::Clusters { first, .. } = found.node.place {
                let size = (!found.node.is_folder()).then_some(found.node.size);
                usage.add(&found.path, &self.table.stretches(first, false, size)?);
            }
        }
        Ok(usage.compare(&self.table.allocated()?))
    }
}

impl Volume for Fat {
    fn label(&self) -> &str {
        &self.label
    }

    fn device(&self) -> &Device {
        &self.table.volume
    }

    fn root(&self) -> Node {
        Node {
            name: String::new(),
            kind: Kind::Folder,
            size: 0,
            place: self.root.clone(),
            attributes: FOLDER,
        }
    }

    fn list(&self, folder: &Node) -> Result<Vec<Node>, ReadError> {
        let bytes = self.table.folder(&folder.place, None, MAX_FOLDER)?;
        let mut nodes = Vec::new();
        let mut long = LongName::default();
        for entry in bytes.chunks_exact(ENTRY).take_while(|entry| entry[0] != END) {
            match (entry[0], entry[11]) {
                (DELETED, _) => long = LongName::default(),
                (_, attributes) if attributes & 0x3f == LONG_NAME => long.push(entry),
                (b'.', _) => long = LongName::default(),
                (_, attributes) if attributes & VOLUME_LABEL != 0 => long = LongName::default(),
                _ => nodes.push(self.node(entry, std::mem::take(&mut long).finish(entry))),
            }
        }
        Ok(nodes)
    }

    fn runs(&self, file: &Node) -> Result<Vec<Run>, ReadError> {
        self.table
            .runs(&file.place, (!file.is_folder()).then_some(file.size))
    }

    fn ignores_case(&self) -> bool {
        true
    }

    fn check(&self) -> Vec<String> {
        collect([
            self.check_clusters(),
            self.compare_tables(),
            self.compare_boot_sectors(),
        ])
    }
}

/// The parts of a long name, which stand before the entry that they belong to, the last part first.
#[derive(Default)]
struct LongName {
    units: Vec<u16>,
    expected: u8,
    checksum: u8,
}

impl LongName {
    fn push(&mut self, entry: &[u8]) {
        let (order, is_last) = (entry[0] & 0x1f, entry[0] & 0x40 != 0);
        if is_last {
            *self = Self {
                units: vec![],
                expected: order,
                checksum: entry[13],
            };
        } else if order == 0 || order != self.expected || entry[13] != self.checksum {
            return *self = Self::default();
        }
        self.expected = order.saturating_sub(1);
        let fields = [&entry[1..11], &entry[14..26], &entry[28..32]].concat();
        let units = fields.chunks_exact(2).map(|unit| u16_at(unit, 0));
        let part: Vec<u16> = units.take_while(|unit| !matches!(unit, 0 | 0xffff)).collect();
        self.units.splice(0..0, part);
    }

    /// The name, if it is complete and belongs to this entry.
    fn finish(self, entry: &[u8]) -> Option<String> {
        let sum = entry[..11]
            .iter()
            .fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
        let belongs = !self.units.is_empty() && self.expected == 0 && sum == self.checksum;
        belongs.then(|| String::from_utf16_lossy(&self.units))
    }
}

fn short_name(entry: &[u8]) -> String {
    let part = |range: std::ops::Range<usize>, lower: u8| {
        let text = text(&entry[range]).trim_end().to_owned();
        if entry[12] & lower != 0 {
            text.to_lowercase()
        } else {
            text
        }
    };
    let (stem, extension) = (part(0..8, 0x08), part(8..11, 0x10));
    if extension.is_empty() {
        stem
    } else {
        format!("{stem}.{extension}")
    }
}

/// Code pages differ above ASCII; our planners give such names a long name, so this one is only for show.
fn text(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| if byte.is_ascii() { char::from(*byte) } else { '_' })
        .collect()
}
