//! Digests, computed on a thread of their own while the next bytes are read and written.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use disk_image::SourceId;
use sha2::Sha256;

use super::ExecuteError;

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

/// A block that was written.
pub(super) struct Block {
    pub(super) bytes: Box<[u8]>,
    pub(super) segments: Vec<Segment>,
}

/// Blocks that are filled, written or hashed at one time.
const BLOCKS: usize = 6;
/// Bytes of a block.
pub(super) const BLOCK: usize = 2 << 20;

/// The thread.
pub(super) struct Hasher {
    full: SyncSender<Block>,
    empty: Receiver<Block>,
    thread: JoinHandle<BTreeMap<SourceId, [u8; 32]>>,
}

impl Hasher {
    pub(super) fn start() -> Self {
        let (full, blocks) = sync_channel::<Block>(BLOCKS);
        let (back, empty) = channel();
        for _ in 0..BLOCKS {
            let _nobody_has_gone_yet = back.send(Block {
                bytes: vec![0; BLOCK].into_boxed_slice(),
                segments: vec![],
            });
        }
        let thread = std::thread::spawn(move || hash_all::<Backend>(&blocks, &back));
        Self { full, empty, thread }
    }

    /// A block to fill; waits for the thread when it is behind.
    pub(super) fn empty(&self) -> Result<Block, ExecuteError> {
        self.empty.recv().map_err(|_| ExecuteError::HasherEnded)
    }

    /// Hands a block over.
    pub(super) fn hash(&self, block: Block) -> Result<(), ExecuteError> {
        self.full.send(block).map_err(|_| ExecuteError::HasherEnded)
    }

    /// Waits for the last digest.
    pub(super) fn finish(self) -> Result<BTreeMap<SourceId, [u8; 32]>, ExecuteError> {
        drop(self.full);
        self.thread.join().map_err(|_| ExecuteError::HasherEnded)
    }
}

fn hash_all<D: Digest>(blocks: &Receiver<Block>, back: &Sender<Block>) -> BTreeMap<SourceId, [u8; 32]> {
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
        // At the end nobody waits for empty blocks any more.
        let _unused = back.send(block);
    }
    digests
}
