//! The boot image as a file: an uncompressed tar archive, so that a media builder can copy members by their offsets.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Error, Result};

/// The first member: what all others are.
const MANIFEST: &str = "boot-image.json";
const FORMAT: u32 = 1;
/// No manifest is near this; a file that claims more is not a boot image.
const MAX_MANIFEST: u64 = 4 << 20;

/// What a boot image says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this format.
    pub format: u32,
    /// The Debian suite that it was made from.
    pub suite: String,
    /// `x86_64`.
    pub architecture: String,
    /// The kernel's release, as `uname -r` says it.
    pub kernel_version: String,
    /// Size of the initramfs in memory.
    pub initramfs_unpacked: u64,
    /// The packages that anything was taken from, with their versions.
    pub packages: BTreeMap<String, String>,
    /// The kernel modules in the initramfs, by name.
    pub modules: Vec<String>,
    /// Every other member, in their order.
    pub members: Vec<Member>,
}

/// One file of a boot image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name.
    pub path: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
    /// The package that it was taken from unchanged (`name=version`): who signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
}

/// A boot image on disk.
#[derive(Debug, Clone)]
pub struct BootImage {
    /// The file.
    pub path: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
    /// Member → where its content begins in the file.
    pub offsets: BTreeMap<String, u64>,
}

impl BootImage {
    /// A member, and where its content begins in the file.
    pub fn member(&self, path: &str) -> Option<(&Member, u64)> {
        let member = self.manifest.members.iter().find(|member| member.path == path)?;
        Some((member, *self.offsets.get(path)?))
    }
}

/// A member that is yet to be written.
pub(super) struct Content {
    pub(super) path: String,
    pub(super) bytes: Vec<u8>,
    pub(super) package: Option<String>,
}

impl Content {
    pub(super) fn member(&self) -> Member {
        Member {
            path: self.path.clone(),
            size: self.bytes.len() as u64,
            sha256: hex(&Sha256::digest(&self.bytes)),
            package: self.package.clone(),
        }
    }
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes the archive under another name, flushes it, and only then takes the place of an older one.
pub(super) fn write(path: &Path, manifest: &Manifest, contents: &[Content], time: u64) -> Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let text = serde_json::to_vec_pretty(manifest).map_err(|error| Error::Contents(error.to_string()))?;
    let run = || -> io::Result<()> {
        let mut archive = tar::Builder::new(io::BufWriter::new(File::create(&partial)?));
        append(&mut archive, MANIFEST, &text, time)?;
        for content in contents {
            append(&mut archive, &content.path, &content.bytes, time)?;
        }
        let mut file = archive.into_inner()?;
        file.flush()?;
        file.get_ref().sync_all()?;
        fs::rename(&partial, path)
    };
    run().map_err(Error::io("writing", path))
}

fn append(archive: &mut tar::Builder<impl io::Write>, path: &str, bytes: &[u8], time: u64) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(time);
    header.set_entry_type(tar::EntryType::Regular);
    archive.append_data(&mut header, path, bytes)
}

/// Reads what a boot image is made of; checks names and sizes, not the digests.
pub fn inspect(path: &Path) -> Result<BootImage> {
    let bad = |why: String| Error::NotABootImage {
        path: path.to_path_buf(),
        why,
    };
    let file = File::open(path).map_err(Error::io("opening", path))?;
    let mut archive = tar::Archive::new(file);
    let entries = archive
        .entries_with_seek()
        .map_err(|error| bad(error.to_string()))?;
    let mut manifest: Option<Manifest> = None;
    let mut offsets = BTreeMap::new();
    let mut sizes = BTreeMap::new();
    for entry in entries {
        let mut entry = entry.map_err(|error| bad(error.to_string()))?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if manifest.is_none() {
            manifest = Some(read_manifest(&name, &mut entry).map_err(&bad)?);
            continue;
        }
        sizes.insert(name.clone(), entry.size());
        if offsets.insert(name.clone(), entry.raw_file_position()).is_some() {
            return Err(bad(format!("it has {name} twice")));
        }
    }
    let manifest = manifest.ok_or_else(|| bad("it is empty".into()))?;
    check_members(&manifest, &sizes).map_err(&bad)?;
    Ok(BootImage {
        path: path.to_path_buf(),
        manifest,
        offsets,
    })
}

fn read_manifest(name: &str, entry: &mut tar::Entry<'_, File>) -> std::result::Result<Manifest, String> {
    if name != MANIFEST || entry.size() > MAX_MANIFEST {
        return Err(format!("its first member is {name}, not {MANIFEST}"));
    }
    let mut text = String::new();
    entry
        .read_to_string(&mut text)
        .map_err(|error| error.to_string())?;
    let manifest: Manifest = serde_json::from_str(&text).map_err(|error| format!("{MANIFEST}: {error}"))?;
    match manifest.format {
        FORMAT => Ok(manifest),
        other => Err(format!("its format is {other}, this program knows {FORMAT}")),
    }
}

