//! Blocks are filled, written and hashed at the same time, each on a thread of its own.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use disk_image::SourceId;

use super::ExecuteError;
use super::hasher::{Backend, Segment, hash_all};
use super::output::Output;
use crate::platform::AlignedBuffer;

/// Blocks that are filled, written or hashed at one time.
const BLOCKS: usize = 8;
/// Bytes of a block.
pub(super) const BLOCK: usize = 2 << 20;

/// Bytes that follow each other in the image: where there, and where in the block they begin. They reach to the next run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) offset: u64,
    pub(super) start: usize,
}

/// Bytes on their way into the image.
pub(super) struct Block {
    pub(super) bytes: AlignedBuffer,
    /// How many of them.
    pub(super) length: usize,
    pub(super) runs: Vec<Run>,
    pub(super) segments: Vec<Segment>,
}

/// The threads.
pub(super) struct Pipeline<'scope> {
    full: SyncSender<Block>,
    empty: Receiver<Block>,
    writing: ScopedJoinHandle<'scope, Result<(), ExecuteError>>,
    hashing: ScopedJoinHandle<'scope, BTreeMap<SourceId, [u8; 32]>>,
}

impl<'scope> Pipeline<'scope> {
    pub(super) fn start<'env>(scope: &'scope Scope<'scope, 'env>, output: &'env Output) -> Self {
        let (full, filled) = sync_channel::<Block>(BLOCKS);
        let (written, to_hash) = sync_channel(BLOCKS);
        let (back, empty) = channel();
        for _ in 0..BLOCKS {
            let _nobody_has_gone_yet = back.send(Block {
                bytes: AlignedBuffer::new(BLOCK),
                length: 0,
                runs: vec![],
                segments: vec![],
            });
        }
        let writing = scope.spawn(move || write_all(output, &filled, &written));
        let hashing = scope.spawn(move || hash_all::<Backend>(&to_hash, &back));
        Self {
            full,
            empty,
            writing,
            hashing,
        }
    }

    /// A block to fill; waits for the threads when they are behind.
    pub(super) fn empty(&self) -> Result<Block, ExecuteError> {
        self.empty.recv().map_err(|_| ExecuteError::Ended)
    }

    /// Hands a block over.
    pub(super) fn send(&self, block: Block) -> Result<(), ExecuteError> {
        self.full.send(block).map_err(|_| ExecuteError::Ended)
    }

    /// Waits until everything is written and hashed.
    pub(super) fn finish(self) -> Result<BTreeMap<SourceId, [u8; 32]>, ExecuteError> {
        drop(self.full);
        self.writing.join().map_err(|_| ExecuteError::Ended)??;
        self.hashing.join().map_err(|_| ExecuteError::Ended)
    }
}

fn write_all(
    output: &Output,
    filled: &Receiver<Block>,
    written: &SyncSender<Block>,
) -> Result<(), ExecuteError> {
    for block in filled {
        let ends = block.runs.iter().skip(1).map(|run| run.start);
        for (run, end) in block.runs.iter().zip(ends.chain([block.length])) {
            output.write_block(&block.bytes[run.start..end], run.offset)?;
        }
        written.send(block).map_err(|_| ExecuteError::Ended)?;
    }
    Ok(())
}
