//! Captures that fail: what they leave, and whether their run is kept.

use media_format::manifest::MediaLayout;
use runtime::platform::Firmware;

use crate::driver::{Answers, Report, run_to_end, run_to_system, run_with};
use crate::fixture::{SHARE, build_and_capture, machine, reference};
use crate::images::{Image, Wim};
use crate::outcome::captured;
use crate::runs::{existing_to_share, to_share, with_account};
use crate::world::{World, file};

#[test]
fn a_capture_that_runs_out_of_room_keeps_the_older_image() {
    let mut world = to_share(Firmware::Uefi, MediaLayout::Iso);
    let older = Wim {
        images: vec![Image::new("older", &reference())],
    }
    .to_bytes();
    let share = &mut world.shares.get_mut(SHARE).unwrap().volume;
    share.put("ref.wim", file(older.clone()));
    leave_no_room(&mut world);
    let (world, report) = run_to_end(world);
    assert!(report.reason().contains("no space left"), "{}", report.reason());
    let share = &world.shares[SHARE].volume;
    assert_eq!(share.bytes("ref.wim"), Some(&older));
    let left: Vec<_> = share
        .tree
        .keys()
        .filter(|path| !path.starts_with("logs"))
        .collect();
    assert_eq!(left, ["ref.wim"]);
}

/// What fills the destination while the machine is built is found before the capture begins.
#[test]
fn a_capture_without_room_for_what_the_build_became_does_not_begin() {
    let (mut world, _) = run_to_system(to_share(Firmware::Uefi, MediaLayout::Iso));
    let system = &mut world.drives[0].parts[1].volume;
    system.put("home/large", file(vec![7; 100_000]));
    let share = &mut world.shares.get_mut(SHARE).unwrap().volume;
    share.capacity = share.used() + 5000;
    let (world, report) = run_to_end(world);
    assert!(report.reason().contains("5000 bytes free"), "{}", report.reason());
    let is_capture = |name: &String| name.starts_with("capture to");
    assert!(!world.operations.iter().any(is_capture));
    let (_, report) = with_room(world);
    report.assert_succeeded();
}

/// Whatever fails at the end: an image has its own digest beside it, or none.
#[test]
fn no_image_lies_beside_the_digest_of_another_one() {
    let begin = existing_to_share(MediaLayout::Iso);
    let (done, _) = run_to_end(begin.clone());
    let share = &done.shares[SHARE].volume;
    let (image, digest) = (share.bytes("ref.wim"), share.bytes("ref.wim.sha256"));
    let mut before = begin;
    let old = &mut before.shares.get_mut(SHARE).unwrap().volume;
    old.put("ref.wim", file("older"));
    old.put("ref.wim.sha256", file("older digest"));
    let (done, _) = run_to_end(before.clone());
    let renamed = |name: &String| name.starts_with("rename ") && name.ends_with("ref.wim.partial");
    let at = done.operations.iter().position(renamed).expect("a new image") + 1;
    for fault in at - 1..=at + 1 {
        let mut world = before.clone();
        world.faults.insert(fault);
        let (world, report) = run_to_end(world);
        let operation = &done.operations[fault - 1];
        assert!(report.reason().contains("input/output error"), "{operation}");
        let share = &world.shares[SHARE].volume;
        let is_new = share.bytes("ref.wim") == image;
        assert_eq!(is_new, fault > at, "{operation}");
        let own = if is_new {
            digest
        } else {
            before.shares[SHARE].volume.bytes("ref.wim.sha256")
        };
        let beside = share.bytes("ref.wim.sha256");
        assert!(beside.is_none() || beside == own, "{operation}");
    }
}

/// The share has room for an image as large as the one that is applied: preflight cannot know that the system grows.
fn leave_no_room(world: &mut World) {
    let share = &mut world.shares.get_mut(SHARE).unwrap().volume;
    let image = Image::new("as large", &reference());
    share.capacity = share.used() + Wim { images: vec![image] }.to_bytes().len() as u64 + 100;
}

