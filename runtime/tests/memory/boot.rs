//! Firmware entries, loaders, and where a start of the machine leads.

use std::path::Path;

use anyhow::Context as _;
use media_format::event::Environment;
use media_format::manifest::hex;
use media_format::paths;
use media_format::state::{BootState, Next};
use runtime::grub::Grub;
use runtime::platform::{Boot, Files as _, Firmware, Result};
use windows_setup::bcd::{Device, Partition};
use windows_setup::secure_boot::BootFiles;

use crate::machine::Memory;
use crate::windows::{BOOT_MANAGER, SYSTEM_HIVE};
use crate::world::{BootSector, Drive, Entry, Part, World};

const LOADER: &str = "/EFI/BOOT/BOOTX64.EFI";
const STAGED: &str = "/EFI/media-runtime/shimx64.efi";
/// What stands in a system's loader before the partition that it starts.
const STARTS: &str = "grub of ";

impl Boot for Memory {
    fn firmware(&self) -> Firmware {
        self.world().firmware
    }

    fn secure_boot(&self) -> Option<bool> {
        (self.firmware() == Firmware::Uefi).then_some(true)
    }

    fn signature_list(&self, name: &str) -> Option<Vec<u8>> {
        self.world().signature_lists.get(name).cloned()
    }

    fn install_loader(&self, root: &Path, disk: &Path, boot: Option<&Path>) -> Result<String> {
        let has = |program: &str| self.exists(&root.join(&program[1..]));
        let menu = match Grub::of(has, self.secure_boot() == Some(true))? {
            Grub::Debian => "boot/grub/grub.cfg",
            Grub::Grub2 => "boot/grub2/grub.cfg",
        };
        let (drive, part) = self.partition_at(root)?;
        let id = self.world().drives[drive].parts[part].id.clone();
        self.put_by_program(&root.join(menu), format!("menu of {id}").as_bytes(), 0o644)?;
        if let Some(boot) = boot {
            self.put_by_program(
                &boot.join(&LOADER[1..]),
                format!("{STARTS}{id}").as_bytes(),
                0o644,
            )?;
        } else {
            let index = self.drive(disk)?;
            self.tick("write boot sector", |_| {})?;
            self.world_mut().drives[index].boot_sector = BootSector::System(id);
        }
        Ok(LOADER.into())
    }

    fn start_next(&self, label: &str) -> Result<bool> {
        self.tick("choose next start", |_| {})?;
        let known = self.world().entries.iter().position(|entry| entry.label == label);
        let mut world = self.world_mut();
        // The menu of other media decides by the boot state.
        if let Some(at) = known.filter(|_| world.winpe) {
            let entry = world.entries.remove(at);
            world.entries.insert(0, entry);
            world.boot_next = Some(label.into());
        }
        Ok(known.is_some())
    }

    /// bcdboot: boot files, and a store that names the partition.
    fn install_windows(&self, root: &Path, boot: &Path, locale: &str, _: BootFiles) -> Result<bool> {
        if !self.world().winpe {
            return Ok(false);
        }
        anyhow::ensure!(locale == "nl-NL", "bcdboot has no texts in {locale}");
        let (drive, part) = self.partition_at(root)?;
        let id = {
            let drive = &self.world().drives[drive];
            partition(drive, &drive.parts[part]).context("a partition")?
        };
        let (manager, places): (&str, &[&str]) = match self.firmware() {
            Firmware::Uefi => (
                "EFI/bootmgfw.efi",
                &["EFI/Microsoft/Boot/bootmgfw.efi", &LOADER[1..]],
            ),
            Firmware::Bios => ("PCAT/bootmgr", &["bootmgr"]),
        };
        let store = match self.firmware() {
            Firmware::Uefi => "EFI/Microsoft/Boot/BCD",
            Firmware::Bios => "boot/BCD",
        };
        let manager = self.read(&root.join("Windows/Boot").join(manager))?;
        let manager = manager.context("the image has no boot manager")?;
        let files = places.iter().map(|place| (*place, manager.as_slice()));
        for (path, bytes) in files.chain([(store, id.as_bytes())]) {
            self.put_by_program(&boot.join(path), bytes, 0o644)?;
        }
        if self.firmware() == Firmware::Uefi {
            self.enter_windows(boot)?;
        }
        Ok(true)
    }

