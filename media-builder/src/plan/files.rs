//! Which files the media has, where, and what each is for.

use disk_image::{Content, FileTree, SourceId};
use media_format::manifest::{FileEntry, Role, Volume, hex};
use media_format::paths;
use sha2::{Digest, Sha256};

use super::{PlanError, grub_config};
use crate::boot_image::{Kind, WINDOWS_RUNTIME, winpe};
use crate::resolve::{ResolvedMedia, Sequence, Sources};

/// The name of the manifest among the extents that are filled in last.
pub const LATE_MANIFEST: &str = "manifest";
/// Stands for a digest that is not yet known, in its length.
pub(super) const UNKNOWN: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Where the bytes of a file come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    Source(SourceId),
    Bytes(Vec<u8>),
}

/// A file of the media.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MediaFile {
    pub(super) path: String,
    pub(super) volume: Volume,
    pub(super) role: Role,
    pub(super) origin: Origin,
}

impl MediaFile {
    fn new(path: impl Into<String>, volume: Volume, role: Role, origin: Origin) -> Self {
        Self {
            path: path.into(),
            volume,
            role,
            origin,
        }
    }

    fn text(path: &str, role: Role, text: &str) -> Self {
        Self::new(path, Volume::Boot, role, Origin::Bytes(text.as_bytes().to_vec()))
    }

    /// What the manifest says of it; the digest of a source may come later.
    pub(super) fn entry(&self, sources: &Sources) -> FileEntry {
        let (size, sha256) = match &self.origin {
            Origin::Source(id) => {
                let source = sources.get(*id);
                (
                    source.size,
                    source
                        .sha256
                        .map_or_else(|| UNKNOWN.to_owned(), |digest| hex(&digest)),
                )
            }
            Origin::Bytes(bytes) => (bytes.len() as u64, hex(&Sha256::digest(bytes))),
        };
        FileEntry {
            path: self.path.clone(),
            volume: self.volume,
            size,
            sha256,
            role: self.role,
        }
    }

    /// Adds it to a tree.
    pub(super) fn insert(&self, tree: &mut FileTree, sources: &Sources) -> Result<(), PlanError> {
        let (size, content) = match &self.origin {
            Origin::Source(id) => (
                sources.get(*id).size,
                Content::Source {
                    source: *id,
                    offset: 0,
                },
            ),
            Origin::Bytes(bytes) => (bytes.len() as u64, Content::Bytes(bytes.clone())),
        };
        tree.insert(&self.path, size, content).map_err(PlanError::Path)
    }
}

/// The files that make the media boot and run.
pub(super) fn boot_files(media: &ResolvedMedia) -> Vec<MediaFile> {
    let mut files = match media.boot.kind {
        Kind::LinuxPe => linux_pe_files(media),
        Kind::WinPe => files_below(media, winpe::MEDIA, ""),
    };
    for sequence in &media.sequences {
        files.push(MediaFile::text(
            &sequence_path(&sequence.id),
            Role::Sequence,
            &sequence.text,
        ));
    }
    files.extend(secrets_file(media));
    files.extend(drivers_file(media));
    files
}

fn linux_pe_files(media: &ResolvedMedia) -> Vec<MediaFile> {
    let info = format!("{}\n", media.project.settings.name.replace(['\n', '\r'], " "));
    let mut files = efi_files(media);
    files.push(MediaFile::text(paths::DISK_INFO, Role::Boot, &info));
    files.push(menu(media));
    for (path, member) in [(paths::KERNEL, "vmlinuz"), (paths::INITRD, "initrd.img")] {
        files.extend(member_file(media, path, member));
    }
    files.extend(staged_grub(media));
    files
}

/// For the run to stage on a BIOS machine's own disk.
fn staged_grub(media: &ResolvedMedia) -> impl Iterator<Item = MediaFile> {
    let images = [(paths::BIOS_BOOT, "boot.img"), (paths::BIOS_CORE, "core-usb.img")];
    images.into_iter().filter_map(|(path, image)| {
        let code = media.boot.bios.get(image).cloned().map(Origin::Bytes)?;
        Some(MediaFile::new(path, Volume::Boot, Role::Boot, code))
    })
}

