//! Digests of what lies in no file, from the plan and the sources.

use disk_image::{Content, Extent};
use media_format::manifest::Region;

use super::ExecuteError;
use super::hasher::{Backend, Digest as _};
use super::reader::Reader;
use crate::plan::MediaPlan;
use crate::resolve::Sources;

/// In the order of the manifest's regions.
pub(super) fn digests(plan: &MediaPlan, sources: &Sources) -> Result<Vec<[u8; 32]>, ExecuteError> {
    let mut reader = Reader::new(sources);
    let digest = |region| digest(&plan.layout.extents, region, &mut reader);
    let digests = plan.manifest.regions.iter().map(digest).collect();
    reader.close()?;
    digests
}

fn digest(extents: &[Extent], region: &Region, reader: &mut Reader<'_>) -> Result<[u8; 32], ExecuteError> {
    let (mut at, end) = (region.offset, region.offset + region.length);
    let mut digest = Backend::default();
    for extent in extents
        .iter()
        .filter(|extent| extent.offset < end && extent.end() > region.offset)
    {
        let from = extent.offset.max(region.offset);
        let (skipped, length) = (from - extent.offset, extent.end().min(end) - from);
        zeroes(&mut digest, from - at);
        match &extent.content {
            // Both are within the bytes, whose length fits in memory.
            Content::Bytes(bytes) => digest.update(&bytes[skipped as usize..(skipped + length) as usize]),
            Content::Source { source, offset } => {
                reader.hash(*source, offset + skipped, length, &mut digest)?
            }
            Content::Zero | Content::Late(_) => zeroes(&mut digest, length),
        }
        at = from + length;
    }
    zeroes(&mut digest, end - at);
    Ok(digest.finish())
}

fn zeroes(digest: &mut Backend, mut count: u64) {
    let zeroes = [0; 4096];
    while count > 0 {
        let part = count.min(zeroes.len() as u64);
        digest.update(&zeroes[..part as usize]);
        count -= part;
    }
}
