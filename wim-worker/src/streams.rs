//! Reads back a WIM that was just written, with all processors: libwim's own verification uses one.
//!
//! The container is read by code of our own, so that a mistake of libwim's writer is not repeated by its reader; only
//! the decompression is libwim's. Solid WIMs are left to libwim.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use media_format::wim::header::{CompressionType, HEADER_SIZE, Header, Resource};
use media_format::wim::protocol::Phase;
use sha1::{Digest, Sha1};

use crate::failure::Failure;
use crate::libwim::{self, Decompressor};
use crate::report::Report;

const BLOB_SIZE: u64 = 50;
const READ_SIZE: u64 = 1 << 20;
const FLAG_SPANNED: u8 = 0x8;
const FLAG_SOLID: u8 = 0x10;

/// A WIM whose blobs can be read one by one.
pub(crate) struct Blobs {
    file: File,
    header: Header,
    blobs: Vec<Blob>,
}

struct Blob {
    place: Resource,
    digest: [u8; 20],
}

impl Blobs {
    /// Reads the table of blobs; none for a WIM that only libwim can read.
    pub(crate) fn open(wim: &Path) -> io::Result<Option<Self>> {
        let file = File::open(wim)?;
        let mut bytes = [0; HEADER_SIZE];
        file.read_exact_at(&mut bytes, 0)?;
        let header = Header::parse(&bytes).map_err(io::Error::other)?;
        let table = header.blob_table;
        let length = file.metadata()?.len();
        let is_inside = |place: Resource| {
            place
                .offset
                .checked_add(place.size)
                .is_some_and(|end| end <= length)
        };
        if header.solid || table.is_compressed() || !is_inside(table) {
            return Ok(None);
        }
        let mut bytes = vec![0; table.size as usize];
        file.read_exact_at(&mut bytes, table.offset)?;
        let mut blobs: Vec<Blob> = bytes.chunks_exact(BLOB_SIZE as usize).map(Blob::parse).collect();
        blobs.sort_by_key(|blob| blob.place.offset);
        let plain = blobs
            .iter()
            .all(|blob| blob.place.flags & (FLAG_SOLID | FLAG_SPANNED) == 0 && is_inside(blob.place));
        Ok(plain.then_some(Self { file, header, blobs }))
    }

    /// Compares every blob with its SHA-1.
    pub(crate) fn verify(&self, report: &Report) -> Result<(), Failure> {
        let work = Work {
            total: self.blobs.iter().fold(0, |total, blob| {
                u64::saturating_add(total, blob.place.original_size)
            }),
            next: AtomicUsize::new(0),
            done: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|_| scope.spawn(|| self.verify_some(&work, report)))
                .collect();
            let failed = |_| Failure::new("verifying the written WIM: a thread ended unexpectedly");
            workers
                .into_iter()
                .try_for_each(|worker| worker.join().map_err(failed)?)
        })
    }

    fn verify_some(&self, work: &Work, report: &Report) -> Result<(), Failure> {
        let mut reader = Reader::new(self)?;
        while let Some(blob) = self.blobs.get(work.next.fetch_add(1, Ordering::Relaxed)) {
            if work.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let result = reader.verify(blob);
            let done =
                work.done.fetch_add(blob.place.original_size, Ordering::Relaxed) + blob.place.original_size;
            let heard = report.progress(Phase::Verify, done, work.total);
            if result.is_err() || !heard {
                work.stop.store(true, Ordering::Relaxed);
                return result;
            }
        }
        Ok(())
    }
}

struct Work {
    total: u64,
    next: AtomicUsize,
    done: AtomicU64,
    stop: AtomicBool,
}

impl Blob {
    fn parse(bytes: &[u8]) -> Self {
        let mut digest = [0; 20];
        digest.copy_from_slice(&bytes[30..50]);
        Self {
            place: Resource::parse(bytes),
            digest,
        }
    }
}

/// What one thread needs to read blobs.
struct Reader<'a> {
    blobs: &'a Blobs,
    decompressor: Option<Decompressor>,
    stored: Vec<u8>,
    plain: Vec<u8>,
}

impl<'a> Reader<'a> {
    fn new(blobs: &'a Blobs) -> Result<Self, Failure> {
        let chunk = blobs.header.chunk_size as usize;
        let kind = match blobs.header.compression {
            CompressionType::None => None,
            CompressionType::Xpress => Some(libwim::COMPRESSION_XPRESS),
            CompressionType::Lzx => Some(libwim::COMPRESSION_LZX),
            CompressionType::Lzms => Some(libwim::COMPRESSION_LZMS),
        };
        let decompressor = kind.map(|kind| Decompressor::new(kind, chunk)).transpose();
        let decompressor =
            decompressor.map_err(|e| Failure::lib("preparing to verify the written WIM", &e))?;
        Ok(Self {
            blobs,
            decompressor,
            stored: Vec::new(),
            plain: Vec::new(),
        })
    }

    fn verify(&mut self, blob: &Blob) -> Result<(), Failure> {
        let mut digest = Sha1::new();
        let read = if blob.place.is_compressed() {
            self.read_chunks(blob.place, &mut digest)
        } else {
            self.read_stored(blob.place.offset, blob.place.size, &mut digest)
        };
        match read {
            Ok(()) if digest.finalize()[..] == blob.digest => Ok(()),
            Ok(()) => Err(damaged(blob, "its SHA-1 is another")),
            Err(error) => Err(damaged(blob, &error.to_string())),
        }
    }