    fn register_recovery(&self, root: &Path, folder: &Path) -> Result<()> {
        anyhow::ensure!(self.world().winpe, "only Windows PE has the program");
        let told = folder
            .strip_prefix("/run/media-runtime/mounts")?
            .display()
            .to_string();
        self.put_by_program(
            &root.join("Windows/System32/Recovery/ReAgent.xml"),
            told.as_bytes(),
            0o644,
        )
    }

    fn check_this_start(&self) -> Result<()> {
        let world = self.world();
        anyhow::ensure!(
            world.tells_start,
            "the firmware does not say what has started the machine"
        );
        let there = |label: &String| world.entries.iter().any(|entry| entry.label == *label);
        let known = world.started_by.as_ref().is_none_or(there);
        anyhow::ensure!(known, "the entry that has started the machine is gone");
        Ok(())
    }

    fn register_this_start(&self, label: &str) -> Result<()> {
        self.check_this_start()?;
        self.tick("add firmware entry", |_| {})?;
        let mut world = self.world_mut();
        let media = world.drives.iter().find(|drive| drive.is_media);
        let entry = Entry {
            label: label.into(),
            disk: media.context("the media")?.path.clone(),
            partition: 0,
            loader: "/".into(),
        };
        world.entries.retain(|entry| entry.label != label);
        world.entries.insert(0, entry);
        Ok(())
    }

    fn register(&self, disk: &Path, partition: u32, label: &str, loader: &str) -> Result<()> {
        self.tick("add firmware entry", |_| {})?;
        let entry = Entry {
            label: label.into(),
            disk: disk.into(),
            partition,
            loader: loader.into(),
        };
        self.world_mut().entries.insert(0, entry);
        Ok(())
    }

    fn is_registered(&self, partition: &str, label: &str) -> Result<bool> {
        let world = self.world();
        let leads_there = |entry: &Entry| {
            let drive = world.drives.iter().find(|drive| drive.path == entry.disk);
            let part = drive.and_then(|drive| drive.parts.iter().find(|part| part.number == entry.partition));
            entry.label == label && part.is_some_and(|part| part.id == partition)
        };
        Ok(world.entries.iter().any(leads_there))
    }

    fn unregister(&self, label: &str) -> Result<()> {
        while self.world().entries.iter().any(|entry| entry.label == label) {
            self.tick("remove firmware entry", |_| {})?;
            let mut world = self.world_mut();
            let first = world
                .entries
                .iter()
                .position(|entry| entry.label == label)
                .context("an entry")?;
            world.entries.remove(first);
        }
        Ok(())
    }

    fn first_sectors(&self, disk: &Path, count: u64) -> Result<Vec<u8>> {
        let index = self.drive(disk)?;
        let world = self.world();
        let code = &world.drives[index].boot_sector;
        let mut sectors = vec![0; usize::try_from(count)? * 512];
        let text = format!("{code:?}");
        sectors[..text.len()].copy_from_slice(text.as_bytes());
        if *code == (BootSector::Windows { followed: true }) {
            sectors[600] = 1;
        }
        Ok(sectors)
    }

    fn put_back_sectors(&self, disk: &Path, sectors: &[u8]) -> Result<()> {
        let index = self.drive(disk)?;
        self.tick("put boot sector back", |_| {})?;
        let kinds = [BootSector::Windows { followed: false }, BootSector::Staged];
        let was = |kind: &BootSector| sectors.starts_with(format!("{kind:?}").as_bytes());
        let kind = kinds.into_iter().find(was).context("boot code that is known")?;
        self.world_mut().drives[index].boot_sector = kind;
        Ok(())
    }

