//! How an exFAT volume divides its bytes.

const MIB: u64 = 1 << 20;

/// Sectors of the boot region and its copy.
pub(super) const BOOT_SECTORS: u64 = 24;

/// Bytes of an entry of the FAT.
const FAT_ENTRY: u64 = 4;

const MAX_CLUSTERS: u64 = u32::MAX as u64 - 10;

/// From this size on, FAT and clusters begin at whole MiB, as flash memory likes it.
const LARGE: u64 = 256 * MIB;

/// The places of everything, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) sector: u64,
    pub(super) cluster: u64,
    pub(super) size: u64,
    pub(super) fat_offset: u64,
    pub(super) fat_length: u64,
    /// Where cluster 2 lies.
    pub(super) heap: u64,
    pub(super) clusters: u64,
}

/// Why a volume of this size cannot be divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misfit {
    TooSmall,
    TooLarge,
}

impl Geometry {
    /// Divides a volume into clusters of that size.
    pub(super) fn choose(size: u64, sector: u64, cluster: u64) -> Result<Self, Misfit> {
        let unit = if size >= LARGE { MIB } else { cluster };
        let fat_offset = (BOOT_SECTORS * sector).next_multiple_of(unit);
        let rest = size
            .checked_sub(fat_offset)
            .filter(|_| size >= MIB)
            .ok_or(Misfit::TooSmall)?;
        // More clusters than there will be, so the FAT has an entry for each.
        let most = rest / cluster;
        if most > MAX_CLUSTERS {
            return Err(Misfit::TooLarge);
        }
        let fat_length = ((most + 2) * FAT_ENTRY).next_multiple_of(sector);
        let heap = (fat_offset + fat_length).next_multiple_of(unit);
        let clusters = size.checked_sub(heap).ok_or(Misfit::TooSmall)? / cluster;
        Ok(Self {
            sector,
            cluster,
            size,
            fat_offset,
            fat_length,
            heap,
            clusters,
        })
    }

    /// Byte offset of a cluster.
    pub(super) fn cluster_offset(&self, number: u32) -> u64 {
        self.heap + u64::from(number - 2) * self.cluster
    }

    /// Bytes of the allocation bitmap.
    pub(super) fn bitmap_length(&self) -> u64 {
        self.clusters.div_ceil(8)
    }
}

/// The size of clusters that Windows chooses.
pub(super) fn usual_cluster(size: u64) -> u64 {
    match size {
        0..=0x1000_0000 => 4096,
        0x1000_0001..=0x8_0000_0000 => 32 * 1024,
        _ => 128 * 1024,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_is_divided_soundly() {
        for sector in [512, 1024, 2048, 4096] {
            for mib in (1..600).chain((1000..4_000_000).step_by(77_777)) {
                let cluster = usual_cluster(mib * MIB) >> (mib % 4);
                let geometry = Geometry::choose(mib * MIB, sector, cluster.max(4096)).expect("a geometry");
                let end = geometry.heap + geometry.clusters * geometry.cluster;
                assert!(end <= geometry.size && geometry.clusters > 0, "{geometry:?}");
                assert!(
                    geometry.fat_length / FAT_ENTRY >= geometry.clusters + 2,
                    "{geometry:?}"
                );
                assert!(
                    geometry.fat_offset + geometry.fat_length <= geometry.heap,
                    "{geometry:?}"
                );
                assert_eq!(geometry.heap % geometry.cluster, 0, "{geometry:?}");
            }
        }
        assert_eq!(Geometry::choose(MIB - 512, 512, 4096), Err(Misfit::TooSmall));
        assert_eq!(Geometry::choose(1 << 60, 512, 128 * 1024), Err(Misfit::TooLarge));
    }
}
