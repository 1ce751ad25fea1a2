//! Whole runs without a cut: what happened, in which order, and what is left.

use media_format::event::Environment::{Os, Pe};
use media_format::event::Event;
use media_format::manifest::{Finish, MediaLayout};
use media_format::paths;
use media_format::state::{BootState, Next};
use runtime::platform::{Bus, Firmware};

use crate::driver::{Answers, run_to_end, run_with};
use crate::fixture::{self, MediaBuilder, build_and_capture, deploy, installed, machine};
use crate::outcome;
use crate::world::{Drive, Volume, World, file};

/// A machine whose run captures to the share.
pub(crate) fn to_share(firmware: Firmware, layout: MediaLayout) -> World {
    let share = r"\\server\captures\ref.wim";
    machine(firmware, &with_account(layout, &build_and_capture(share)))
}

/// A machine whose installed system is captured to the share.
pub(crate) fn existing_to_share(layout: MediaLayout) -> World {
    let share = r"\\server\captures\ref.wim";
    installed(&with_account(layout, &fixture::capture_existing(share)))
}

/// The account comes from the media's variables, as the usual ones do.
pub(crate) fn with_account(layout: MediaLayout, sequence: &str) -> MediaBuilder {
    let mut media =
        MediaBuilder::new(layout, sequence).secret("OSDCaptureAccountPassword", fixture::CAPTURE_CANARY);
    media
        .options
        .variables
        .insert("OSDCaptureAccount".into(), "capturer".into());
    media
}

const DEPLOYED: &[&str] = &[
    "Restart in the boot image: skipped",
    "Partition the disk: done",
    "Apply the operating system: done",
    "Apply the settings of the system: done",
    "Apply the network settings: done",
    "Set up the operating system: restart",
    "restart to os",
    "Set up the operating system: done",
];
const INSTALLED: &[&str] = &[
    "Install the updates: restart",
    "restart to os",
    "Install the updates: done",
    "Install the applications: done",
];
const CAPTURED: &[&str] = &[
    "Join a workgroup: skipped",
    "Prepare the client: skipped",
    "Prepare the operating system: restart",
    "restart to pe",
    "Prepare the operating system: done",
    "Capture the operating system: done",
];

#[test]
fn build_and_capture_runs_to_its_end() {
    for (firmware, layout) in [
        (Firmware::Uefi, MediaLayout::Iso),
        (Firmware::Uefi, MediaLayout::Usb),
        (Firmware::Bios, MediaLayout::Iso),
    ] {
        let (world, report) = run_to_end(to_share(firmware, layout));
        report.assert_succeeded();
        assert_eq!(report.trace(), [DEPLOYED, INSTALLED, CAPTURED].concat());
        assert_eq!(report.starts, [Pe, Os, Os, Pe]);
        let tree = outcome::captured(&world, "ref.wim").unwrap();
        for kept in [
            "usr/share/hello/version",
            "usr/share/libtool/version",
            "opt-tool",
            "etc/localtime",
        ] {
            assert!(tree.contains_key(kept), "{kept} is missing");
        }
        for gone in [
            "var/lib/media-runtime",
            "etc/hostname",
            "etc/ssh/ssh_host_ed25519_key",
            "boot/grub/custom.cfg",
        ] {
            assert!(!tree.contains_key(gone), "{gone} was captured");
        }
        assert!(world.entries.is_empty(), "{:?}", world.entries);
        assert_eq!(report.finish, Some(Finish::Shutdown));
    }
}

/// A machine whose run captures to a second disk; neither disk has a serial number.
pub(crate) fn to_disk(firmware: Firmware, disk: &str) -> World {
    let media = MediaBuilder::new(MediaLayout::Iso, &fixture::build_and_capture_to_disk(disk));
    let mut world = machine(firmware, &media);
    let volume = Volume::new("ext4", 1 << 30);
    world.drives.insert(
        1,
        Drive::empty("vdb", 8 << 30, Bus::Virtio).with("archive", volume),
    );
    for drive in &mut world.drives[..2] {
        drive.serial.clear();
    }
    world
}

/// A disk on which a run of other media was abandoned, just before its system was to start.
fn abandoned(name: &str) -> Drive {
    let other = "11111111-2222-4333-8444-555555555555";
    let mut boot = Volume::new("vfat", 1 << 30);
    let state = BootState::new(other, Next::Os).encode().unwrap();
    boot.put(&paths::state(other), file(state));
    boot.put(paths::JOURNAL, file("the journal of that run"));
    Drive::empty(name, 8 << 30, Bus::Virtio).with("other-boot", boot)
}

#[test]
fn an_abandoned_run_of_other_media_on_an_earlier_disk_hides_nothing() {
    for (firmware, media_first) in [
        (Firmware::Uefi, true),
        (Firmware::Uefi, false),
        (Firmware::Bios, true),
    ] {
        let sequence = deploy().replace("disk = { only = true }", "disk = { number = 1 }");
        let mut world = machine(firmware, &MediaBuilder::new(MediaLayout::Iso, &sequence));
        world.media_first = media_first;
        world.drives.insert(0, abandoned("vdz"));
        let before = world.drives[0].clone();
        let (world, report) = run_to_end(world);
        report.assert_succeeded();
        assert_eq!(report.starts, [Pe, Os]);
        assert_eq!(world.drives[0], before, "nothing of the other run is touched");
    }
}

/// A machine whose run captures onto the stick that it starts from.
pub(crate) fn to_stick() -> World {
    let media = MediaBuilder::new(MediaLayout::Usb, &build_and_capture("media:captures/ref.wim"));
    machine(Firmware::Uefi, &media)
}

