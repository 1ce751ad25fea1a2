//! Gathers neighbouring extents into large blocks, so that many small files cost few writes.

use std::collections::BTreeMap;

use disk_image::{Extent, SourceId};

use super::hasher::{BLOCK, Block, Hasher, Segment};
use super::output::Output;
use super::reader::Reader;
use super::{Event, ExecuteError};

/// Up to this many zeroes are written rather than left out: another write costs more than they do.
const GAP: u64 = 16 * 1024;

/// The block that is being filled.
pub(super) struct Batch<'a> {
    output: &'a Output,
    hasher: Hasher,
    block: Option<Block>,
    /// Runs of the block that lie apart in the image: where there, and where in the block each begins.
    runs: Vec<(u64, usize)>,
    /// Bytes of the block that are filled.
    filled: usize,
    /// Bytes of extents that are filled or written.
    done: u64,
    known: BTreeMap<SourceId, [u8; 32]>,
    /// How far each source has been hashed; its size when it is complete.
    hashed: BTreeMap<SourceId, u64>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(output: &'a Output, hasher: Hasher, known: BTreeMap<SourceId, [u8; 32]>) -> Self {
        Self {
            output,
            hasher,
            block: None,
            runs: vec![],
            filled: 0,
            done: 0,
            known,
            hashed: BTreeMap::new(),
        }
    }

    /// Adds computed bytes.
    pub(super) fn bytes(
        &mut self,
        mut offset: u64,
        mut bytes: &[u8],
        progress: &mut dyn FnMut(Event),
    ) -> Result<(), ExecuteError> {
        while !bytes.is_empty() {
            let (space, _) = self.space(offset, bytes.len() as u64, progress)?;
            let (part, rest) = bytes.split_at(space.len());
            space.copy_from_slice(part);
            offset += part.len() as u64;
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
        let mut done = 0;
        while done < extent.length {
            let (space, start) = self.space(extent.offset + done, extent.length - done, progress)?;
            reader.read(id, offset + done, space)?;
            let length = space.len();
            self.segment(id, offset + done, start, length, reader.source(id).size);
            done += length as u64;
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

    /// Room in the block for up to `length` bytes that belong at `offset`, and where in the block it is.
    fn space(
        &mut self,
        offset: u64,
        length: u64,
        progress: &mut dyn FnMut(Event),
    ) -> Result<(&mut [u8], usize), ExecuteError> {
        let mut gap = self.gap(offset);
        if self.filled + gap.unwrap_or(0) >= BLOCK {
            self.write(progress)?;
            gap = None;
        }
        let mut block = match self.block.take() {
            Some(block) => block,
            None => self.hasher.empty()?,
        };
        let start = self.filled + gap.unwrap_or(0);
        block.bytes[self.filled..start].fill(0);
        if gap.is_none() {
            self.runs.push((offset, start));
        }
        let end = BLOCK.min(start + usize::try_from(length).unwrap_or(BLOCK).min(BLOCK));
        self.filled = end;
        self.done += (end - start) as u64;
        Ok((&mut self.block.insert(block).bytes[start..end], start))
    }

    /// The zeroes between the last run and `offset`, where it can go on.
    fn gap(&self, offset: u64) -> Option<usize> {
        let (image, block) = self.runs.last()?;
        let end = image + (self.filled - block) as u64;
        offset
            .checked_sub(end)
            .filter(|gap| *gap <= GAP)
            .map(|gap| gap as usize)
    }

    fn write(&mut self, progress: &mut dyn FnMut(Event)) -> Result<(), ExecuteError> {
        let Some(block) = self.block.take() else {
            return Ok(());
        };
        let ends = self
            .runs
            .iter()
            .skip(1)
            .map(|(_, start)| *start)
            .chain([self.filled]);
        for ((offset, start), end) in self.runs.iter().zip(ends) {
            self.output.write(&block.bytes[*start..end], *offset)?;
        }
        self.runs.clear();
        self.filled = 0;
        self.hasher.hash(block)?;
        progress(Event::Advanced { done: self.done });
        Ok(())
    }

    /// Writes the rest, and waits for the digests.
    pub(super) fn finish(
        mut self,
        progress: &mut dyn FnMut(Event),
    ) -> Result<BTreeMap<SourceId, [u8; 32]>, ExecuteError> {
        self.write(progress)?;
        let mut digests = self.hasher.finish()?;
        digests.extend(self.known);
        Ok(digests)
    }
}
