//! Digests that earlier runs computed, so that unchanged content is not hashed again.
//!
//! A text file in the user's cache folder, one line an entry. It only saves time: whatever is wrong with it
//! makes it empty, and a file that changed a moment ago is not remembered (its next change could have the
//! same time stamps).

use std::collections::HashMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use media_format::manifest::hex;

use crate::platform::{self, Identity};

/// Smaller content is hashed faster than a table of it is kept.
const SMALLEST: u64 = 64 * 1024;
/// Entries beyond this are dropped, the oldest files first.
const MOST: usize = 50_000;
/// Time stamps are coarser than changes: what is younger than this may change unseen.
const SETTLED: i128 = 2_000_000_000;
const HEADER: &str = "media-builder digests 1\n";

/// What a digest is remembered under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// The file.
    pub identity: Identity,
    /// Where in it.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

/// The cache.
#[derive(Debug, Default)]
pub struct DigestCache {
    path: Option<PathBuf>,
    known: HashMap<Key, [u8; 32]>,
    changed: bool,
}

impl DigestCache {
    /// The user's cache.
    pub fn load() -> Self {
        let path = platform::cache_folder().filter(|_| platform::IDENTITY_LASTS);
        path.map_or_else(Self::default, |folder| Self::load_from(&folder.join("digests")))
    }

    fn load_from(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let lines = text.strip_prefix(HEADER).unwrap_or_default().lines();
        Self {
            path: Some(path.to_owned()),
            known: lines.filter_map(read_line).collect(),
            changed: false,
        }
    }

    /// The digest, if it is known.
    pub fn get(&self, key: &Key) -> Option<[u8; 32]> {
        self.known.get(key).copied()
    }

    /// Remembers a digest.
    pub fn insert(&mut self, key: Key, digest: [u8; 32]) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |now| now.as_nanos() as i128);
        if key.length >= SMALLEST && now - key.identity.changed > SETTLED {
            self.changed |= self.known.insert(key, digest) != Some(digest);
        }
    }

    /// Writes the cache; a failure only costs time later.
    pub fn save(&self) {
        if let Some(path) = self.path.as_deref().filter(|_| self.changed) {
            let _saving_is_a_favour = self.write(path);
        }
    }

    fn write(&self, path: &Path) -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let file = tempfile::NamedTempFile::new_in(folder)?;
        std::fs::write(file.path(), self.text())?;
        file.persist(path)?;
        Ok(())
    }

    fn text(&self) -> String {
        let mut entries: Vec<_> = self.known.iter().collect();
        entries.sort_by_key(|(key, _)| {
            (
                std::cmp::Reverse(key.identity.changed),
                key.identity.inode,
                key.offset,
            )
        });
        let mut text = HEADER.to_owned();
        for (
            Key {
                identity: i,
                offset,
                length,
            },
            digest,
        ) in entries.into_iter().take(MOST)
        {
            let digest = hex(digest);
            let _infallible = writeln!(
                text,
                "{} {} {} {} {} {offset} {length} {digest}",
                i.device, i.inode, i.size, i.modified, i.changed
            );
        }
        text
    }
}

fn read_line(line: &str) -> Option<(Key, [u8; 32])> {
    let mut fields = line.split(' ');
    let mut number = || fields.next()?.parse::<i128>().ok();
    let mut unsigned = || number().and_then(|number| u64::try_from(number).ok());
    let (device, inode, size) = (unsigned()?, unsigned()?, unsigned()?);
    let (modified, changed) = (number()?, number()?);
    let mut unsigned = || number().and_then(|number| u64::try_from(number).ok());
    let (offset, length) = (unsigned()?, unsigned()?);
    let digest = unhex(fields.next()?)?;
    let identity = Identity {
        device,
        inode,
        size,
        modified,
        changed,
    };
    Some((
        Key {
            identity,
            offset,
            length,
        },
        digest,
    ))
}

/// The digest in 64 hexadecimal digits.
pub(super) fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, place) in digest.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&text[place..place + 2], 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(inode: u64, changed: i128) -> Key {
        let identity = Identity {
            device: 1,
            inode,
            size: 1 << 20,
            modified: -5,
            changed,
        };
        Key {
            identity,
            offset: 512,
            length: 1 << 20,
        }
    }

    #[test]
    fn digests_come_back_from_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub/digests");
        let mut cache = DigestCache::load_from(&path);
        cache.insert(key(7, 99), [0xab; 32]);
        cache.save();
        let cache = DigestCache::load_from(&path);
        assert_eq!(cache.get(&key(7, 99)), Some([0xab; 32]));
        assert_eq!(cache.get(&key(7, 100)), None, "a changed file is another one");
    }

    #[test]
    fn what_changed_a_moment_ago_is_not_remembered() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i128;
        let mut cache = DigestCache::default();
        cache.insert(key(7, now), [1; 32]);
        assert_eq!(cache.get(&key(7, now)), None);
    }

    #[test]
    fn a_damaged_cache_is_an_empty_one() {
        for line in ["", "1 2 3", "1 2 3 4 5 6 7 zz", "-1 2 3 4 5 6 7 00"] {
            assert_eq!(read_line(line), None, "{line}");
        }
    }
}
