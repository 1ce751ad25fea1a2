//! The cluster chains of FAT12, FAT16, FAT32 and exFAT.

use std::sync::{Mutex, PoisonError};

use super::device::{Device, ReadError, Run, u16_at, u32_at};
use super::volume::Place;

/// Bytes of the table that are read at once; a multiple of 3, so that FAT12's pairs are not cut.
const BLOCK: u64 = 48 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    Fat12,
    Fat16,
    Fat32,
    Exfat,
}

impl Width {
    /// The first value that is not a cluster: bad clusters, reserved values and the ends of chains.
    fn first_special(self) -> u32 {
        match self {
            Self::Fat12 => 0xff7,
            Self::Fat16 => 0xfff7,
            Self::Fat32 => 0x0fff_fff7,
            Self::Exfat => 0xffff_fff7,
        }
    }
}

/// The allocation table and the clusters that it describes.
pub(super) struct Table {
    pub(super) width: Width,
    pub(super) volume: Device,
    /// The (first) table.
    pub(super) fat: Device,
    /// Clusters, of which the first has number 2.
    pub(super) clusters: u32,
    pub(super) cluster_size: u64,
    /// Where cluster 2 lies, in bytes.
    pub(super) heap: u64,
    pub(super) cache: Mutex<(u64, Vec<u8>)>,
}

impl Table {
    /// Checks that table and clusters lie on the volume.
    pub(super) fn check(self) -> Result<Self, ReadError> {
        let bits = match self.width {
            Width::Fat12 => 12,
            Width::Fat16 => 16,
            _ => 32,
        };
        let needed = (u64::from(self.clusters) + 2) * bits / 8;
        if needed > self.fat.length() {
            let why = format!("{} clusters need a table of {needed} bytes", self.clusters);
            return Err(self.fat.damaged("allocation table", 0, why));
        }
        let heap = u64::from(self.clusters).checked_mul(self.cluster_size);
        self.volume.window(self.heap, heap.unwrap_or(u64::MAX))?;
        Ok(self)
    }

    fn value(&self, cluster: u32) -> Result<u32, ReadError> {
        let at = match self.width {
            Width::Fat12 => u64::from(cluster) * 3 / 2,
            Width::Fat16 => u64::from(cluster) * 2,
            _ => u64::from(cluster) * 4,
        };
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let block = at / BLOCK * BLOCK;
        if cache.0 != block || cache.1.is_empty() {
            let length = BLOCK.min(self.fat.length().saturating_sub(block));
            *cache = (block, self.fat.bytes(block, length)?);
        }
        // Below BLOCK, so it fits every usize.
        let at = (at - block) as usize;
        Ok(match (self.width, cluster % 2) {
            (Width::Fat12, 0) => u32::from(u16_at(&cache.1, at)) & 0xfff,
            (Width::Fat12, _) => u32::from(u16_at(&cache.1, at)) >> 4,
            (Width::Fat16, _) => u32::from(u16_at(&cache.1, at)),
            (Width::Fat32, _) => u32_at(&cache.1, at) & 0x0fff_ffff,
            (Width::Exfat, _) => u32_at(&cache.1, at),
        })
    }

    fn is_cluster(&self, number: u32) -> bool {
        number >= 2 && number - 2 < self.clusters
    }

    /// Adjacent clusters as `(first, count)`, in the order of the file.
    pub(super) fn stretches(
        &self,
        first: u32,
        contiguous: bool,
        size: Option<u64>,
    ) -> Result<Vec<(u32, u32)>, ReadError> {
        self.some_stretches(first, contiguous, size, u64::MAX)
    }

    /// The same, as far as they are needed for so many bytes: the rest of a chain may have no end.
    fn some_stretches(
        &self,
        first: u32,
        contiguous: bool,
        size: Option<u64>,
        bytes: u64,
    ) -> Result<Vec<(u32, u32)>, ReadError> {
        if first == 0 && size == Some(0) {
            return Ok(vec![]);
        }
        if !self.is_cluster(first) {
            return Err(self.broken(first, "is no cluster of the volume"));
        }
        match size {
            Some(size) if contiguous => {
                let count = u32::try_from(size.div_ceil(self.cluster_size)).unwrap_or(u32::MAX);
                match count <= self.clusters - (first - 2) {
                    true => Ok(vec![(first, count)]),
                    false => Err(self.broken(first, "starts a run that leaves the volume")),
                }
            }
            _ => self.chain(first, bytes.div_ceil(self.cluster_size)),
        }
    }

