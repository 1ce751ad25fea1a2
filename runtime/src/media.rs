//! The media: found by its id, never by a device name; its content is verified before it is used.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use media_format::drivers::DriverIndex;
use media_format::manifest::{FileEntry, Manifest, MediaLayout, Package, Role, SequenceEntry, Volume, hex};
use media_format::paths;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::platform::{Disk, Files, Partition, Platform, Result};

/// WIM, index of the image, and files in it.
type LookedFor = (PathBuf, u32, Vec<PathBuf>);

/// The media of this run, mounted, with a manifest that was read.
#[derive(Debug)]
pub struct Media {
    /// What is on it.
    pub manifest: Manifest,
    /// SHA-256 of the manifest's file.
    pub manifest_digest: String,
    /// Root of the boot volume.
    pub boot: PathBuf,
    /// Root of the data volume; on an ISO the boot volume.
    pub data: PathBuf,
    /// Device of the disk that carries it.
    pub disk: PathBuf,
    /// Device of the data volume.
    pub data_device: PathBuf,
    /// What the boot partition of a stick is called; empty for a disc.
    pub boot_id: String,
    verified: RefCell<BTreeSet<String>>,
    /// What was found in its images.
    pub(crate) found: RefCell<BTreeMap<LookedFor, Vec<PathBuf>>>,
}

/// A partition of a stick: what follows from the media's id, so that the media is found without mounting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnStick {
    /// What starts a machine.
    Boot,
    /// Packages, captures and logs.
    Data,
}

impl OnStick {
    /// Its GUID in a GPT.
    pub fn guid(self, media_id: &str) -> Option<String> {
        derived(media_id, if self == Self::Boot { "esp" } else { "data" })
    }

    /// What it is called in an MBR, which a stick has that starts a Windows PE: the table's signature, and its entry.
    pub fn mbr_id(self, media_id: &str) -> Option<String> {
        let number = if self == Self::Boot { 1 } else { 2 };
        let disk = derived(media_id, "disk")?;
        Some(format!("{}-{number:02}", disk.get(..8)?))
    }

    fn is(self, partition: &Partition, media_id: &str) -> bool {
        [self.guid(media_id), self.mbr_id(media_id)].contains(&Some(partition.id.clone()))
    }
}

fn derived(media_id: &str, name: &str) -> Option<String> {
    let namespace = Uuid::parse_str(media_id).ok()?;
    Some(Uuid::new_v5(&namespace, name.as_bytes()).to_string())
}

/// Where the volumes of a media are.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    disk: PathBuf,
    boot: PathBuf,
    data: PathBuf,
    boot_id: String,
}

/// Of every disk that carries it.
fn places(disks: &[Disk], media_id: &str) -> Vec<Place> {
    let simple = media_id.replace('-', "").to_ascii_lowercase();
    let place = |disk: &Disk| {
        if disk.volume_set == simple {
            let path = disk.path.clone();
            return Some(Place {
                disk: path.clone(),
                boot: path.clone(),
                data: path,
                boot_id: String::new(),
            });
        }
        let find = |which: OnStick| {
            let mut partitions = disk.partitions.iter();
            partitions.find(|partition| which.is(partition, media_id))
        };
        let (boot, data) = (find(OnStick::Boot)?, find(OnStick::Data)?);
        Some(Place {
            disk: disk.path.clone(),
            boot: boot.path.clone(),
            data: data.path.clone(),
            boot_id: boot.id.clone(),
        })
    };
    disks.iter().filter_map(place).collect()
}

/// The media that a folder is the root of: a stick's data partition names it, and an ISO has the manifest there.
///
/// # Errors
/// When what is there cannot be read.
pub fn id_of_volume(files: &(impl Files + ?Sized), root: &Path) -> Result<Option<String>> {
    if let Some(text) = files.read(&root.join(paths::MEDIA_ID))? {
        return Ok(Some(String::from_utf8_lossy(&text).trim().to_owned()));
    }
    let manifest = files.read(&root.join(paths::MANIFEST))?;
    manifest
        .map(|bytes| Ok(Manifest::parse(&bytes)?.media_id))
        .transpose()
}

