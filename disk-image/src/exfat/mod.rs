//! exFAT volumes, where every file is one run of clusters. Planning costs what is used, not what is free.

mod boot;
mod folder;
mod geometry;
mod upcase;

use crate::area::{align_up, area};
use crate::dos_time::DosTime;
use crate::extent::{Extent, Layout};
use crate::flat::{Item, flatten, path};
use crate::names::{self, NameError};
use crate::tree::FileTree;
use folder::{ENTRY, FolderBytes, Target};
use geometry::{Geometry, Misfit, usual_cluster};

const MIB: u64 = 1 << 20;

/// Bytes that a folder can have at most.
const MAX_FOLDER: u64 = 256 * MIB;

/// No smaller clusters are made; also the largest size of a sector.
const SMALLEST_CLUSTER: u64 = 4096;

/// Entries of the root folder beside its content: label, bitmap, upper-case table.
const SYSTEM_ENTRIES: u64 = 3;

/// What a volume is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// Bytes of the partition, a multiple of the sector size.
    pub size: u64,
    /// 512, 1024, 2048 or 4096.
    pub sector_size: u32,
    /// The volume's serial number.
    pub serial: u32,
    /// The volume's label: at most 11 UTF-16 units; none if empty.
    pub label: String,
    /// Bytes before the partition.
    pub partition_offset: u64,
    /// Time of all entries, in Unix seconds; stored as UTC.
    pub timestamp: i64,
}

/// Why a tree cannot become an exFAT volume.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A name that the volume cannot carry.
    #[error("laying out an exFAT volume")]
    Name(#[from] NameError),
    /// The sector size is none of those that exist.
    #[error("laying out an exFAT volume: sectors of {0} bytes do not exist: take 512, 1024, 2048 or 4096")]
    SectorSize(u32),
    /// The size or place is no whole number of sectors.
    #[error("laying out an exFAT volume: {bytes} bytes are no multiple of the sector size {sector_size}")]
    Unaligned {
        /// Bytes of the volume, or before it.
        bytes: u64,
        /// Bytes of a sector.
        sector_size: u32,
    },
    /// The label breaks a rule.
    #[error(
        "laying out an exFAT volume: the label {0:?} is longer than 11 UTF-16 units or has control characters: \
         shorten it"
    )]
    Label(String),
    /// More entries than an exFAT folder can have.
    #[error(
        "laying out an exFAT volume: the entries of the folder \"{path}\" take {bytes} bytes, 256 MiB are possible: split it"
    )]
    FolderTooLarge {
        /// The folder.
        path: String,
        /// Bytes of its entries.
        bytes: u64,
    },
    /// The content needs a larger volume.
    #[error("laying out an exFAT volume: {size} bytes are too small: the content needs {needed} bytes")]
    TooSmall {
        /// Bytes given.
        size: u64,
        /// Bytes needed.
        needed: u64,
    },
    /// More clusters than exFAT can count.
    #[error("laying out an exFAT volume: {size} bytes are more than exFAT can manage")]
    TooLarge {
        /// Bytes given.
        size: u64,
    },
}

/// Lays the tree out. Offsets count from the start of the partition.
///
/// # Errors
/// When the volume cannot carry a name or all of the content.
pub fn plan(tree: &FileTree, params: &Params) -> Result<Layout, Error> {
    let label = check_params(params)?;
    let items = flatten(tree);
    names::check(&items)?;
    let demand = Demand::of(&items);
    demand.check_folders(&items)?;
    let geometry = demand.geometry(params)?;
    let places = demand.allocate(&geometry);
    Ok(Volume {
        items: &items,
        demand: &demand,
        places,
        geometry,
    }
    .layout(params, &label))
}

/// The size in whole MiB of a volume with 512-byte sectors for this tree, with a thirtieth of it to spare.
pub fn minimum_size(tree: &FileTree) -> u64 {
    Demand::of(&flatten(tree)).size(512, 30)
}

/// Checks all but the size; gives the label's units.
fn check_params(params: &Params) -> Result<Vec<u16>, Error> {
    let sector_size = params.sector_size;
    if ![512, 1024, 2048, 4096].contains(&sector_size) {
        return Err(Error::SectorSize(sector_size));
    }
    for bytes in [params.size, params.partition_offset] {
        if !bytes.is_multiple_of(u64::from(sector_size)) {
            return Err(Error::Unaligned { bytes, sector_size });
        }
    }
    let units: Vec<u16> = params.label.encode_utf16().collect();
    if units.len() > 11 || params.label.chars().any(char::is_control) {
        return Err(Error::Label(params.label.clone()));
    }
    Ok(units)
}

