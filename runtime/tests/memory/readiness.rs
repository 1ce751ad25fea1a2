//! A machine that does not suffice ends the sequence, with everything that is missing.

use media_format::manifest::MediaLayout;
use runtime::platform::hardware::{Adapter, Hardware};
use runtime::platform::smbios::{Battery, MemoryDevice, Processor, Smbios};
use runtime::platform::{Bus, Firmware};

use crate::driver::{Ended, run_to_end};
use crate::fixture::{MediaBuilder, capture_existing, deploy, installed, machine};
use crate::frames::{command, deploys_then, with_first};
use crate::runs::with_account;
use crate::world::{Drive, World};

const SEQUENCE: &str =
    "name = \"Ready\"\noperating-system = \"linux\"\n[[steps]]\ntype = \"check-readiness\"\n";

/// A laptop with 4 GB, a processor of two cores, and nothing but a wireless network.
fn laptop() -> Hardware {
    Hardware {
        memory: 3_900_000_000,
        threads: 4,
        adapters: vec![
            Adapter {
                name: "eth0".into(),
                ..Adapter::default()
            },
            Adapter {
                name: "wlan0".into(),
                up: true,
                wireless: true,
                ..Adapter::default()
            },
        ],
        on_battery: true,
        tpm: Some("1.2".into()),
        firmware: Smbios {
            processors: vec![Processor {
                cores: 2,
                max_speed: 2400,
                ..Processor::default()
            }],
            memory: vec![MemoryDevice {
                size: 4 << 30,
                ..MemoryDevice::default()
            }],
            batteries: vec![Battery::default()],
            ..Smbios::default()
        },
        ..Hardware::default()
    }
}

/// Why the laptop does not suffice; nothing when it does.
fn missing(settings: &str) -> Option<String> {
    let media = MediaBuilder::new(MediaLayout::Iso, &format!("{SEQUENCE}{settings}\n"));
    let mut world = machine(Firmware::Uefi, &media);
    world.hardware = Some(laptop());
    match run_to_end(world).1.ended {
        Ended::Over(reason) => reason,
        other => panic!("{settings}: {other:?}"),
    }
}

#[test]
fn a_machine_that_suffices_goes_on() {
    let enough = "memory = \"4 GB\"\nprocessor-cores = 2\nprocessor-speed = 2000\ndisk = \"1 GB\"\nfirmware = \"uefi\"\n\
                  network = \"any\"\ntpm = \"1.2\"\npower = false";
    assert_eq!(missing(enough), None);
}

/// A condition asks the same of the machine as this step.
#[test]
fn a_condition_on_memory_counts_what_the_firmware_keeps_for_itself_too() {
    for (memory, holds) in [("4 GB", true), ("4097 MB", false)] {
        let steps = command("touch /enough", &format!("when = {{ memory = \"{memory}\" }}"));
        let mut world = machine(Firmware::Uefi, &deploys_then(&steps));
        world.hardware = Some(laptop());
        let (world, report) = run_to_end(world);
        report.assert_succeeded();
        let made = world.drives[0].parts[1].volume.bytes("enough").is_some();
        assert_eq!(made, holds, "{memory}");
    }
}

#[test]
fn each_requirement_is_judged() {
    for (settings, expected) in [
        (
            "memory = \"8 GB\"",
            "8589934592 bytes of memory are needed, and it has 4294967296",
        ),
        (
            "processor-cores = 4",
            "4 processor cores are needed, and it has 2",
        ),
        ("processor-speed = 3000", "3000 MHz are needed, and it has 2400"),
        ("disk = \"4 TB\"", "bytes on its disk are needed"),
        (
            "firmware = \"bios\"",
            "it was started by uefi, and bios is needed",
        ),
        ("power = true", "it runs on its battery"),
        ("network = \"wired\"", "a network connection by wire is needed"),
        ("tpm = \"2.0\"", "a TPM 2.0 is needed, and it has 1.2"),
    ] {
        let reason = missing(settings).unwrap_or_else(|| panic!("{settings} is not judged"));
        assert!(reason.contains(expected), "{settings}: {reason}");
    }
}

#[test]
fn everything_that_is_missing_is_said_at_once() {
    let reason = missing("memory = \"8 GB\"\ntpm = \"2.0\"").unwrap_or_default();
    assert!(reason.contains("memory") && reason.contains("TPM"), "{reason}");
}

fn free_space(size: &str) -> String {
    format!("[[steps]]\ntype = \"check-readiness\"\nfree-space = \"{size}\"\n")
}

/// The run succeeds where there is enough, and else ends for want of room.
#[track_caller]
fn room_is_judged(world: World, enough: bool) {
    match run_to_end(world).1.ended {
        Ended::Over(None) => assert!(enough, "it was not judged"),
        Ended::Over(Some(reason)) => {
            let said = reason.contains("free bytes on the system's volume");
            assert!(!enough && said, "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

/// Inside the system that was built; its volume has less than that.
#[test]
fn the_room_on_the_systems_volume_is_judged() {
    for (size, enough) in [("1 MB", true), ("100 TB", false)] {
        let media = deploys_then(&free_space(size));
        room_is_judged(machine(Firmware::Uefi, &media), enough);
    }
}

/// Not of another one, however large that is.
#[test]
fn the_disk_that_the_sequence_works_on_is_judged() {
    let check = |size: &str| format!("[[steps]]\ntype = \"check-readiness\"\ndisk = \"{size}\"\n");
    let judged = |sequence: &str, size: &str, installed_there: bool| {
        let media = with_account(MediaLayout::Iso, &with_first(sequence, &check(size)));
        let mut world = if installed_there {
            installed(&media)
        } else {
            machine(Firmware::Uefi, &media)
        };
        world.drives.insert(1, Drive::empty("vdb", 64 << 30, Bus::Virtio));
        run_to_end(world).1.ended
    };
    let builds = deploy().replace("disk = { only = true }", "disk = { number = 0 }");
    let captures = capture_existing(r"\\server\captures\ref.wim");
    for (sequence, installed_there) in [(builds, false), (captures, true)] {
        assert_eq!(judged(&sequence, "8 GB", installed_there), Ended::Over(None));
        match judged(&sequence, "9 GB", installed_there) {
            Ended::Over(Some(reason)) => assert!(reason.contains("bytes on its disk"), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_room_on_the_volume_of_a_system_that_is_there_is_judged() {
    let captures = capture_existing(r"\\server\captures\ref.wim");
    for (size, enough) in [("1 GB", true), ("100 GB", false)] {
        let media = with_account(MediaLayout::Iso, &with_first(&captures, &free_space(size)));
        room_is_judged(installed(&media), enough);
    }
}

#[test]
fn the_room_of_a_system_that_is_still_to_be_made_is_not_judged() {
    let sequence = with_first(&deploy(), &free_space("100 TB"));
    let media = MediaBuilder::new(MediaLayout::Iso, &sequence);
    let (_, report) = run_to_end(machine(Firmware::Uefi, &media));
    report.assert_succeeded();
    assert!(
        report.log.contains("`free-space` is not judged"),
        "{}",
        report.log
    );
}
