//! A power cut at any moment of a run loses nothing that its disks had acknowledged: every write of a recorded run is played again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use disk_image::read::{Device, Exfat, Fat, Node, PartitionTable, Run, Volume};
use media_format::state::BootState;
use media_format::{journal, paths};

use crate::recording::{Moment, Recording};
use crate::support::own;

/// What is known of each file and folder: its length and where it lies, or that it cannot be read.
type Files = BTreeMap<String, Result<(u64, Vec<Run>), String>>;

/// Goes on where a folder cannot be read: it may be one that is just removed.
fn files(volume: &dyn Volume) -> Files {
    let mut files = Files::new();
    let mut folders = vec![(String::new(), volume.root())];
    while let Some((path, folder)) = folders.pop() {
        let nodes = volume.list(&folder).map_err(|error| error.to_string());
        for node in nodes.iter().flatten() {
            let path = format!("{path}/{}", node.name);
            match node.is_folder() {
                true => folders.push((path, node.clone())),
                false => _ = files.insert(path, place(volume, node)),
            }
        }
        files.insert(format!("{path}/"), nodes.map(|_| (0, vec![])));
    }
    files
}

fn place(volume: &dyn Volume, file: &Node) -> Result<(u64, Vec<Run>), String> {
    let extents = volume.extents(file).map_err(|error| error.to_string())?;
    Ok((file.size, extents))
}

