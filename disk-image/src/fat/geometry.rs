//! How a FAT volume divides its sectors.

use super::Kind;

/// Cluster counts at which drivers change their mind about the FAT's kind, with a margin of 16: some are off
/// by a few.
const FAT16_CLUSTERS: std::ops::RangeInclusive<u64> = 4085 + 16..=65_524 - 16;
const FAT32_CLUSTERS: std::ops::RangeInclusive<u64> = 65_525 + 16..=0x0FFF_FFF5 - 16;

const MAX_CLUSTER: u64 = 32 * 1024;

/// Copies of the FAT.
pub(super) const FATS: u64 = 2;

/// Bytes of a directory entry.
pub(super) const ENTRY: u64 = 32;

/// The places of everything, in sectors unless it says bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) kind: Kind,
    /// Bytes of a sector.
    pub(super) sector: u64,
    /// Bytes of a cluster.
    pub(super) cluster: u64,
    /// Sectors of the volume.
    pub(super) sectors: u64,
    /// Sectors before the first FAT.
    pub(super) reserved: u64,
    /// Sectors of one FAT.
    pub(super) fat: u64,
    /// Entries of the fixed root folder; 0 for FAT32.
    pub(super) root_entries: u64,
    /// Clusters of data; the first is number 2.
    pub(super) clusters: u64,
}

/// Why a volume of this size cannot be divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misfit {
    TooSmall,
    TooLarge,
}

impl Geometry {
    /// Chooses the cluster size for a volume of `size` bytes.
    pub(super) fn choose(kind: Kind, size: u64, sector: u64, root_entries: u64) -> Result<Self, Misfit> {
        let sectors = size / sector;
        if sectors > u64::from(u32::MAX) {
            return Err(Misfit::TooLarge);
        }
        match kind {
            Kind::Fat32 => Self::choose_fat32(sectors, sector),
            Kind::Fat16 => Self::choose_fat16(sectors, sector, root_entries),
        }
    }

    /// The usual cluster size for the volume, halved until there are enough clusters.
    fn choose_fat32(sectors: u64, sector: u64) -> Result<Self, Misfit> {
        let mut cluster = usual_cluster(sectors * sector).max(sector);
        while cluster >= sector {
            let geometry = Self::divide(Kind::Fat32, sectors, sector, cluster, 0);
            match geometry {
                Some(geometry) if geometry.clusters > *FAT32_CLUSTERS.end() => return Err(Misfit::TooLarge),
                Some(geometry) if geometry.clusters >= *FAT32_CLUSTERS.start() => return Ok(geometry),
                _ => cluster /= 2,
            }
        }
        Err(Misfit::TooSmall)
    }

    /// The smallest cluster size that does not give too many clusters.
    fn choose_fat16(sectors: u64, sector: u64, root_entries: u64) -> Result<Self, Misfit> {
        let mut cluster = sector;
        while cluster <= MAX_CLUSTER {
            let geometry = Self::divide(Kind::Fat16, sectors, sector, cluster, root_entries);
            match geometry {
                Some(geometry) if geometry.clusters > *FAT16_CLUSTERS.end() => cluster *= 2,
                Some(geometry) if geometry.clusters >= *FAT16_CLUSTERS.start() => return Ok(geometry),
                _ => return Err(Misfit::TooSmall),
            }
        }
        Err(Misfit::TooLarge)
    }

    /// Divides the volume for one cluster size; the data starts on a multiple of it. `None`: no room for data.
    fn divide(kind: Kind, sectors: u64, sector: u64, cluster: u64, root_entries: u64) -> Option<Self> {
        let per_cluster = cluster / sector;
        let reserved = kind.reserved();
        let root = root_entries * ENTRY / sector;
        let available =
            (sectors.checked_sub(reserved + root)? * sector).checked_sub(2 * FATS * kind.bytes())?;
        let estimate = available / (cluster + FATS * kind.bytes());
        let fat = ((estimate + 2) * kind.bytes()).div_ceil(sector);
        let start = (reserved + FATS * fat + root).next_multiple_of(per_cluster);
        let clusters = (sectors.checked_sub(start)? / per_cluster).min(estimate);
        let reserved = start - FATS * fat - root;
        Some(Self {
            kind,
            sector,
            cluster,
            sectors,
            reserved,
            fat,
            root_entries,
            clusters,
        })
    }

    /// Byte offset of a copy of the FAT.
    pub(super) fn fat_offset(&self, copy: u64) -> u64 {
        (self.reserved + copy * self.fat) * self.sector
    }

    /// Byte offset of the fixed root folder.
    pub(super) fn root_offset(&self) -> u64 {
        self.fat_offset(FATS)
    }

    /// Byte offset of a cluster.
    pub(super) fn cluster_offset(&self, number: u64) -> u64 {
        self.root_offset() + self.root_entries * ENTRY + (number - 2) * self.cluster
    }
}

/// What Windows chooses.
fn usual_cluster(size: u64) -> u64 {
    match size >> 30 {
        0..8 => 4096,
        8..16 => 8192,
        16..32 => 16_384,
        _ => MAX_CLUSTER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything lies within the volume, and the FAT has an entry for every cluster.
    fn assert_sound(geometry: Geometry) {
        let end = geometry.cluster_offset(geometry.clusters + 2);
        assert!(end <= geometry.sectors * geometry.sector, "{geometry:?}");
        let entries = geometry.fat * geometry.sector / geometry.kind.bytes();
        assert!(entries >= geometry.clusters + 2, "{geometry:?}");
        assert!(geometry.reserved <= u64::from(u16::MAX), "{geometry:?}");
        assert_eq!(geometry.cluster_offset(2) % geometry.cluster, 0, "{geometry:?}");
    }

    #[test]
    fn every_size_is_divided_soundly() {
        for sector in [512, 1024, 2048, 4096] {
            for kib in (1..64 * 1024)
                .step_by(97)
                .chain((1 << 20..300 << 20).step_by(7_777_777))
            {
                for kind in [Kind::Fat16, Kind::Fat32] {
                    let root = if kind == Kind::Fat16 { 512 } else { 0 };
                    if let Ok(geometry) = Geometry::choose(kind, kib * 1024, sector, root) {
                        assert_sound(geometry);
                        let range = if kind == Kind::Fat16 {
                            FAT16_CLUSTERS
                        } else {
                            FAT32_CLUSTERS
                        };
                        assert!(range.contains(&geometry.clusters), "{geometry:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_smallest_fat32_is_as_small_as_it_can_be() {
        let first = (1..)
            .find(|&n| Geometry::choose(Kind::Fat32, n * 512, 512, 0).is_ok())
            .unwrap_or(0);
        let geometry = Geometry::choose(Kind::Fat32, first * 512, 512, 0).expect("the search found it");
        assert_eq!(geometry.clusters, *FAT32_CLUSTERS.start());
        assert_eq!(
            Geometry::choose(Kind::Fat32, (first - 1) * 512, 512, 0),
            Err(Misfit::TooSmall)
        );
    }
}