    fn stage_loader(&self, boot: &Path, disk: &Path, media: &Path) -> Result<()> {
        match self.firmware() {
            Firmware::Uefi => {
                for (from, to) in [("BOOTX64.EFI", "shimx64.efi"), ("grubx64.efi", "grubx64.efi")] {
                    let from = media.join("EFI/BOOT").join(from);
                    self.copy(&from, &boot.join("EFI/media-runtime").join(to))?;
                }
                Ok(())
            }
            Firmware::Bios => {
                let index = self.drive(disk)?;
                self.tick("write staged boot sector", |_| {})?;
                self.world_mut().drives[index].boot_sector = BootSector::Staged;
                Ok(())
            }
        }
    }
}

impl Memory {
    /// The entry that bcdboot puts before all others.
    fn enter_windows(&self, boot: &Path) -> Result<()> {
        let (drive, part) = self.partition_at(boot)?;
        self.tick("add firmware entry", |_| {})?;
        let mut world = self.world_mut();
        let entry = Entry {
            label: "Windows Boot Manager".into(),
            disk: world.drives[drive].path.clone(),
            partition: world.drives[drive].parts[part].number,
            loader: "/EFI/Microsoft/Boot/bootmgfw.efi".into(),
        };
        world.entries.retain(|known| known.label != entry.label);
        world.entries.insert(0, entry);
        Ok(())
    }
}

/// Where a start of the machine ends up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Started {
    /// The boot image.
    Pe,
    /// The installed system on that partition of that disk.
    Os(usize, usize),
    /// Nothing that starts.
    Nothing,
}

impl Started {
    pub(crate) fn environment(self) -> Option<Environment> {
        match self {
            Self::Pe => Some(Environment::Pe),
            Self::Os(..) => Some(Environment::Os),
            Self::Nothing => None,
        }
    }
}

/// The firmware's choice: the media where it is first, else its entries, else the disks.
pub(crate) fn start(world: &World, media_id: &str) -> Started {
    if let Some((drive, part)) = world.begun_inside.filter(|_| state(world, media_id).is_none()) {
        return Started::Os(drive, part);
    }
    let media = has_media(world);
    let next = world
        .entries
        .iter()
        .find(|entry| Some(&entry.label) == world.boot_next.as_ref());
    let next = next.map(|entry| from_entry(world, entry, media_id));
    if let Some(started) = next.filter(|started| *started != Started::Nothing) {
        return started;
    }
    if media && world.media_first {
        return menu(world, media_id);
    }
    let entries = world
        .entries
        .iter()
        .map(|entry| from_entry(world, entry, media_id));
    let disks = (0..world.drives.len()).map(|drive| from_disk(world, drive, media_id));
    let found = entries.chain(disks).find(|started| *started != Started::Nothing);
    found.unwrap_or_else(|| {
        if media {
            menu(world, media_id)
        } else {
            Started::Nothing
        }
    })
}

/// The label of the entry that a start is made by; none where the firmware has another way.
pub(crate) fn started_by(world: &World, media_id: &str) -> Option<String> {
    let leads = |entry: &&Entry| from_entry(world, entry, media_id) != Started::Nothing;
    let mut entries = world.entries.iter();
    let next = entries.find(|entry| Some(&entry.label) == world.boot_next.as_ref());
    let first = || world.entries.iter().find(leads).filter(|_| !world.media_first);
    next.filter(leads).or_else(first).map(|entry| entry.label.clone())
}

fn from_entry(world: &World, entry: &Entry, media_id: &str) -> Started {
    let drive = world.drives.iter().find(|drive| drive.path == entry.disk);
    if drive.is_some_and(|drive| drive.is_media) {
        return Started::Pe;
    }
    let part = drive.and_then(|drive| drive.parts.iter().find(|part| part.number == entry.partition));
    match part.and_then(|part| Some((part, part.volume.bytes(&entry.loader[1..])?))) {
        Some(_) if entry.loader == STAGED => menu(world, media_id),
        Some((part, bytes)) => system_of(world, part, bytes, media_id),
        None => Started::Nothing,
    }
}

