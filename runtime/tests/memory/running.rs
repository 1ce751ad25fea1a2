//! Runs that somebody begins inside a Windows: it is captured, and the machine is otherwise as it was.

use std::cell::RefCell;

use media_format::event::Environment::{Os, Pe};
use media_format::manifest::{MediaLayout, hex};
use media_format::paths;
use runtime::platform::{Bus, Firmware, Result};
use runtime::staging::BOOT_ENTRY;
use runtime::start::Operator;
use windows_setup::bcd::{Device, Partition as BcdPartition};

use crate::cuts::cut_everywhere;
use crate::driver::{Ended, run_to_cut, run_to_end, run_with};
use crate::fixture::{CAPTURE_CANARY, MEDIA, MediaBuilder, machine};
use crate::frames::{BOOT_WIM, as_winpe};
use crate::secrets::absent_in_world;
use crate::windows::{BOOT_MANAGER, SOFTWARE_HIVE, SYSTEM_HIVE};
use crate::windows_runs::{
    BUILD_AND_CAPTURE, CAPTURE_EXISTING, GENERALIZED, INSIDE, captured, existing, media, template,
};
use crate::world::{BootSector, Drive, Entry, Node, Tree, Volume, World, file};

const WINDOWS: &str = "0aa11bb2-0000-4000-8000-000000000003";
const ESP: &str = "0aa11bb2-0000-4000-8000-000000000001";
const LOADER: &str = "EFI/Microsoft/Boot/bootmgfw.efi";

/// A machine that starts an installed Windows from its own disk, with that media attached.
fn with(media: &MediaBuilder) -> World {
    let mut drive = existing("IMAGE_STATE_COMPLETE").drives.swap_remove(0);
    let mut stick = existing("IMAGE_STATE_COMPLETE").drives.pop().unwrap();
    stick.path = "/dev/sdx".into();
    drive.parts[0].id = ESP.into();
    drive.parts[1].id = WINDOWS.into();
    let esp = &mut drive.parts[0].volume;
    esp.put(LOADER, file(BOOT_MANAGER));
    let id = uuid::Uuid::parse_str(WINDOWS).unwrap();
    esp.put("EFI/Microsoft/Boot/BCD", file(hex(&id.to_bytes_le())));
    drive.parts[1].volume.put("ProgramData/others", file("kept"));
    drive.parts[1]
        .volume
        .put("Windows/Panther/Unattend/Unattend.xml", file("the owner's"));
    let mut world = machine(Firmware::Uefi, media);
    world.entries.push(Entry {
        label: "Windows Boot Manager".into(),
        disk: drive.path.clone(),
        partition: 1,
        loader: format!("/{LOADER}"),
    });
    world.drives[0] = drive;
    world.drives.push(stick);
    world.media_first = false;
    world.begun_inside = Some((0, 1));
    world
}

fn running(layout: MediaLayout) -> World {
    with(&media(layout, &template(CAPTURE_EXISTING, &[])))
}

fn running_with_windows_pe(media_first: bool) -> World {
    let mut world = as_winpe(running(MediaLayout::Usb));
    world.media_first = media_first;
    world
}

/// The same by a BIOS: an MBR, whose active partition is one of NTFS that starts Windows.
fn by_bios(mut world: World) -> World {
    world.firmware = Firmware::Bios;
    world.entries.clear();
    let drive = &mut world.drives[0];
    drive.table_id = "0badf00d".into();
    drive.boot_sector = BootSector::Windows { followed: false };
    for part in &mut drive.parts {
        part.id = format!("0badf00d-{:02x}", part.number);
        part.kind = "0x07".into();
    }
    drive.parts[0].active = true;
    let mut reserved = Volume::new("ntfs", 500 << 20);
    let signature = u32::from_str_radix(&drive.table_id, 16).unwrap();
    let offset = drive.parts[1].start;
    let device = Device::Partition(BcdPartition::Mbr { signature, offset });
    reserved.put("bootmgr", file(BOOT_MANAGER));
    reserved.put("boot/BCD", file(hex(&device.encode())));
    drive.parts[0].volume = reserved;
    let media = world.drives.iter_mut().find(|drive| drive.is_media).unwrap();
    let first = media.parts.first_mut().map(|part| &mut part.volume);
    let boot = media.whole.as_mut().or(first).unwrap();
    if boot.bytes(paths::BIOS_CORE).is_none() {
        boot.put(paths::BIOS_CORE, file(vec![1; 1000]));
    }
    world
}

