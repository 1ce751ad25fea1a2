//! Digests of files.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use super::Result;

/// SHA-256 and size in bytes of a file that is open; `path` is what an error calls it.
pub(super) fn sha256(mut file: File, path: &Path, progress: &mut dyn FnMut(u64)) -> Result<([u8; 32], u64)> {
    let mut buffer = vec![0; 1 << 20];
    let (mut hash, mut size) = (Sha256::new(), 0);
    loop {
        let read = file.read(&mut buffer);
        match read.with_context(|| format!("reading {} at byte {size}", path.display()))? {
            0 => return Ok((hash.finalize().into(), size)),
            count => {
                hash.update(&buffer[..count]);
                size += count as u64;
                progress(size);
            }
        }
    }
}