fn content(volume: &dyn Volume, path: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    volume.open(path).ok()?.read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Whether that place of the volume has those bytes.
fn has(device: &Device, place: &Result<(u64, Vec<Run>), String>, mut bytes: &[u8]) -> bool {
    let Ok((_, runs)) = place else { return false };
    let mut parts = runs.iter().flat_map(|run| {
        let ends = (0..run.length).step_by(1 << 20);
        ends.map(|start| {
            (
                run.offset.map(|offset| offset + start),
                (run.length - start).min(1 << 20),
            )
        })
    });
    let all = parts.all(|(offset, length)| {
        let Some((expected, rest)) = bytes.split_at_checked(length as usize) else {
            return false;
        };
        bytes = rest;
        offset.is_some_and(|offset| device.bytes(offset, length).is_ok_and(|found| found == expected))
    });
    all && bytes.is_empty()
}

/// A partition of a disk whose content is in a file of its own.
struct Partition {
    path: PathBuf,
    disk: File,
    part: Range<u64>,
}

impl Partition {
    fn of(path: PathBuf, number: impl Fn(usize) -> usize) -> Self {
        let disk = File::options()
            .read(true)
            .write(true)
            .open(&path)
            .expect("the disk");
        let device = Device::new(disk.try_clone().expect("the disk")).expect("the disk");
        let partitions = PartitionTable::read(&device)
            .expect("a partition table")
            .partitions;
        let partition = &partitions[number(partitions.len())];
        let part = partition.offset..partition.offset + partition.length;
        Self { path, disk, part }
    }

    fn device(&self) -> Device {
        let device = Device::new(self.disk.try_clone().expect("the disk")).expect("the disk");
        let length = self.part.end - self.part.start;
        device.window(self.part.start, length).expect("the partition")
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// What a boot partition says of the run.
#[derive(Debug, Default)]
struct Known {
    files: Files,
    /// The boot state, where there is a valid one.
    state: Option<BootState>,
    /// The sequence number of the journal.
    sequence: Option<u64>,
}

impl Known {
    fn read(device: Device) -> Self {
        let Ok(volume) = Fat::open(device) else {
            return Self::default();
        };
        let files = files(&volume);
        let is_state = |path: &&String| path.starts_with("/media-runtime/") && path.ends_with(".env");
        let block = files
            .keys()
            .find(is_state)
            .and_then(|path| content(&volume, path));
        let slot = content(&volume, paths::JOURNAL).and_then(|bytes| journal::newest(&bytes));
        Self {
            state: block.and_then(|block| BootState::decode(&block).ok()),
            sequence: slot.map(|slot| slot.sequence),
            files,
        }
    }
}

/// What power cuts did to a volume.
#[derive(Default)]
struct Cuts {
    count: usize,
    lost: Vec<String>,
    /// Files and folders that are others than at the last flush, and what they are.
    others: Vec<(String, String)>,
}

impl Cuts {
    /// Notes what a cut has left of what was flushed.
    fn compare(&mut self, flushed: &Files, left: &Files) {
        self.count += 1;
        let others = flushed
            .iter()
            .filter(|(path, place)| left.get(*path) != Some(place));
        self.others
            .extend(others.map(|(path, _)| (path.clone(), format!("{:?}", left.get(path)))));
    }

    /// What the machine was changing may be another one; all else not.
    fn flushed(&mut self, before: &Files, now: &Files) {
        let kept = |path: &String| before.get(path) == now.get(path);
        let lost = std::mem::take(&mut self.others)
            .into_iter()
            .filter(|(path, _)| kept(path));
        self.lost
            .extend(lost.map(|(path, left)| format!("{path}: {left}")));
    }

    fn assert_nothing_lost(&self, least: usize) {
        println!("{} states that a cut could have left", self.count);
        assert!(
            self.lost.is_empty(),
            "{:#?}",
            &self.lost[..self.lost.len().min(20)]
        );
        assert!(self.count > least, "only {} states", self.count);
    }
}

/// The target has a cache that a power cut empties. What the run has flushed to its boot partition stays, whatever a cut leaves of
/// what is written next: the journal, what starts next, and every other file. The log is nothing that a run depends on.
pub(crate) fn lose_nothing_of_the_target(recording: &Path) {
    let recording = Recording::of("disk0", recording);
    let path = own("replayed", "raw");
    let disk = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .expect("a disk");
    disk.set_len(64 << 30).expect("a disk");
    // Its partition table is written by the run, too.
    recording.replay(&disk, &(0..1 << 20), |_| {});
    let boot = Partition::of(path, |_| 0);

    let (mut flushed, mut cuts) = (Known::default(), Cuts::default());
    let mut lost = Vec::new();
    recording.replay(&boot.disk, &boot.part, |moment| {
        let mut now = Known::read(boot.device());
        now.files.retain(|path, _| !path.contains("/smsts"));
        match moment {
            Moment::Flushed => {
                cuts.flushed(&flushed.files, &now.files);
                flushed = now;
            }
            Moment::Cut => {
                cuts.compare(&flushed.files, &now.files);
                if now.sequence < flushed.sequence || flushed.state.is_some() && now.state.is_none() {
                    lost.push((flushed.sequence, now.sequence, now.state));
                }
            }
        }
    });
    cuts.assert_nothing_lost(1000);
    assert_eq!(
        (flushed.sequence, flushed.state),
        (None, None),
        "the end of a run removes them"
    );
    // The end of a run is in its last entry: what follows is their removal.
    let last = lost.iter().filter_map(|(flushed, ..)| *flushed).max();
    assert!(last.is_some_and(|last| last > 20), "a whole run: {last:?}");
    let early = lost
        .iter()
        .find(|(flushed, ..)| flushed.is_some() && *flushed != last);
    assert_eq!(early, None);
}

/// A captured image that has its name is complete, and what was on the stick stays as it was.
pub(crate) fn lose_nothing_of_the_stick(recording: &Path, stick: &Path, captured: &Path) {
    let path = own("replayed", "img");
    fs::copy(stick, &path).expect("a copy of the stick");
    let data = Partition::of(path, |count| count - 1);
    let recording = Recording::of("media", recording);
    recording.replay(&data.disk, &(0..data.part.start), |_| {
        panic!("the stick was written to in front of its data")
    });
    let image = fs::read(captured).expect("the captured image");
    let name = captured.file_name().expect("a name").to_string_lossy();
    let name = format!("/{}/{name}", paths::CAPTURES);

    let mut flushed = files(&Exfat::open(data.device()).expect("the stick's volume"));
    let (mut cuts, mut complete) = (Cuts::default(), 0);
    recording.replay(&data.disk, &data.part, |moment| {
        let volume = Exfat::open(data.device()).expect("the stick's volume");
        let now = files(&volume);
        if let Some(place) = now.get(&name) {
            complete += 1;
            let whole = has(&data.device(), place, &image);
            assert!(
                whole,
                "an image that has its name is not complete: {moment:?}, {place:?}"
            );
        }
        match moment {
            Moment::Flushed => {
                cuts.flushed(&flushed, &now);
                flushed = now;
            }
            Moment::Cut => cuts.compare(&flushed, &now),
        }
    });
    println!("{complete} of them with the image");
    assert!(complete > 1 && flushed.contains_key(&name));
    cuts.assert_nothing_lost(500);
}
