//! What is on a volume, by its signature; nothing is mounted to find out.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// File system, label and, where Linux names a volume by it, UUID.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) kind: String,
    pub(super) label: String,
    /// As udev writes it; empty for other file systems than Linux' own.
    pub(super) uuid: String,
}

/// Enough for every signature that is looked for; btrfs has the last one.
const LENGTH: usize = 0x10000 + 0x400;

/// Looks at the beginning of a device.
pub(super) fn probe(device: &Path) -> Found {
    File::open(device)
        .map(|device| probe_open(&device))
        .unwrap_or_default()
}

/// The same for one that is open: each opening makes a drive for discs look whether the disc is still there.
pub(super) fn probe_open(device: &File) -> Found {
    let mut bytes = vec![0; LENGTH];
    let mut length = 0;
    while length < LENGTH {
        match device.read_at(&mut bytes[length..], length as u64) {
            Ok(0) | Err(_) => break,
            Ok(count) => length += count,
        }
    }
    bytes.truncate(length);
    identify(&bytes)
}

/// Whether nothing is written at the beginning and the end of a disk, where every table, volume and RAID member keeps
/// something. What cannot be read counts as content.
pub(super) fn edges_are_zero(device: &File, size: u64) -> bool {
    const EDGE: u64 = 1 << 20;
    let mut bytes = vec![0; usize::try_from(EDGE.min(size)).unwrap_or(0)];
    [0, size.saturating_sub(EDGE)].into_iter().all(|offset| {
        bytes.fill(1);
        device.read_exact_at(&mut bytes, offset).is_ok() && bytes.iter().all(|byte| *byte == 0)
    })
}

/// The volume set identifier of an ISO 9660 volume that begins here, in lower case (ECMA-119, 8.4.14).
pub(super) fn volume_set(device: &File) -> Option<String> {
    let mut descriptor = [0; 2048];
    device.read_exact_at(&mut descriptor, 16 * 2048).ok()?;
    (descriptor[..6] == *b"\x01CD001").then(|| text(&descriptor[190..318]).to_lowercase())
}

fn identify(bytes: &[u8]) -> Found {
    let at = |offset: usize, magic: &[u8]| bytes.get(offset..offset + magic.len()) == Some(magic);
    let field = |from: usize, length: usize| bytes.get(from..from + length).map(text).unwrap_or_default();
    let found = |kind: &str, label: String| Found {
        kind: kind.into(),
        label,
        uuid: String::new(),
    };
    let native = |kind: &str, label: String, uuid: usize| Found {
        uuid: uuid_at(bytes, uuid),
        ..found(kind, label)
    };
    match () {
        () if at(0x10040, b"_BHRfS_M") => native("btrfs", field(0x1012B, 256), 0x10020),
        () if at(0x8001, b"CD001") => found("iso9660", field(0x8028, 32)),
        // ext2 and ext3 share ext4's signature; the kernel's ext4 mounts all of them.
        () if at(0x438, &[0x53, 0xEF]) => native("ext4", field(0x478, 16), 0x468),
        () if at(0, b"XFSB") => native("xfs", field(0x6C, 12), 0x20),
        () if at(3, b"EXFAT   ") => found("exfat", String::new()),
        () if at(3, b"NTFS    ") => found("ntfs", String::new()),
        () if at(0x52, b"FAT32   ") => found("vfat", field(0x47, 11)),
        () if at(0x36, b"FAT16   ") || at(0x36, b"FAT12   ") => found("vfat", field(0x2B, 11)),
        () if at(0xFF6, b"SWAPSPACE2") => found("swap", field(0x41C, 16)),
        () if at(0, b"LUKS\xBA\xBE") => found("crypto_LUKS", String::new()),
        // The label lies in one of the first four sectors; pvcreate takes the second one.
        () if (0..4).any(|sector| at(sector * 512, b"LABELONE") && at(sector * 512 + 0x18, b"LVM2 001")) => {
            found("LVM2_member", String::new())
        }
        // Superblocks of the versions 1.1 and 1.2; older ones lie behind a file system that is there as it is.
        () if [0, 0x1000]
            .iter()
            .any(|start| at(*start, &[0xFC, 0x4E, 0x2B, 0xA9])) =>
        {
            found("linux_raid_member", String::new())
        }
        () => Found::default(),
    }
}

fn uuid_at(bytes: &[u8], offset: usize) -> String {
    let uuid = bytes.get(offset..).and_then(|rest| rest.first_chunk());
    uuid.map(|uuid| uuid::Uuid::from_bytes(*uuid).to_string())
        .unwrap_or_default()
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "6a61a9b1-0f0e-4d4f-9a0c-2f1f6a1f0b57";

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
            uuid: String::new(),
        };
        let native = |kind: &str, label: &str| Found {
            uuid: UUID.into(),
            ..found(kind, label)
        };
        let ext4 = ["-q", "-L", "root", "-U", UUID];
        assert_eq!(made_by("mkfs.ext4", &ext4), native("ext4", "root"));
        assert_eq!(
            made_by("mkfs.fat", &["-F", "32", "-n", "ESP"]),
            found("vfat", "ESP")
        );
        let xfs = format!("uuid={UUID}");
        let xfs = ["-q", "-L", "data", "-m", &xfs];
        assert_eq!(made_by("mkfs.xfs", &xfs), native("xfs", "data"));
        let btrfs = ["-q", "-L", "pool", "-U", UUID];
        assert_eq!(made_by("mkfs.btrfs", &btrfs), native("btrfs", "pool"));
        assert_eq!(made_by("mkfs.exfat", &[]), found("exfat", ""));
        assert_eq!(made_by("mkswap", &["-L", "swap"]), found("swap", "swap"));
        assert_eq!(identify(&[]), Found::default());
    }

    /// As LVM2's format_text/layout.h, LUKS' on-disk format and Linux' md_p.h describe it.
    #[test]
    fn what_a_volume_may_lie_in_is_recognized() {
        let with = |parts: &[(usize, &[u8])]| {
            let mut bytes = vec![0; LENGTH];
            for (at, part) in parts {
                bytes[*at..at + part.len()].copy_from_slice(part);
            }
            identify(&bytes).kind
        };
        assert_eq!(with(&[(0x200, b"LABELONE"), (0x218, b"LVM2 001")]), "LVM2_member");
        assert_eq!(with(&[(0x600, b"LABELONE"), (0x618, b"LVM2 001")]), "LVM2_member");
        assert_eq!(with(&[(0, b"LUKS\xBA\xBE\0\x02")]), "crypto_LUKS");
        for start in [0, 0x1000] {
            assert_eq!(
                with(&[(start, &0xA92B_4EFC_u32.to_le_bytes())]),
                "linux_raid_member"
            );
        }
        // What an earlier use has left of it means nothing beside a file system.
        assert_eq!(with(&[(0x1000, &[0xFC, 0x4E, 0x2B, 0xA9]), (0, b"XFSB")]), "xfs");
    }
}