impl Media {
    /// Finds the media with that id, mounts it and reads its manifest. Nothing when no disk carries it (yet).
    ///
    /// # Errors
    /// When it is there and cannot be mounted or read.
    pub fn find(platform: &dyn Platform, media_id: &str) -> Result<Option<Self>> {
        let Some(place) = places(&platform.disks()?, media_id).into_iter().next() else {
            return Ok(None);
        };
        let boot = platform.mount(&place.boot, false)?;
        let data = if place.boot == place.data {
            boot.clone()
        } else {
            platform.mount(&place.data, true)?
        };
        let path = boot.join(paths::MANIFEST);
        let bytes = platform
            .read(&path)?
            .ok_or_else(|| anyhow!("the media has no manifest at {}", path.display()))?;
        let manifest = Manifest::parse(&bytes)?;
        if !manifest.media_id.eq_ignore_ascii_case(media_id) {
            bail!(
                "the boot menu belongs to media {media_id} and the manifest to {}",
                manifest.media_id
            );
        }
        let verified = RefCell::default();
        Ok(Some(Self {
            manifest_digest: hex(&Sha256::digest(&bytes)),
            manifest,
            boot,
            data,
            disk: place.disk,
            data_device: place.data,
            boot_id: place.boot_id,
            verified,
            found: RefCell::default(),
        }))
    }

    /// Refuses a stick of which the machine has a copy: captures and logs would come onto one of them by chance.
    ///
    /// # Errors
    /// When there is one.
    pub fn refuse_copies(&self, disks: &[Disk]) -> Result<()> {
        let places = places(disks, &self.manifest.media_id);
        if !self.is_writable() || places.len() < 2 {
            return Ok(());
        }
        let names: Vec<_> = places
            .iter()
            .map(|place| place.disk.display().to_string())
            .collect();
        bail!(
            "{} disks of this machine carry this media ({}), and what is captured would come onto one of them by chance; detach \
             all but one, or clear the copy's partition table",
            names.len(),
            names.join(", ")
        )
    }

    /// Whether captures and logs can be written to it.
    pub fn is_writable(&self) -> bool {
        self.manifest.layout == MediaLayout::Usb
    }

    /// Where a file of the media is.
    pub fn path(&self, file: &FileEntry) -> PathBuf {
        match file.volume {
            Volume::Boot => self.boot.join(&file.path),
            Volume::Data => self.data.join(&file.path),
        }
    }

    /// A package by its id.
    ///
    /// # Errors
    /// When the media does not carry it.
    pub fn package(&self, id: &str) -> Result<&Package> {
        self.manifest
            .package(id)
            .ok_or_else(|| anyhow!("package \"{id}\" is not on the media"))
    }

