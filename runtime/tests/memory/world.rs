//! What a power cut leaves: disks, firmware entries, shares. And what it takes: mounts, views, memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use media_format::wim::protocol::Request;
use runtime::platform::deadline::Deadline;
use runtime::platform::hardware::Hardware;
use runtime::platform::{Bus, Command, Disk, Firmware, Partition};
use windows_setup::drivers::ids::MachineDevice;

use crate::windows::SYSTEM_HIVE;

/// Files by their path from the root of the volume, without a leading slash. Folders are entries too.
pub(crate) type Tree = BTreeMap<String, Node>;

/// One entry of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    File(Rc<Vec<u8>>, u32),
    Link(String),
    Folder,
}

/// A file system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Volume {
    pub(crate) kind: String,
    pub(crate) label: String,
    pub(crate) capacity: u64,
    /// Its journal would have to be replayed.
    pub(crate) unclean: bool,
    /// It cannot be mounted.
    pub(crate) damaged: bool,
    /// Bytes that it holds besides those of its files here.
    pub(crate) more_bytes: u64,
    pub(crate) tree: Tree,
    /// Files and folders that are read-only, hidden or of the system.
    pub(crate) marked: Vec<String>,
    pub(crate) freed: Freed,
}

/// Bytes of files that were removed or replaced and not written over: they stay on the volume. A cut may leave some that a run
/// without one does not, so they make no difference where volumes are compared.
#[derive(Debug, Clone, Default)]
pub(crate) struct Freed(pub(crate) Vec<Rc<Vec<u8>>>);

impl PartialEq for Freed {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Freed {}

/// A partition; its volume has no kind before it is formatted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) number: u32,
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) attributes: u64,
    pub(crate) active: bool,
    pub(crate) start: u64,
    pub(crate) size: u64,
    pub(crate) volume: Volume,
}

/// A disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Drive {
    pub(crate) path: PathBuf,
    pub(crate) serial: String,
    pub(crate) size: u64,
    pub(crate) bus: Bus,
    pub(crate) sector_size: u32,
    pub(crate) is_media: bool,
    pub(crate) volume_set: String,
    pub(crate) table_id: String,
    pub(crate) parts: Vec<Part>,
    /// A volume without a table, as on an ISO.
    pub(crate) whole: Option<Volume>,
    /// What a BIOS finds in the boot sector.
    pub(crate) boot_sector: BootSector,
}

/// What the boot code of a disk starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum BootSector {
    #[default]
    Empty,
    /// GRUB of the media, staged.
    Staged,
    /// GRUB of the installed system on the partition with this id.
    System(String),
    /// Windows' own, which starts the active partition; whether something lies behind it.
    Windows { followed: bool },
}

/// An entry of the firmware, on UEFI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) label: String,
    pub(crate) disk: PathBuf,
    pub(crate) partition: u32,
    pub(crate) loader: String,
}

/// A share of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) volume: Volume,
    pub(crate) user: String,
    pub(crate) password: String,
}

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Disk and partition by their places; no partition for a whole disk.
    Volume(usize, Option<usize>),
    View(PathBuf),
    Share(String),
    Memory,
}

