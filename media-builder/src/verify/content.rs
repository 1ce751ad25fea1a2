//! Reads many files back in one pass over the medium, in large blocks, and hashes them on a thread of their own.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use disk_image::read::Run;
use sha2::{Digest, Sha256};

use crate::platform::{self, ALIGNMENT, AlignedBuffer};

/// Bytes that are read at once.
const BLOCK: usize = 2 << 20;
/// Blocks that are read or hashed at one time.
const BLOCKS: usize = 4;

/// Digests by the number of the file; what could not be read has an error instead.
pub(super) type Digests = BTreeMap<usize, io::Result<[u8; 32]>>;

/// Bytes of one file.
enum Segment {
    Block(Range<usize>),
    Zeroes(u64),
}

/// A part of the medium, and which files are in it.
struct Block {
    bytes: AlignedBuffer,
    offset: u64,
    length: usize,
    segments: Vec<(usize, Segment)>,
}

/// Hashes files that are given by where their bytes lie on the medium, best in the order of the medium. `progress`
/// hears how many bytes are read.
pub(super) fn digests(path: &Path, files: &[Vec<Run>], progress: &mut dyn FnMut(u64)) -> io::Result<Digests> {
    let file = platform::open_direct(path, File::options().read(true))?;
    let (full, blocks) = sync_channel(BLOCKS);
    let (back, empty) = channel();
    for _ in 0..BLOCKS {
        let _nobody_has_gone_yet = back.send(Block {
            bytes: AlignedBuffer::new(BLOCK),
            offset: 0,
            length: 0,
            segments: vec![],
        });
    }
    let ended = || io::Error::other("the hashing thread ended");
    std::thread::scope(|scope| {
        let hashing = scope.spawn(move || hash_all(&blocks, &back));
        let block = empty.recv().map_err(|_| ended())?;
        let reader = Reader {
            file,
            full,
            empty,
            block,
        };
        let failed = reader.read_all(files, progress);
        let mut digests = hashing.join().map_err(|_| ended())?;
        digests.extend(failed.into_iter().map(|(number, error)| (number, Err(error))));
        for (number, runs) in files.iter().enumerate() {
            if runs.is_empty() {
                digests.insert(number, Ok(Sha256::digest(b"").into()));
            }
        }
        Ok(digests)
    })
}

struct Reader {
    file: File,
    full: SyncSender<Block>,
    empty: Receiver<Block>,
    block: Block,
}

impl Reader {
    /// Gives the files that could not be read.
    fn read_all(mut self, files: &[Vec<Run>], progress: &mut dyn FnMut(u64)) -> BTreeMap<usize, io::Error> {
        let mut failed = BTreeMap::new();
        let mut done = 0;
        for (number, runs) in files.iter().enumerate() {
            for run in runs {
                if let Err(error) = self.read(number, run, done, progress) {
                    failed.insert(number, error);
                    break;
                }
                done += run.length;
            }
        }
        // The thread ends by itself only when it has panicked, which its end tells.
        let _told = self.full.send(self.block);
        failed
    }

    fn read(
        &mut self,
        number: usize,
        run: &Run,
        before: u64,
        progress: &mut dyn FnMut(u64),
    ) -> io::Result<()> {
        let Some(offset) = run.offset else {
            self.block.segments.push((number, Segment::Zeroes(run.length)));
            return Ok(());
        };
        let mut done = 0;
        while done < run.length {
            let start = self.window(offset + done)?;
            let length = usize::try_from(run.length - done).unwrap_or(usize::MAX);
            let end = start.saturating_add(length).min(self.block.length);
            self.block.segments.push((number, Segment::Block(start..end)));
            done += (end - start) as u64;
            progress(before + done);
        }
        Ok(())
    }

    /// Where in the block the byte at that place of the medium is; reads the next block when it is not in this one.
    fn window(&mut self, offset: u64) -> io::Result<usize> {
        let inside = |block: &Block| {
            let at = usize::try_from(offset.checked_sub(block.offset)?).ok()?;
            (at < block.length).then_some(at)
        };
        if let Some(at) = inside(&self.block) {
            return Ok(at);
        }
        let ended = |_| io::Error::other("the hashing thread ended");
        let next = self.empty.recv().map_err(ended)?;
        let block = std::mem::replace(&mut self.block, next);
        self.full
            .send(block)
            .map_err(|_| ended(std::sync::mpsc::RecvError))?;
        let block = &mut self.block;
        block.offset = offset / ALIGNMENT as u64 * ALIGNMENT as u64;
        block.length = 0;
        block.length = platform::read_up_to(&self.file, &mut block.bytes, block.offset)?;
        inside(block).ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
    }
}

fn hash_all(blocks: &Receiver<Block>, back: &Sender<Block>) -> Digests {
    let mut digests = Digests::new();
    let mut current: Option<(usize, Sha256)> = None;
    for mut block in blocks {
        for (number, segment) in block.segments.drain(..) {
            if current.as_ref().is_none_or(|(open, _)| *open != number) {
                finish(current.replace((number, Sha256::new())), &mut digests);
            }
            if let Some((_, digest)) = &mut current {
                update(digest, &block.bytes, segment);
            }
        }
        // At the end nobody waits for empty blocks any more.
        let _unused = back.send(block);
    }
    finish(current, &mut digests);
    digests
}

fn update(digest: &mut Sha256, bytes: &[u8], segment: Segment) {
    match segment {
        Segment::Block(range) => digest.update(&bytes[range]),
        Segment::Zeroes(mut count) => {
            let zeroes = [0; ALIGNMENT];
            while count > 0 {
                let part = count.min(ALIGNMENT as u64);
                digest.update(&zeroes[..part as usize]);
                count -= part;
            }
        }
    }
}

fn finish(file: Option<(usize, Sha256)>, digests: &mut Digests) {
    digests.extend(file.map(|(number, digest)| (number, Ok(digest.finalize().into()))));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_in_pieces_with_holes_and_beyond_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("medium");
        let medium: Vec<u8> = (0..3 * BLOCK + 100).map(|at| (at / 3) as u8).collect();
        std::fs::write(&path, &medium).unwrap();
        let run = |offset: usize, length: usize| Run {
            offset: Some(offset as u64),
            length: length as u64,
        };
        let hole = Run {
            offset: None,
            length: 10_000,
        };
        let files = [
            vec![run(5, BLOCK + 7), hole, run(3 * BLOCK + 90, 10)],
            vec![],
            vec![run(3 * BLOCK, 101)],
            vec![run(0, 4)],
        ];
        let digests = digests(&path, &files, &mut |_| {}).unwrap();
        let first = [&medium[5..BLOCK + 12], &[0; 10_000], &medium[3 * BLOCK + 90..]].concat();
        let expect = |bytes: &[u8]| <[u8; 32]>::from(Sha256::digest(bytes));
        assert_eq!(*digests[&0].as_ref().unwrap(), expect(&first));
        assert_eq!(*digests[&1].as_ref().unwrap(), expect(b""));
        assert!(digests[&2].is_err(), "a byte after the end");
        assert_eq!(*digests[&3].as_ref().unwrap(), expect(&medium[..4]));
    }
}
