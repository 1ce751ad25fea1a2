//! `media-builder verify`: reads finished media back with the readers, which share no code with planners and
//! writers, and compares every byte that counts with the manifest.

mod content;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use disk_image::read::{Format, Image, Kind, Node, ReadError, Run, Volume};
use media_format::manifest::{self, FileEntry, Manifest, MediaLayout, hex};
use media_format::paths;
use serde::Serialize;

use crate::media;

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
            let mut checks = find_files(&image, &manifest, &mut report);
            checks.extend(find_regions(&image, &manifest, &mut report.problems));
            // In the order of the medium: a stick reads that several times as fast.
            checks.sort_by_key(|check| check.runs.first().and_then(|run| run.offset));
            check_contents((path, image.device().length()), &checks, &mut report, progress);
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
    if image.format() == Format::Disk && image.has_gpt() {
        let table = image.device().bytes(446, 66).unwrap_or_default();
        problems.extend(check_protective(&table).err().map(str::to_owned));
    }
}

/// The table of sector 0 that keeps a BIOS, and whoever does not know GPT, from taking the disk for an empty one.
fn check_protective(table: &[u8]) -> Result<(), &'static str> {
    let [entry @ .., 0x55, 0xaa] = table else {
        return Err("sector 0 has no boot signature: the media was not finished");
    };
    let first = matches!(entry, [0 | 0x80, _, _, _, 0xee, _, _, _, 1, 0, 0, 0, ..]);
    if !first || entry.iter().skip(16).any(|byte| *byte != 0) {
        return Err("sector 0 has no protective partition");
    }
    Ok(())
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

/// Bytes that must have a digest: a file of the manifest that was found on the media, or a region.
struct Check<'a> {
    what: String,
    length: u64,
    sha256: &'a str,
    /// Where they lie, from the start of the medium.
    runs: Vec<Run>,
}

fn find_files<'a>(image: &Image, manifest: &'a Manifest, report: &mut VerifyReport) -> Vec<Check<'a>> {
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
    report.files = checks.len();
    checks
}

/// What is in no file and does not change when the media is used.
fn find_regions<'a>(image: &Image, manifest: &'a Manifest, problems: &mut Vec<String>) -> Vec<Check<'a>> {
    let mut checks = Vec::new();
    for region in &manifest.regions {
        let (offset, length) = (region.offset, region.length);
        let what = format!("{length} bytes from byte {offset}, which are in no file");
        match image.device().window(offset, length) {
            Ok(_) => checks.push(Check {
                what,
                length,
                sha256: &region.sha256,
                runs: vec![Run {
                    offset: Some(offset),
                    length,
                }],
            }),
            Err(error) => problems.push(format!("{what}: {:#}", anyhow::Error::from(error))),
        }
    }
    checks
}

fn compare_names<'a>(
    mut listing: Listing<'_>,
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
            Some(node) => match listing.volume.extents(&node) {
                Ok(runs) => checks.push(Check {
                    what: entry.path.clone(),
                    length: entry.size,
                    sha256: &entry.sha256,
                    runs: on_medium(runs, listing.volume),
                }),
                Err(error) => problems.push(format!("{}: {:#}", entry.path, anyhow::Error::from(error))),
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

/// From places in a volume to places on the medium.
fn on_medium(mut runs: Vec<Run>, volume: &dyn Volume) -> Vec<Run> {
    let base = volume.device().offset();
    for run in &mut runs {
        run.offset = run.offset.map(|offset| base + offset);
    }
    runs
}

fn check_contents(
    (path, size): (&Path, u64),
    checks: &[Check],
    report: &mut VerifyReport,
    progress: &mut dyn FnMut(u64, u64),
) {
    let total = checks
        .iter()
        .fold(0_u64, |total, check| total.saturating_add(check.length));
    if total > size {
        let why =
            format!("files and regions have {total} bytes and the media has {size}: they lie on one another");
        return report.problems.push(why);
    }
    let runs: Vec<Vec<Run>> = checks.iter().map(|check| check.runs.clone()).collect();
    let digests = content::digests(path, &runs, &mut |done| progress(done, total));
    let mut digests = match digests {
        Ok(digests) => digests,
        Err(error) => return report.problems.push(format!("reading the content: {error}")),
    };
    for (number, check) in checks.iter().enumerate() {
        match digests.remove(&number) {
            Some(Ok(digest)) if hex(&digest).eq_ignore_ascii_case(check.sha256) => {}
            Some(Err(error)) => report.problems.push(format!("{}: {error}", check.what)),
            _ => report
                .problems
                .push(format!("{}: its content has changed", check.what)),
        }
        report.bytes += check.length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_named_again_and_again_are_not_read_again_and_again() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [7; 10]).unwrap();
        let region = || Check {
            what: "all bytes".into(),
            length: 10,
            sha256: "",
            runs: vec![Run {
                offset: Some(0),
                length: 10,
            }],
        };
        let mut report = VerifyReport {
            media_id: None,
            files: 0,
            bytes: 0,
            problems: vec![],
        };
        check_contents(
            (file.path(), 10),
            &[region(), region()],
            &mut report,
            &mut |_, _| {},
        );
        assert_eq!(report.bytes, 0);
        assert!(report.problems[0].contains("20 bytes"), "{:?}", report.problems);
    }
}