/// Everything, and the operations so far.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) firmware: Firmware,
    pub(crate) drives: Vec<Drive>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) shares: BTreeMap<String, Share>,
    /// The firmware's lists for Secure Boot.
    pub(crate) signature_lists: BTreeMap<String, Vec<u8>>,
    /// What it is made of; none: queries have no rows.
    pub(crate) hardware: Option<Hardware>,
    /// What Windows calls the machine's devices.
    pub(crate) devices: Vec<MachineDevice>,
    /// Whether the firmware starts the media before everything else.
    pub(crate) media_first: bool,
    /// The installed system that is used, and in which somebody starts the runtime while no run is going on.
    pub(crate) begun_inside: Option<(usize, usize)>,
    /// A system that hangs before it reaches the runtime: it comes back in the boot image.
    pub(crate) system_hangs: bool,
    /// What partitions a disk chooses the identifiers of the partitions.
    pub(crate) names_partitions: bool,
    /// The boot image is a Windows PE, and the media have no menu.
    pub(crate) winpe: bool,
    /// The firmware says what has started the machine.
    pub(crate) tells_start: bool,
    /// The label of the entry that has started the machine.
    pub(crate) started_by: Option<String>,
    /// The label of the entry that the firmware starts next, once.
    pub(crate) boot_next: Option<String>,
    /// The boot image has a program that adds drivers to a Windows.
    pub(crate) adds_drivers: bool,
    /// CompactOS compresses the installed Windows.
    pub(crate) compressed: bool,
    /// Device nodes of the volumes on which the installed Windows has deduplicated files.
    pub(crate) deduplicated: BTreeSet<PathBuf>,
    /// The domain that the installed system is a member of.
    pub(crate) domain: Option<String>,
    /// The workgroup that an installed Windows says it is in.
    pub(crate) workgroup: String,
    /// Something in the installed system keeps what is connected busy.
    pub(crate) shares_are_in_use: bool,
    /// The shares that were connected so far, where they were, and whether the boot image did it.
    pub(crate) connections: Vec<(String, PathBuf, bool)>,
    /// How often each command that counts was run.
    pub(crate) counters: BTreeMap<String, u32>,
    pub(crate) random: u64,
    /// Names of the operations so far, the first one being operation 1.
    pub(crate) operations: Vec<String>,
    /// Operations at which the power fails.
    pub(crate) cuts: BTreeSet<usize>,
    /// Operations that fail with an error.
    pub(crate) faults: BTreeSet<usize>,
    /// Commands that were run, as another process could have seen them.
    pub(crate) commands: Vec<Command>,
    /// What the worker of images was asked for.
    pub(crate) requests: Vec<Request>,
    /// What libwim warns of when it applies an image to a folder.
    pub(crate) apply_warnings: Vec<String>,
    /// Until when each of these had to end.
    pub(crate) request_deadlines: Vec<Option<Deadline>>,
    /// What was shown to whoever sits at the machine.
    pub(crate) told: Vec<String>,
    /// It can show nothing.
    pub(crate) screen_is_gone: bool,
    /// How long the machine has waited, each time.
    pub(crate) waits: Vec<Duration>,
    /// What programs wrote and nobody has flushed, with what was there before.
    pub(crate) unflushed: Vec<(Place, String, Option<Node>)>,
    pub(crate) volatile: Volatile,
}

/// What a power cut takes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Volatile {
    /// The volume that is mounted at `/`, in the installed system.
    pub(crate) root: Option<(usize, usize)>,
    /// By device: the folder, and whether it is writable.
    pub(crate) mounts: BTreeMap<PathBuf, (PathBuf, bool)>,
    pub(crate) views: BTreeMap<PathBuf, Volume>,
    /// What is shown inside another volume or view: by its place, the folder that it comes from.
    pub(crate) inside: BTreeMap<PathBuf, PathBuf>,
    pub(crate) connected: Vec<(String, PathBuf)>,
    /// A disk does not answer any more.
    pub(crate) hangs: bool,
    /// What a DHCP server has given.
    pub(crate) address: String,
    pub(crate) memory: Volume,
}

/// The key of a path in a tree.
pub(crate) fn key(path: &Path) -> String {
    path.display().to_string().trim_matches('/').to_owned()
}

/// A file.
pub(crate) fn file(bytes: impl Into<Vec<u8>>) -> Node {
    Node::File(Rc::new(bytes.into()), 0o644)
}

impl Volume {
    /// A volume of that kind.
    pub(crate) fn new(kind: &str, capacity: u64) -> Self {
        Self {
            kind: kind.into(),
            capacity,
            ..Self::default()
        }
    }