    fn chain(&self, first: u32, most: u64) -> Result<Vec<(u32, u32)>, ReadError> {
        let mut stretches: Vec<(u32, u32)> = Vec::new();
        let mut cluster = first;
        for number in 0..self.clusters {
            if u64::from(number) == most {
                return Ok(stretches);
            }
            match stretches.last_mut() {
                Some((start, count)) if *start + *count == cluster => *count += 1,
                _ => stretches.push((cluster, 1)),
            }
            let next = self.value(cluster)?;
            if next > self.width.first_special() {
                return Ok(stretches);
            }
            if !self.is_cluster(next) {
                return Err(self.broken(cluster, "is followed by no cluster of the volume"));
            }
            cluster = next;
        }
        Err(self.broken(first, "starts a chain without end"))
    }

    fn broken(&self, cluster: u32, why: &str) -> ReadError {
        self.fat
            .damaged("cluster chain", 0, format!("cluster {cluster} {why}"))
    }

    /// The runs of a file or folder, as far as `size` bytes need them; that is unknown for folders of FAT.
    pub(super) fn runs(&self, place: &Place, size: Option<u64>) -> Result<Vec<Run>, ReadError> {
        self.some_runs(place, size, size.unwrap_or(u64::MAX))
    }

    fn some_runs(&self, place: &Place, size: Option<u64>, bytes: u64) -> Result<Vec<Run>, ReadError> {
        let (first, contiguous, valid) = match place {
            Place::Runs(runs) => return Ok(runs.clone()),
            Place::Clusters {
                first,
                contiguous,
                valid,
            } => (*first, *contiguous, *valid),
        };
        let mut left = valid;
        let mut runs = Vec::new();
        for (start, count) in self.some_stretches(first, contiguous, size, bytes)? {
            let offset = self.heap + u64::from(start - 2) * self.cluster_size;
            let length = u64::from(count) * self.cluster_size;
            let written = length.min(left);
            left -= written;
            runs.push(Run {
                offset: Some(offset),
                length: written,
            });
            runs.push(Run {
                offset: None,
                length: length - written,
            });
        }
        runs.retain(|run| run.length > 0);
        Ok(runs)
    }

    /// All bytes of a folder.
    pub(super) fn folder(&self, place: &Place, size: Option<u64>, cap: u64) -> Result<Vec<u8>, ReadError> {
        // One cluster more than is allowed tells that it is too long.
        let runs = self.some_runs(place, size, cap + self.cluster_size)?;
        let total: u64 = runs.iter().map(|run| run.length).sum();
        if total > cap {
            return Err(self
                .fat
                .damaged("folder", 0, format!("its {total} bytes are more than {cap}")));
        }
        let mut bytes = Vec::new();
        for run in runs {
            match run.offset {
                Some(offset) => bytes.extend(self.volume.bytes(offset, run.length)?),
                None => bytes.resize(bytes.len() + run.length as usize, 0),
            }
        }
        Ok(bytes)
    }

    /// Clusters that the table calls used, one `bool` each.
    pub(super) fn allocated(&self) -> Result<Vec<bool>, ReadError> {
        (2..self.clusters + 2)
            .map(|cluster| Ok(self.value(cluster)? != 0))
            .collect()
    }
}

/// Which clusters the files and folders of a volume use.
pub(super) struct Usage {
    used: Vec<bool>,
    /// Clusters that all files together have.
    total: u64,
    problems: Vec<String>,
}

impl Usage {
    pub(super) fn new(clusters: u32) -> Self {
        Self {
            used: vec![false; clusters as usize],
            total: 0,
            problems: vec![],
        }
    }

    /// Whether there are more clusters in files than on the volume: following more chains that share their clusters would
    /// take as long as somebody likes.
    pub(super) fn is_full(&self) -> bool {
        self.total > self.used.len() as u64
    }

    pub(super) fn add(&mut self, who: &str, stretches: &[(u32, u32)]) {
        self.total += stretches.iter().map(|(_, count)| u64::from(*count)).sum::<u64>();
        for (start, count) in stretches {
            for cluster in *start..*start + *count {
                match self.used.get_mut(cluster as usize - 2) {
                    Some(used) if !*used => *used = true,
                    _ => {
                        return self
                            .problems
                            .push(format!("{who}: shares cluster {cluster} with another file"));
                    }
                }
            }
        }
    }

    /// Compares with what the volume calls allocated.
    pub(super) fn compare(mut self, allocated: &[bool]) -> Vec<String> {
        let count = |used: bool| {
            let pairs = self.used.iter().zip(allocated);
            pairs
                .filter(|(mine, theirs)| **mine == used && **theirs != used)
                .count()
        };
        let (free, lost) = (count(true), count(false));
        if free > 0 {
            self.problems
                .push(format!("{free} clusters of files are marked as free"));
        }
        if lost > 0 {
            self.problems.push(format!(
                "{lost} clusters are marked as used and belong to no file"
            ));
        }
        self.problems
    }
}
