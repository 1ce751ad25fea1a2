//! The table of files that the media's content comes from.

use std::path::{Path, PathBuf};

use disk_image::SourceId;

use super::digest_cache::{DigestCache, Key};
use crate::platform::Identity;

/// A file, or a part of one, that becomes one file of the media.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// Where the part begins.
    pub offset: u64,
    /// Bytes of the part.
    pub size: u64,
    /// The file's identity when it was looked at.
    pub identity: Identity,
    /// SHA-256, where it is known from an earlier run.
    pub sha256: Option<[u8; 32]>,
    /// SHA-256 that it must have, where something says so.
    pub expected: Option<[u8; 32]>,
}

impl Source {
    /// What the digest is remembered under.
    pub fn key(&self) -> Key {
        Key {
            identity: self.identity,
            offset: self.offset,
            length: self.size,
        }
    }
}

/// The table; planners refer to it by [`SourceId`].
#[derive(Debug, Default)]
pub struct Sources {
    list: Vec<Source>,
}

impl Sources {
    /// Adds a whole file.
    pub(crate) fn add(&mut self, path: PathBuf, identity: Identity) -> SourceId {
        self.add_part(path, identity, 0, identity.size, None)
    }

    /// Adds a part of a file, whose digest may be known from elsewhere.
    pub(super) fn add_part(
        &mut self,
        path: PathBuf,
        identity: Identity,
        offset: u64,
        size: u64,
        expected: Option<[u8; 32]>,
    ) -> SourceId {
        self.list.push(Source {
            path,
            offset,
            size,
            identity,
            sha256: None,
            expected,
        });
        SourceId(self.list.len() - 1)
    }

    /// Fills in what earlier runs have hashed.
    pub(super) fn look_up(&mut self, cache: &DigestCache) {
        for source in &mut self.list {
            source.sha256 = cache.get(&source.key());
        }
    }

    /// A source.
    ///
    /// # Panics
    /// When the id is of another table: a programming error.
    pub fn get(&self, id: SourceId) -> &Source {
        &self.list[id.0]
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        self.list
            .iter()
            .enumerate()
            .map(|(index, source)| (SourceId(index), source))
    }

    /// The file behind an id.
    pub fn path(&self, id: SourceId) -> &Path {
        &self.get(id).path
    }
}