/// A built machine whose capture has failed so often, for want of room at the destination.
fn without_room(times: usize) -> (World, Report) {
    let mut world = to_share(Firmware::Uefi, MediaLayout::Iso);
    leave_no_room(&mut world);
    let mut ended = run_to_end(world);
    for _ in 1..times {
        ended = run_to_end(ended.0);
    }
    assert!(ended.1.reason().contains("no space left"), "{}", ended.1.reason());
    ended
}

fn make_room(world: &mut World) {
    world.shares.get_mut(SHARE).unwrap().volume.capacity = 1 << 30;
}

fn with_room(mut world: World) -> (World, Report) {
    make_room(&mut world);
    run_to_end(world)
}

/// A machine whose run captures to the share, by the template after that change.
fn captures_after(edit: impl Fn(String) -> String) -> World {
    let sequence = build_and_capture(r"\\server\captures\ref.wim");
    let edited = edit(sequence.clone());
    assert_ne!(edited, sequence);
    machine(Firmware::Uefi, &with_account(MediaLayout::Iso, &edited))
}

#[track_caller]
fn assert_kept(report: &Report) {
    let kept = report.reason().contains("goes on with the step that failed");
    assert!(kept, "{}", report.reason());
}

/// Not only captured: built from the beginning.
#[track_caller]
fn assert_built_anew(report: &Report) {
    report.assert_succeeded();
    let partitioned = report.trace().contains(&"Partition the disk: done".to_owned());
    assert!(partitioned, "{:?}", report.trace());
}

#[test]
fn a_build_whose_capture_fails_is_kept_and_captured_when_the_cause_is_gone() {
    let (world, report) = without_room(1);
    assert_kept(&report);
    let (world, report) = with_room(world);
    report.assert_succeeded();
    assert_eq!(report.trace(), ["Capture the operating system: done"]);
    assert!(captured(&world, "ref.wim").is_some());
    let (_, report) = without_room(2);
    assert!(
        report.reason().contains("kept for one more try"),
        "{}",
        report.reason()
    );
}

#[test]
fn media_that_were_corrected_after_a_failed_capture_build_anew() {
    let (mut world, _) = without_room(1);
    world.drives[1] = captures_after(|text| text.replace("ref.wim", "other.wim")).drives[1].clone();
    let (world, report) = with_room(world);
    assert_built_anew(&report);
    assert!(report.log.contains("is given up"), "{}", report.log);
    assert!(captured(&world, "other.wim").is_some());
}

#[test]
fn a_capture_that_is_not_to_be_repeated_after_a_cut_is_after_a_failure() {
    let capture = "type = \"capture-operating-system-image\"";
    let mut world =
        captures_after(|text| text.replace(capture, &format!("{capture}\n  after-cut = \"stop\"")));
    leave_no_room(&mut world);
    let (world, report) = run_to_end(world);
    assert_kept(&report);
    with_room(world).1.assert_succeeded();
}

/// Who has ended it at the machine has done with it.
#[test]
fn a_run_that_somebody_ends_at_its_capture_is_not_kept() {
    let debugged = "[variables]\nTSDebugMode = \"TRUE\"\n";
    let begin = captures_after(|text| text.replacen("[variables]\n", debugged, 1));
    let mut without_room = begin.clone();
    leave_no_room(&mut without_room);
    let (mut kept, report) = run_to_end(without_room);
    assert_kept(&report);
    make_room(&mut kept);
    let at_capture = Answers(|question| {
        let ends = question.contains("next is step \"Capture the operating system\"");
        Some(if ends { "q" } else { "" }.into())
    });
    // At its first try, and where it has failed before.
    for world in [begin, kept] {
        let (world, report) = run_with(world, &at_capture);
        assert!(
            report
                .reason()
                .ends_with("it was ended by the person at the machine"),
            "{}",
            report.reason()
        );
        assert_built_anew(&run_to_end(world).1);
    }
}

#[test]
fn a_capture_that_fails_again_and_again_does_not_keep_the_media_from_building() {
    let (world, report) = without_room(3);
    assert!(!report.reason().contains("is kept"), "{}", report.reason());
    assert_built_anew(&with_room(world).1);
}