    /// The file or folder of a package, after its digests were compared (once for each start of the runtime).
    ///
    /// # Errors
    /// When the media does not carry it or a digest differs.
    pub fn content(
        &self,
        platform: &dyn Platform,
        id: &str,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<PathBuf> {
        let package = self.package(id)?;
        if package.path.is_empty() {
            bail!("package \"{id}\" has no content of its own");
        }
        self.verify(platform, package, progress)?;
        Ok(self.data.join(&package.path))
    }

    /// The runtime that goes into a Windows, after its digest was compared.
    ///
    /// # Errors
    /// When the media does not carry it, or it differs.
    pub fn windows_runtime(&self, platform: &dyn Platform) -> Result<PathBuf> {
        let mut files = self.manifest.files.iter();
        let file = files.find(|file| file.path == paths::WINDOWS_RUNTIME);
        let file = file.ok_or_else(|| {
            anyhow!(
                "the media carries no {}: build it with a boot image that has it",
                paths::WINDOWS_PROGRAM
            )
        })?;
        self.verify_file(platform, file, &mut |_| {})?;
        Ok(self.path(file))
    }

    /// The index of the driver packages, after its digest was compared.
    ///
    /// # Errors
    /// When the media does not carry it, or it differs.
    pub fn drivers(&self, platform: &dyn Platform) -> Result<DriverIndex> {
        let mut files = self.manifest.files.iter();
        let file = files.find(|file| file.role == Role::Drivers);
        let file = file.ok_or_else(|| anyhow!("the media carries no driver packages"))?;
        Ok(DriverIndex::parse(&self.bytes_of(platform, file)?)?)
    }

    /// Compares the digests of a package's files, unless that was done already.
    ///
    /// # Errors
    /// When a file is missing or differs.
    pub fn verify(
        &self,
        platform: &dyn Platform,
        package: &Package,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<()> {
        if self.verified.borrow().contains(&package.id) {
            return Ok(());
        }
        let total = self.manifest.files_of(package).map(|file| file.size).sum();
        let mut done = 0;
        for file in self.manifest.files_of(package) {
            self.verify_file(platform, file, &mut |bytes| progress(done + bytes, total))
                .with_context(|| format!("verifying package \"{}\"", package.id))?;
            done += file.size;
        }
        self.verified.borrow_mut().insert(package.id.clone());
        Ok(())
    }

    fn verify_file(
        &self,
        platform: &dyn Platform,
        file: &FileEntry,
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let path = self.path(file);
        let (digest, size) = platform
            .digest(&path, progress)
            .with_context(|| format!("reading {} from the media", file.path))?;
        if size != file.size || hex(&digest) != file.sha256 {
            bail!(
                "{} differs from what was built ({size} bytes of {}): the media is damaged or was changed; write it \
                 again",
                file.path,
                file.size
            );
        }
        Ok(())
    }

    /// The content of a small file, after its digest was compared.
    ///
    /// # Errors
    /// When it is missing or differs.
    pub fn bytes_of(&self, platform: &dyn Platform, file: &FileEntry) -> Result<Vec<u8>> {
        self.verify_file(platform, file, &mut |_| {})?;
        Ok(platform.read(&self.path(file))?.unwrap_or_default())
    }

    /// The text of a task sequence, after its digest was compared.
    ///
    /// # Errors
    /// When it is missing, differs or is not text.
    pub fn sequence(&self, platform: &dyn Platform, entry: &SequenceEntry) -> Result<String> {
        let mut files = self.manifest.files.iter();
        let file = files.find(|file| file.role == Role::Sequence && file.path == entry.path);
        let file = file.ok_or_else(|| anyhow!("the manifest does not name {}", entry.path))?;
        let bytes = self.bytes_of(platform, file)?;
        String::from_utf8(bytes).with_context(|| format!("{} is not text", entry.path))
    }

    /// The secrets that the media carries, by the names of their variables.
    ///
    /// # Errors
    /// When the file differs from what was built.
    pub fn secrets(&self, platform: &dyn Platform) -> Result<std::collections::BTreeMap<String, String>> {
        let Some(file) = self.manifest.files.iter().find(|file| file.role == Role::Secrets) else {
            return Ok(Default::default());
        };
        self.verify_file(platform, file, &mut |_| {})?;
        let bytes = platform.read(&self.path(file))?.unwrap_or_default();
        // Not with_context(bytes): an error must not quote the file.
        serde_json::from_slice(&bytes)
            .map_err(|_| anyhow!("the media's secrets are not the JSON that was built"))
    }

    /// Whether it starts a Windows PE, and no Linux.
    pub fn starts_windows_pe(&self) -> bool {
        !self.manifest.files.iter().any(|file| file.path == paths::KERNEL)
    }

    /// Whether it carries the GRUB that a BIOS machine's own disk gets.
    pub fn has_grub(&self) -> bool {
        self.manifest
            .files
            .iter()
            .any(|file| file.path == paths::BIOS_CORE)
    }

    /// What the manifest says of the files that start the media, as far as they are staged.
    pub fn boot_files(&self) -> impl Iterator<Item = &FileEntry> {
        let staged = |file: &&FileEntry| {
            file.volume == Volume::Boot
                && (file.path.starts_with("EFI/BOOT/")
                    || [paths::KERNEL, paths::INITRD, paths::GRUB_CONFIG].contains(&file.path.as_str()))
        };
        self.manifest.files.iter().filter(staged)
    }

    /// Compares the digests of the boot image: of what is staged, or of all of it where the media itself is started.
    ///
    /// # Errors
    /// When a file is missing or differs.
    pub fn verify_boot_files(&self, platform: &dyn Platform) -> Result<()> {
        let verify = |file: &FileEntry| self.verify_file(platform, file, &mut |_| {});
        if !self.starts_windows_pe() {
            return self.boot_files().try_for_each(verify);
        }
        let started = |file: &&FileEntry| file.volume == Volume::Boot && file.role == Role::Boot;
        self.manifest.files.iter().filter(started).try_for_each(verify)
    }

    /// Files of the boot image on the media, for staging: path on the media and in the boot image's own folder.
    pub fn staged_files(&self) -> Vec<(&'static str, PathBuf)> {
        [paths::KERNEL, paths::INITRD]
            .into_iter()
            .map(|path| (path, self.boot.join(path)))
            .collect()
    }
}