fn from_disk(world: &World, drive: usize, media_id: &str) -> Started {
    let found = &world.drives[drive];
    if found.is_media {
        return Started::Nothing;
    }
    match (world.firmware, &found.boot_sector) {
        (Firmware::Bios, BootSector::Staged) => staged(world, drive, media_id),
        (Firmware::Bios, BootSector::System(id)) => system(world, id, media_id),
        (Firmware::Bios, BootSector::Windows { .. }) => {
            let active = found.parts.iter().find(|part| part.active);
            active.map_or(Started::Nothing, |part| bootmgr(world, part))
        }
        (Firmware::Bios, BootSector::Empty) => Started::Nothing,
        (Firmware::Uefi, _) => {
            let loader = found
                .parts
                .iter()
                .find_map(|part| Some((part, part.volume.bytes(&LOADER[1..])?)));
            loader.map_or(Started::Nothing, |(part, bytes)| {
                system_of(world, part, bytes, media_id)
            })
        }
    }
}

/// The staged GRUB: it goes to the media wherever that is. Without it, the copied menu of a Linux PE serves; or what a run by Windows
/// PE has put there; or after the run of a Windows what is left there.
fn staged(world: &World, drive: usize, media_id: &str) -> Started {
    if has_media(world) {
        return menu(world, media_id);
    }
    let menus = world.drives[drive].parts.iter().filter_map(|part| {
        let menu = part.volume.bytes(paths::GRUB_CONFIG)?;
        Some((part, String::from_utf8_lossy(menu)))
    });
    match menus
        .into_iter()
        .find(|(_, menu)| menu.contains("ntldr /bootmgr\nboot\n"))
    {
        Some((part, _)) => bootmgr(world, part),
        None if world.winpe => without_media(world, media_id),
        None => menu(world, media_id),
    }
}

fn has_media(world: &World) -> bool {
    world.drives.iter().any(|drive| drive.is_media)
}

/// runtime/src/staging/winpe.cfg: Windows where it is next, and else nothing.
fn without_media(world: &World, media_id: &str) -> Started {
    match menu(world, media_id) {
        Started::Pe => Started::Nothing,
        windows => windows,
    }
}

/// The boot manager of Windows as GRUB starts it by a BIOS.
fn bootmgr(world: &World, active: &Part) -> Started {
    match active.volume.bytes("bootmgr") {
        Some(_) => windows(world, active, "boot/BCD"),
        None => Started::Nothing,
    }
}

/// The first volume that has a boot state of this media, as GRUB's `search --file` finds it.
fn state(world: &World, media_id: &str) -> Option<(usize, usize, BootState)> {
    for (index, drive) in world.drives.iter().enumerate() {
        for (number, part) in drive.parts.iter().enumerate() {
            if let Some(block) = part.volume.bytes(&paths::state(media_id)) {
                // GRUB sets nothing from a block that it cannot read.
                return Some((index, number, BootState::decode(block).unwrap_or_default()));
            }
        }
    }
    None
}

