//! FAT16 and FAT32 volumes with long names, where every file is one run of clusters.

mod alias;
mod demand;
mod folder;
mod geometry;
mod system;

use crate::area::area;
use crate::dos_time::DosTime;
use crate::extent::{Extent, Layout};
use crate::flat::{Item, flatten, path};
use crate::names::{self, NameError};
use crate::tree::FileTree;
use demand::{Demand, Places};
use folder::{FolderBytes, Target};
use geometry::{ENTRY, FATS, Geometry};

/// Entries that a folder can have at most.
const MAX_ENTRIES: u64 = 65_536;

/// Which FAT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// For volumes of a few megabytes, such as the EFI image within an ISO.
    Fat16,
    /// For everything else.
    Fat32,
}

impl Kind {
    /// Bytes of an entry of the FAT.
    fn bytes(self) -> u64 {
        if self == Self::Fat16 { 2 } else { 4 }
    }

    /// The fewest sectors before the first FAT.
    fn reserved(self) -> u64 {
        if self == Self::Fat16 { 1 } else { 32 }
    }

    fn max_root_entries(self) -> u64 {
        if self == Self::Fat16 {
            demand::MAX_ROOT_ENTRIES
        } else {
            MAX_ENTRIES
        }
    }
}

/// What a volume is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// FAT16 or FAT32.
    pub kind: Kind,
    /// Bytes of the partition, a multiple of the sector size.
    pub size: u64,
    /// 512, 1024, 2048 or 4096.
    pub sector_size: u32,
    /// The volume's serial number.
    pub serial: u32,
    /// The volume's label: at most 11 characters, upper case; none if empty.
    pub label: String,
    /// Sectors before the partition.
    pub hidden_sectors: u32,
    /// Time of all entries, in Unix seconds; stored as UTC.
    pub timestamp: i64,
}

/// Why a tree cannot become a FAT volume.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A name that the volume cannot carry.
    #[error("laying out a FAT volume")]
    Name(#[from] NameError),
    /// The sector size is none of those that exist.
    #[error("laying out a FAT volume: sectors of {0} bytes do not exist: take 512, 1024, 2048 or 4096")]
    SectorSize(u32),
    /// The size is no whole number of sectors.
    #[error("laying out a FAT volume: {size} bytes are no multiple of the sector size {sector_size}")]
    Unaligned {
        /// Bytes of the volume.
        size: u64,
        /// Bytes of a sector.
        sector_size: u32,
    },
    /// The label breaks a rule.
    #[error("laying out a FAT volume: the label \"{label}\" {problem}")]
    Label {
        /// The label.
        label: String,
        /// The rule that it breaks.
        problem: &'static str,
    },
    /// A file of 4 GiB or more.
    #[error(
        "laying out a FAT volume: \"{path}\" has {size} bytes, files on FAT stay below 4 GiB: put it on the \
         data partition"
    )]
    FileTooLarge {
        /// The file.
        path: String,
        /// Its bytes.
        size: u64,
    },
    /// More entries than a FAT folder can have.
    #[error(
        "laying out a FAT volume: the folder \"{path}\" needs {entries} directory entries, {limit} are possible: \
         split it, or shorten its names"
    )]
    FolderTooLarge {
        /// The folder.
        path: String,
        /// Entries with those of long names.
        entries: u64,
        /// Entries that are possible.
        limit: u64,
    },
    /// The content, or the kind of FAT, needs a larger volume.
    #[error("laying out a FAT volume: {size} bytes are too small: the content needs {needed} bytes")]
    TooSmall {
        /// Bytes given.
        size: u64,
        /// Bytes needed.
        needed: u64,
    },
    /// The kind of FAT cannot manage so large a volume.
    #[error("laying out a FAT volume: {size} bytes are more than this kind of FAT can manage")]
    TooLarge {
        /// Bytes given.
        size: u64,
    },
}

/// Lays the tree out. Offsets count from the start of the partition.
///
/// # Errors
/// When the volume cannot carry a name, a file or all of the content.
pub fn plan(tree: &FileTree, params: &Params) -> Result<Layout, Error> {
    check_sizes(params)?;
    let label = label_bytes(&params.label)?;
    let items = flatten(tree);
    names::check(&items)?;
    check_files(&items)?;
    let demand = Demand::of(&items);
    demand.check_folders(&items, params.kind)?;
    let geometry = demand.geometry(params)?;
    let volume = Volume {
        items: &items,
        demand: &demand,
        places: demand.allocate(&geometry),
        geometry,
    };
    Ok(volume.layout(params, &label))
}