    fn read_stored(&mut self, offset: u64, size: u64, digest: &mut Sha1) -> io::Result<()> {
        let mut done = 0;
        while done < size {
            let count = (size - done).min(READ_SIZE);
            self.stored.resize(count as usize, 0);
            self.blobs.file.read_exact_at(&mut self.stored, offset + done)?;
            digest.update(&self.stored);
            done += count;
        }
        Ok(())
    }

    /// A compressed blob begins with the offsets of its chunks but the first, relative to the end of that table.
    fn read_chunks(&mut self, place: Resource, digest: &mut Sha1) -> io::Result<()> {
        let chunk = u64::from(self.blobs.header.chunk_size).max(1);
        let width = if place.original_size > u64::from(u32::MAX) {
            8
        } else {
            4
        };
        let count = place.original_size.div_ceil(chunk);
        let table_size = count.saturating_sub(1).saturating_mul(width);
        let data_size = place
            .size
            .checked_sub(table_size)
            .ok_or_else(|| io::Error::other("its size is wrong"))?;
        let mut table = vec![0; table_size as usize];
        self.blobs.file.read_exact_at(&mut table, place.offset)?;
        let ends = table.chunks_exact(width as usize).map(number).chain([data_size]);
        let (mut start, mut left) = (0, place.original_size);
        for end in ends {
            let plain = left.min(chunk);
            let stored = end.checked_sub(start).filter(|stored| *stored <= plain);
            let stored = stored.ok_or_else(|| io::Error::other("its table of chunks is wrong"))?;
            self.read_chunk(
                place.offset + table_size + start,
                stored as usize,
                plain as usize,
                digest,
            )?;
            (start, left) = (end, left - plain);
        }
        Ok(())
    }

    /// A chunk that did not get smaller is stored as it is.
    fn read_chunk(&mut self, offset: u64, stored: usize, plain: usize, digest: &mut Sha1) -> io::Result<()> {
        self.stored.resize(stored, 0);
        self.blobs.file.read_exact_at(&mut self.stored, offset)?;
        if stored == plain {
            digest.update(&self.stored);
            return Ok(());
        }
        self.plain.resize(plain, 0);
        let decompressor = self
            .decompressor
            .as_mut()
            .ok_or_else(|| io::Error::other("the WIM is not compressed"))?;
        if !decompressor.decompress(&self.stored, &mut self.plain) {
            return Err(io::Error::other("it cannot be decompressed"));
        }
        digest.update(&self.plain);
        Ok(())
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn damaged(blob: &Blob, why: &str) -> Failure {
    Failure::new(format!(
        "verifying the written WIM: the data at offset {} is damaged: {why}",
        blob.place.offset
    ))
    .hint("capture again; if it happens again, test the destination's disk and the machine's memory")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn foreign_wim(folder: &Path, compression: &str) -> std::path::PathBuf {
        let (tree, wim) = (folder.join("tree"), folder.join(format!("{compression}.wim")));
        std::fs::create_dir_all(&tree).unwrap();
        let text: Vec<u8> = (0..60_000u32)
            .flat_map(|n| n.wrapping_mul(n).to_string().into_bytes())
            .collect();
        std::fs::write(tree.join("text"), &text).unwrap();
        std::fs::write(tree.join("one chunk"), &text[..32768]).unwrap();
        std::fs::write(tree.join("small"), "a").unwrap();
        let run = Command::new("wimlib-imagex")
            .args(["capture", "--quiet", &format!("--compress={compression}")])
            .args([&tree, &wim])
            .status();
        assert!(run.unwrap().success());
        wim
    }

    fn verified(wim: &Path) -> Result<(), Failure> {
        let report = Report::new(Box::new(io::sink()));
        Blobs::open(wim)
            .unwrap()
            .expect("a WIM that is not solid")
            .verify(&report)
    }

    #[test]
    fn what_another_program_wrote_verifies_and_damage_in_any_blob_is_found() {
        let folder = tempfile::tempdir().unwrap();
        for compression in ["none", "xpress", "lzx"] {
            let wim = foreign_wim(folder.path(), compression);
            assert_eq!(verified(&wim), Ok(()), "{compression}");
            let blobs = Blobs::open(&wim).unwrap().unwrap().blobs;
            assert!(blobs.len() >= 4, "three files and the metadata");
            let file = File::options().read(true).write(true).open(&wim).unwrap();
            for blob in blobs {
                let at = blob.place.offset + blob.place.size / 2;
                let mut byte = [0];
                file.read_exact_at(&mut byte, at).unwrap();
                file.write_all_at(&[!byte[0]], at).unwrap();
                assert!(
                    verified(&wim).is_err(),
                    "{compression}: damage at {at} must be found"
                );
                file.write_all_at(&byte, at).unwrap();
            }
        }
    }

    #[test]
    fn a_blob_that_says_it_is_longer_than_the_file_is_left_to_libwim() {
        let folder = tempfile::tempdir().unwrap();
        let wim = foreign_wim(folder.path(), "lzx");
        let table = Blobs::open(&wim).unwrap().unwrap().header.blob_table.offset;
        let file = File::options().write(true).open(&wim).unwrap();
        file.write_all_at(&[0xFF; 7], table).unwrap();
        assert!(Blobs::open(&wim).unwrap().is_none());
    }
}
