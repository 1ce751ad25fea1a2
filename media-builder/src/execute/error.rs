//! What can go wrong while an image is written.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why there is no image.
#[derive(Debug, Error)]
pub enum ExecuteError {
    /// The output cannot be created.
    #[error("creating {path}", path = path.display())]
    Create {
        /// The partial file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another build makes the same image.
    #[error("another build is writing {}: wait for its end, or give another name with --output", .0.display())]
    Busy(PathBuf),
    /// The disk is too small.
    #[error(
        "{folder} has {free} bytes free and the image needs {needed}: free some, or choose another place with --output",
        folder = folder.display()
    )]
    NoRoom {
        /// Where.
        folder: PathBuf,
        /// Bytes free.
        free: u64,
        /// Bytes needed.
        needed: u64,
    },
    /// The output cannot be written.
    #[error("writing {path} at byte {offset}", path = path.display())]
    Write {
        /// The partial file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// The output cannot be made to last.
    #[error("flushing {path}", path = path.display())]
    Flush {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The output cannot get its name.
    #[error("renaming the finished image to {path}", path = path.display())]
    Rename {
        /// The final name.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A source cannot be read.
    #[error("reading {path} at byte {offset}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// A source is no longer what was planned.
    #[error("{path} changed while the media was built: build again when it rests", path = path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A source does not have the digest that it must have.
    #[error("{path} is damaged (the part at byte {offset} does not have its digest): make or fetch it again",
        path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the part begins.
        offset: u64,
    },
    /// The manifest became longer than its place.
    #[error("the manifest of {bytes} bytes does not fit the place that was planned for it")]
    ManifestLength {
        /// Its length.
        bytes: usize,
    },
    /// What was written is not what was to be written.
    #[error(
        "{path} was read back and is not what was written: {problems}: check the disk and the memory of this machine",
        path = path.display(), problems = problems.join("; ")
    )]
    Verify {
        /// The partial file.
        path: PathBuf,
        /// What differs.
        problems: Vec<String>,
    },
    /// A thread ended early.
    #[error("a thread that writes or hashes ended")]
    Ended,
}
