//! The boot image as a file: an uncompressed tar archive, so that a media builder can copy members by their offsets.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use windows_setup::secure_boot::About;

use super::manifest::{FORMAT, Kind, Manifest, Member};
use super::winpe::UEFI_LOADER;
use super::{Error, Result};
use crate::escaped::escaped;
use crate::platform;

/// The first member: what all others are.
const MANIFEST: &str = "boot-image.json";
/// No manifest is near this; a file that claims more is not a boot image.
const MAX_MANIFEST: u64 = 4 << 20;
/// Largest member that is kept in memory: boot code, which planners patch, and the small volume of an UEFI.
const LARGEST_CODE: u64 = 4 << 20;
/// No program of UEFI is near this; images of Windows are larger.
const LARGEST_PROGRAM: u64 = 64 << 20;

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

    /// Takes from the programs themselves who signed them and what revokes them: its manifest is the word of whoever made it.
    ///
    /// # Errors
    /// When a member cannot be read.
    pub fn read_programs(&mut self) -> Result<()> {
        let mut file = File::open(&self.path).map_err(Error::io("opening", &self.path))?;
        for member in &mut self.manifest.members {
            let offset = self.offsets.get(&member.path).copied();
            let bytes = match offset.filter(|_| member.size <= LARGEST_PROGRAM) {
                Some(offset) => read_program(&mut file, offset, member.size),
                None => Ok(vec![]),
            };
            (member.signers, member.sbat) = about(&bytes.map_err(Error::io("reading", &self.path))?);
        }
        if let Some(winpe) = &mut self.manifest.winpe {
            let mut members = self.manifest.members.iter();
            let loader = members.find(|member| member.path == UEFI_LOADER);
            winpe.uefi_signers = loader
                .and_then(|loader| loader.signers.clone())
                .unwrap_or_default();
        }
        Ok(())
    }

    /// The bytes of a small member, after its digest was compared.
    ///
    /// # Errors
    /// When there is none, or it is damaged.
    pub fn code(&self, path: &str) -> Result<Vec<u8>> {
        let bad = |why: String| Error::NotABootImage {
            path: self.path.clone(),
            why,
        };
        let (member, offset) = self
            .member(path)
            .ok_or_else(|| bad(format!("it has no {path}")))?;
        if member.size > LARGEST_CODE {
            return Err(bad(format!(
                "{path} has {} bytes: that is no boot code",
                member.size
            )));
        }
        let mut code = vec![0; member.size as usize];
        File::open(&self.path)
            .and_then(|file| platform::read_exact_at(&file, &mut code, offset))
            .map_err(Error::io("reading", &self.path))?;
        if hex(&Sha256::digest(&code)) != member.sha256 {
            return Err(bad(format!("{path} is damaged")));
        }
        Ok(code)
    }
}

/// What begins like a program; of anything else only the beginning.
fn read_program(file: &mut File, offset: u64, size: u64) -> io::Result<Vec<u8>> {
    file.seek(io::SeekFrom::Start(offset))?;
    let (mut member, mut bytes) = (file.take(size), vec![]);
    member.by_ref().take(2).read_to_end(&mut bytes)?;
    if bytes == b"MZ" {
        member.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Who signed it, and its entries for shim, where it is a program that UEFI starts. What only is called like one has neither.
fn about(bytes: &[u8]) -> (Option<String>, Vec<String>) {
    match About::read(bytes) {
        Ok(Some(about)) => (Some(about.signers), about.sbat),
        Ok(None) | Err(_) => (None, vec![]),
    }
}

/// A member that is yet to be written.
pub(super) struct Content {
    pub(super) path: String,
    pub(super) data: Data,
    pub(super) package: Option<String>,
}

/// Where the bytes of a member are.
pub(super) enum Data {
    Bytes(Vec<u8>),
    /// In a file, because they are too many for the memory.
    File(PathBuf),
}

impl Content {
    /// A member that was not taken from a package.
    pub(super) fn new(path: impl Into<String>, data: Data) -> Self {
        Self {
            path: path.into(),
            data,
            package: None,
        }
    }

    pub(super) fn member(&self) -> Result<Member> {
        let (size, digest) = self.measure()?;
        let (signers, sbat) = self.about(size)?;
        Ok(Member {
            path: self.path.clone(),
            size,
            sha256: hex(&digest),
            package: self.package.clone(),
            signers,
            sbat,
        })
    }

    fn about(&self, size: u64) -> Result<(Option<String>, Vec<String>)> {
        match &self.data {
            Data::Bytes(bytes) => Ok(about(bytes)),
            Data::File(_) if size > LARGEST_PROGRAM => Ok((None, vec![])),
            Data::File(path) => fs::read(path)
                .map(|bytes| about(&bytes))
                .map_err(Error::io("reading", path)),
        }
    }

    fn measure(&self) -> Result<(u64, Vec<u8>)> {
        let path = match &self.data {
            Data::Bytes(bytes) => return Ok((bytes.len() as u64, Sha256::digest(bytes).to_vec())),
            Data::File(path) => path,
        };
        let mut digest = Sha256::new();
        let file = File::open(path).map_err(Error::io("opening", path))?;
        let size = each_block(file, |block| digest.update(block)).map_err(Error::io("reading", path))?;
        Ok((size, digest.finalize().to_vec()))
    }
}

/// Reads to the end; gives how many bytes there were.
fn each_block(mut from: impl io::Read, mut take: impl FnMut(&[u8])) -> io::Result<u64> {
    let mut buffer = vec![0; 1 << 20];
    let mut total = 0;
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(total),
            length => {
                take(&buffer[..length]);
                total += length as u64;
            }
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
        append(&mut archive, MANIFEST, text.len() as u64, &*text, time)?;
        for (content, member) in contents.iter().zip(&manifest.members) {
            match &content.data {
                Data::Bytes(bytes) => append(&mut archive, &content.path, member.size, &**bytes, time)?,
                Data::File(path) => {
                    append(&mut archive, &content.path, member.size, File::open(path)?, time)?
                }
            }
        }
        let mut file = archive.into_inner()?;
        file.flush()?;
        file.get_ref().sync_all()?;
        fs::rename(&partial, path)?;
        platform::sync_folder(platform::folder_of(path))
    };
    run().map_err(|error| {
        // The error that led here is reported; a partial file that stays is replaced by the next build.
        let _removed = fs::remove_file(&partial);
        Error::io("writing", path)(error)
    })
}

fn append(
    archive: &mut tar::Builder<impl io::Write>,
    path: &str,
    size: u64,
    data: impl io::Read,
    time: u64,
) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(time);
    header.set_entry_type(tar::EntryType::Regular);
    archive.append_data(&mut header, path, data)
}

