//! Gathers neighbouring extents into large blocks, so that many small files cost few writes.

use std::collections::BTreeMap;

use disk_image::{Extent, SourceId};

use super::hasher::Segment;
use super::pipeline::{BLOCK, Block, Pipeline, Run};
use super::reader::Reader;
use super::{Event, ExecuteError};
use crate::platform::ALIGNMENT;

/// Up to this many zeroes are written rather than left out: another write costs more than they do. More than
/// [`ALIGNMENT`], so that two runs never share an aligned piece of the image.
const GAP: u64 = 16 * 1024;

/// The block that is being filled.
pub(super) struct Batch<'a> {
    pipeline: Pipeline<'a>,
    block: Option<Block>,
    /// Bytes of the block that are filled.
    filled: usize,
    /// Where in the image the next byte of the block belongs.
    next: Option<u64>,
    /// Bytes of extents that are filled or written.
    done: u64,
    known: BTreeMap<SourceId, [u8; 32]>,
    /// How far each source has been hashed; its size when it is complete.
    hashed: BTreeMap<SourceId, u64>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(pipeline: Pipeline<'a>, known: BTreeMap<SourceId, [u8; 32]>) -> Self {
        Self {
            pipeline,
            block: None,
            filled: 0,
            next: None,
            done: 0,
            known,
            hashed: BTreeMap::new(),
        }
    }

    /// Adds computed bytes.
    pub(super) fn bytes(
        &mut self,
        offset: u64,
        mut bytes: &[u8],
        progress: &mut dyn FnMut(Event),
    ) -> Result<(), ExecuteError> {
        self.go_to(offset, progress)?;
        while !bytes.is_empty() {
            let (space, _) = self.space(bytes.len() as u64, progress)?;
            let (part, rest) = bytes.split_at(space.len());
            space.copy_from_slice(part);
            self.done += part.len() as u64;
            bytes = rest;
        }
        Ok(())
    }

    /// Adds a part of a source.
    pub(super) fn source(
        &mut self,
        extent: &Extent,
        id: SourceId,
        offset: u64,
        reader: &mut Reader<'_>,
        progress: &mut dyn FnMut(Event),
    ) -> Result<(), ExecuteError> {
        self.go_to(extent.offset, progress)?;
        let mut done = 0;
        while done < extent.length {
            let (space, start) = self.space(extent.length - done, progress)?;
            reader.read(id, offset + done, space)?;
            let length = space.len();
            self.segment(id, offset + done, start, length, reader.source(id).size);
            done += length as u64;
            self.done += length as u64;
        }
        Ok(())
    }

    /// Notes what is to be hashed, unless it is known or was hashed from another place of the image.
    fn segment(&mut self, source: SourceId, offset: u64, start: usize, length: usize, size: u64) {
        if self.known.contains_key(&source) {
            return;
        }
        let hashed = self.hashed.entry(source).or_default();
        if *hashed == offset {
            *hashed += length as u64;
            let segment = Segment {
                source,
                start,
                end: start + length,
                complete: *hashed == size,
            };
            if let Some(block) = &mut self.block {
                block.segments.push(segment);
            }
        }
    }

    /// Makes the next byte be that of `offset`: over a short gap with zeroes, over a long one with a new run.
    fn go_to(&mut self, offset: u64, progress: &mut dyn FnMut(Event)) -> Result<(), ExecuteError> {
        let gap = self.next.and_then(|next| offset.checked_sub(next));
        let Some(mut gap) = gap.filter(|gap| *gap <= GAP) else {
            return self.begin(offset, progress);
        };
        while gap > 0 {
            let (space, _) = self.space(gap, progress)?;
            space.fill(0);
            gap -= space.len() as u64;
        }
        Ok(())
    }

    /// Begins a run. It keeps its place within an aligned piece, and zeroes fill the piece before it.
    fn begin(&mut self, offset: u64, progress: &mut dyn FnMut(Event)) -> Result<(), ExecuteError> {
        let before = offset % ALIGNMENT as u64;
        if self.filled.next_multiple_of(ALIGNMENT) >= BLOCK {
            self.write(progress)?;
        }
        let start = self.filled.next_multiple_of(ALIGNMENT);
        let first = start + before as usize;
        let mut block = self.take_block()?;
        block.bytes[self.filled..first].fill(0);
        block.runs.push(Run {
            offset: offset - before,
            start,
        });
        self.block = Some(block);
        (self.filled, self.next) = (first, Some(offset));
        Ok(())
    }

    /// Room in the block for up to `length` bytes that come next, and where in the block it is.
    fn space(
        &mut self,
        length: u64,
        progress: &mut dyn FnMut(Event),
    ) -> Result<(&mut [u8], usize), ExecuteError> {
        if self.filled == BLOCK {
            self.write(progress)?;
        }
        let mut block = self.take_block()?;
        let offset = self.next.unwrap_or_default();
        if block.runs.is_empty() {
            block.runs.push(Run { offset, start: 0 });
        }
        let start = self.filled;
        let end = BLOCK.min(start.saturating_add(usize::try_from(length).unwrap_or(BLOCK)));
        (self.filled, self.next) = (end, Some(offset + (end - start) as u64));
        Ok((&mut self.block.insert(block).bytes[start..end], start))
    }

    fn take_block(&mut self) -> Result<Block, ExecuteError> {
        self.block.take().map_or_else(|| self.pipeline.empty(), Ok)
    }

    fn write(&mut self, progress: &mut dyn FnMut(Event)) -> Result<(), ExecuteError> {
        let Some(mut block) = self.block.take() else {
            return Ok(());
        };
        block.length = self.filled.next_multiple_of(ALIGNMENT);
        block.bytes[self.filled..block.length].fill(0);
        self.filled = 0;
        self.pipeline.send(block)?;
        progress(Event::Advanced { done: self.done });
        Ok(())
    }

    /// Writes the rest, and waits for the digests. `filled` is how the filling went.
    pub(super) fn finish(
        mut self,
        filled: Result<(), ExecuteError>,
        progress: &mut dyn FnMut(Event),
    ) -> Result<BTreeMap<SourceId, [u8; 32]>, ExecuteError> {
        let filled = filled.and_then(|()| self.write(progress));
        // Why a thread ended says more than that it ended, which is all that the filling knows.
        let mut digests = self.pipeline.finish()?;
        filled?;
        digests.extend(self.known);
        Ok(digests)
    }
}
