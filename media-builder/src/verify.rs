//! `media-builder verify`: reads finished media back with the readers, which share no code with planners and
//! writers, and compares every byte that counts with the manifest.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use disk_image::read::{Format, Image, Kind, Node, ReadError, Run, Volume};
use media_format::manifest::{self, FileEntry, Manifest, MediaLayout, hex};
use media_format::paths;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::media;

const BUFFER: usize = 1 << 20;
/// El Torito's numbers of the platforms that media starts on.
const PLATFORMS: [(u8, &str); 2] = [(0, "BIOS"), (0xef, "UEFI")];
/// What may come onto a stick after it was written: results, and what Windows leaves on every disk.
const LATER: [&str; 4] = [
    paths::CAPTURES,
    paths::LOGS,
    "System Volume Information",
    "$RECYCLE.BIN",
];

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct VerifyReport {
    /// The media's id, where its manifest could be read.
    pub media_id: Option<String>,
    /// Files that were read back.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Everything that is wrong; empty for good media.
    pub problems: Vec<String>,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Reads media back. `progress` hears how many bytes of how many are read.
///
/// # Errors
/// When the media cannot be opened at all; everything else is a problem of the report.
pub fn verify(path: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<VerifyReport> {
    let image = media::open(path)?;
    let mut report = VerifyReport {
        media_id: None,
        files: 0,
        bytes: 0,
        problems: image.check(),
    };
    check_boot(&image, &mut report.problems);
    match media::manifest(&image) {
        Ok(manifest) => {
            report.media_id = Some(manifest.media_id.clone());
            check_files(&image, &manifest, &mut report, progress)?;
        }
        Err(error) => report.problems.push(format!("{error:#}")),
    }
    Ok(report)
}

/// What the firmware starts exists at all.
fn check_boot(image: &Image, problems: &mut Vec<String>) {
    for (number, name) in PLATFORMS {
        let iso = image.iso().map(|iso| iso.boot_entries());
        if iso.is_some_and(|entries| entries.iter().all(|entry| entry.platform != number)) {
            problems.push(format!("the boot catalogue has no entry for {name}"));
        }
    }
    let signature = image.device().bytes(510, 2).unwrap_or_default();
    if image.format() == Format::Disk && signature != [0x55, 0xaa] {
        problems.push("sector 0 has no boot signature: the media was not finished".into());
    }
}

/// The files of a volume by path; upper and lower case are the same where the volume says so.
struct Listing<'a> {
    volume: &'a dyn Volume,
    nodes: BTreeMap<String, (String, Node)>,
}

impl<'a> Listing<'a> {
    fn read(volume: &'a dyn Volume) -> Result<Self, ReadError> {
        let files = volume.walk()?.into_iter().filter(|found| !found.node.is_folder());
        let nodes = files
            .map(|found| (key(volume, &found.path), (found.path, found.node)))
            .collect();
        Ok(Self { volume, nodes })
    }

    fn take(&mut self, path: &str) -> Option<Node> {
        self.nodes.remove(&key(self.volume, path)).map(|(_, node)| node)
    }
}

fn key(volume: &dyn Volume, path: &str) -> String {
    if volume.ignores_case() {
        path.to_lowercase()
    } else {
        path.to_owned()
    }
}

/// A file of the manifest that was found on the media.
struct Check<'a> {
    entry: &'a FileEntry,
    volume: &'a dyn Volume,
    node: Node,
    runs: Vec<Run>,
}

fn check_files(
    image: &Image,
    manifest: &Manifest,
    report: &mut VerifyReport,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<()> {
    let expected = if image.format() == Format::Iso {
        MediaLayout::Iso
    } else {
        MediaLayout::Usb
    };
    if manifest.layout != expected {
        report
            .problems
            .push(format!("the manifest is that of {:?} media", manifest.layout));
    }
    let mut volumes = vec![manifest::Volume::Boot];
    volumes.extend((expected == MediaLayout::Usb).then_some(manifest::Volume::Data));
    let mut checks = Vec::new();
    for which in volumes {
        let listing = media::volume(image, which).map(Listing::read).transpose();
        match listing.with_context(|| format!("listing the {which:?} volume")) {
            Ok(Some(listing)) => {
                let mine = |entry: &&FileEntry| entry.volume == which || expected == MediaLayout::Iso;
                checks.extend(compare_names(
                    listing,
                    manifest.files.iter().filter(mine),
                    &mut report.problems,
                ));
            }
            Ok(None) => report.problems.push(format!("there is no {which:?} volume")),
            Err(error) => report.problems.push(format!("{error:#}")),
        }
    }
    // In the order of the medium: a stick reads that several times as fast.
    checks.sort_by_key(|check| (check.entry.volume, check.runs.first().and_then(|run| run.offset)));
    check_contents(checks, report, progress);
    Ok(())
}

fn compare_names<'a>(
    mut listing: Listing<'a>,
    entries: impl Iterator<Item = &'a FileEntry>,
    problems: &mut Vec<String>,
) -> Vec<Check<'a>> {
    let mut checks = Vec::new();
    for entry in entries {
        match listing.take(&entry.path) {
            None => problems.push(format!("{}: missing", entry.path)),
            Some(node) if node.kind != Kind::File => problems.push(format!("{}: is no file", entry.path)),
            Some(node) if node.size != entry.size => {
                problems.push(format!(
                    "{}: has {} bytes and should have {}",
                    entry.path, node.size, entry.size
                ));
            }
            Some(node) => match listing.volume.runs(&node) {
                Ok(runs) => checks.push(Check {
                    entry,
                    volume: listing.volume,
                    node,
                    runs,
                }),
                Err(error) => problems.push(format!("{}: {error}", entry.path)),
            },
        }
    }
    listing.take(paths::MANIFEST);
    let is_later = |path: &str| {
        LATER.iter().any(|folder| {
            path.strip_prefix(folder)
                .is_some_and(|rest| rest.starts_with('/'))
        })
    };
    for (path, _) in listing.nodes.into_values().filter(|(path, _)| !is_later(path)) {
        problems.push(format!("{path}: is not named by the manifest"));
    }
    checks
}

fn check_contents(checks: Vec<Check>, report: &mut VerifyReport, progress: &mut dyn FnMut(u64, u64)) {
    let total = checks.iter().map(|check| check.entry.size).sum();
    let mut buffer = vec![0; BUFFER];
    for check in checks {
        let done = report.bytes;
        let digest = digest(&check, &mut buffer, &mut |read| progress(done + read, total));
        match digest {
            Ok(digest) if digest.eq_ignore_ascii_case(&check.entry.sha256) => {}
            Ok(_) => report
                .problems
                .push(format!("{}: its content has changed", check.entry.path)),
            Err(error) => report.problems.push(format!("{}: {error:#}", check.entry.path)),
        }
        report.files += 1;
        report.bytes += check.entry.size;
        progress(report.bytes, total);
    }
}

fn digest(check: &Check, buffer: &mut [u8], progress: &mut dyn FnMut(u64)) -> Result<String> {
    let mut content = check.volume.content(&check.node)?;
    let (mut digest, mut read) = (Sha256::new(), 0);
    loop {
        let count = content.read(buffer)?;
        if count == 0 {
            return Ok(hex(&digest.finalize()));
        }
        digest.update(&buffer[..count]);
        read += count as u64;
        progress(read);
    }
}
