//! Digests, and what computes them.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender};

use disk_image::SourceId;
use sha2::Sha256;

use super::pipeline::Block;

/// Computes SHA-256; behind a trait because the fastest implementation depends on the machine.
pub(super) trait Digest: Default {
    fn update(&mut self, bytes: &[u8]);
    fn finish(self) -> [u8; 32];
}

/// The implementation in use.
pub(super) type Backend = Sha256;

impl Digest for Sha256 {
    fn update(&mut self, bytes: &[u8]) {
        sha2::Digest::update(self, bytes);
    }

    fn finish(self) -> [u8; 32] {
        sha2::Digest::finalize(self).into()
    }
}

/// Bytes of a source within a block; segments of one source come in order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    pub(super) source: SourceId,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Nothing of the source follows.
    pub(super) complete: bool,
}

/// Hashes blocks until there are no more, and gives them back to be filled again.
pub(super) fn hash_all<D: Digest>(
    blocks: &Receiver<Block>,
    back: &Sender<Block>,
) -> BTreeMap<SourceId, [u8; 32]> {
    let mut digests = BTreeMap::new();
    let mut open: BTreeMap<SourceId, D> = BTreeMap::new();
    for mut block in blocks {
        for segment in block.segments.drain(..) {
            let mut digest = open.remove(&segment.source).unwrap_or_default();
            digest.update(&block.bytes[segment.start..segment.end]);
            if segment.complete {
                digests.insert(segment.source, digest.finish());
            } else {
                open.insert(segment.source, digest);
            }
        }
        block.runs.clear();
        // At the end nobody waits for empty blocks any more.
        let _unused = back.send(block);
    }
    digests
}
