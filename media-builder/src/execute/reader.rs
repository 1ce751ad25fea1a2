//! Reads sources, and notices when they are no longer what was planned.

use std::fs::File;
use std::path::PathBuf;

use disk_image::SourceId;

use super::ExecuteError;
use super::hasher::{Backend, Digest};
use crate::platform::{self, Identity};
use crate::resolve::{Source, Sources};

/// Reads sources one after the other; the last file stays open, since parts of one file follow each other.
pub(super) struct Reader<'a> {
    sources: &'a Sources,
    open: Option<Open>,
}

struct Open {
    path: PathBuf,
    identity: Identity,
    file: File,
}

impl Open {
    /// The file is still what was planned.
    fn check(&self) -> Result<(), ExecuteError> {
        let metadata = self.file.metadata();
        let now = metadata.map_err(|source| ExecuteError::Read {
            path: self.path.clone(),
            offset: 0,
            source,
        })?;
        if platform::identity(&now) == self.identity {
            Ok(())
        } else {
            Err(ExecuteError::Changed {
                path: self.path.clone(),
            })
        }
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(sources: &'a Sources) -> Self {
        Self { sources, open: None }
    }

    pub(super) fn source(&self, id: SourceId) -> &'a Source {
        self.sources.get(id)
    }

    /// Fills the buffer with the source's bytes from `offset` on.
    pub(super) fn read(&mut self, id: SourceId, offset: u64, buffer: &mut [u8]) -> Result<(), ExecuteError> {
        let source = self.sources.get(id);
        let open = self.open(source)?;
        let offset = source.offset + offset;
        let result = platform::read_exact_at(&open.file, buffer, offset);
        result.map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => ExecuteError::Changed {
                path: source.path.clone(),
            },
            _ => ExecuteError::Read {
                path: source.path.clone(),
                offset,
                source: error,
            },
        })
    }

    /// The digest of a source, read once more.
    pub(super) fn digest(&mut self, id: SourceId) -> Result<[u8; 32], ExecuteError> {
        let mut digest = Backend::default();
        self.hash(id, 0, self.sources.get(id).size, &mut digest)?;
        Ok(digest.finish())
    }

    /// Hashes a part of a source.
    pub(super) fn hash(
        &mut self,
        id: SourceId,
        offset: u64,
        length: u64,
        digest: &mut Backend,
    ) -> Result<(), ExecuteError> {
        let mut buffer = vec![0; 1 << 20];
        let (mut offset, end) = (offset, offset + length);
        while offset < end {
            let length = usize::try_from(end - offset)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            self.read(id, offset, &mut buffer[..length])?;
            digest.update(&buffer[..length]);
            offset += length as u64;
        }
        Ok(())
    }

    /// Ends with the last file.
    pub(super) fn close(&mut self) -> Result<(), ExecuteError> {
        self.open.take().map_or(Ok(()), |open| open.check())
    }

    fn open(&mut self, source: &Source) -> Result<&Open, ExecuteError> {
        if self.open.as_ref().is_none_or(|open| open.path != source.path) {
            self.close()?;
            let file = File::open(&source.path);
            let file = file.map_err(|error| ExecuteError::Read {
                path: source.path.clone(),
                offset: 0,
                source: error,
            })?;
            self.open = Some(Open {
                path: source.path.clone(),
                identity: source.identity,
                file,
            });
        }
        self.open.as_ref().ok_or_else(|| ExecuteError::Changed {
            path: source.path.clone(),
        })
    }
}
