//! Between a power cut and the next start the disks get each other's names.

use media_format::manifest::MediaLayout;
use runtime::platform::{Bus, Firmware};

use crate::driver::{Ended, run_to_cut, run_to_end};
use crate::fixture::{MediaBuilder, build_and_capture_to_disk, deploy, machine};
use crate::frames::{erasing, with_first};
use crate::world::{Drive, Volume, World, file};

/// The target and a disk that somebody uses, by default with the same serial number and the same size.
fn two_disks(rule: &str, edit: impl Fn(&mut Drive)) -> World {
    let text = erasing(&deploy()).replace("disk = { only = true }", &format!("disk = {rule}"));
    let mut world = machine(Firmware::Uefi, &MediaBuilder::new(MediaLayout::Iso, &text));
    let size = world.drives[0].size;
    let photos = Volume::new("ext4", 1 << 30);
    let mut other = Drive::empty("vdb", size, Bus::Virtio).with("photos", photos);
    other.serial.clone_from(&world.drives[0].serial);
    edit(&mut other);
    world.drives.insert(1, other);
    world
}

fn renumber(world: &mut World) {
    exchange(world, 0, 1);
}

fn exchange(world: &mut World, one: usize, other: usize) {
    let (first, second) = (world.drives[one].path.clone(), world.drives[other].path.clone());
    world.drives[one].path = second;
    world.drives[other].path = first;
    world.drives.swap(one, other);
}

/// Cuts the power at every operation from the first that changes the disk to the last of the run, and exchanges the disks' names:
/// none but the target is changed. Gives the reasons of the runs that stopped.
fn renumbered_everywhere(begin: &World) -> Vec<String> {
    let (done, report) = run_to_end(begin.clone());
    report.assert_succeeded();
    let mut operations = done.operations.iter();
    let last = operations.position(|name| name.starts_with("remove media-runtime of "));
    assert_eq!(done.operations[0], "erase table");
    let mut stops = Vec::new();
    for cut in 2..=last.unwrap() {
        let mut world = begin.clone();
        world.cuts.insert(cut);
        let operation = &done.operations[cut - 1];
        let (mut off, report) = run_to_cut(world);
        assert_eq!(report.ended, Ended::Off, "{operation}");
        renumber(&mut off);
        let (after, report) = run_to_end(off);
        let mut other = begin.drives[1].clone();
        other.path.clone_from(&begin.drives[0].path);
        assert!(
            after.drives[0] == other,
            "cut {cut} ({operation}) changed another disk"
        );
        match report.ended {
            Ended::Over(None) => {}
            Ended::Over(Some(reason)) | Ended::Refused(reason) => {
                stops.push(format!("{operation}: {reason}"));
            }
            other => panic!("{operation}: {other:?}"),
        }
    }
    stops
}

#[test]
fn a_run_goes_on_with_its_disk_whatever_that_is_called_now() {
    let larger = |drive: &mut Drive| drive.size *= 2;
    let other_serial = |drive: &mut Drive| drive.serial = "OTHER".into();
    for world in [
        two_disks("{ max-size = \"10 GB\" }", larger),
        two_disks("{ serial = \"SERIAL-vda\" }", other_serial),
    ] {
        assert_eq!(renumbered_everywhere(&world), [""; 0]);
    }
}

/// Until the journal lies on the disk only its table says that a run has begun there.
#[test]
fn a_number_that_means_another_disk_by_now_stops_a_run_that_has_begun() {
    let stops = renumbered_everywhere(&two_disks("{ number = 0 }", |_| {}));
    assert!(stops.len() > 10, "{stops:#?}");
    for stop in &stops {
        assert!(
            stop.contains("/dev/vda") && stop.contains("was not touched"),
            "{stop}"
        );
    }
    assert!(
        stops[0].starts_with("write table: before anything was changed: "),
        "{}",
        stops[0]
    );
}

/// Captures to one of two disks that could take the image; the other one has somebody's image of that name.
fn two_destinations(text: &str) -> World {
    let text = text.replace("disk = { only = true }", "disk = { number = 0 }");
    let mut world = machine(Firmware::Uefi, &MediaBuilder::new(MediaLayout::Iso, &text));
    for (at, name, id) in [(1, "vdb", "archive"), (2, "vdc", "photos")] {
        let drive = Drive::empty(name, 8 << 30, Bus::Virtio);
        world
            .drives
            .insert(at, drive.with(id, Volume::new("ext4", 1 << 30)));
        world.drives[at].serial.clear();
    }
    world.drives[2].parts[0].volume.put("ref.wim", file("somebody's"));
    world
}

/// Whatever was captured before, the other disk stays as it is, and the run goes on when the disks have their numbers again.
#[track_caller]
fn exchanged_is_refused(mut stopped: World) {
    let untouched = stopped.drives[2].parts.clone();
    exchange(&mut stopped, 1, 2);
    let (mut failed, report) = run_to_end(stopped);
    for named in [
        "disk, number 1",
        "partition photos of /dev/vdb",
        "was partition archive of /dev/vdb",
    ] {
        assert!(report.reason().contains(named), "{named}: {}", report.reason());
    }
    assert_eq!(failed.drives[1].parts, untouched);
    exchange(&mut failed, 1, 2);
    let (done, report) = run_to_end(failed);
    report.assert_succeeded();
    assert!(done.drives[1].parts[0].volume.bytes("ref.wim").is_some());
}

#[test]
fn a_destination_whose_number_means_another_disk_by_now_is_not_written_to() {
    let mut world = two_destinations(&build_and_capture_to_disk("{ number = 1 }"));
    let (done, report) = run_to_end(world.clone());
    report.assert_succeeded();
    let mut operations = done.operations.iter();
    let leaves = operations.position(|name| name == "choose next start");
    world.cuts.insert(leaves.unwrap() + 1);
    exchanged_is_refused(run_to_cut(world).0);
}

/// Which disk it is only a step says, so nothing is known of it before the capture.
#[test]
fn a_destination_that_only_the_run_finds_is_the_same_after_a_restart() {
    let sets = "[[steps]]\ntype = \"set-variables\"\nvariables = { Archive = \"1\" }\n\n";
    let text = build_and_capture_to_disk("{ variable = \"Archive\" }");
    let mut world = two_destinations(&with_first(&text, sets));
    let (done, report) = run_to_end(world.clone());
    report.assert_succeeded();
    let mut operations = done.operations.iter();
    let renames = operations.position(|name| name.starts_with("rename "));
    world.faults.insert(renames.unwrap() + 1);
    let (failed, report) = run_to_end(world);
    assert!(
        report.reason().contains("renaming the finished image"),
        "{}",
        report.reason()
    );
    exchanged_is_refused(failed);
}