fn tree(drive: &Drive, number: usize) -> Tree {
    let mut tree = drive.parts[number].volume.tree.clone();
    // Where the registry of a running Windows keeps what it does.
    tree.retain(|path, _| ![SYSTEM_HIVE, SOFTWARE_HIVE].contains(&path.as_str()));
    tree
}

/// The machine starts as it did, and holds what it held.
#[track_caller]
fn assert_as_before(world: &World, before: &World) {
    assert_eq!(world.entries, before.entries);
    assert_eq!(world.drives[0].boot_sector, before.drives[0].boot_sector);
    let (now, then) = (&world.drives[0], &before.drives[0]);
    for number in 0..then.parts.len() {
        assert_eq!(tree(now, number), tree(then, number), "volume {number}");
    }
    let hive = now.parts[1].volume.bytes(SYSTEM_HIVE).unwrap();
    assert!(
        !String::from_utf8_lossy(hive).contains("ProgramData"),
        "the service is there"
    );
}

#[test]
fn a_running_windows_is_prepared_inside_and_captured_in_the_boot_image() {
    for layout in [MediaLayout::Iso, MediaLayout::Usb] {
        let before = running(layout);
        let (world, report) = run_to_end(before.clone());
        report.assert_succeeded();
        assert_eq!(report.starts, [Os, Pe]);
        assert_as_before(&world, &before);
        let images = captured(&world).images;
        let [windows, fat] = &images[..] else {
            panic!("two images: {}", images.len())
        };
        let tree = windows.tree();
        assert!(tree.contains_key("Windows/explorer.exe") && tree.contains_key("ProgramData/others"));
        assert_eq!(tree["Windows/Panther/Unattend/Unattend.xml"], file("the owner's"));
        assert!(!tree.keys().any(|path| path.contains("media-runtime")));
        let Node::File(software, _) = &tree[SOFTWARE_HIVE] else {
            panic!("no hive")
        };
        assert!(String::from_utf8_lossy(software).contains(GENERALIZED));
        assert_eq!(fat.tree()["notes.txt"], file("content"));
    }
}

/// GRUB takes the place of the boot code, and everything is as it was afterwards.
#[test]
fn a_running_windows_that_a_bios_starts_is_captured_like_others() {
    for (layout, media_first) in [(MediaLayout::Iso, false), (MediaLayout::Usb, true)] {
        let mut before = by_bios(running(layout));
        before.media_first = media_first;
        let (world, report) = run_to_end(before.clone());
        report.assert_succeeded();
        assert_eq!(report.starts, [Os, Pe]);
        assert_as_before(&world, &before);
        assert!(
            world
                .operations
                .iter()
                .any(|name| name == "write staged boot sector")
        );
        let images = captured(&world).images;
        assert_eq!(images.len(), 2);
        assert!(images[0].tree().contains_key("Windows/explorer.exe"));
        assert!(!images.iter().any(|image| image.tree().contains_key("bootmgr")));
    }
}

/// Where an earlier run of ours has built that Windows, its GRUB and its menu come back.
#[test]
fn boot_code_of_an_earlier_run_comes_back_with_its_menu() {
    const MENU: &str = include_str!("../../src/staging/windows.cfg");
    let mut before = by_bios(running(MediaLayout::Iso));
    before.drives[0].boot_sector = BootSector::Staged;
    let active = &mut before.drives[0].parts[0].volume;
    active.kind = "vfat".into();
    active.put(paths::GRUB_CONFIG, file(MENU));
    let (world, report) = run_to_end(before.clone());
    report.assert_succeeded();
    assert_as_before(&world, &before);
}

/// Its media stays attached, and is what the firmware starts: nothing is copied.
#[test]
fn a_running_windows_is_captured_by_a_windows_pe_on_a_stick() {
    for media_first in [false, true] {
        let before = running_with_windows_pe(media_first);
        let (world, report) = run_to_end(before.clone());
        report.assert_succeeded();
        assert_eq!(report.starts, [Os, Pe], "{}", report.log);
        assert_as_before(&world, &before);
        let mut operations = world.operations.iter();
        assert!(!operations.any(|name| name.contains("shimx64.efi") || name.contains(BOOT_WIM)));
        let images = captured(&world).images;
        assert_eq!(images.len(), 2);
        assert!(!images[0].tree().keys().any(|path| path.contains("media-runtime")));
    }
}