    /// Bytes that are taken.
    pub(crate) fn used(&self) -> u64 {
        let sizes = self.tree.values().map(|node| match node {
            Node::File(bytes, _) => bytes.len() as u64,
            Node::Link(_) | Node::Folder => 0,
        });
        sizes.sum::<u64>() + self.more_bytes
    }

    /// Adds an entry with the folders that lead to it.
    pub(crate) fn put(&mut self, key: &str, node: Node) {
        for (at, _) in key.match_indices('/') {
            self.tree.entry(key[..at].to_owned()).or_insert(Node::Folder);
        }
        self.tree.insert(key.to_owned(), node);
    }

    /// What takes the place of a file, or nothing, leaves its bytes.
    pub(crate) fn free(&mut self, key: &str) {
        if let Some(Node::File(bytes, _)) = self.tree.remove(key) {
            self.freed.0.push(bytes);
        }
    }

    /// Content of a file.
    pub(crate) fn bytes(&self, key: &str) -> Option<&Vec<u8>> {
        match self.tree.get(key) {
            Some(Node::File(bytes, _)) => Some(bytes),
            _ => None,
        }
    }

    /// Everything at and below a key, the deepest first.
    pub(crate) fn below(&self, key: &str) -> Vec<String> {
        let inside = format!("{key}/");
        let found = self
            .tree
            .keys()
            .filter(|name| *name == key || name.starts_with(&inside) || key.is_empty());
        found.rev().cloned().collect()
    }
}

impl Drive {
    /// An empty disk.
    pub(crate) fn empty(name: &str, size: u64, bus: Bus) -> Self {
        Self {
            path: Path::new("/dev").join(name),
            serial: format!("SERIAL-{name}"),
            size,
            bus,
            sector_size: 512,
            is_media: false,
            volume_set: String::new(),
            table_id: String::new(),
            parts: vec![],
            whole: None,
            boot_sector: BootSector::Empty,
        }
    }

    /// Adds a partition behind the others.
    pub(crate) fn with(mut self, id: &str, volume: Volume) -> Self {
        let number = u32::try_from(self.parts.len() + 1).unwrap();
        let start = self.parts.last().map_or(1 << 20, |part| part.start + part.size);
        let (name, size) = (volume.label.clone(), volume.capacity);
        self.parts.push(Part {
            number,
            id: id.into(),
            kind: "data".into(),
            name,
            attributes: 0,
            active: false,
            start,
            size,
            volume,
        });
        if self.table_id.is_empty() {
            self.table_id = format!("table-of-{}", self.serial);
        }
        self
    }

    /// Device node of a partition.
    pub(crate) fn node(&self, number: u32) -> PathBuf {
        PathBuf::from(format!("{}{number}", self.path.display()))
    }

    fn seen(&self, number: u32) -> Disk {
        let partition = |part: &Part| Partition {
            number: part.number,
            path: self.node(part.number),
            id: part.id.clone(),
            kind: part.kind.clone(),
            name: part.name.clone(),
            attributes: part.attributes,
            active: part.active,
            start: part.start,
            size: part.size,
            file_system: part.volume.kind.clone(),
            label: part.volume.label.clone(),
            uuid: format!("uuid-of-{}", part.id),
        };
        Disk {
            number,
            path: self.path.clone(),
            model: "Memory".into(),
            serial: self.serial.clone(),
            wwn: String::new(),
            size: self.size,
            sector_size: self.sector_size,
            bus: self.bus,
            removable: self.bus == Bus::Usb,
            read_only: self.whole.is_some(),
            is_media: self.is_media,
            volume_set: self.volume_set.clone(),
            table_id: self.table_id.clone(),
            partitions: self.parts.iter().map(partition).collect(),
            has_content: !self.parts.is_empty() || self.whole.is_some(),
        }
    }
}

