//! Between a power cut and the next start the disks get each other's names.

use media_format::manifest::MediaLayout;
use runtime::platform::{Bus, Firmware};

use crate::driver::{Ended, run_to_cut, run_to_end};
use crate::fixture::{MediaBuilder, deploy, machine};
use crate::frames::erasing;
use crate::world::{Drive, Volume, World};

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
    let (first, second) = (world.drives[0].path.clone(), world.drives[1].path.clone());
    world.drives[0].path = second;
    world.drives[1].path = first;
    world.drives.swap(0, 1);
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
