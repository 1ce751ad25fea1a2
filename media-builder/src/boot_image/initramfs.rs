//! The initramfs: a sorted list of nodes, written as a cpio archive (newc) and compressed with LZ4.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use cpio::newc::{self, ModeFileType};
use lz4::block::{self, CompressionMode};

/// The kernel unpacks any level equally fast.
const LEVEL: i32 = 12;
/// The kernel reads LZ4's legacy frames: this number, then blocks of so much, each behind its length.
const MAGIC: [u8; 4] = 0x184C_2102_u32.to_le_bytes();
const BLOCK: usize = 8 << 20;

/// What a node is.
enum Kind {
    Folder,
    File(Vec<u8>),
    Link(String),
    CharacterDevice { major: u32, minor: u32 },
}

struct Node {
    mode: u32,
    kind: Kind,
}

/// A file tree for the kernel to start from.
#[derive(Default)]
pub(super) struct Initramfs {
    nodes: BTreeMap<String, Node>,
}

impl Initramfs {
    /// Adds a folder, and those above it.
    pub(super) fn folder(&mut self, path: &str) {
        self.add(
            path,
            Node {
                mode: 0o755,
                kind: Kind::Folder,
            },
        );
    }

    /// Adds a file with its permissions.
    pub(super) fn file(&mut self, path: &str, mode: u32, bytes: Vec<u8>) {
        self.add(
            path,
            Node {
                mode,
                kind: Kind::File(bytes),
            },
        );
    }

    /// Adds a symbolic link.
    pub(super) fn link(&mut self, path: &str, target: &str) {
        self.add(
            path,
            Node {
                mode: 0o777,
                kind: Kind::Link(target.to_owned()),
            },
        );
    }

    /// Adds a character device: the kernel opens /dev/console before anything is mounted.
    pub(super) fn device(&mut self, path: &str, major: u32, minor: u32) {
        self.add(
            path,
            Node {
                mode: 0o600,
                kind: Kind::CharacterDevice { major, minor },
            },
        );
    }

    fn add(&mut self, path: &str, node: Node) {
        if let Some((above, _)) = path.rsplit_once('/')
            && !self.nodes.contains_key(above)
        {
            self.folder(above);
        }
        self.nodes.insert(path.to_owned(), node);
    }

    /// The archive, uncompressed. Sorted, root's, one time stamp: the same tree gives the same bytes.
    pub(super) fn cpio(&self, time: u32) -> io::Result<Vec<u8>> {
        let mut archive = Vec::new();
        for (number, (path, node)) in self.nodes.iter().enumerate() {
            let mut entry = newc::Builder::new(path)
                .ino(number as u32 + 1)
                .mode(node.mode)
                .mtime(time);
            let (kind, content): (ModeFileType, &[u8]) = match &node.kind {
                Kind::Folder => (ModeFileType::Directory, &[]),
                Kind::File(bytes) => (ModeFileType::Regular, bytes),
                Kind::Link(target) => (ModeFileType::Symlink, target.as_bytes()),
                Kind::CharacterDevice { major, minor } => {
                    entry = entry.rdev_major(*major).rdev_minor(*minor);
                    (ModeFileType::Char, &[])
                }
            };
            let entry = entry.nlink(1).set_mode_file_type(kind);
            let mut writer = entry.write(&mut archive, content.len() as u32);
            writer.write_all(content)?;
            writer.finish()?;
        }
        newc::trailer(&mut archive)?;
        Ok(archive)
    }
}

/// Compresses the blocks side by side. LZ4, because a start waits until the kernel has unpacked everything on one
/// processor: zstd is a quarter smaller and takes three times as long.
pub(super) fn compress(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let blocks: Vec<io::Result<Vec<u8>>> = std::thread::scope(|scope| {
        let workers: Vec<_> = bytes
            .chunks(BLOCK)
            .map(|block| {
                scope.spawn(|| block::compress(block, Some(CompressionMode::HIGHCOMPRESSION(LEVEL)), false))
            })
            .collect();
        let interrupted = |_| Err(io::Error::other("a thread ended unexpectedly"));
        let joined = workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(interrupted));
        joined.collect()
    });
    let mut frame = MAGIC.to_vec();
    for block in blocks {
        let block = block?;
        let length = u32::try_from(block.len()).map_err(io::Error::other)?;
        frame.extend(length.to_le_bytes());
        frame.extend(block);
    }
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn sample() -> Initramfs {
        let mut tree = Initramfs::default();
        tree.file("usr/bin/tool", 0o755, b"abc".to_vec());
        tree.link("bin", "usr/bin");
        tree.device("dev/console", 5, 1);
        tree
    }

    #[test]
    fn cpio_lists_what_was_put_in() {
        let mut cpio = Command::new("cpio")
            .args(["-t", "-v", "-n", "--quiet"])
            .envs([("TZ", "UTC"), ("LC_ALL", "C.UTF-8")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        cpio.stdin
            .take()
            .unwrap()
            .write_all(&sample().cpio(86_400).unwrap())
            .unwrap();
        let output = cpio.wait_with_output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[0].starts_with("lrwxrwxrwx") && lines[0].ends_with("bin -> usr/bin"),
            "{text}"
        );
        assert!(
            lines[2].starts_with("crw-------") && lines[2].contains("5,   1"),
            "{text}"
        );
        assert!(
            text.contains("-rwxr-xr-x   1 0        0               3 Jan  2  1970 usr/bin/tool"),
            "{text}"
        );
        assert_eq!(lines.len(), 6);
    }

    #[test]
    fn the_same_tree_gives_the_same_bytes() {
        let bytes = sample().cpio(7).unwrap();
        assert_eq!(bytes, sample().cpio(7).unwrap());
        assert_eq!(compress(&bytes).unwrap(), compress(&bytes).unwrap());
    }

    #[test]
    fn another_program_unpacks_every_block() {
        let bytes: Vec<u8> = (0..(BLOCK as u32 / 4 * 5 / 2))
            .flat_map(|n| (n % 5000).to_le_bytes())
            .collect();
        let packed = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(packed.path(), compress(&bytes).unwrap()).unwrap();
        let output = Command::new("lz4")
            .arg("-dc")
            .arg(packed.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(output.stdout.len(), bytes.len());
        assert!(output.stdout == bytes);
    }
}
