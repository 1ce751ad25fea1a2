//! A window on the bytes of an image, shared by all volumes on it.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;

/// Why something on an image could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The medium itself.
    #[error("reading {length} bytes at byte {offset}")]
    Io {
        /// Where, from the start of the image.
        offset: u64,
        /// How much.
        length: u64,
        /// What the system said.
        source: io::Error,
    },
    /// The format's rules are broken.
    #[error("{what} at byte {offset}: {why}")]
    Damaged {
        /// The structure.
        what: &'static str,
        /// Where, from the start of the image.
        offset: u64,
        /// What is wrong with it.
        why: String,
    },
    /// No such file or folder.
    #[error("there is no {0} on the volume")]
    NotFound(String),
    /// Nothing that we read.
    #[error("neither an ISO 9660 image nor a disk with a partition table")]
    Unknown,
}

trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

/// Bytes `base..base + length` of a source that others read too.
#[derive(Clone)]
pub struct Device {
    source: Arc<Mutex<dyn ReadSeek>>,
    base: u64,
    length: u64,
}

impl Device {
    /// All bytes of a source.
    ///
    /// # Errors
    /// When its size cannot be found.
    pub fn new(mut source: impl Read + Seek + Send + 'static) -> Result<Self, ReadError> {
        let length = source.seek(SeekFrom::End(0)).map_err(|source| ReadError::Io {
            offset: 0,
            length: 0,
            source,
        })?;
        Ok(Self {
            source: Arc::new(Mutex::new(source)),
            base: 0,
            length,
        })
    }

    /// Bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Where it begins, in bytes from the start of the source.
    pub fn offset(&self) -> u64 {
        self.base
    }

    /// A part of it.
    ///
    /// # Errors
    /// When the part does not lie inside.
    pub fn window(&self, offset: u64, length: u64) -> Result<Self, ReadError> {
        let inside = offset.checked_add(length).is_some_and(|end| end <= self.length);
        if !inside {
            let why = format!(
                "its {length} bytes leave the {} bytes that there are",
                self.length
            );
            return Err(self.damaged("extent", offset, why));
        }
        Ok(Self {
            source: Arc::clone(&self.source),
            base: self.base + offset,
            length,
        })
    }

    /// Fills the buffer from `offset`.
    ///
    /// # Errors
    /// When the bytes do not lie inside or cannot be read.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        let part = self.window(offset, buffer.len() as u64)?;
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let read = source
            .seek(SeekFrom::Start(part.base))
            .and_then(|_| source.read_exact(buffer));
        read.map_err(|source| ReadError::Io {
            offset: part.base,
            length: part.length,
            source,
        })
    }

    /// `length` bytes from `offset`; nothing is allocated for bytes that do not exist.
    ///
    /// # Errors
    /// As [`Device::read_at`].
    pub fn bytes(&self, offset: u64, length: u64) -> Result<Vec<u8>, ReadError> {
        self.window(offset, length)?;
        let length =
            usize::try_from(length).map_err(|_| self.damaged("extent", offset, "too long".into()))?;
        let mut bytes = vec![0; length];
        self.read_at(offset, &mut bytes)?;
        Ok(bytes)
    }

    /// A broken rule at a place of this window.
    pub(super) fn damaged(&self, what: &'static str, offset: u64, why: String) -> ReadError {
        ReadError::Damaged {
            what,
            offset: self.base.saturating_add(offset),
            why,
        }
    }
}

/// A part of a file: where it lies in its volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Bytes from the start of the volume; nothing for bytes that were never written and read as zero.
    pub offset: Option<u64>,
    /// Bytes.
    pub length: u64,
}

/// The bytes of a file.
pub struct Content {
    device: Device,
    runs: std::vec::IntoIter<Run>,
    current: Option<Run>,
}

impl Content {
    pub(super) fn new(device: Device, runs: Vec<Run>) -> Self {
        Self {
            device,
            runs: runs.into_iter(),
            current: None,
        }
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let run = loop {
            match self.current.take().or_else(|| self.runs.next()) {
                None => return Ok(0),
                Some(run) if run.length == 0 => {}
                Some(run) => break run,
            }
        };
        let count = buffer
            .len()
            .min(usize::try_from(run.length).unwrap_or(usize::MAX));
        match run.offset {
            Some(offset) => self
                .device
                .read_at(offset, &mut buffer[..count])
                .map_err(io::Error::other)?,
            None => buffer[..count].fill(0),
        }
        self.current = Some(Run {
            offset: run.offset.map(|offset| offset + count as u64),
            length: run.length - count as u64,
        });
        Ok(count)
    }
}

/// Little-endian numbers of a structure; zero beyond its end, which every caller has ruled out by length.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array(bytes, at))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}

pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes
        .get(at..at + N)
        .and_then(|part| part.try_into().ok())
        .unwrap_or([0; N])
}
