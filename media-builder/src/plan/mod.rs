//! What will be written, where. Pure: the same resolved media and options give the same plan.

mod error;
mod files;
mod grub_config;
mod ids;
mod iso;
mod regions;
mod usb;
mod usb_table;

use std::collections::{BTreeMap, BTreeSet};

use disk_image::{Content, FileTree, Layout, SourceId};
use media_format::Manifest;
use media_format::manifest::{self, MediaLayout, Options, SequenceEntry, hex};
use media_format::paths::MANIFEST;

pub use error::PlanError;
pub use files::LATE_MANIFEST;
use files::{MediaFile, Origin};

use crate::project::Secret;
use crate::resolve::{ResolvedMedia, Sources};

/// 2020-01-01: the time of every file unless `SOURCE_DATE_EPOCH` says otherwise. A fixed time, and not that of
/// the newest source, because a copy of the same content must give the same image.
pub const DEFAULT_TIMESTAMP: u32 = 1_577_836_800;

/// What kind of image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A hybrid ISO: boots as CD and as stick, with BIOS and UEFI. With a Windows PE as CD only.
    Iso,
    /// An image for a stick, with a writable data partition.
    Usb,
}

impl Format {
    /// The end of the file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Iso => "iso",
            Self::Usb => "img",
        }
    }
}

/// What the plan depends on beside the media.
#[derive(Debug, Clone, Copy)]
pub struct PlanOptions {
    /// Kind of image.
    pub format: Format,
    /// Time of every file, in seconds since 1970.
    pub timestamp: u32,
}

/// A volume of the image.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct VolumePlan {
    /// Its label; empty for the place of GRUB's core image.
    pub label: String,
    /// `iso9660`, `fat16`, `fat32`, `exfat` or `grub-core`.
    pub file_system: &'static str,
    /// Bytes from the start of the image.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
}

/// The plan of an image.
#[derive(Debug)]
pub struct MediaPlan {
    /// Kind of image.
    pub format: Format,
    /// Every byte of it.
    pub layout: Layout,
    /// Its volumes.
    pub volumes: Vec<VolumePlan>,
    /// The manifest, in which digests of sources may still be missing.
    pub manifest: Manifest,
    /// For each file of the manifest, the source whose digest it has.
    pub sources_of_files: Vec<Option<SourceId>>,
    /// What is possible but should be known.
    pub warnings: Vec<String>,
}

impl MediaPlan {
    /// The bytes of the manifest, once the digests of the sources and of the regions are known.
    pub fn finished_manifest(&self, digests: &BTreeMap<SourceId, [u8; 32]>, regions: &[[u8; 32]]) -> Vec<u8> {
        let mut manifest = self.manifest.clone();
        for (region, digest) in manifest.regions.iter_mut().zip(regions) {
            region.sha256 = hex(digest);
        }
        for (file, source) in manifest.files.iter_mut().zip(&self.sources_of_files) {
            if let Some(digest) = source.and_then(|source| digests.get(&source)) {
                file.sha256 = hex(digest);
            }
        }
        manifest.to_bytes()
    }

    /// The sources that are in the image.
    pub fn sources(&self) -> BTreeSet<SourceId> {
        self.sources_of_files.iter().flatten().copied().collect()
    }
}

/// Plans the image.
///
/// # Errors
/// When the content does not fit the file systems of the media.
pub fn plan(media: &ResolvedMedia, options: PlanOptions) -> Result<MediaPlan, PlanError> {
    match options.format {
        Format::Iso => iso::plan(media, options),
        Format::Usb => usb::plan(media, options),
    }
}

/// Files in the order of the manifest, and the manifest without the digests of sources.
struct Contents {
    files: Vec<MediaFile>,
    manifest: Manifest,
}

impl Contents {
    fn new(media: &ResolvedMedia, layout: MediaLayout, mut files: Vec<MediaFile>) -> Self {
        files.sort_by(|a, b| (a.volume, &a.path).cmp(&(b.volume, &b.path)));
        let entries = files.iter().map(|file| file.entry(&media.sources)).collect();
        Self {
            manifest: manifest(media, layout, entries),
            files,
        }
    }

    /// Adds the manifest's place to a tree.
    fn insert_manifest(&self, tree: &mut FileTree) -> Result<(), PlanError> {
        let widest = regions::unknown(u64::MAX, u64::MAX);
        let manifest = Manifest {
            regions: vec![widest; regions::MOST],
            ..self.manifest.clone()
        };
        let size = manifest.to_bytes().len() as u64;
        tree.insert(MANIFEST, size, Content::Late(LATE_MANIFEST.into()))
            .map_err(PlanError::Path)
    }

    fn insert_files(
        &self,
        tree: &mut FileTree,
        volume: manifest::Volume,
        sources: &Sources,
    ) -> Result<(), PlanError> {
        let mut files = self.files.iter().filter(|file| file.volume == volume);
        files.try_for_each(|file| file.insert(tree, sources))
    }

    fn finish(
        mut self,
        format: Format,
        layout: Layout,
        volumes: Vec<VolumePlan>,
        warnings: Vec<String>,
    ) -> MediaPlan {
        let ranges = match format {
            Format::Iso => regions::of_iso(&layout),
            Format::Usb => regions::of_stick(&layout, &volumes),
        };
        self.manifest.regions = ranges
            .into_iter()
            .map(|range| regions::unknown(range.start, range.end - range.start))
            .collect();
        let source = |file: &MediaFile| match file.origin {
            Origin::Source(id) => Some(id),
            Origin::Bytes(_) => None,
        };
        let sources_of_files = self.files.iter().map(source).collect();
        MediaPlan {
            format,
            layout,
            volumes,
            manifest: self.manifest,
            sources_of_files,
            warnings,
        }
    }
}

fn manifest(media: &ResolvedMedia, layout: MediaLayout, files: Vec<manifest::FileEntry>) -> Manifest {
    let settings = &media.project.settings;
    Manifest {
        format: manifest::FORMAT,
        media_id: media.media_id.to_string(),
        name: settings.name.clone(),
        organization: settings.organization.clone(),
        layout,
        builder: env!("CARGO_PKG_VERSION").to_owned(),
        boot_image: media.boot.identity.clone(),
        options: options(media),
        sequences: media
            .sequences
            .iter()
            .map(|sequence| SequenceEntry {
                id: sequence.id.clone(),
                name: sequence.name.clone(),
                path: files::sequence_path(&sequence.id),
                hidden: !sequence.is_offered(),
            })
            .collect(),
        packages: media
            .packages
            .iter()
            .map(|package| package.entry.clone())
            .collect(),
        files,
        regions: vec![],
    }
}

fn options(media: &ResolvedMedia) -> Options {
    let settings = &media.project.settings;
    let asked = settings
        .secrets
        .iter()
        .filter(|(_, source)| matches!(source, Secret::Ask(_)));
    Options {
        unattended: settings.unattended,
        shell: settings.shell,
        finish: settings.finish,
        variables: settings.variables.clone(),
        secrets: settings.secrets.keys().cloned().collect(),
        ask: asked.map(|(name, _)| name.clone()).collect(),
        network: settings.network.get_ref().clone(),
    }
}