fn check_members(manifest: &Manifest, sizes: &BTreeMap<String, u64>) -> std::result::Result<(), String> {
    for member in &manifest.members {
        match sizes.get(&member.path) {
            Some(size) if *size == member.size => {}
            Some(size) => {
                return Err(format!(
                    "{} has {size} bytes instead of {}",
                    member.path, member.size
                ));
            }
            None => return Err(format!("{} is missing", member.path)),
        }
    }
    match sizes.len() == manifest.members.len() {
        true => Ok(()),
        false => Err(format!("it has members that {MANIFEST} does not name")),
    }
}

/// Reads a boot image and compares the digest of every member.
pub fn verify(path: &Path) -> Result<BootImage> {
    let image = inspect(path)?;
    let mut archive = tar::Archive::new(File::open(path).map_err(Error::io("opening", path))?);
    for entry in archive.entries().map_err(Error::io("reading", path))? {
        let mut entry = entry.map_err(Error::io("reading", path))?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Some((member, _)) = image.member(&name) else {
            continue;
        };
        let mut digest = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            match entry.read(&mut buffer).map_err(Error::io("reading", path))? {
                0 => break,
                length => digest.update(&buffer[..length]),
            }
        }
        if hex(&digest.finalize()) != member.sha256 {
            let why = format!("the content of {name} has changed since it was made");
            return Err(Error::NotABootImage {
                path: path.to_path_buf(),
                why,
            });
        }
    }
    Ok(image)
}

/// The manifest of an image with these contents.
pub(super) fn manifest(suite: &str, kernel_version: &str, contents: &[Content]) -> Manifest {
    Manifest {
        format: FORMAT,
        suite: suite.to_owned(),
        architecture: "x86_64".to_owned(),
        kernel_version: kernel_version.to_owned(),
        initramfs_unpacked: 0,
        packages: BTreeMap::new(),
        modules: Vec::new(),
        members: contents.iter().map(Content::member).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt as _;

    fn sample(folder: &Path) -> PathBuf {
        let path = folder.join("pe.tar");
        let content = |path: &str, bytes: &[u8]| Content {
            path: path.into(),
            bytes: bytes.to_vec(),
            package: None,
        };
        let contents = [
            content("vmlinuz", b"kernel"),
            content("efi/BOOTX64.EFI", &[7; 600]),
        ];
        write(&path, &manifest("trixie", "6.12", &contents), &contents, 1).unwrap();
        path
    }

    #[test]
    fn tar_agrees_and_offsets_point_at_the_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = sample(folder.path());
        let listing = std::process::Command::new("tar")
            .arg("-tvf")
            .arg(&path)
            .output()
            .unwrap();
        let text = String::from_utf8(listing.stdout).unwrap();
        assert!(
            listing.status.success() && text.lines().next().unwrap().ends_with(MANIFEST),
            "{text}"
        );
        assert!(text.contains("-rw-r--r-- 0/0             600 "), "{text}");
        let image = inspect(&path).unwrap();
        let (member, offset) = image.member("vmlinuz").unwrap();
        let mut bytes = vec![0; member.size as usize];
        File::open(&path)
            .unwrap()
            .read_exact_at(&mut bytes, offset)
            .unwrap();
        assert_eq!((bytes.as_slice(), offset % 512), (b"kernel".as_slice(), 0));
        assert!(!folder.path().join("pe.tar.partial").exists());
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = sample(folder.path());
        verify(&path).unwrap();
        let offset = inspect(&path).unwrap().offsets["vmlinuz"];
        fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .write_at(b"K", offset)
            .unwrap();
        assert!(
            verify(&path)
                .unwrap_err()
                .to_string()
                .contains("the content of vmlinuz has changed")
        );
    }

    #[test]
    fn a_cut_or_foreign_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = sample(folder.path());
        let offset = inspect(&path).unwrap().offsets["efi/BOOTX64.EFI"];
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(offset - 512)
            .unwrap();
        assert!(
            inspect(&path)
                .unwrap_err()
                .to_string()
                .contains("BOOTX64.EFI is missing")
        );
        fs::write(&path, vec![b'x'; 4096]).unwrap();
        assert!(inspect(&path).is_err());
        fs::write(&path, b"").unwrap();
        assert!(inspect(&path).unwrap_err().to_string().contains("it is empty"));
    }
}
