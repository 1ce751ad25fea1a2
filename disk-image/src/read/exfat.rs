//! exFAT.

use std::sync::Mutex;

use super::device::{Device, ReadError, Run, array, u16_at, u32_at, u64_at};
use super::table::{Table, Usage, Width};
use super::volume::{Kind, Node, Place, Volume, collect};

const ENTRY: usize = 32;
/// A folder's limit by the specification.
const MAX_FOLDER: u64 = 256 << 20;
const BITMAP: u8 = 0x81;
const UPCASE: u8 = 0x82;
const LABEL: u8 = 0x83;
const FILE: u8 = 0x85;
const STREAM: u8 = 0xc0;
const NAME: u8 = 0xc1;
const FOLDER: u16 = 0x10;
const NO_CHAIN: u8 = 0x02;

/// An exFAT volume.
pub struct Exfat {
    label: String,
    sector: u64,
    table: Table,
    root: Place,
    bitmap: Option<Stream>,
    upcase: Option<(u32, Stream)>,
}

/// A file's place and size as the directory says.
#[derive(Clone)]
struct Stream {
    place: Place,
    size: u64,
}

impl Exfat {
    /// Whether a volume looks like exFAT.
    pub fn is_here(device: &Device) -> bool {
        device.bytes(0, 512).is_ok_and(|boot| &boot[3..11] == b"EXFAT   ")
    }

    /// Opens the volume.
    ///
    /// # Errors
    /// When its boot sector or root folder breaks the rules.
    pub fn open(device: Device) -> Result<Self, ReadError> {
        let boot = device.bytes(0, 512)?;
        let damaged = |why: &str| device.damaged("exFAT boot sector", 0, why.to_owned());
        let (sector_shift, cluster_shift) = (boot[108], boot[109]);
        if !(9..=12).contains(&sector_shift) || cluster_shift > 25 - sector_shift {
            return Err(damaged(
                "its sector size or cluster size is outside of the limits",
            ));
        }
        if boot[110] != 1 || boot[510..] != [0x55, 0xaa] {
            return Err(damaged("it has not one allocation table, or no signature"));
        }
        let sector = 1_u64 << sector_shift;
        let at = |field: usize| u64::from(u32_at(&boot, field)) * sector;
        let clusters = u32_at(&boot, 92);
        if clusters > 0xffff_fff5
            || u64_at(&boot, 72)
                .checked_mul(sector)
                .is_none_or(|size| size > device.length())
        {
            return Err(damaged("it has more sectors or clusters than there can be"));
        }
        let table = Table {
            width: Width::Exfat,
            fat: device.window(at(80), at(84))?,
            volume: device.clone(),
            clusters,
            cluster_size: sector << cluster_shift,
            heap: at(88),
            cache: Mutex::default(),
        };
        let root = Place::Clusters {
            first: u32_at(&boot, 96),
            contiguous: false,
            valid: u64::MAX,
        };
        let table = table.check()?;
        let mut volume = Self {
            label: String::new(),
            sector,
            table,
            root,
            bitmap: None,
            upcase: None,
        };
        volume.read_root()?;
        Ok(volume)
    }

    fn read_root(&mut self) -> Result<(), ReadError> {
        let bytes = self.table.folder(&self.root, None, MAX_FOLDER)?;
        for entry in bytes.chunks_exact(ENTRY).take_while(|entry| entry[0] != 0) {
            match entry[0] {
                LABEL => self.label = utf16(&entry[2..2 + 2 * usize::from(entry[1].min(11))]),
                BITMAP => self.bitmap = Some(fixed_stream(entry)),
                UPCASE => self.upcase = Some((u32_at(entry, 4), fixed_stream(entry))),
                _ => {}
            }
        }
        Ok(())
    }

    /// One set: the file entry, its stream and its name.
    fn node(&self, set: &[u8]) -> Result<Node, String> {
        if set_checksum(set) != u16_at(set, 2) {
            return Err("the checksum of its directory entries is wrong".into());
        }
        let stream = &set[ENTRY..];
        let names = set
            .chunks_exact(ENTRY)
            .skip(2)
            .take_while(|entry| entry[0] == NAME);
        let units: Vec<u8> = names.flat_map(|entry| entry[2..].to_vec()).collect();
        let length = 2 * usize::from(stream[3]);
        let name = units
            .get(..length)
            .map(utf16)
            .ok_or("its name is longer than its entries")?;
        let is_folder = u16_at(set, 4) & FOLDER != 0;
        let (valid, size) = (u64_at(stream, 8), u64_at(stream, 24));
        if valid > size {
            return Err(format!("{name}: more bytes are written than it has"));
        }
        Ok(Node {
            name,
            kind: if is_folder { Kind::Folder } else { Kind::File },
            size,
            place: Place::Clusters {
                first: u32_at(stream, 20),
                contiguous: stream[1] & NO_CHAIN != 0,
                valid,
            },
            attributes: 0,
        })
    }