/// What the tree needs, before anything has a place.
struct Demand {
    /// Bytes of files and of folders' entries; indexed as the items are.
    bytes: Vec<u64>,
    upcase: Vec<u8>,
}

impl Demand {
    fn of(items: &[Item<'_>]) -> Self {
        let entries = |item: &Item<'_>| {
            item.children
                .iter()
                .map(|&child| folder::entries(items[child].name))
                .sum()
        };
        let bytes = |(index, item): (usize, &Item<'_>)| {
            let entries: u64 = entries(item);
            match (index, item.is_folder()) {
                (0, _) => (SYSTEM_ENTRIES + entries) * ENTRY,
                // An empty folder has a cluster as well.
                (_, true) => entries.max(1) * ENTRY,
                (_, false) => item.size,
            }
        };
        Self {
            bytes: items.iter().enumerate().map(bytes).collect(),
            upcase: upcase::table(),
        }
    }

    fn check_folders(&self, items: &[Item<'_>]) -> Result<(), Error> {
        match (0..items.len()).find(|&index| items[index].is_folder() && self.bytes[index] > MAX_FOLDER) {
            Some(index) => Err(Error::FolderTooLarge {
                path: path(items, index),
                bytes: self.bytes[index],
            }),
            None => Ok(()),
        }
    }

    /// Clusters of the bitmap, the upper-case table, and each item.
    fn counts(&self, geometry: &Geometry) -> impl Iterator<Item = u64> {
        let system = [geometry.bitmap_length(), self.upcase.len() as u64];
        let cluster = geometry.cluster;
        system
            .into_iter()
            .chain(self.bytes.iter().copied())
            .map(move |bytes| bytes.div_ceil(cluster))
    }

    fn clusters(&self, geometry: &Geometry) -> u64 {
        self.counts(geometry).fold(0, u64::saturating_add)
    }

    /// The usual size of clusters, or a smaller one where many small files would waste more than a 64th of the volume:
    /// without it a repository of packages takes twice its size, and is written in as many pieces as it has files.
    fn cluster(&self, size: u64) -> u64 {
        let wasted = |cluster: u64| {
            let rests = self.bytes.iter().map(|bytes| bytes.wrapping_neg() % cluster);
            rests.fold(0, u64::saturating_add)
        };
        let halves = std::iter::successors(Some(usual_cluster(size)), |cluster| Some(cluster / 2));
        let mut halves = halves.take_while(|cluster| *cluster > SMALLEST_CLUSTER);
        halves
            .find(|cluster| wasted(*cluster) <= size / 64)
            .unwrap_or(SMALLEST_CLUSTER)
    }

    fn geometry(&self, params: &Params) -> Result<Geometry, Error> {
        let (size, sector) = (params.size, u64::from(params.sector_size));
        match Geometry::choose(size, sector, self.cluster(size)) {
            Ok(geometry) if self.clusters(&geometry) <= geometry.clusters => Ok(geometry),
            Err(Misfit::TooLarge) => Err(Error::TooLarge { size }),
            _ => Err(Error::TooSmall {
                size,
                needed: self.size(sector, u64::MAX),
            }),
        }
    }

    /// Whole MiB that suffice, with `1 / spare` of the used clusters to spare.
    fn size(&self, sector: u64, spare: u64) -> u64 {
        let mut size = MIB;
        loop {
            let missing = match Geometry::choose(size, sector, self.cluster(size)) {
                Ok(geometry) => {
                    let used = self.clusters(&geometry);
                    let wanted = used.saturating_add(used / spare);
                    wanted
                        .saturating_sub(geometry.clusters)
                        .saturating_mul(geometry.cluster)
                }
                Err(Misfit::TooSmall) => MIB,
                Err(Misfit::TooLarge) => return size,
            };
            if missing == 0 {
                return size;
            }
            size = align_up(size.saturating_add(missing), MIB);
        }
    }

    /// One run of clusters after the other.
    fn allocate(&self, geometry: &Geometry) -> Places {
        let mut used = 0;
        let mut runs = self.counts(geometry).map(|count| {
            used += count;
            Run {
                first: if count == 0 { 0 } else { (used - count + 2) as u32 },
                count,
            }
        });
        let none = Run { first: 0, count: 0 };
        let (bitmap, upcase) = (runs.next().unwrap_or(none), runs.next().unwrap_or(none));
        let items = runs.collect();
        Places {
            bitmap,
            upcase,
            items,
            used,
        }
    }
}

/// Consecutive clusters.
#[derive(Clone, Copy)]
struct Run {
    /// 0 when there are none.
    first: u32,
    count: u64,
}

struct Places {
    bitmap: Run,
    upcase: Run,
    items: Vec<Run>,
    used: u64,
}

/// Everything that the bytes are made from.
struct Volume<'a> {
    items: &'a [Item<'a>],
    demand: &'a Demand,
    places: Places,
    geometry: Geometry,
}