/// Windows does not count the extended partition of an MBR.
fn count_as_windows(disk: &mut Disk) {
    for (number, partition) in (1..).zip(&mut disk.partitions) {
        partition.number = number;
    }
}

impl World {
    /// A machine with those disks, the media among them, that has never started.
    pub(crate) fn new(firmware: Firmware, drives: Vec<Drive>) -> Self {
        Self {
            firmware,
            drives,
            entries: vec![],
            shares: BTreeMap::new(),
            signature_lists: BTreeMap::new(),
            hardware: None,
            devices: vec![],
            media_first: true,
            begun_inside: None,
            system_hangs: false,
            names_partitions: false,
            winpe: false,
            tells_start: true,
            started_by: None,
            boot_next: None,
            compressed: false,
            deduplicated: BTreeSet::new(),
            adds_drivers: false,
            domain: None,
            workgroup: "WORKGROUP".into(),
            told: vec![],
            screen_is_gone: false,
            shares_are_in_use: false,
            connections: vec![],
            counters: BTreeMap::new(),
            random: 1,
            operations: vec![],
            cuts: BTreeSet::new(),
            faults: BTreeSet::new(),
            commands: vec![],
            requests: vec![],
            apply_warnings: vec![],
            request_deadlines: vec![],
            waits: vec![],
            unflushed: vec![],
            volatile: Volatile::default(),
        }
    }

    /// The disks as the runtime sees them.
    pub(crate) fn seen(&self) -> Vec<Disk> {
        let mut number = 0;
        let mut seen = Vec::new();
        for drive in &self.drives {
            let mut disk = drive.seen(number);
            if self.winpe && drive.table_id.len() == "0badf00d".len() {
                count_as_windows(&mut disk);
            }
            seen.push(disk);
            if !drive.is_media && drive.bus != Bus::Usb {
                number += 1;
            }
        }
        seen
    }

    /// The volume of a device node.
    pub(crate) fn device(&self, device: &Path) -> Option<Place> {
        self.drives.iter().enumerate().find_map(|(index, drive)| {
            if drive.path == device && drive.whole.is_some() {
                return Some(Place::Volume(index, None));
            }
            let part = drive
                .parts
                .iter()
                .position(|part| drive.node(part.number) == device)?;
            Some(Place::Volume(index, Some(part)))
        })
    }

    /// Where a path leads: the place, the key in its tree, and whether it can be written.
    pub(crate) fn locate(&self, path: &Path) -> (Place, String, bool) {
        let volatile = &self.volatile;
        // The last in the order of the names lies deepest.
        let mut inside = volatile.inside.iter().rev();
        let shown = inside.find_map(|(at, from)| Some(from.join(path.strip_prefix(at).ok()?)));
        if let Some(shown) = shown {
            return self.locate(&shown);
        }
        let mounted = volatile.mounts.iter().find_map(|(device, (folder, writable))| {
            let rest = path.strip_prefix(folder).ok()?;
            Some((self.device(device)?, key(rest), *writable))
        });
        let view = || {
            volatile.views.keys().find_map(|folder| {
                let rest = path.strip_prefix(folder).ok()?;
                Some((Place::View(folder.clone()), key(rest), true))
            })
        };
        let share = || {
            volatile.connected.iter().find_map(|(share, folder)| {
                let rest = path.strip_prefix(folder).ok()?;
                Some((Place::Share(share.clone()), key(rest), true))
            })
        };
        mounted
            .or_else(view)
            .or_else(share)
            .unwrap_or_else(|| match volatile.root {
                Some((disk, part)) if !path.starts_with("/run") => {
                    (Place::Volume(disk, Some(part)), key(path), true)
                }
                _ => (Place::Memory, key(path), true),
            })
    }

