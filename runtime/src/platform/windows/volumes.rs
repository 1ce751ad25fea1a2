//! Every volume of the machine, and which partition it is.

use std::fs;
use std::path::{Path, PathBuf};

use media_format::manifest::{Manifest, MediaLayout};
use media_format::paths;
use windows_sys::Win32::System::Ioctl::{
    IOCTL_DISK_GET_DRIVE_LAYOUT_EX, IOCTL_DISK_GET_PARTITION_INFO_EX, IOCTL_STORAGE_GET_DEVICE_NUMBER,
};

use super::bindings;
use crate::in_windows::partition;
use crate::journal::Journal;
use crate::media::OnStick;
use crate::platform::Partition;

/// A volume that can be read.
#[derive(Debug, Clone)]
pub(super) struct Volume {
    /// `C:\`, or `\\?\Volume{…}\` where it has no letter.
    pub(super) root: PathBuf,
    /// Name of the device that can be asked about it.
    device: String,
    /// What Windows calls it; stays the same as long as this Windows runs.
    name: String,
    pub(super) label: String,
    pub(super) file_system: String,
    pub(super) removable: bool,
    /// Where it lies, as far as Windows says.
    pub(super) place: Option<partition::Partition>,
    /// The media that it carries.
    pub(super) media: Option<Manifest>,
}

/// `GetDriveTypeW`.
const NO_ROOT: u32 = 1;
const REMOVABLE: u32 = 2;
const REMOTE: u32 = 4;
const CD: u32 = 5;

/// All volumes with a medium in them; those of the network are none of the machine's.
pub(super) fn all() -> Vec<Volume> {
    let letters = bindings::drive_letters();
    let letters = (0..26).filter(|bit| letters & (1 << bit) != 0);
    let letters = letters.map(|bit: u8| format!("{}:\\", char::from(b'A' + bit)));
    let others = bindings::volume_names()
        .into_iter()
        .filter(|name| !bindings::is_mounted(name));
    letters.chain(others).filter_map(|root| volume(&root)).collect()
}

fn volume(root: &str) -> Option<Volume> {
    let kind = bindings::drive_kind(root);
    if matches!(kind, NO_ROOT | REMOTE) {
        return None;
    }
    let (label, file_system) = bindings::volume_information(root).ok()?;
    let device = device_of(root);
    let path = PathBuf::from(root);
    Some(Volume {
        place: place(&device),
        name: bindings::volume_name(root),
        media: manifest(&path),
        root: path,
        device,
        label,
        file_system: system_name(&file_system).to_owned(),
        removable: matches!(kind, REMOVABLE | CD),
    })
}

/// The device of the volume with that root.
pub(super) fn device_of(root: &str) -> String {
    let bare = root.trim_end_matches('\\');
    if bare.starts_with(r"\\?\") {
        bare.to_owned()
    } else {
        format!(r"\\.\{bare}")
    }
}

/// The names that the rest of the runtime uses.
fn system_name(name: &str) -> &str {
    match name {
        "FAT" | "FAT32" => "vfat",
        "exFAT" => "exfat",
        "NTFS" => "ntfs",
        "CDFS" | "UDF" => "iso9660",
        other => other,
    }
}

fn place(device: &str) -> Option<partition::Partition> {
    let numbers = bindings::ask_device(device, IOCTL_STORAGE_GET_DEVICE_NUMBER, &[]).ok()?;
    let disk = partition::disk_number(&numbers)?;
    let information = bindings::ask_device(device, IOCTL_DISK_GET_PARTITION_INFO_EX, &[]).ok()?;
    partition::information(&information, disk)
}

fn manifest(root: &Path) -> Option<Manifest> {
    Manifest::parse(&fs::read(root.join(paths::MANIFEST)).ok()?).ok()
}

impl Volume {
    /// The device that can be asked about it and flushed.
    pub(super) fn device(&self) -> &str {
        &self.device
    }

    /// Identity of the table of its disk.
    pub(super) fn table_id(&self) -> String {
        let layout = bindings::ask_device(&self.device, IOCTL_DISK_GET_DRIVE_LAYOUT_EX, &[]);
        layout
            .ok()
            .and_then(|answer| partition::table_id(&answer))
            .unwrap_or_default()
    }

    /// The id of an ISO of ours, as its volume set has it.
    pub(super) fn volume_set(&self) -> String {
        let iso = self
            .media
            .as_ref()
            .filter(|media| media.layout == MediaLayout::Iso);
        iso.map(|media| media.media_id.replace('-', "").to_ascii_lowercase())
            .unwrap_or_default()
    }

    /// The volume as a partition. One that Windows says nothing of is known by what it carries: the journal names the
    /// partition that it lies on, and the partitions of a stick have ids that follow from the media's.
    pub(super) fn as_partition(&self, table_id: &str, media_id: Option<&str>) -> Partition {
        let place = self.place.clone().unwrap_or_default();
        let id = match &self.place {
            Some(place) => place.id_on(table_id),
            None => self.id_by_content(media_id).unwrap_or_else(|| self.name.clone()),
        };
        Partition {
            number: place.number.max(1),
            path: self.root.clone(),
            id,
            kind: place.kind,
            name: place.name,
            attributes: place.attributes,
            active: place.active,
            start: place.start,
            size: place.size,
            file_system: self.file_system.clone(),
            label: self.label.clone(),
            uuid: String::new(),
        }
    }

    fn id_by_content(&self, media_id: Option<&str>) -> Option<String> {
        if let Some(media) = &self.media {
            return OnStick::Boot.guid(&media.media_id);
        }
        let journal = fs::read(self.root.join(paths::JOURNAL)).ok();
        if let Some((saved, _)) = journal.and_then(|bytes| Journal::read(&bytes).ok().flatten()) {
            return Some(saved.target?.state);
        }
        let carries_packages = self.root.join(paths::PACKAGES).is_dir();
        carries_packages.then(|| OnStick::Data.guid(media_id?)).flatten()
    }
}
