//! The power fails at every operation of a run, once and twice; the machine is switched on again and the end is
//! the same.

use std::collections::BTreeMap;

use media_format::manifest::MediaLayout;
use runtime::platform::Firmware;

use crate::driver::{Ended, run_to_end};
use crate::fixture::{MediaBuilder, deploy, machine};
use crate::outcome;
use crate::runs::{existing_to_share, to_share};
use crate::world::{Drive, World};

/// Disks that no run may change: the media, and every disk but the target.
fn others(world: &World) -> Vec<Drive> {
    world.drives[1..].to_vec()
}

/// Runs without a cut, then with one at every operation; gives the reasons of the runs that stopped, with how often.
fn cut_everywhere(begin: &World) -> BTreeMap<String, usize> {
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

#[test]
fn build_and_capture_survives_a_cut_at_every_operation() {
    let stops = cut_everywhere(&to_share(Firmware::Uefi, MediaLayout::Iso));
    assert_eq!(stops, BTreeMap::new());
    let stops = cut_everywhere(&to_share(Firmware::Bios, MediaLayout::Iso));
    assert_eq!(stops, BTreeMap::new());
}

#[test]
fn deploy_survives_a_cut_at_every_operation() {
    let world = machine(Firmware::Uefi, &MediaBuilder::new(MediaLayout::Iso, &deploy()));
    assert_eq!(cut_everywhere(&world), BTreeMap::new());
}

#[test]
fn capture_existing_survives_a_cut_at_every_operation() {
    let world = existing_to_share(MediaLayout::Iso);
    let target = world.drives[0].clone();
    let (done, _) = run_to_end(world.clone());
    assert_eq!(done.drives[0], target);
    assert_eq!(cut_everywhere(&world), BTreeMap::new());
}
