//! Whether a volume was unmounted as it should be, read from its own structures: nothing is mounted to find out.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::Context as _;

use super::ntfs;
use crate::platform::Result;

const NOT_SHUT_DOWN: &str = "was not shut down cleanly, so its newest changes are in its journal only";

/// Why the volume's content is not complete without a replay of its journal.
pub(super) fn unclean(device: &Path, kind: &str) -> Result<Option<String>> {
    let file = File::open(device)?;
    let dirty = match kind {
        "ext4" => ext4(&file)?,
        "btrfs" => btrfs(&file)?,
        "xfs" => xfs(&file)?,
        "ntfs" => ntfs::is_dirty(&file)? || ntfs::has_open_log(&file)?,
        _ => false,
    };
    Ok(dirty.then(|| NOT_SHUT_DOWN.to_owned()))
}

/// `EXT4_FEATURE_INCOMPAT_RECOVER`.
fn ext4(file: &File) -> Result<bool> {
    Ok(little(file, 0x460, 4)? & 4 != 0)
}

/// `log_root` of the superblock: a tree of what was flushed since the last complete transaction.
fn btrfs(file: &File) -> Result<bool> {
    Ok(little(file, 0x10060, 8)? != 0)
}

/// Log blocks of XFS, whatever the disk's sectors are.
const BLOCK: usize = 512;
/// Every log record begins with it, and no other log block does: their first bytes are replaced by a cycle number.
const RECORD: [u8; 4] = [0xFE, 0xED, 0xBA, 0xBE];
/// Set in the one operation of the record that an unmount writes.
const UNMOUNT: u8 = 0x20;
/// A log is read in pieces of this size.
const PIECE: usize = 1 << 20;
/// No XFS has a larger log.
const MOST_LOG: u64 = 2 << 30;

/// The newest record of the log is the one of an unmount, or the log is dirty.
fn xfs(file: &File) -> Result<bool> {
    let (start, length) = xfs_log(file)?;
    let mut newest = None;
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    while at < length {
        let count = usize::try_from((length - at).min(PIECE as u64)).unwrap_or(PIECE);
        file.read_exact_at(&mut piece[..count], start + at)
            .context("reading the log of an XFS volume")?;
        for (number, block) in piece[..count].chunks_exact(BLOCK).enumerate() {
            if block[..4] == RECORD {
                let sequence = big(&block[16..24]);
                newest = newest.max(Some((sequence, at + (number * BLOCK) as u64)));
            }
        }
        at += count as u64;
    }
    let Some((_, record)) = newest else {
        return Ok(false);
    };
    ends_with_unmount(file, start, length, record).map(|clean| !clean)
}

/// Where the log lies and how long it is, in bytes.
fn xfs_log(file: &File) -> Result<(u64, u64)> {
    let mut superblock = [0; BLOCK];
    file.read_exact_at(&mut superblock, 0)
        .context("reading the superblock of an XFS volume")?;
    let block_size = big(&superblock[4..8]);
    let first = big(&superblock[48..56]);
    let group_blocks = big(&superblock[84..88]);
    let blocks = big(&superblock[96..100]);
    let group_bits = u32::from(superblock[124]);
    if first == 0 {
        anyhow::bail!("its log lies on another device, which cannot be used here");
    }
    let damaged = || anyhow::anyhow!("its superblock is damaged");
    let group = first.checked_shr(group_bits).ok_or_else(damaged)?;
    let inside = first & 1_u64.checked_shl(group_bits).ok_or_else(damaged)?.wrapping_sub(1);
    let start = group
        .checked_mul(group_blocks)
        .and_then(|blocks| blocks.checked_add(inside)?.checked_mul(block_size))
        .ok_or_else(damaged)?;
    let length = blocks
        .checked_mul(block_size)
        .filter(|length| *length <= MOST_LOG)
        .ok_or_else(damaged)?;
    Ok((start, length))
}

/// Whether the record at that place of the log has one operation, and that is an unmount.
fn ends_with_unmount(file: &File, start: u64, length: u64, record: u64) -> Result<bool> {
    const HEADER_COVERS: u64 = 32 << 10;
    let mut header = [0; BLOCK];
    file.read_exact_at(&mut header, start + record)?;
    let version = big(&header[8..12]);
    let size = big(&header[320..324]);
    let headers = if version & 2 != 0 {
        size.div_ceil(HEADER_COVERS).max(1)
    } else {
        1
    };
    let place = (record + headers * BLOCK as u64) % length;
    let mut operation = [0; 12];
    file.read_exact_at(&mut operation, start + place)?;
    Ok(big(&header[40..44]) == 1 && operation[9] & UNMOUNT != 0)
}

fn big(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn little(file: &File, offset: u64, length: usize) -> Result<u64> {
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes[..length], offset)
        .context("reading a superblock")?;
    Ok(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn run(program: &str, arguments: &[&str], path: &Path) {
        let mut command = Command::new(program);
        command.args(arguments).arg(path);
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(status.unwrap().success(), "{program} {arguments:?} failed");
    }

    fn made_by(program: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(320 << 20).unwrap();
        run(program, &["-q"], file.path());
        file
    }

    fn is_unclean(file: &tempfile::NamedTempFile, kind: &str) -> bool {
        unclean(file.path(), kind).unwrap().is_some()
    }

    #[test]
    fn an_ext4_volume_that_needs_recovery_is_unclean() {
        let file = made_by("mkfs.ext4");
        assert!(!is_unclean(&file, "ext4"));
        run("debugfs", &["-w", "-R", "feature needs_recovery"], file.path());
        assert!(is_unclean(&file, "ext4"));
    }

    #[test]
    fn a_btrfs_volume_with_a_log_tree_is_unclean() {
        let file = made_by("mkfs.btrfs");
        assert!(!is_unclean(&file, "btrfs"));
        file.as_file().write_all_at(&[0, 64], 0x10060).unwrap();
        assert!(is_unclean(&file, "btrfs"));
    }

    #[test]
    fn an_xfs_volume_whose_log_does_not_end_with_an_unmount_is_unclean() {
        let file = made_by("mkfs.xfs");
        assert!(!is_unclean(&file, "xfs"));
        let (start, _) = xfs_log(file.as_file()).unwrap();
        // A record behind the unmount that mkfs wrote, as the first transaction of a mount writes it.
        let mut record = [0; 2 * BLOCK];
        file.as_file().read_exact_at(&mut record[..BLOCK], start).unwrap();
        record[16..24].copy_from_slice(&(1_u64 << 32 | 2).to_be_bytes());
        record[40..44].copy_from_slice(&7_u32.to_be_bytes());
        file.as_file()
            .write_all_at(&record, start + 2 * BLOCK as u64)
            .unwrap();
        assert!(is_unclean(&file, "xfs"));
        file.as_file().write_all_at(&[0xFF; 8], 48).unwrap();
        assert!(unclean(file.path(), "xfs").is_err(), "a damaged superblock");
    }
}
