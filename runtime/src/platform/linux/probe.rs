//! What is on a volume, by its signature; nothing is mounted to find out.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// File system and label of a volume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) kind: String,
    pub(super) label: String,
}

/// Enough for every signature that is looked for; btrfs has the last one.
const LENGTH: usize = 0x10000 + 0x400;

/// Looks at the beginning of a device.
pub(super) fn probe(device: &Path) -> Found {
    let mut bytes = vec![0; LENGTH];
    let Ok(file) = File::open(device) else {
        return Found::default();
    };
    let mut length = 0;
    while length < LENGTH {
        match file.read_at(&mut bytes[length..], length as u64) {
            Ok(0) | Err(_) => break,
            Ok(count) => length += count,
        }
    }
    bytes.truncate(length);
    identify(&bytes)
}

/// The UUID of a Linux file system, as udev names it.
pub(super) fn uuid(device: &Path) -> Option<String> {
    let offset = match probe(device).kind.as_str() {
        "ext4" => 0x468,
        "xfs" => 0x20,
        "btrfs" => 0x10020,
        _ => return None,
    };
    let mut bytes = [0; 16];
    File::open(device).ok()?.read_exact_at(&mut bytes, offset).ok()?;
    Some(uuid::Uuid::from_bytes(bytes).to_string())
}

/// Whether nothing is written at the beginning and the end of a disk, where every table, volume and RAID member keeps
/// something. What cannot be read counts as content.
pub(super) fn edges_are_zero(device: &Path, size: u64) -> bool {
    const EDGE: u64 = 1 << 20;
    let Ok(file) = File::open(device) else {
        return false;
    };
    let mut bytes = vec![0; usize::try_from(EDGE.min(size)).unwrap_or(0)];
    [0, size.saturating_sub(EDGE)].into_iter().all(|offset| {
        bytes.fill(1);
        file.read_exact_at(&mut bytes, offset).is_ok() && bytes.iter().all(|byte| *byte == 0)
    })
}

/// The volume set identifier of an ISO 9660 volume that begins here, in lower case (ECMA-119, 8.4.14).
pub(super) fn volume_set(device: &Path) -> Option<String> {
    let mut descriptor = [0; 2048];
    File::open(device)
        .ok()?
        .read_exact_at(&mut descriptor, 16 * 2048)
        .ok()?;
    (descriptor[..6] == *b"\x01CD001").then(|| text(&descriptor[190..318]).to_lowercase())
}

fn identify(bytes: &[u8]) -> Found {
    let at = |offset: usize, magic: &[u8]| bytes.get(offset..offset + magic.len()) == Some(magic);
    let field = |from: usize, length: usize| bytes.get(from..from + length).map(text).unwrap_or_default();
    let found = |kind: &str, label: String| Found {
        kind: kind.into(),
        label,
    };
    match () {
        () if at(0x10040, b"_BHRfS_M") => found("btrfs", field(0x1012B, 256)),
        () if at(0x8001, b"CD001") => found("iso9660", field(0x8028, 32)),
        // ext2 and ext3 share ext4's signature; the kernel's ext4 mounts all of them.
        () if at(0x438, &[0x53, 0xEF]) => found("ext4", field(0x478, 16)),
        () if at(0, b"XFSB") => found("xfs", field(0x6C, 12)),
        () if at(3, b"EXFAT   ") => found("exfat", String::new()),
        () if at(3, b"NTFS    ") => found("ntfs", String::new()),
        () if at(0x52, b"FAT32   ") => found("vfat", field(0x47, 11)),
        () if at(0x36, b"FAT16   ") || at(0x36, b"FAT12   ") => found("vfat", field(0x2B, 11)),
        () if at(0xFF6, b"SWAPSPACE2") => found("swap", field(0x41C, 16)),
        () if at(0, b"LUKS\xBA\xBE") => found("crypto_LUKS", String::new()),
        () if at(0x218, b"LVM2 001") => found("LVM2_member", String::new()),
        () => Found::default(),
    }
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made_by(program: &str, arguments: &[&str]) -> Found {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(320 << 20).unwrap();
        let status = std::process::Command::new(program)
            .args(arguments)
            .arg(file.path())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        assert!(status.success(), "{program} failed");
        probe(file.path())
    }

    #[test]
    fn volumes_of_the_real_tools_are_recognized() {
        let found = |kind: &str, label: &str| Found {
            kind: kind.into(),
            label: label.into(),
        };
        assert_eq!(made_by("mkfs.ext4", &["-q", "-L", "root"]), found("ext4", "root"));
        assert_eq!(
            made_by("mkfs.fat", &["-F", "32", "-n", "ESP"]),
            found("vfat", "ESP")
        );
        assert_eq!(made_by("mkfs.xfs", &["-q", "-L", "data"]), found("xfs", "data"));
        assert_eq!(
            made_by("mkfs.btrfs", &["-q", "-L", "pool"]),
            found("btrfs", "pool")
        );
        assert_eq!(made_by("mkfs.exfat", &[]), found("exfat", ""));
        assert_eq!(made_by("mkswap", &["-L", "swap"]), found("swap", "swap"));
        assert_eq!(identify(&[]), Found::default());
    }
}