/// Reads what a boot image is made of; checks names and sizes, not the digests.
pub fn inspect(path: &Path) -> Result<BootImage> {
    let bad = |why: String| Error::NotABootImage {
        path: path.to_path_buf(),
        why: escaped(&why),
    };
    let file = File::open(path).map_err(Error::io("opening", path))?;
    let length = file.metadata().map_err(Error::io("reading", path))?.len();
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
        if !entry.header().entry_type().is_file() {
            return Err(bad(format!("{name} is no file")));
        }
        let end = entry.raw_file_position().checked_add(entry.size());
        if end.is_none_or(|end| end > length) {
            return Err(bad(format!("it ends inside of {name}: it was cut off")));
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
    let names: BTreeSet<&str> = manifest
        .members
        .iter()
        .map(|member| member.path.as_str())
        .collect();
    for member in &manifest.members {
        // Members get their places on media by their names.
        let leads_out = member.path.split('/').any(|part| matches!(part, "" | "." | ".."));
        if leads_out || member.path.contains(char::is_control) {
            return Err(format!("{:?} is no name of a member", member.path));
        }
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
    match sizes.len() == names.len() && names.len() == manifest.members.len() {
        true => Ok(()),
        false => Err(format!(
            "it has members that {MANIFEST} does not name, or names twice"
        )),
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
        each_block(&mut entry, |block| digest.update(block)).map_err(Error::io("reading", path))?;
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

/// The manifest of an image with these contents, of which nothing else is known yet.
pub(super) fn manifest(kind: Kind, contents: &[Content]) -> Result<Manifest> {
    Ok(Manifest {
        format: FORMAT,
        kind,
        architecture: "x86_64".to_owned(),
        linux: None,
        winpe: None,
        members: contents.iter().map(Content::member).collect::<Result<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt as _;

    fn sample(folder: &Path) -> PathBuf {
        let path = folder.join("pe.tar");
        let loader = folder.join("loader");
        fs::write(&loader, [7; 600]).unwrap();
        let contents = [
            Content::new("vmlinuz", Data::Bytes(b"kernel".to_vec())),
            Content::new("efi/BOOTX64.EFI", Data::File(loader)),
        ];
        write(&path, &manifest(Kind::LinuxPe, &contents).unwrap(), &contents, 1).unwrap();
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
    fn two_of_the_same_content_are_the_same() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let bytes = |folder: &Path| fs::read(sample(folder)).unwrap();
        assert!(bytes(one.path()) == bytes(other.path()));
    }

    #[test]
    fn one_that_cannot_be_written_leaves_the_old_one_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = sample(folder.path());
        let old = fs::read(&path).unwrap();
        let loader = folder.path().join("loader");
        let contents = [Content::new("efi/BOOTX64.EFI", Data::File(loader.clone()))];
        let manifest = manifest(Kind::LinuxPe, &contents).unwrap();
        fs::remove_file(&loader).unwrap();
        assert!(write(&path, &manifest, &contents, 1).is_err());
        assert!(fs::read(&path).unwrap() == old);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
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