    /// The volumes that an installed system mounts inside its root, by mount point.
    pub(crate) fn mounted_by_system(&self, drive: usize, part: usize) -> BTreeMap<String, (usize, usize)> {
        let fstab = self.drives[drive].parts[part].volume.bytes("etc/fstab");
        let text = String::from_utf8_lossy(fstab.map_or(&[], Vec::as_slice)).into_owned();
        let line = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (id, point) = (fields.first()?.strip_prefix("PARTUUID=")?, fields.get(1)?);
            let linux = ["ext4", "xfs", "btrfs"].contains(fields.get(2)?) && point.len() > 1;
            let mut places = self.drives.iter().enumerate().flat_map(|(drive, found)| {
                found
                    .parts
                    .iter()
                    .enumerate()
                    .map(move |(part, found)| (drive, part, found))
            });
            let (drive, part, _) = places.find(|(_, _, found)| linux && found.id == id)?;
            Some((point.to_string(), (drive, part)))
        };
        text.lines().filter_map(line).collect()
    }

    /// A file of an installed system, on whichever of its volumes it lies.
    pub(crate) fn system_bytes(&self, drive: usize, part: usize, path: &str) -> Option<&Vec<u8>> {
        let mounted = self.mounted_by_system(drive, part);
        let inside = mounted.iter().rev().find_map(|(point, place)| {
            let rest = path.strip_prefix(&point[1..])?.strip_prefix('/')?;
            Some((*place, rest))
        });
        let ((drive, part), path) = inside.unwrap_or(((drive, part), path));
        self.drives[drive].parts[part].volume.bytes(path)
    }

    /// Whether the system that runs is a Windows.
    pub(crate) fn runs_windows(&self) -> bool {
        let root = self.volatile.root;
        root.is_some_and(|(drive, part)| self.drives[drive].parts[part].volume.bytes(SYSTEM_HIVE).is_some())
    }

    /// The operation at which the power failed last.
    pub(crate) fn last_cut(&self) -> &str {
        let happened = self.cuts.iter().rev().find(|cut| **cut <= self.operations.len());
        happened.map_or("", |cut| &self.operations[cut - 1])
    }

    /// A cut leaves its mark on every NTFS volume that is written to.
    pub(crate) fn leave_open_volumes(&mut self) {
        let mounts = self.volatile.mounts.iter();
        let open: Vec<_> = mounts
            .filter(|(_, (_, writable))| *writable)
            .filter_map(|(device, _)| self.device(device))
            .collect();
        for place in open {
            let volume = self.volume_mut(&place);
            volume.unclean |= volume.kind == "ntfs";
        }
    }

    /// A cut takes back what was not flushed.
    pub(crate) fn lose(&mut self) {
        for (place, key, before) in std::mem::take(&mut self.unflushed).into_iter().rev() {
            let tree = &mut self.volume_mut(&place).tree;
            match before {
                Some(node) => tree.insert(key, node),
                None => tree.remove(&key),
            };
        }
    }

    /// The volume of a place.
    pub(crate) fn volume(&self, place: &Place) -> &Volume {
        match place {
            Place::Volume(disk, Some(part)) => &self.drives[*disk].parts[*part].volume,
            Place::Volume(disk, None) => self.drives[*disk].whole.as_ref().expect("a whole volume"),
            Place::View(folder) => &self.volatile.views[folder],
            Place::Share(share) => &self.shares[share].volume,
            Place::Memory => &self.volatile.memory,
        }
    }

    /// The volume of a place, to change it.
    pub(crate) fn volume_mut(&mut self, place: &Place) -> &mut Volume {
        match place {
            Place::Volume(disk, Some(part)) => &mut self.drives[*disk].parts[*part].volume,
            Place::Volume(disk, None) => self.drives[*disk].whole.as_mut().expect("a whole volume"),
            Place::View(folder) => self.volatile.views.get_mut(folder).expect("a view"),
            Place::Share(share) => &mut self.shares.get_mut(share).expect("a share").volume,
            Place::Memory => &mut self.volatile.memory,
        }
    }
}
