//! The power fails at every operation of a run, once and twice; the machine is switched on again and the end is
//! the same.

use std::collections::BTreeMap;

use media_format::manifest::MediaLayout;
use runtime::platform::Firmware;

use crate::driver::{Ended, run_to_end};
use crate::fixture::{MediaBuilder, deploy, machine};
use crate::frames::deploys_then;
use crate::outcome;
use crate::runs::{existing_to_share, to_disk, to_share, to_stick};
use crate::world::{Drive, World};

/// Disks that no run may change: the media, and every disk but the target.
fn others(world: &World) -> Vec<Drive> {
    let mut others = world.drives[1..].to_vec();
    for part in others.iter_mut().flat_map(|drive| &mut drive.parts) {
        // The log is copied to a stick; the captured image goes where the sequence says.
        let written = |path: &str| {
            path.starts_with("logs") || path.starts_with("captures") || path.starts_with("ref.wim")
        };
        part.volume.tree.retain(|path, _| !written(path));
    }
    others
}

/// The boot state is gone, so the run is complete, and what is left to remove is inert: the machine starts its
/// system, or the media begins a new run and refuses the disk.
fn is_after_the_end(operation: &str, ended: &Ended) -> bool {
    let last = [
        "remove media-runtime of ",
        "remove boot/grub/custom.cfg of ",
        "remove etc/systemd/system/",
        "remove var/lib/media-runtime",
        // Where /boot and /var are volumes of their own.
        "remove grub/custom.cfg of ",
        "remove lib/media-runtime",
    ];
    let refused = matches!(ended, Ended::Over(Some(reason)) if reason.contains("is not empty"));
    last.iter().any(|start| operation.starts_with(start)) && (refused || *ended == Ended::Idle)
}

/// Runs without a cut, then with one at every operation; gives the reasons of the runs that stopped, with how often.
pub(crate) fn cut_everywhere(begin: &World) -> BTreeMap<String, usize> {
    let (done, report) = run_to_end(begin.clone());
    report.assert_succeeded();
    let expected = outcome::of(&done);
    let mut stops = BTreeMap::new();
    for cut in 1..=done.operations.len() {
        let mut world = begin.clone();
        world.cuts.insert(cut);
        let operation = &done.operations[cut - 1];
        let (world, report) = run_to_end(world);
        assert_eq!(
            others(&world),
            others(begin),
            "cut {cut} ({operation}) changed another disk"
        );
        match &report.ended {
            Ended::Over(None) => {
                let differences = outcome::of(&world).differences(&expected);
                if !differences.is_empty() {
                    *stops
                        .entry(format!("{operation}: differs: {differences:?}"))
                        .or_default() += 1;
                }
            }
            ended if is_after_the_end(operation, ended) => {
                assert_eq!(outcome::of(&world).captured, expected.captured);
            }
            Ended::Over(Some(reason)) | Ended::Refused(reason) => {
                *stops.entry(format!("{operation}: {reason}")).or_default() += 1;
            }
            other => {
                let differences = outcome::of(&world).differences(&expected);
                *stops
                    .entry(format!("{operation}: {other:?} {differences:?}"))
                    .or_default() += 1;
            }
        }
    }
    stops
}

/// Two cuts: the second one in what follows the first.
pub(crate) fn cut_twice(begin: &World, step: usize) {
    let (done, _) = run_to_end(begin.clone());
    let expected = outcome::of(&done);
    let count = done.operations.len();
    for (turn, first) in (1..=count).step_by(step).enumerate() {
        let second = first + 1 + turn * 13 % count;
        let mut world = begin.clone();
        world.cuts.extend([first, second]);
        let (world, report) = run_to_end(world);
        if is_after_the_end(world.last_cut(), &report.ended) {
            continue;
        }
        assert_eq!(
            report.ended,
            Ended::Over(None),
            "cuts {first} and {second}\n{}",
            report.log
        );
        let differences = outcome::of(&world).differences(&expected);
        assert!(
            differences.is_empty(),
            "cuts {first} and {second}: {differences:?}"
        );
        assert!(
            others(&world) == others(begin),
            "cuts {first} and {second} changed another disk"
        );
    }
}

#[test]
fn two_cuts_end_the_same() {
    cut_twice(&to_share(Firmware::Uefi, MediaLayout::Usb), 3);
    cut_twice(&to_share(Firmware::Bios, MediaLayout::Iso), 5);
}

#[test]
fn build_and_capture_survives_a_cut_at_every_operation() {
    let stops = cut_everywhere(&to_share(Firmware::Uefi, MediaLayout::Iso));
    assert_eq!(stops, BTreeMap::new());
    let stops = cut_everywhere(&to_share(Firmware::Bios, MediaLayout::Iso));
    assert_eq!(stops, BTreeMap::new());
}

#[test]
fn a_capture_to_a_second_disk_or_onto_the_stick_survives_a_cut_at_every_operation() {
    assert_eq!(
        cut_everywhere(&to_disk(Firmware::Bios, "{ number = 1 }")),
        BTreeMap::new()
    );
    // Here the disk that the run works on, once it has volumes too, must not be taken for the destination.
    assert_eq!(
        cut_everywhere(&to_disk(Firmware::Uefi, "{ only = true }")),
        BTreeMap::new()
    );
    assert_eq!(cut_everywhere(&to_stick()), BTreeMap::new());
}

#[test]
fn a_cut_is_survived_too_when_the_media_is_not_first_in_the_boot_order() {
    for firmware in [Firmware::Uefi, Firmware::Bios] {
        let mut world = to_share(firmware, MediaLayout::Iso);
        world.media_first = false;
        assert_eq!(cut_everywhere(&world), BTreeMap::new());
    }
}

#[test]
fn deploy_survives_a_cut_at_every_operation() {
    let world = machine(Firmware::Uefi, &MediaBuilder::new(MediaLayout::Iso, &deploy()));
    assert_eq!(cut_everywhere(&world), BTreeMap::new());
}

#[test]
fn a_command_stops_the_run_exactly_where_it_may_have_begun() {
    let step = "[[steps]]\ntype = \"run-command-line\"\nname = \"Count\"\ncommand = \"append /count\"\n";
    let media = deploys_then(step);
    let stops = cut_everywhere(&machine(Firmware::Uefi, &media));
    let operations: Vec<_> = stops
        .keys()
        .filter_map(|stop| stop.split(": ").next())
        // In memory, between the record of the beginning and that of the end as the command is.
        .filter(|operation| !operation.ends_with("/run/media-runtime/variables"))
        .collect();
    // The command itself, and the journal's record of its end.
    let [first, second] = operations[..] else {
        panic!("{stops:#?}")
    };
    assert_eq!(first, "program writes /count");
    assert!(
        second.starts_with("write at") && second.ends_with("journal"),
        "{second}"
    );
    assert!(
        stops.keys().all(|stop| stop.contains("step \"Count\" was cut")),
        "{stops:#?}"
    );
    assert!(stops.values().all(|times| *times == 1), "{stops:#?}");
}

#[test]
fn capture_existing_survives_a_cut_at_every_operation() {
    let world = existing_to_share(MediaLayout::Iso);
    let target = world.drives[0].clone();
    let (done, _) = run_to_end(world.clone());
    assert_eq!(done.drives[0], target);
    assert_eq!(cut_everywhere(&world), BTreeMap::new());
}