impl Volume<'_> {
    fn layout(&self, params: &Params, label: &[u16]) -> Layout {
        let time = DosTime::from_unix(params.timestamp);
        let mut extents = self.system_area(params);
        for (index, item) in self
            .items
            .iter()
            .enumerate()
            .filter(|(index, _)| self.places.items[*index].count > 0)
        {
            let run = self.places.items[index];
            let offset = self.geometry.cluster_offset(run.first);
            match item.content {
                None => {
                    let folder = self.folder(index, time, label);
                    extents.extend(area(offset, folder, run.count * self.geometry.cluster));
                }
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

    /// Boot region and copy, FAT, bitmap and upper-case table.
    fn system_area(&self, params: &Params) -> Vec<Extent> {
        let geometry = &self.geometry;
        let region = boot::region(geometry, params, self.places.items[0].first, self.places.used);
        let bitmap = geometry.cluster_offset(self.places.bitmap.first);
        let upcase = geometry.cluster_offset(self.places.upcase.first);
        let both = Extent::bytes(0, region.repeat(2));
        let fat = area(geometry.fat_offset, self.fat(), geometry.fat_length);
        let bitmap = area(bitmap, self.bitmap(), self.places.bitmap.count * geometry.cluster);
        let upcase = Extent::bytes(upcase, self.demand.upcase.clone());
        [both, upcase].into_iter().chain(fat).chain(bitmap).collect()
    }

    /// The FAT describes bitmap, upper-case table and root folder only, which come first; everything else says
    /// of itself that it is one run.
    fn fat(&self) -> Vec<u8> {
        let end = u32::MAX;
        let mut entries = vec![0xFFFF_FFF8, end];
        for run in [self.places.bitmap, self.places.upcase, self.places.items[0]] {
            entries.extend(run.first + 1..run.first + run.count as u32);
            entries.push(end);
        }
        entries.iter().flat_map(|entry| entry.to_le_bytes()).collect()
    }

    /// The used clusters are the first ones; the rest of the bitmap stays a hole.
    fn bitmap(&self) -> Vec<u8> {
        let mut bitmap = vec![0xFF; (self.places.used / 8) as usize];
        bitmap.push(((1_u16 << (self.places.used % 8)) - 1) as u8);
        bitmap.truncate(self.geometry.bitmap_length() as usize);
        bitmap
    }

    fn folder(&self, index: usize, time: DosTime, label: &[u16]) -> Vec<u8> {
        let mut folder = FolderBytes::new(time, self.demand.bytes[index]);
        if index == 0 {
            self.push_system(&mut folder, label);
        }
        for &child in &self.items[index].children {
            let run = self.places.items[child];
            let entry = &self.items[child];
            let size = if entry.is_folder() {
                run.count * self.geometry.cluster
            } else {
                entry.size
            };
            folder.push(
                entry.name,
                Target {
                    folder: entry.is_folder(),
                    cluster: run.first,
                    size,
                },
            );
        }
        folder.finish()
    }

    fn push_system(&self, folder: &mut FolderBytes, label: &[u16]) {
        if !label.is_empty() {
            folder.push_label(label);
        }
        let target = |run: Run, size| Target {
            folder: false,
            cluster: run.first,
            size,
        };
        folder.push_bitmap(target(self.places.bitmap, self.geometry.bitmap_length()));
        let table = &self.demand.upcase;
        folder.push_upcase(
            target(self.places.upcase, table.len() as u64),
            upcase::checksum(table),
        );
    }
}
