//! Reads an exFAT image and checks everything that it comes across. It shares no code with the planner.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What a volume contains.
pub(crate) enum Found {
    Folder(BTreeMap<String, Found>),
    File { size: u64, offset: u64 },
}

pub(crate) struct Volume {
    image: File,
    sector: u64,
    cluster: u64,
    fat: u64,
    heap: u64,
    clusters: u64,
    upcase: Vec<u16>,
    used: Vec<bool>,
    pub(crate) root: BTreeMap<String, Found>,
    pub(crate) label: String,
    pub(crate) percent: u8,
}

fn le(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn sum16(bytes: impl Iterator<Item = u8>) -> u16 {
    bytes.fold(0_u16, |sum, byte| {
        sum.rotate_right(1).wrapping_add(u16::from(byte))
    })
}

fn sum32(bytes: impl Iterator<Item = u8>) -> u32 {
    bytes.fold(0_u32, |sum, byte| {
        sum.rotate_right(1).wrapping_add(u32::from(byte))
    })
}

impl Volume {
    /// Reads everything but the content of files.
    pub(crate) fn open(path: &Path) -> Self {
        let image = File::open(path).expect("opening the image");
        let mut boot = [0; 512];
        image
            .read_exact_at(&mut boot, 0)
            .expect("reading the boot sector");
        let sector = 1 << boot[108];
        let mut volume = Self {
            sector,
            cluster: sector << boot[109],
            fat: le(&boot[80..84]) * sector,
            heap: le(&boot[88..92]) * sector,
            clusters: le(&boot[92..96]),
            percent: boot[112],
            upcase: Vec::new(),
            used: Vec::new(),
            root: BTreeMap::new(),
            label: String::new(),
            image,
        };
        volume.used = vec![false; volume.clusters as usize];
        assert_eq!(
            le(&boot[72..80]) * sector,
            volume.image.metadata().expect("a size").len()
        );
        assert_eq!(boot[106..108], [0, 0], "volume flags");
        volume.check_boot_region();
        volume.read_root(le(&boot[96..100]));
        volume
    }

    fn read(&self, offset: u64, length: u64) -> Vec<u8> {
        let mut bytes = vec![0; length as usize];
        self.image
            .read_exact_at(&mut bytes, offset)
            .expect("reading the image");
        bytes
    }

    /// The bytes of a file.
    pub(crate) fn content(&self, offset: u64, size: u64) -> Vec<u8> {
        self.read(offset, size)
    }

    fn check_boot_region(&self) {
        let region = self.read(0, 12 * self.sector);
        let (checked, sums) = region.split_at(11 * self.sector as usize);
        let counted = checked
            .iter()
            .enumerate()
            .filter(|(at, _)| ![106, 107, 112].contains(at));
        let sum = sum32(counted.map(|(_, byte)| *byte));
        assert!(
            sums.chunks(4).all(|found| le(found) == u64::from(sum)),
            "boot checksum"
        );
        assert_eq!(
            region,
            self.read(12 * self.sector, 12 * self.sector),
            "backup boot region"
        );
    }

    /// Takes the clusters of something, each only once, and gives its bytes.
    fn take(&mut self, mut cluster: u64, length: u64, contiguous: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut left = length.div_ceil(self.cluster);
        while left > 0 {
            self.mark(cluster, 1);
            bytes.extend(self.read(self.offset(cluster), self.cluster));
            left -= 1;
            let next = le(&self.read(self.fat + cluster * 4, 4));
            cluster = if contiguous { cluster + 1 } else { next };
            assert!(
                contiguous || (left == 0) == (next == 0xFFFF_FFFF),
                "the chain has another length"
            );
        }
        bytes.truncate(length as usize);
        bytes
    }

    fn mark(&mut self, first: u64, count: u64) {
        for cluster in first..first + count {
            let used = &mut self.used[(cluster - 2) as usize];
            assert!(!*used, "cluster {cluster} belongs to two");
            *used = true;
        }
    }

    fn offset(&self, cluster: u64) -> u64 {
        self.heap + (cluster - 2) * self.cluster
    }

    fn read_root(&mut self, first: u64) {
        let (mut count, mut cluster) = (0, first);
        while cluster != 0xFFFF_FFFF {
            count += 1;
            cluster = le(&self.read(self.fat + cluster * 4, 4));
        }
        let bytes = self.take(first, count * self.cluster, false);
        let entries: Vec<&[u8]> = bytes.chunks(32).collect();
        let system = |kind: u8| entries.iter().find(|entry| entry[0] == kind).copied();
        if let Some(label) = system(0x83) {
            let units: Vec<u16> = (0..usize::from(label[1]))
                .map(|n| le(&label[2 + n * 2..4 + n * 2]) as u16)
                .collect();
            self.label = String::from_utf16(&units).expect("a Unicode label");
        }
        let table = system(0x82).expect("an upper-case table");
        let upcase = self.take(le(&table[20..24]), le(&table[24..32]), false);
        assert_eq!(
            le(&table[4..8]),
            u64::from(sum32(upcase.iter().copied())),
            "table checksum"
        );
        self.expand(&upcase);
        let map = system(0x81).expect("a bitmap");
        let bitmap = self.take(le(&map[20..24]), le(&map[24..32]), false);
        self.root = self.folder(&bytes);
        self.check_bitmap(&bitmap);
    }

    fn expand(&mut self, table: &[u8]) {
        let mut units = table.chunks(2).map(|pair| le(pair) as u16);
        while let Some(unit) = units.next() {
            if unit == 0xFFFF {
                let start = self.upcase.len();
                let run = usize::from(units.next().expect("a run has a length"));
                self.upcase.extend((start..start + run).map(|code| code as u16));
            } else {
                self.upcase.push(unit);
            }
        }
        assert_eq!(self.upcase.len(), 0x1_0000);
    }

    fn check_bitmap(&self, bitmap: &[u8]) {
        assert_eq!(bitmap.len() as u64, self.clusters.div_ceil(8));
        for (index, used) in self.used.iter().enumerate() {
            assert_eq!(
                bitmap[index / 8] >> (index % 8) & 1 == 1,
                *used,
                "cluster {}",
                index + 2
            );
        }
        let used = self.used.iter().filter(|used| **used).count() as u64;
        assert_eq!(u64::from(self.percent), used * 100 / self.clusters);
    }

    fn folder(&mut self, bytes: &[u8]) -> BTreeMap<String, Found> {
        let mut found = BTreeMap::new();
        let mut at = 0;
        while at < bytes.len() && bytes[at] != 0 {
            if bytes[at] != 0x85 {
                at += 32;
                continue;
            }
            let length = (usize::from(bytes[at + 1]) + 1) * 32;
            let (name, entry) = self.entry(&bytes[at..at + length]);
            assert!(found.insert(name, entry).is_none());
            at += length;
        }
        assert!(
            bytes[at..].iter().all(|byte| *byte == 0),
            "something follows the end of a folder"
        );
        found
    }

    fn entry(&mut self, set: &[u8]) -> (String, Found) {
        let summed = set
            .iter()
            .enumerate()
            .filter(|(at, _)| ![2, 3].contains(at))
            .map(|(_, byte)| *byte);
        assert_eq!(le(&set[2..4]), u64::from(sum16(summed)), "set checksum");
        assert_eq!(set[22..25], [0x80; 3], "UTC");
        assert_eq!(set[32], 0xC0);
        let name = self.name(set);
        let (flags, first) = (set[33], le(&set[52..56]));
        let size = le(&set[56..64]);
        assert_eq!(le(&set[40..48]), size, "valid length");
        assert_eq!(
            (flags, first != 0),
            if size == 0 { (1, false) } else { (3, true) }
        );
        if le(&set[4..6]) & 0x10 != 0 {
            assert!(size > 0 && size.is_multiple_of(self.cluster));
            let bytes = self.take(first, size, true);
            return (name, Found::Folder(self.folder(&bytes)));
        }
        self.mark(first, size.div_ceil(self.cluster));
        (
            name,
            Found::File {
                size,
                offset: if size == 0 { 0 } else { self.offset(first) },
            },
        )
    }

    fn name(&self, set: &[u8]) -> String {
        let length = usize::from(set[35]);
        let pieces = set[64..].chunks(32).flat_map(|entry| {
            assert_eq!(entry[0], 0xC1);
            entry[2..].chunks(2).map(|pair| le(pair) as u16)
        });
        let units: Vec<u16> = pieces.take(length).collect();
        assert_eq!(set.len() / 32, 2 + length.div_ceil(15), "entries of the set");
        let upper = units
            .iter()
            .flat_map(|unit| self.upcase[usize::from(*unit)].to_le_bytes());
        assert_eq!(le(&set[36..38]), u64::from(sum16(upper)), "name hash");
        String::from_utf16(&units).expect("a Unicode name")
    }
}