#[test]
fn a_capture_goes_to_a_second_disk_or_onto_the_stick() {
    for disk in ["{ number = 1 }", "{ only = true }"] {
        let (world, report) = run_to_end(to_disk(Firmware::Bios, disk));
        report.assert_succeeded();
        assert!(world.drives[1].parts[0].volume.bytes("ref.wim").is_some());
        let (world, report) = run_to_end(to_stick());
        report.assert_succeeded();
        assert!(
            world.drives[1].parts[1]
                .volume
                .bytes("captures/ref.wim")
                .is_some()
        );
    }
}

#[test]
fn a_capture_onto_the_stick_lies_where_the_log_says() {
    for written in [
        "media:captures/old/ref.wim",
        "media:old/ref.wim",
        r"media:captures\old\ref.wim",
    ] {
        let media = MediaBuilder::new(MediaLayout::Usb, &build_and_capture(written));
        let (world, report) = run_to_end(machine(Firmware::Uefi, &media));
        report.assert_succeeded();
        let data = &world.drives[1].parts[1].volume;
        assert!(data.bytes("captures/old/ref.wim").is_some(), "{written}");
        let captured = report.events.iter().find_map(|event| match event {
            Event::Ended { captured, .. } => captured.clone(),
            _ => None,
        });
        assert_eq!(captured.as_deref(), Some("media:captures/old/ref.wim"));
    }
}

#[test]
fn a_second_disk_that_comes_first_is_counted_by_the_machine() {
    let mut world = to_disk(Firmware::Uefi, "{ number = 0 }");
    world.drives.swap(0, 1);
    let (world, report) = run_to_end(world);
    report.assert_succeeded();
    assert!(world.drives[0].parts[0].volume.bytes("ref.wim").is_some());
}

#[test]
fn a_failed_run_begins_anew_from_the_same_media() {
    let mut world = to_share(Firmware::Uefi, MediaLayout::Iso);
    let (done, _) = run_to_end(world.clone());
    let late = done
        .operations
        .iter()
        .position(|name| name.contains("/opt-tool"))
        .unwrap();
    world.faults.insert(late + 1);
    let (world, report) = run_to_end(world);
    assert!(
        report.reason().contains("input/output error"),
        "{}",
        report.reason()
    );
    let (world, report) = run_to_end(world);
    report.assert_succeeded();
    assert_eq!(outcome::of(&world).differences(&outcome::of(&done)), [""; 0]);
}

#[test]
fn somebody_at_the_machine_chooses_and_is_asked_for_secrets() {
    let share = build_and_capture(r"\\server\captures\ref.wim");
    let mut media = MediaBuilder::new(MediaLayout::Iso, &share);
    media.options.unattended = false;
    media
        .options
        .variables
        .insert("OSDCaptureAccount".into(), "capturer".into());
    media.options.ask.insert("OSDCaptureAccountPassword".into());
    let answer = |question: &str| {
        let number = question.contains("Number of the task sequence");
        Some(if number { "1" } else { fixture::CAPTURE_CANARY }.to_owned())
    };
    let (_, report) = run_with(machine(Firmware::Uefi, &media), &Answers(answer));
    report.assert_succeeded();
    let (_, report) = run_to_end(machine(Firmware::Uefi, &media));
    assert!(report.reason().contains("nobody answers"), "{}", report.reason());
}

#[test]
fn deploy_leaves_a_system_without_a_trace_of_the_run() {
    let loader: &[&str] = &["EFI", "EFI/BOOT", "EFI/BOOT/BOOTX64.EFI"];
    for (firmware, stays) in [(Firmware::Uefi, loader), (Firmware::Bios, &["COMPLETE.TXT"])] {
        let media = MediaBuilder::new(MediaLayout::Iso, &deploy());
        let (world, report) = run_to_end(machine(firmware, &media));
        report.assert_succeeded();
        assert_eq!(report.trace(), DEPLOYED);
        // By a BIOS the run's own partition stays behind, which only says that it is not needed.
        let [boot, system] = &world.drives[0].parts[..] else {
            panic!("two partitions")
        };
        let left: Vec<_> = boot.volume.tree.keys().map(String::as_str).collect();
        assert_eq!(left, stays);
        let traces: Vec<_> = system
            .volume
            .tree
            .keys()
            .filter(|path| path.contains("media-runtime"))
            .collect();
        assert!(traces.is_empty(), "{traces:?}");
        assert!(system.volume.bytes("etc/ssh/ssh_host_ed25519_key").is_some());
    }
}

#[test]
fn capture_existing_changes_nothing_of_the_machine() {
    let before = existing_to_share(MediaLayout::Iso);
    let (world, report) = run_to_end(before.clone());
    report.assert_succeeded();
    assert_eq!(
        report.trace(),
        [
            "Prepare the client: skipped",
            "Prepare the operating system: done",
            "Capture the operating system: done",
        ]
    );
    assert_eq!(world.drives, before.drives);
    let tree = outcome::captured(&world, "ref.wim").unwrap();
    assert!(tree.contains_key("home/user/work") && tree.contains_key("etc/fstab"));
    for gone in [
        "etc/ssh/ssh_host_ed25519_key",
        "tmp/junk",
        "var/log/syslog",
        "etc/hostname",
    ] {
        assert!(!tree.contains_key(gone), "{gone} was captured");
    }
}

#[test]
fn a_run_goes_on_when_the_media_is_not_first_in_the_boot_order() {
    for firmware in [Firmware::Uefi, Firmware::Bios] {
        let mut world = to_share(firmware, MediaLayout::Iso);
        world.media_first = false;
        let (_, report) = run_to_end(world);
        report.assert_succeeded();
        assert_eq!(report.starts, [Pe, Os, Os, Pe]);
    }
}