/// Until it is generalized, a start of the machine leads to it: at once, or by way of firmware that starts the media.
#[test]
fn a_cut_inside_windows_leads_back_to_it() {
    for (media_first, expected) in [(false, &[Os, Os, Os, Pe][..]), (true, &[Os, Os, Pe, Os, Pe])] {
        let mut world = running_with_windows_pe(media_first);
        let (done, _) = run_to_end(world.clone());
        let mut operations = done.operations.iter();
        let service = "program writes /Windows/System32/config/SYSTEM";
        let begun = operations.rposition(|name| name == service).unwrap();
        // The firmware was told the next start, and only the order leads the one after it.
        world.cuts.extend([begun + 2, begun + 4]);
        let (_, report) = run_to_end(world);
        report.assert_succeeded();
        assert_eq!(report.starts, expected, "{}", report.log);
    }
}

/// Before sysprep, while Windows can still be started: afterwards nothing would lead to the stick.
#[test]
fn an_entry_of_the_stick_that_the_firmware_has_lost_is_made_anew() {
    let mut world = running_with_windows_pe(false);
    let (done, _) = run_to_end(world.clone());
    let mut operations = done.operations.iter();
    let service = "program writes /Windows/System32/config/SYSTEM";
    let begun = operations.rposition(|name| name == service).unwrap();
    world.cuts.insert(begun + 2);
    let (mut world, _) = run_to_cut(world);
    let before = world.entries.len();
    world.entries.retain(|entry| entry.label != BOOT_ENTRY);
    assert_eq!(world.entries.len(), before - 1);
    let (_, report) = run_to_end(world);
    report.assert_succeeded();
    assert_eq!(report.starts, [Os, Pe], "{}", report.log);
    assert!(report.log.contains("has lost the entry"), "{}", report.log);
}

