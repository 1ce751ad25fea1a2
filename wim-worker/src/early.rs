//! Reads back what libwim has written while it writes the rest: the data is still in memory, and a processor that libwim leaves
//! idle does it. What is not read by the end, or was taken for something else, [`streams`](crate::streams) reads afterwards. So is
//! what memory cannot hold until then: of that the disk can be asked, and asking memory would prove less.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Seek};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use media_format::wim::header::{HEADER_SIZE, Header, Resource};

use crate::streams::Reader;

/// The lowest: it must not take the processor from what it waits for.
const NICE: i32 = 19;
/// `RESHDR_FLAG_COMPRESSED` of a resource.
const FLAG_COMPRESSED: u8 = 0x4;
/// The offset of the header's flags, and `FLAG_HEADER_WRITE_IN_PROGRESS` in their first byte.
const FLAGS: usize = 16;
const WRITE_IN_PROGRESS: u8 = 0x40;

/// The SHA-1 of what was read at places of the WIM, by their offsets.
#[derive(Debug, Default)]
pub(crate) struct Verified(HashMap<u64, (Resource, [u8; 20])>);

impl Verified {
    /// Whether exactly this place was read, and held data with this digest.
    pub(crate) fn has(&self, place: Resource, digest: &[u8; 20]) -> bool {
        self.0.get(&place.offset).is_some_and(|(read, found)| {
            (read.size, read.original_size) == (place.size, place.original_size)
                && read.is_compressed() == place.is_compressed()
                && found == digest
        })
    }
}

/// The reading beside the writing.
pub(crate) struct Early {
    file: File,
    /// Where what was written last ends.
    end: u64,
    /// What lies behind this offset is left to the reading afterwards.
    limit: u64,
    written: Sender<Resource>,
    stop: Arc<AtomicBool>,
    reader: JoinHandle<Verified>,
}

impl Early {
    /// Begins on an empty file that libwim is going to write by this descriptor. `limit` in bytes is as much of the file as memory
    /// holds.
    pub(crate) fn start(file: &File, limit: u64) -> io::Result<Self> {
        let (written, places) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let (own, stopped) = (file.try_clone()?, Arc::clone(&stop));
        Ok(Self {
            file: file.try_clone()?,
            end: HEADER_SIZE as u64,
            limit,
            written,
            stop,
            reader: std::thread::spawn(move || read(&own, &places, &stopped)),
        })
    }

    /// A file of that size was written, from where the position of the descriptor has been to where it is now. That is not so for a
    /// file whose data is in the WIM already: what is being written then is read afterwards.
    pub(crate) fn written(&mut self, original_size: u64) {
        let Ok(position) = self.file.stream_position() else {
            return;
        };
        let size = position.saturating_sub(self.end);
        let place = Resource {
            offset: self.end,
            size,
            original_size,
            flags: if size < original_size { FLAG_COMPRESSED } else { 0 },
        };
        self.end = position;
        if size > 0 && position <= self.limit {
            // Without a reader it is read afterwards.
            let _ = self.written.send(place);
        }
    }

    /// What was read until now.
    pub(crate) fn finish(self) -> Verified {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.written);
        self.reader.join().unwrap_or_default()
    }
}

/// Half of the memory that is free, in bytes: the rest of the machine, and what is written meanwhile, need some too.
pub(crate) fn memory() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 512
}

fn read(file: &File, places: &Receiver<Resource>, stop: &AtomicBool) -> Verified {
    let _ = rustix::process::setpriority_process(None, NICE);
    let mut verified = Verified::default();
    let Ok(first) = places.recv() else {
        return verified;
    };
    let Some(mut reader) = header(file).and_then(|header| Reader::new(file, &header).ok()) else {
        return verified;
    };
    for place in std::iter::once(first).chain(places) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        if let Ok(digest) = reader.digest(place) {
            verified.0.insert(place.offset, (place, digest));
        }
    }
    verified
}

/// The header as it is from the beginning: what it does not say yet is not asked for, and the mark that the WIM is being written is
/// not looked at.
fn header(file: &File) -> Option<Header> {
    let mut bytes = [0; HEADER_SIZE];
    file.read_exact_at(&mut bytes, 0).ok()?;
    bytes[FLAGS] &= !WRITE_IN_PROGRESS;
    Header::parse(&bytes).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::SeekFrom;

    use super::*;
    use crate::streams::Blobs;
    use crate::streams::tests::foreign_wim;

    /// All of it, however long it takes.
    pub(crate) fn finish(early: Early) -> Verified {
        drop(early.written);
        early.reader.join().unwrap()
    }

    #[test]
    fn every_blob_is_read_by_where_the_position_was_and_damage_is_none() {
        let folder = tempfile::tempdir().unwrap();
        for compression in ["none", "xpress", "lzx"] {
            let wim = foreign_wim(folder.path(), compression);
            let blobs = Blobs::open(&wim).unwrap().unwrap().blobs;
            let mut file = File::options().read(true).write(true).open(&wim).unwrap();
            let whole = |file: &mut File| {
                let mut early = Early::start(file, u64::MAX).unwrap();
                for blob in &blobs {
                    file.seek(SeekFrom::Start(blob.place.offset + blob.place.size))
                        .unwrap();
                    early.written(blob.place.original_size);
                    // A file whose data is there already.
                    early.written(7);
                }
                finish(early)
            };
            let verified = whole(&mut file);
            assert_eq!(verified.0.len(), blobs.len());
            assert!(
                blobs.iter().all(|blob| verified.has(blob.place, &blob.digest)),
                "{compression}"
            );
            let damaged = &blobs[1];
            let at = damaged.place.offset + damaged.place.size / 2;
            file.write_all_at(&[!byte_at(&file, at)], at).unwrap();
            let verified = whole(&mut file);
            assert!(!verified.has(damaged.place, &damaged.digest), "{compression}");
            assert!(verified.has(blobs[0].place, &blobs[0].digest), "{compression}");
        }
    }

    fn byte_at(file: &File, at: u64) -> u8 {
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        byte[0]
    }

    /// One message for two files leaves both to the reading afterwards.
    #[test]
    fn a_place_that_is_none_is_not_taken_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let wim = foreign_wim(folder.path(), "xpress");
        let blobs = Blobs::open(&wim).unwrap().unwrap().blobs;
        let mut file = File::open(&wim).unwrap();
        let mut early = Early::start(&file, u64::MAX).unwrap();
        let second = blobs[1].place;
        file.seek(SeekFrom::Start(second.offset + second.size)).unwrap();
        early.written(second.original_size);
        let verified = finish(early);
        assert!(blobs.iter().all(|blob| !verified.has(blob.place, &blob.digest)));
    }

    #[test]
    fn what_memory_cannot_hold_is_left_to_the_reading_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let wim = foreign_wim(folder.path(), "xpress");
        let blobs = Blobs::open(&wim).unwrap().unwrap().blobs;
        let mut file = File::open(&wim).unwrap();
        let first = blobs[0].place;
        let mut early = Early::start(&file, first.offset + first.size).unwrap();
        for blob in &blobs {
            file.seek(SeekFrom::Start(blob.place.offset + blob.place.size))
                .unwrap();
            early.written(blob.place.original_size);
        }
        let verified = finish(early);
        let read = |blob: &&crate::streams::Blob| verified.has(blob.place, &blob.digest);
        assert_eq!(blobs.iter().filter(read).count(), 1);
        assert!(memory() > 1 << 20);
    }
}