fn menu(media: &ResolvedMedia) -> MediaFile {
    MediaFile::text(paths::GRUB_CONFIG, Role::Boot, &grub_config::text(media))
}

/// What GRUB reads on a stick that starts a WinPE, and what a run stages of it, where the stick has GRUB for a BIOS.
pub(super) fn winpe_grub(media: &ResolvedMedia) -> Vec<MediaFile> {
    if media.boot.kind != Kind::WinPe || !media.boot.has_grub() {
        return vec![];
    }
    std::iter::once(menu(media)).chain(staged_grub(media)).collect()
}

/// Where a sequence lies.
pub(super) fn sequence_path(id: &str) -> String {
    format!("{}/{id}.toml", paths::SEQUENCES)
}

/// The loaders that UEFI starts.
pub(super) fn efi_files(media: &ResolvedMedia) -> Vec<MediaFile> {
    files_below(media, "efi/", "EFI/BOOT/")
}

/// The members whose names begin with `prefix`, beneath a folder of the media.
fn files_below(media: &ResolvedMedia, prefix: &str, folder: &str) -> Vec<MediaFile> {
    let members = media.boot.files.iter();
    let file = |(member, id): (&String, &SourceId)| {
        let path = format!("{folder}{}", member.strip_prefix(prefix)?);
        Some(MediaFile::new(
            path,
            Volume::Boot,
            Role::Boot,
            Origin::Source(*id),
        ))
    };
    members.filter_map(file).collect()
}

fn member_file(media: &ResolvedMedia, path: &str, member: &str) -> Option<MediaFile> {
    let id = media.boot.files.get(member)?;
    Some(MediaFile::new(
        path,
        Volume::Boot,
        Role::Boot,
        Origin::Source(*id),
    ))
}

/// The runtime for Windows, where a sequence is for one: on the volume that a running Windows gives a drive letter.
pub(super) fn windows_runtime(media: &ResolvedMedia, volume: Volume) -> Option<MediaFile> {
    let wanted = media.sequences.iter().any(Sequence::is_for_windows);
    let file = member_file(media, paths::WINDOWS_RUNTIME, WINDOWS_RUNTIME).filter(|_| wanted)?;
    Some(MediaFile { volume, ..file })
}

fn secrets_file(media: &ResolvedMedia) -> Option<MediaFile> {
    let values = &media.secrets.0;
    let text = serde_json::to_string_pretty(values)
        .ok()
        .filter(|_| !values.is_empty())?;
    Some(MediaFile::text(paths::SECRETS, Role::Secrets, &text))
}

fn drivers_file(media: &ResolvedMedia) -> Option<MediaFile> {
    let bytes = media.drivers.as_ref()?.to_bytes();
    Some(MediaFile::new(
        paths::DRIVERS,
        Volume::Boot,
        Role::Drivers,
        Origin::Bytes(bytes),
    ))
}

/// The content of the packages, for the given volume.
pub(super) fn package_files(media: &ResolvedMedia, volume: Volume) -> Vec<MediaFile> {
    let files = media.packages.iter().flat_map(|package| package.files());
    files
        .map(|(path, id)| MediaFile::new(path, volume, Role::Package, Origin::Source(id)))
        .collect()
}

/// The file by which the data partition of a stick is recognized.
pub(super) fn media_id_file(media: &ResolvedMedia) -> MediaFile {
    let text = format!("{}\n", media.media_id);
    MediaFile::new(
        paths::MEDIA_ID,
        Volume::Data,
        Role::Boot,
        Origin::Bytes(text.into_bytes()),
    )
}

/// The empty folders of the packages.
pub(super) fn package_folders(media: &ResolvedMedia) -> impl Iterator<Item = &str> {
    let items = media.packages.iter().flat_map(|package| &package.items);
    items
        .filter(|item| item.source.is_none())
        .map(|item| item.path.as_str())
}
