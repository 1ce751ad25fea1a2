//! What a tree needs of a FAT volume, and where its parts go.

use super::alias::{self, ShortName};
use super::geometry::{ENTRY, Geometry, Misfit};
use super::{Error, Kind, MAX_ENTRIES, Params, folder};
use crate::area::align_up;
use crate::flat::{Item, path};

const MIB: u64 = 1 << 20;

/// Entries of FAT16's fixed root folder, unless it needs more.
const ROOT_ENTRIES: u64 = 512;

/// The most that it can have: whole sectors of any size, in a 16-bit field.
pub(super) const MAX_ROOT_ENTRIES: u64 = 65_408;

/// What the tree needs, before anything has a place. Indexed as the items are.
pub(super) struct Demand {
    pub(super) short: Vec<ShortName>,
    /// Bytes of files and of folders.
    pub(super) bytes: Vec<u64>,
}

impl Demand {
    pub(super) fn of(items: &[Item<'_>]) -> Self {
        let nothing = ShortName {
            alias: [b' '; 11],
            long: false,
        };
        let mut short = vec![nothing; items.len()];
        let mut bytes: Vec<u64> = items.iter().map(|item| item.size).collect();
        for (index, folder) in items.iter().enumerate().filter(|(_, item)| item.is_folder()) {
            let names: Vec<&str> = folder.children.iter().map(|&child| items[child].name).collect();
            // The root has its label, every other folder its two dots.
            let mut entries = if index == 0 { 1 } else { 2 };
            for (&child, assigned) in folder.children.iter().zip(alias::assign(&names)) {
                entries += folder::entries(items[child].name, assigned);
                short[child] = assigned;
            }
            bytes[index] = entries * ENTRY;
        }
        Self { short, bytes }
    }

    pub(super) fn check_folders(&self, items: &[Item<'_>], kind: Kind) -> Result<(), Error> {
        for index in (0..items.len()).filter(|&index| items[index].is_folder()) {
            let entries = self.bytes[index] / ENTRY;
            let limit = if index == 0 {
                kind.max_root_entries()
            } else {
                MAX_ENTRIES
            };
            if entries > limit {
                return Err(Error::FolderTooLarge {
                    path: path(items, index),
                    entries,
                    limit,
                });
            }
        }
        Ok(())
    }

    /// Entries of the fixed root folder, in whole sectors of any size.
    fn root_entries(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Fat16 => (self.bytes[0] / ENTRY)
                .max(ROOT_ENTRIES)
                .next_multiple_of(4096 / ENTRY)
                .min(MAX_ROOT_ENTRIES),
            Kind::Fat32 => 0,
        }
    }

    /// Clusters of each item.
    pub(super) fn counts(&self, kind: Kind, cluster: u64) -> impl Iterator<Item = u64> + '_ {
        let fixed_root = kind == Kind::Fat16;
        let needs = move |(index, bytes): (usize, &u64)| {
            if index == 0 && fixed_root {
                0
            } else {
                bytes.div_ceil(cluster)
            }
        };
        self.bytes.iter().enumerate().map(needs)
    }

    fn clusters(&self, kind: Kind, cluster: u64) -> u64 {
        self.counts(kind, cluster).fold(0, u64::saturating_add)
    }

    pub(super) fn geometry(&self, params: &Params) -> Result<Geometry, Error> {
        let Params {
            kind,
            size,
            sector_size,
            ..
        } = *params;
        let sector = u64::from(sector_size);
        match Geometry::choose(kind, size, sector, self.root_entries(kind)) {
            Ok(geometry) if self.clusters(kind, geometry.cluster) <= geometry.clusters => Ok(geometry),
            Err(Misfit::TooLarge) => Err(Error::TooLarge { size }),
            _ => Err(Error::TooSmall {
                size,
                needed: self.size(kind, sector, u64::MAX),
            }),
        }
    }

    /// Whole MiB that suffice, with `1 / spare` of the used clusters to spare.
    pub(super) fn size(&self, kind: Kind, sector: u64, spare: u64) -> u64 {
        let mut size = MIB;
        loop {
            let missing = match Geometry::choose(kind, size, sector, self.root_entries(kind)) {
                Ok(geometry) => {
                    let used = self.clusters(kind, geometry.cluster);
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

    /// The first cluster of every item, 0 for those without any, and the number of used clusters at the end.
    pub(super) fn allocate(&self, geometry: &Geometry) -> Places {
        let mut used = 0;
        let first = self
            .counts(geometry.kind, geometry.cluster)
            .map(|count| {
                used += count;
                if count == 0 { 0 } else { (used - count + 2) as u32 }
            })
            .collect();
        Places { first, used }
    }
}

pub(super) struct Places {
    pub(super) first: Vec<u32>,
    pub(super) used: u64,
}