/// What a capture goes to is not captured: its files may lie in a store of their own.
#[test]
fn only_volumes_that_are_captured_are_refused_for_deduplicated_files() {
    let to = r#"destination = { disk = { serial = "SERIAL-vdb" }, path = "ref.wim" }"#;
    let text = template(CAPTURE_EXISTING, &[]).replace(r#"destination = "%OSDCaptureDestination%""#, to);
    let mut world = with(&media(MediaLayout::Iso, &text));
    let second = Drive::empty("vdb", 8 << 30, Bus::Virtio);
    world
        .drives
        .insert(1, second.with("part-store", Volume::new("ntfs", 4 << 30)));
    world.deduplicated = ["/dev/vdb1".into()].into();
    let (after, report) = run_to_end(world.clone());
    report.assert_succeeded();
    assert!(after.drives[1].parts[0].volume.bytes("ref.wim").is_some());
    world.deduplicated.insert("/dev/vda2".into());
    let (_, report) = run_to_end(world.clone());
    let reason = report.reason();
    assert_eq!(reason.matches("has deduplicated files").count(), 1, "{reason}");
    // Another disk that stays with the machine is captured.
    let mut third = world.drives[1].clone();
    (third.path, third.serial) = ("/dev/vdc".into(), "SERIAL-vdc".into());
    third.parts[0].id = "part-third".into();
    world.drives.insert(2, third);
    world.deduplicated = ["/dev/vdc1".into()].into();
    let (_, report) = run_to_end(world);
    let reason = report.reason();
    assert!(reason.contains("has deduplicated files"), "{reason}");
}

#[test]
fn a_run_that_begins_inside_windows_survives_a_cut_at_every_operation() {
    assert_eq!(cut_everywhere(&running(MediaLayout::Iso)), Default::default());
    let mut world = running(MediaLayout::Usb);
    world.media_first = true;
    assert_eq!(cut_everywhere(&world), Default::default());
    for media_first in [false, true] {
        let stops = cut_everywhere(&running_with_windows_pe(media_first));
        assert_eq!(stops, Default::default(), "{media_first}");
    }
}

#[test]
fn a_run_that_begins_where_a_bios_starts_windows_survives_a_cut_at_every_operation() {
    for media_first in [false, true] {
        let mut world = by_bios(running(MediaLayout::Usb));
        world.media_first = media_first;
        assert_eq!(cut_everywhere(&world), Default::default(), "{media_first}");
        let mut world = by_bios(running_with_windows_pe(media_first));
        world.media_first = media_first;
        assert_eq!(
            cut_everywhere(&world),
            Default::default(),
            "Windows PE, {media_first}"
        );
    }
}

/// Whatever cannot be written inside Windows: the machine starts as before, and only Windows may be generalized.
#[test]
fn a_failure_inside_windows_leaves_the_machine_as_it_was() {
    fails_everywhere_inside(&running(MediaLayout::Iso));
    fails_everywhere_inside(&running_with_windows_pe(false));
    fails_everywhere_inside(&by_bios(running(MediaLayout::Iso)));
}

fn fails_everywhere_inside(before: &World) {
    let (done, _) = run_to_end(before.clone());
    let mut operations = done.operations.iter();
    let last = operations.rposition(|name| name == "choose next start");
    // Where no firmware is asked, the boot state decides: what is written there last inside Windows.
    let last = last.unwrap_or_else(|| {
        let state = paths::state(MEDIA);
        let mut operations = done.operations.iter();
        operations
            .position(|name| name.starts_with("write at") && name.ends_with(&state))
            .unwrap()
    });
    for fault in 1..=last {
        let mut world = before.clone();
        world.faults.insert(fault);
        let (mut world, report) = run_to_end(world);
        if report.ended == Ended::Over(None) {
            continue;
        }
        let operation = &done.operations[fault - 1];
        assert_eq!(report.starts, [Os], "{operation}: {}", report.reason());
        assert!(
            report.reason().contains("input/output error"),
            "{}",
            report.reason()
        );
        // The log and the program stay in their folder.
        let windows = &mut world.drives[0].parts[1].volume.tree;
        windows.retain(|path, _| !path.starts_with(paths::INSTALLED_WINDOWS));
        assert_as_before(&world, before);
    }
}

/// A capture that fails is repeated after a restart: the prepared Windows does not start in between.
#[test]
fn a_failed_capture_goes_on_after_a_restart() {
    let mut world = running(MediaLayout::Iso);
    let share = world.shares.values_mut().next().unwrap();
    let password = std::mem::replace(&mut share.password, "changed".into());
    let refused = run_to_end(world.clone());
    assert!(
        refused.1.reason().contains("refuses the account"),
        "{}",
        refused.1.reason()
    );
    assert_eq!(refused.0.drives, world.drives, "found before anything is changed");
    world.shares.values_mut().next().unwrap().password = password;
    let (done, _) = run_to_end(world.clone());
    let rename = done
        .operations
        .iter()
        .position(|name| name.starts_with("rename "))
        .unwrap();
    world.faults.insert(rename + 1);
    let (failed, report) = run_to_end(world);
    assert_eq!(report.starts, [Os, Pe]);
    assert!(
        report.reason().contains("renaming the finished image"),
        "{}",
        report.reason()
    );
    let (world, report) = run_to_end(failed);
    report.assert_succeeded();
    assert_eq!(report.starts, [Pe]);
    assert_eq!(captured(&world).images.len(), 2);
}

#[track_caller]
fn refused(world: World, why: &str) {
    let (after, report) = run_to_end(world.clone());
    assert!(report.reason().contains(why), "{why}: {}", report.reason());
    assert_eq!((after.drives, after.entries), (world.drives, world.entries));
}

#[test]
fn what_a_bios_starts_otherwise_is_refused_and_nothing_is_changed() {
    let bios = || by_bios(running(MediaLayout::Iso));
    let mut one_volume = bios();
    one_volume.drives[0].parts[0].active = false;
    one_volume.drives[0].parts[1].active = true;
    one_volume.drives[0].parts[1]
        .volume
        .put("bootmgr", file(BOOT_MANAGER));
    refused(one_volume, "lies on the volume of Windows itself");
    let mut inactive = bios();
    inactive.drives[0].parts[0].active = false;
    refused(
        inactive,
        "no disk has an active partition with Windows' boot manager",
    );
    let mut protected = bios();
    protected.drives[0].boot_sector = BootSector::Windows { followed: true };
    refused(
        protected,
        "holds something between its partition table and its first partition",
    );
    let mut early = bios();
    early.drives[0].parts[0].start = 1024;
    refused(early, "which GRUB needs");
    let mut menu = bios();
    menu.drives[0].parts[0]
        .volume
        .put(paths::GRUB_CONFIG, file("another system's"));
    refused(menu, "which another system starts from");
    let mut small = bios();
    small.drives[0].parts[0].volume.capacity = 8 << 20;
    refused(small, "the system partition has 8");
}

#[test]
fn what_cannot_begin_inside_windows_is_refused_and_nothing_is_changed() {
    let erases = template(BUILD_AND_CAPTURE, &INSIDE);
    refused(
        with(&media(MediaLayout::Iso, &erases)),
        "cannot begin inside Windows",
    );
    let only_capture = template(
        CAPTURE_EXISTING,
        &["prepare-client-for-capture", "prepare-os-for-capture"],
    );
    refused(
        with(&media(MediaLayout::Iso, &only_capture)),
        "cannot begin inside Windows",
    );
    let mut foreign = running(MediaLayout::Iso);
    foreign.drives[0].parts[0]
        .volume
        .put("boot/grub/grub.cfg", file("another system's"));
    refused(foreign, "which another system starts from");
    let mut small = running(MediaLayout::Iso);
    small.drives[0].parts[0].volume.capacity = 8 << 20;
    refused(small, "bytes free, and the run needs");
    let mut damaged = running(MediaLayout::Iso);
    let iso = damaged
        .drives
        .iter_mut()
        .find_map(|drive| drive.whole.as_mut())
        .unwrap();
    iso.put(paths::INITRD, file("content of anything else"));
    refused(damaged, "differs from what was built");
    let mut without = running(MediaLayout::Iso);
    without.drives[0].parts[0].volume.tree.remove(LOADER);
    refused(
        without,
        "no disk has an EFI system partition with Windows' boot manager",
    );
}

#[test]
fn what_windows_pe_could_not_go_on_with_is_refused_inside_windows() {
    let refused = |world: World, why: &str| {
        let (after, report) = run_to_end(world.clone());
        assert!(report.reason().contains(why), "{why}: {}", report.reason());
        assert_eq!(after.drives[0], world.drives[0]);
        assert_eq!(after.entries, world.entries);
    };
    let disc = as_winpe(running(MediaLayout::Iso));
    refused(disc, "this media is a disc that starts Windows PE");
    let disc = by_bios(as_winpe(running(MediaLayout::Iso)));
    refused(disc, "a disc, whose boot manager starts Windows PE every time");
    let mut damaged = running_with_windows_pe(false);
    let mut drives = damaged.drives.iter_mut();
    let stick = drives.find(|drive| drive.is_media).unwrap();
    stick.parts[0].volume.put(BOOT_WIM, file("anything else"));
    refused(damaged, "differs from what was built");
    // The capture would be refused when Windows is generalized already.
    let capture = "type = \"capture-operating-system-image\"\n";
    let solid = format!("{capture}  compression = \"lzms\"\n");
    for to in [
        "\"%OSDCaptureDestination%\"",
        "{ disk = { number = 1 }, path = \"ref.wim\" }",
    ] {
        let text = template(CAPTURE_EXISTING, &[]);
        let text = text
            .replace(capture, &solid)
            .replace("\"%OSDCaptureDestination%\"", to);
        refused(
            as_winpe(with(&media(MediaLayout::Usb, &text))),
            "for `lzms` use the Linux PE",
        );
    }
}

/// Answers everything, and writes the questions down.
#[derive(Default)]
struct Attendant {
    asked: RefCell<Vec<String>>,
    no: bool,
}

impl Operator for Attendant {
    fn ask(&self, question: &str, hidden: bool) -> Result<String> {
        let answer = match question {
            text if text.contains("Number of the task sequence") => "1",
            text if text.contains("type: capture") && self.no => "no",
            text if text.contains("type: capture") => "capture",
            _ => {
                assert!(hidden, "what is typed is shown: {question}");
                self.asked.borrow_mut().push(question.to_owned());
                CAPTURE_CANARY
            }
        };
        Ok(answer.into())
    }
}

fn attended(layout: MediaLayout) -> World {
    let mut media = MediaBuilder::new(layout, &template(CAPTURE_EXISTING, &[]));
    media.options.unattended = false;
    media.options.ask.insert("OSDCaptureAccountPassword".into());
    media.options.secrets.insert("OSDCaptureAccountPassword".into());
    let variables = &mut media.options.variables;
    variables.insert("OSDCaptureAccount".into(), "capturer".into());
    with(&media)
}

#[test]
fn a_password_is_asked_for_inside_windows_and_again_in_the_boot_image_and_is_on_no_disk() {
    let person = Attendant::default();
    let (world, report) = run_with(attended(MediaLayout::Iso), &person);
    report.assert_succeeded();
    assert_eq!(
        *person.asked.borrow(),
        ["\n  OSDCaptureAccountPassword (typed without being shown): "; 2]
    );
    absent_in_world(&world, &report);
}

#[test]
fn nothing_begins_without_a_yes() {
    // On a stick, too: it gets no log of a start in which nothing has failed.
    for layout in [MediaLayout::Iso, MediaLayout::Usb] {
        let before = attended(layout);
        let person = Attendant {
            no: true,
            ..Attendant::default()
        };
        let (world, report) = run_with(before.clone(), &person);
        assert_eq!(report.ended, Ended::NotBegun);
        assert!(report.events.is_empty(), "{:?}", report.events);
        assert_eq!((world.drives, world.entries), (before.drives, before.entries));
    }
}