/// The size in whole MiB of a volume with 512-byte sectors for this tree, with a thirtieth of it to spare.
pub fn minimum_size(tree: &FileTree, kind: Kind) -> u64 {
    Demand::of(&flatten(tree)).size(kind, 512, 30)
}

fn check_sizes(params: &Params) -> Result<(), Error> {
    let Params {
        size, sector_size, ..
    } = *params;
    if ![512, 1024, 2048, 4096].contains(&sector_size) {
        return Err(Error::SectorSize(sector_size));
    }
    if !size.is_multiple_of(u64::from(sector_size)) {
        return Err(Error::Unaligned { size, sector_size });
    }
    Ok(())
}

/// The label, padded.
fn label_bytes(label: &str) -> Result<[u8; 11], Error> {
    let allowed =
        |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b" !#$%&'()-@^_`{}~".contains(&byte);
    let problem = if label.len() > 11 {
        "is longer than 11 characters: shorten it"
    } else if label.bytes().any(|byte| byte.is_ascii_lowercase()) {
        "has lower-case letters: FAT labels are upper case"
    } else if !label.bytes().all(allowed) {
        "has a character that FAT labels cannot have: use letters, digits, spaces, - and _"
    } else if label.starts_with(' ') || label.ends_with(' ') {
        "starts or ends with a space, which would be lost"
    } else {
        let mut bytes = [b' '; 11];
        bytes[..label.len()].copy_from_slice(label.as_bytes());
        return Ok(bytes);
    };
    Err(Error::Label {
        label: label.to_owned(),
        problem,
    })
}

fn check_files(items: &[Item<'_>]) -> Result<(), Error> {
    match items.iter().position(|item| item.size > u64::from(u32::MAX)) {
        Some(index) => Err(Error::FileTooLarge {
            path: path(items, index),
            size: items[index].size,
        }),
        None => Ok(()),
    }
}

/// Everything that the bytes are made from.
struct Volume<'a> {
    items: &'a [Item<'a>],
    demand: &'a Demand,
    places: Places,
    geometry: Geometry,
}

impl Volume<'_> {
    fn layout(&self, params: &Params, label: &[u8; 11]) -> Layout {
        let time = DosTime::from_unix(params.timestamp);
        let mut extents = self.system_area(params, label);
        for (index, item) in self.items.iter().enumerate() {
            let offset = self.offset(index);
            match item.content {
                None => extents.extend(area(
                    offset,
                    self.folder(index, time, label),
                    self.folder_length(index),
                )),
                Some(content) => {
                    extents.push(Extent {
                        offset,
                        length: item.size,
                        content: content.clone(),
                        last: false,
                    });
                }
            }
        }
        Layout {
            size: params.size,
            extents,
        }
        .finish()
    }

    fn system_area(&self, params: &Params, label: &[u8; 11]) -> Vec<Extent> {
        let geometry = &self.geometry;
        let named = if params.label.is_empty() {
            b"NO NAME    "
        } else {
            label
        };
        let reserved = system::reserved_area(geometry, params, named, self.places.used);
        let fat = system::fat(geometry, self.demand.counts(geometry.kind, geometry.cluster));
        let length = geometry.fat * geometry.sector;
        let copies = (0..FATS).flat_map(|copy| area(geometry.fat_offset(copy), fat.clone(), length));
        area(0, reserved, geometry.fat_offset(0))
            .into_iter()
            .chain(copies)
            .collect()
    }

    /// The bytes that belong to a folder, used or not.
    fn folder_length(&self, index: usize) -> u64 {
        match self.places.first[index] {
            0 => self.geometry.root_entries * ENTRY,
            _ => self.demand.bytes[index].next_multiple_of(self.geometry.cluster),
        }
    }

    fn offset(&self, index: usize) -> u64 {
        match self.places.first[index] {
            // Only FAT16's root folder; empty files have no extent.
            0 => self.geometry.root_offset(),
            cluster => self.geometry.cluster_offset(u64::from(cluster)),
        }
    }

    fn folder(&self, index: usize, time: DosTime, label: &[u8; 11]) -> Vec<u8> {
        let item = &self.items[index];
        let mut folder = FolderBytes::new(time, self.demand.bytes[index]);
        if index == 0 && label != &[b' '; 11] {
            folder.push_label(label);
        } else if index != 0 {
            // The root folder is number 0 here, whatever its cluster.
            let parent = if item.parent == 0 {
                0
            } else {
                self.places.first[item.parent]
            };
            folder.push_dots(self.places.first[index], parent);
        }
        for &child in &item.children {
            let entry = &self.items[child];
            let target = Target {
                folder: entry.is_folder(),
                cluster: self.places.first[child],
                size: entry.size as u32,
            };
            folder.push(entry.name, self.demand.short[child], target);
        }
        folder.finish()
    }
}