/// templates/grub.cfg, on the media and staged.
fn menu(world: &World, media_id: &str) -> Started {
    // On UEFI the media of a Windows PE have no menu.
    if world.winpe && world.firmware == Firmware::Uefi {
        return Started::Pe;
    }
    let Some((drive, part, state)) = state(world, media_id) else {
        return Started::Pe;
    };
    if state.media_id() != Some(media_id) || state.next() != Some(Next::Os) {
        return Started::Pe;
    }
    let found = &world.drives[drive];
    let started = match world.firmware {
        Firmware::Uefi => {
            let loader = state
                .variables
                .get("loader")
                .map(|loader| loader.trim_start_matches('/'));
            let bytes = loader.and_then(|loader| found.parts[part].volume.bytes(loader));
            bytes.map_or(Started::Nothing, |bytes| {
                system_of(world, &found.parts[part], bytes, media_id)
            })
        }
        Firmware::Bios => match &found.boot_sector {
            BootSector::System(id) => system(world, id, media_id),
            BootSector::Staged | BootSector::Windows { .. }
                if state
                    .variables
                    .get("loader")
                    .is_some_and(|loader| loader == "/bootmgr") =>
            {
                bootmgr(world, &found.parts[part])
            }
            BootSector::Staged | BootSector::Windows { .. } | BootSector::Empty => Started::Nothing,
        },
    };
    // "The installed system does not start. The boot image follows."
    if started == Started::Nothing {
        Started::Pe
    } else {
        started
    }
}

/// What a loader starts that lies on that EFI system partition.
fn system_of(world: &World, esp: &Part, loader: &[u8], media_id: &str) -> Started {
    if loader == BOOT_MANAGER || loader.starts_with(b"MZ") {
        return windows(world, esp, "EFI/Microsoft/Boot/BCD");
    }
    let text = String::from_utf8_lossy(loader).into_owned();
    text.strip_prefix(STARTS)
        .map_or(Started::Nothing, |id| system(world, id, media_id))
}

/// Windows' boot manager starts the partition that its store names.
fn windows(world: &World, boot: &Part, store: &str) -> Started {
    let Some(store) = boot.volume.bytes(store) else {
        return Started::Nothing;
    };
    let store = String::from_utf8_lossy(store).into_owned();
    for (index, drive) in world.drives.iter().enumerate() {
        for (number, part) in drive.parts.iter().enumerate() {
            let named = partition(drive, part).is_some_and(|id| store.contains(&id));
            if named && part.volume.bytes(SYSTEM_HIVE).is_some() && !world.system_hangs {
                return Started::Os(index, number);
            }
        }
    }
    Started::Nothing
}

/// What names a partition in a store.
fn partition(drive: &Drive, part: &Part) -> Option<String> {
    if let Ok(id) = uuid::Uuid::parse_str(&part.id) {
        return Some(hex(&id.to_bytes_le()));
    }
    let signature = u32::from_str_radix(&drive.table_id, 16).ok()?;
    let offset = part.start;
    let device = Device::Partition(Partition::Mbr { signature, offset });
    Some(hex(&device.encode()))
}

/// The system's own GRUB: its menu, and what `custom.cfg` adds to it.
fn system(world: &World, id: &str, media_id: &str) -> Started {
    let found = world.drives.iter().enumerate().find_map(|(index, drive)| {
        drive
            .parts
            .iter()
            .position(|part| part.id == id)
            .map(|part| (index, part))
    });
    let Some((drive, part)) = found else {
        return Started::Nothing;
    };
    let bytes = |path: &str| world.system_bytes(drive, part, path);
    // Where it is called grub2, it reads its own folder.
    let menus = ["boot/grub2", "boot/grub"];
    let menu = menus
        .into_iter()
        .find(|menu| bytes(&format!("{menu}/grub.cfg")).is_some());
    let custom = menu.and_then(|menu| bytes(&format!("{menu}/custom.cfg")));
    let custom = custom.is_some_and(|text| String::from_utf8_lossy(text).contains("media_state"));
    if let Some((state_drive, state_part, state)) = state(world, media_id).filter(|_| custom) {
        let staged = world.drives[state_drive].parts[state_part]
            .volume
            .bytes(paths::KERNEL);
        if state.next() == Some(Next::Pe) && state.media_id() == Some(media_id) && staged.is_some() {
            return Started::Pe;
        }
    }
    if menu.is_none() || world.system_hangs {
        return Started::Nothing;
    }
    Started::Os(drive, part)
}