    fn check_boot_region(&self) -> Result<Vec<String>, ReadError> {
        let mut problems = Vec::new();
        let main = self.table.volume.bytes(0, 12 * self.sector)?;
        let backup = self.table.volume.bytes(12 * self.sector, 12 * self.sector)?;
        for (name, region) in [("main", &main), ("backup", &backup)] {
            let (covered, checksums) = region.split_at(11 * self.sector as usize);
            // Flags and percent in use change without a new checksum.
            let fixed = covered
                .iter()
                .enumerate()
                .filter(|(at, _)| !matches!(at, 106 | 107 | 112));
            let sum = fixed.fold(0_u32, |sum, (_, byte)| {
                sum.rotate_right(1).wrapping_add((*byte).into())
            });
            if checksums.chunks_exact(4).any(|value| u32_at(value, 0) != sum) {
                problems.push(format!("the checksum of the {name} boot region is wrong"));
            }
        }
        let mut same = main.clone();
        same[106..108].copy_from_slice(&backup[106..108]);
        same[112] = backup[112];
        if same != backup {
            problems.push("the boot region and its backup differ".into());
        }
        Ok(problems)
    }

    fn check_upcase(&self) -> Result<Vec<String>, ReadError> {
        let Some((expected, stream)) = &self.upcase else {
            return Ok(vec!["there is no up-case table".into()]);
        };
        let mut bytes = self.table.folder(&stream.place, Some(stream.size), 1 << 20)?;
        bytes.truncate(usize::try_from(stream.size).unwrap_or(usize::MAX));
        let sum = bytes.iter().fold(0_u32, |sum, byte| {
            sum.rotate_right(1).wrapping_add((*byte).into())
        });
        Ok(if sum == *expected {
            vec![]
        } else {
            vec!["the checksum of the up-case table is wrong".into()]
        })
    }

    fn check_clusters(&self) -> Result<Vec<String>, ReadError> {
        let Some(bitmap) = &self.bitmap else {
            return Ok(vec!["there is no allocation bitmap".into()]);
        };
        let mut usage = Usage::new(self.table.clusters);
        let streams = [Some(bitmap), self.upcase.as_ref().map(|(_, stream)| stream)];
        for stream in streams.into_iter().flatten() {
            usage.add(
                "the volume's tables",
                &self.stretches(&stream.place, Some(stream.size))?,
            );
        }
        usage.add("the root folder", &self.stretches(&self.root, None)?);
        for found in self.walk()? {
            if usage.is_full() {
                break;
            }
            usage.add(
                &found.path,
                &self.stretches(&found.node.place, Some(found.node.size))?,
            );
        }
        let bits = self
            .table
            .folder(&bitmap.place, Some(bitmap.size), u64::from(u32::MAX))?;
        let bit = |at: usize| bits.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1);
        let allocated: Vec<bool> = (0..self.table.clusters as usize).map(bit).collect();
        Ok(usage.compare(&allocated))
    }

    fn stretches(&self, place: &Place, size: Option<u64>) -> Result<Vec<(u32, u32)>, ReadError> {
        match place {
            Place::Clusters {
                first, contiguous, ..
            } => self.table.stretches(*first, *contiguous, size),
            Place::Runs(_) => Ok(vec![]),
        }
    }
}

impl Volume for Exfat {
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
            attributes: 0,
        }
    }

    fn list(&self, folder: &Node) -> Result<Vec<Node>, ReadError> {
        let size = (folder.place != self.root).then_some(folder.size);
        let bytes = self.table.folder(&folder.place, size, MAX_FOLDER)?;
        let mut nodes = Vec::new();
        let mut at = 0;
        while let Some(first) = bytes.get(at..at + ENTRY).filter(|entry| entry[0] != 0) {
            let length = if first[0] == FILE {
                ENTRY * (1 + usize::from(first[1]))
            } else {
                ENTRY
            };
            if first[0] == FILE {
                let set = bytes
                    .get(at..at + length)
                    .filter(|set| set.len() >= 3 * ENTRY && set[ENTRY] == STREAM);
                let node = set
                    .ok_or("its directory entries are incomplete".to_owned())
                    .and_then(|set| self.node(set));
                nodes.push(node.map_err(|why| {
                    self.table.volume.damaged(
                        "folder",
                        0,
                        format!("{}: entry {}: {why}", folder.name, at / ENTRY),
                    )
                })?);
            }
            at += length;
        }
        Ok(nodes)
    }

    fn runs(&self, file: &Node) -> Result<Vec<Run>, ReadError> {
        self.table
            .runs(&file.place, (file.place != self.root).then_some(file.size))
    }

    fn ignores_case(&self) -> bool {
        true
    }

    fn check(&self) -> Vec<String> {
        collect([
            self.check_clusters(),
            self.check_boot_region(),
            self.check_upcase(),
        ])
    }
}

/// Bitmap and up-case table: their entries have no flag, and their chain is in the table.
fn fixed_stream(entry: &[u8]) -> Stream {
    let size = u64_at(entry, 24);
    Stream {
        place: Place::Clusters {
            first: u32_at(entry, 20),
            contiguous: false,
            valid: size,
        },
        size,
    }
}

fn set_checksum(set: &[u8]) -> u16 {
    let covered = set.iter().enumerate().filter(|(at, _)| !matches!(at, 2 | 3));
    covered.fold(0_u16, |sum, (_, byte)| {
        sum.rotate_right(1).wrapping_add((*byte).into())
    })
}

fn utf16(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|unit| u16::from_le_bytes(array(unit, 0)))
        .collect();
    String::from_utf16_lossy(&units)
}
