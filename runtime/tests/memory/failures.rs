//! Steps that fail: what is said, what goes on, what is left.

use media_format::event::Event;
use media_format::manifest::MediaLayout;
use media_format::paths;
use runtime::platform::Firmware;

use crate::driver::{Ended, Report, run_to_cut, run_to_end};
use crate::fixture::{MEDIA, MediaBuilder, SHARE, deploy, machine};
use crate::frames::{self, deploy_then, deploys_then, with_first, with_late};
use crate::images::{Image, Wim};
use crate::runs::to_share;
use crate::world::{Drive, Node, World, file};

/// A deployment with further steps, inside the installed system.
fn with_steps(steps: &str) -> (World, Report) {
    let media = deploys_then(steps);
    run_to_end(machine(Firmware::Uefi, &media))
}

fn command(name: &str, line: &str, more: &str) -> String {
    frames::command(line, &format!("name = \"{name}\"\n{more}"))
}

#[test]
fn a_failure_is_told_with_its_step_reason_and_code() {
    let (world, report) = with_steps(&command("Break it", "exit 1603", ""));
    let said = "step \"Break it\" failed with 1603 (0x00000643)";
    assert!(report.reason().contains(said), "{}", report.reason());
    assert!(report.log.contains(said) && report.log.contains("type=\"3\""));
    let Some(Event::Ended {
        succeeded: false,
        reason: Some(reason),
        log: Some(_),
        ..
    }) = report.events.last()
    else {
        panic!("{:?}", report.events.last())
    };
    assert!(reason.contains(said));
    let ended = report
        .events
        .iter()
        .any(|event| matches!(event, Event::StepEnded { code: 1603, .. }));
    assert!(ended);
    // The next start of the media begins anew: nothing leads back into this run.
    assert!(
        world.drives[0].parts[0]
            .volume
            .bytes(&paths::state(MEDIA))
            .is_none()
    );
}

/// The step is named before the disks are waited for, and it does not go on as if they had what it wrote.
#[test]
fn a_step_that_a_disk_holds_up_is_named_although_the_disk_does_not_answer() {
    for more in ["", "continue-on-error = true"] {
        let steps = command("Format it", "hang", more) + &command("Next", "touch /next", "");
        let (world, report) = with_steps(&steps);
        let said = "step \"Format it\" failed with";
        let reason = report.reason();
        for part in [
            said,
            "hang may still run and write",
            "and waiting until the disks have",
        ] {
            assert!(reason.contains(part), "{part}: {reason}");
        }
        assert!(report.trace().contains(&"Format it: failed".to_owned()), "{more}");
        let told = report.log.find(said).expect("in the log");
        assert!(told < report.log.find("waiting until the disks").expect("too"));
        assert!(world.drives[0].parts[1].volume.bytes("next").is_none());
    }
}

#[test]
fn a_step_or_a_group_that_may_fail_does_not_end_the_run() {
    let steps = command("May fail", "exit 5", "continue-on-error = true")
        + "[[steps]]\ngroup = \"May fail too\"\ncontinue-on-error = true\n"
        + &command("Fails", "exit 6", "").replace("[[steps]]", "[[steps.steps]]")
        + &command("Passed over", "touch /never", "").replace("[[steps]]", "[[steps.steps]]")
        + &command("Last", "touch /last", "");
    let (world, report) = with_steps(&steps);
    report.assert_succeeded();
    let trace = report.trace();
    assert_eq!(
        trace[trace.len() - 3..],
        ["May fail: failed", "Fails: failed", "Last: done"]
    );
    let system = &world.drives[0].parts[1].volume;
    assert!(system.bytes("last").is_some() && system.bytes("never").is_none());
}

/// A file of a Linux carries no version.
#[test]
fn a_condition_that_cannot_be_evaluated_counts_as_a_failure() {
    let when = "when = { file = \"/etc/hostname\", version = \"1.0\" }";
    let steps = |more: &str| {
        command("Undecided", "touch /undecided", &format!("{when}\n{more}"))
            + &command("Last", "touch /last", "")
    };
    let (world, report) = with_steps(&steps("continue-on-error = true"));
    report.assert_succeeded();
    let trace = report.trace();
    assert_eq!(trace[trace.len() - 2..], ["Undecided: failed", "Last: done"]);
    assert!(
        report.log.contains("the file carries no version"),
        "{}",
        report.log
    );
    let system = &world.drives[0].parts[1].volume;
    assert!(system.bytes("last").is_some() && system.bytes("undecided").is_none());

    let (world, report) = with_steps(&steps(""));
    let reason = report.reason();
    for part in [
        "step \"Undecided\"",
        "/etc/hostname",
        "the file carries no version",
    ] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    assert!(world.drives[0].parts[1].volume.bytes("last").is_none());
}

#[test]
fn a_step_is_tried_as_often_as_it_says() {
    let retry = |count: u32| format!("retry = {{ count = {count}, delay = \"1s\" }}");
    let (world, report) = with_steps(&command("Flaky", "fail-times flaky 2 7", &retry(2)));
    report.assert_succeeded();
    assert_eq!(world.counters["flaky"], 3);
    let (world, report) = with_steps(&command("Flaky", "fail-times flaky 2 7", &retry(1)));
    assert!(report.reason().contains("failed with 7 (0x00000007)"));
    assert_eq!(world.counters["flaky"], 2);
}

#[test]
fn a_command_that_was_cut_is_not_repeated_unless_it_says_so() {
    for (more, repeats) in [("", false), ("after-cut = \"repeat\"", true)] {
        let steps = command("Count", "append /count", more);
        let media = deploys_then(&steps);
        let mut world = machine(Firmware::Uefi, &media);
        let (done, _) = run_to_end(world.clone());
        let cut = done
            .operations
            .iter()
            .position(|name| name == "program writes /count")
            .unwrap()
            + 1;
        world.cuts.insert(cut);
        let (_, report) = run_to_end(world);
        if repeats {
            report.assert_succeeded();
        } else {
            assert!(
                report.reason().contains("\"Count\" was cut"),
                "{}",
                report.reason()
            );
        }
    }
}

#[test]
fn a_system_that_never_starts_ends_the_run_after_some_restarts() {
    let mut world = to_share(Firmware::Uefi, MediaLayout::Iso);
    world.system_hangs = true;
    let (_, report) = run_to_end(world);
    assert!(
        report.reason().contains("came back in the boot image"),
        "{}",
        report.reason()
    );
    assert!(report.starts.len() < 12, "{}", report.starts.len());
}

#[test]
fn an_input_output_error_anywhere_is_told_and_harms_no_other_disk() {
    let begin = to_share(Firmware::Uefi, MediaLayout::Iso);
    let (done, _) = run_to_end(begin.clone());
    for fault in 1..=done.operations.len() {
        let mut world = begin.clone();
        world.faults.insert(fault);
        let (after, report) = run_to_end(world);
        let operation = &done.operations[fault - 1];
        match &report.ended {
            Ended::Over(Some(reason)) | Ended::Refused(reason) => {
                assert!(reason.contains("input/output error"), "{operation}: {reason}");
            }
            // A second try, a log or a view that is not vital.
            Ended::Over(None) => assert!(!operation.starts_with("write at"), "{operation}"),
            other => panic!("{operation}: {other:?}"),
        }
        assert_eq!(after.drives[1..], begin.drives[1..], "{operation}");
    }
}

/// The machine, cut at that operation, with a journal that nothing can be read from.
fn with_damaged_journal(operation: &str) -> World {
    let world = to_share(Firmware::Uefi, MediaLayout::Iso);
    let (done, _) = run_to_end(world.clone());
    let at = done.operations.iter().position(|name| name.contains(operation));
    let mut cut = world;
    cut.cuts.insert(at.unwrap() + 1);
    let (mut off, report) = run_to_cut(cut);
    assert_eq!(report.ended, Ended::Off);
    let boot = &mut off.drives[0].parts[0].volume;
    let Some(Node::File(bytes, _)) = boot.tree.get_mut(paths::JOURNAL) else {
        panic!("no journal")
    };
    *bytes = bytes.iter().map(|byte| byte ^ 0x55).collect::<Vec<u8>>().into();
    off
}

#[test]
fn a_damaged_journal_stops_the_run_and_the_next_start_begins_anew() {
    let (world, report) = run_to_end(with_damaged_journal("/opt-tool"));
    assert!(
        report.reason().contains("both copies of the run's journal"),
        "{}",
        report.reason()
    );
    assert!(report.reason().contains("start the machine from the media"));
    let (_, report) = run_to_end(world);
    report.assert_succeeded();
    let (_, report) = run_to_end(with_damaged_journal("capture to"));
    report.assert_succeeded();
    assert!(
        report.log.contains("the journal of an earlier run is damaged"),
        "{}",
        report.log
    );
}

#[test]
fn grubs_own_custom_file_of_a_reference_stays_as_it_was() {
    const CUSTOM: &str = "boot/grub/custom.cfg";
    const USERS: &[u8] = b"set timeout=3\n";
    let mut tree = crate::fixture::reference();
    tree.insert("boot/grub".into(), Node::Folder);
    tree.insert(CUSTOM.into(), file(USERS));
    let media = |sequence: &str| {
        let mut media = crate::runs::with_account(MediaLayout::Iso, sequence);
        let wim = Wim {
            images: vec![Image::new("Debian", &tree)],
        };
        media.put_image("reference", &wim.to_bytes());
        machine(Firmware::Uefi, &media)
    };
    let (world, report) = run_to_end(media(&deploy()));
    report.assert_succeeded();
    let left = world.drives[0].parts[1].volume.bytes(CUSTOM);
    assert_eq!(left.map(Vec::as_slice), Some(USERS));
    let sequence = crate::fixture::build_and_capture(r"\\server\captures\ref.wim");
    let mut begin = media(&sequence);
    // The system's own GRUB has to lead to the boot image.
    begin.media_first = false;
    let (world, report) = run_to_end(begin);
    report.assert_succeeded();
    let captured = crate::outcome::captured(&world, "ref.wim").unwrap();
    assert!(matches!(captured.get(CUSTOM), Some(Node::File(bytes, _)) if bytes.as_slice() == USERS));
}

#[test]
fn a_connected_folder_is_where_the_step_says_also_when_the_capture_uses_the_share() {
    let connect = "[[steps]]\ntype = \"connect-to-network-folder\"\npath = '\\\\server\\captures'\nat = \"Z:\"\n\
                   account = \"capturer\"\npassword = \"%OSDCaptureAccountPassword%\"\n";
    let sequence = crate::fixture::build_and_capture(r"\\server\captures\ref.wim");
    let write = command("Write", "touch /mnt/Z/there", "");
    let sequence = with_first(&sequence, &format!("{connect}{write}"));
    let media = crate::runs::with_account(MediaLayout::Iso, &sequence);
    let (world, report) = run_to_end(machine(Firmware::Uefi, &media));
    report.assert_succeeded();
    assert!(world.shares[SHARE].volume.bytes("there").is_some());
    assert!(world.shares[SHARE].volume.bytes("ref.wim").is_some());
}

fn place_of_log(report: &Report) -> &str {
    let mut places = report.events.iter().filter_map(|event| match event {
        Event::Ended { log, .. } => log.as_deref(),
        _ => None,
    });
    places.next_back().expect("an end")
}

#[test]
fn the_end_says_where_the_log_can_be_read_later() {
    let failing = frames::command("exit 4", "");
    let run = |layout| {
        let media = MediaBuilder::new(layout, &deploy_then(&failing));
        run_to_end(machine(Firmware::Uefi, &media))
    };
    let (world, report) = run(MediaLayout::Usb);
    let place = place_of_log(&report);
    let path = place.strip_suffix(" on the media").expect(place);
    let stick = world
        .drives
        .iter()
        .find(|drive| drive.is_media)
        .expect("the stick");
    let copied = stick.parts.iter().any(|part| part.volume.tree.contains_key(path));
    assert!(copied && path.starts_with("logs/"), "{place}");

    let (_, report) = run(MediaLayout::Iso);
    assert!(
        place_of_log(&report).ends_with("smsts.log"),
        "{}",
        place_of_log(&report)
    );

    let (_, report) = run_to_end(to_share(Firmware::Uefi, MediaLayout::Iso));
    report.assert_succeeded();
    let place = place_of_log(&report);
    assert!(place.ends_with("smsts.log beside the captured image"), "{place}");
}

#[test]
fn a_log_that_is_only_in_memory_is_said_to_be() {
    let media = MediaBuilder::new(MediaLayout::Iso, &deploy());
    let mut world = machine(Firmware::Uefi, &media);
    world.drives.retain(|drive| drive.is_media);
    let (_, report) = run_to_end(world);
    let place = place_of_log(&report);
    assert!(place.contains("in memory"), "{place}");
}

/// A build and capture whose installed system gets those steps first.
fn failing(sequence: &str, steps: &str) -> MediaBuilder {
    crate::runs::with_account(MediaLayout::Iso, &with_late(sequence, steps))
}

const LOG: &str = "logs/REFERENCE/smsts.log";

#[test]
fn a_failure_before_the_capture_leaves_the_log_at_its_destination() {
    let to_share = crate::fixture::build_and_capture(r"\\server\captures\deep\ref.wim");
    // In the installed system, and in the boot image.
    let inside = failing(&to_share, &command("Break it", "exit 4", ""));
    let outside = with_first(&to_share, &command("Break it", "exit 4", ""));
    for media in [inside, crate::runs::with_account(MediaLayout::Iso, &outside)] {
        let (world, report) = run_to_end(machine(Firmware::Uefi, &media));
        assert!(report.reason().contains("Break it"), "{}", report.reason());
        let log = world.shares[SHARE].volume.bytes(&format!("deep/{LOG}"));
        let log = String::from_utf8_lossy(log.expect("a log"));
        assert!(log.contains("failed with 4"), "{log}");
        let place = place_of_log(&report);
        assert!(
            place.ends_with("smsts.log at the destination of the capture"),
            "{place}"
        );
    }
}

#[test]
fn a_second_disk_gets_the_log_of_a_failure_in_the_boot_image() {
    let fails = |world: World| {
        let (done, _) = run_to_end(world.clone());
        let fault = done
            .operations
            .iter()
            .position(|name| name.contains("etc/hostname"));
        let mut world = world;
        world.faults.insert(fault.expect("a setting") + 1);
        run_to_end(world)
    };
    let (world, report) = fails(crate::runs::to_disk(Firmware::Uefi, "{ number = 1 }"));
    assert!(
        report.reason().contains("input/output error"),
        "{}",
        report.reason()
    );
    assert!(world.drives[1].parts[0].volume.bytes(LOG).is_some());
}

#[test]
fn a_destination_that_is_gone_is_one_warning_and_no_second_failure() {
    let steps = command("May fail", "exit 5", "continue-on-error = true") + &command("Fails", "exit 6", "");
    let sequence = crate::fixture::build_and_capture(r"\\server\captures\ref.wim");
    let world = machine(Firmware::Uefi, &failing(&sequence, &steps));
    let (mut world, _) = crate::driver::run_to_system(world);
    world.shares.clear();
    let (_, report) = run_to_end(world);
    assert!(
        report.reason().contains("\"Fails\" failed with 6"),
        "{}",
        report.reason()
    );
    let warning = "could not be copied to the destination of the capture";
    assert_eq!(report.log.matches(warning).count(), 1, "{}", report.log);
}

/// The media has another sequence than was built: a start of it ends before its run.
fn damage_sequence(world: &mut World) {
    let mut drives = world.drives.iter_mut();
    let media = drives.find(|drive| drive.is_media).expect("the media");
    let volume = match &mut media.whole {
        Some(whole) => whole,
        None => &mut media.parts[0].volume,
    };
    volume.put(&format!("{}/main.toml", paths::SEQUENCES), file("another"));
}

/// A machine whose media is damaged so; of two sticks of the same media which one is meant nobody knows.
fn with_damaged_media(layout: MediaLayout, copies: bool) -> World {
    let mut world = machine(Firmware::Uefi, &MediaBuilder::new(layout, &deploy()));
    damage_sequence(&mut world);
    if copies {
        let copy = world.drives.last().expect("the media").clone();
        world.drives.push(Drive {
            path: "/dev/sdy".into(),
            ..copy
        });
    }
    world
}

/// Where the log of a start is that failed before its run: as it was said at once, and after it was copied.
fn places_of_start(report: &Report) -> (&str, Option<&str>) {
    assert!(matches!(report.ended, Ended::Refused(_)), "{:?}", report.ended);
    let start = report
        .events
        .iter()
        .rposition(|event| matches!(event, Event::Ended { .. }));
    let events = &report.events[start.expect("an end")..];
    let (place, reason, copy) = match events {
        [Event::Ended { log, reason, .. }] => (log, reason, None),
        [Event::Ended { log, reason, .. }, Event::LogCopied { log: copy }] => {
            (log, reason, Some(copy.as_str()))
        }
        _ => panic!("{events:?}"),
    };
    assert_eq!(reason.as_deref(), Some(report.reason()));
    (place.as_deref().expect("a place"), copy)
}

/// The stick's, of a machine with one disk.
fn on_the_stick<'a>(world: &'a World, path: &str) -> Option<&'a Vec<u8>> {
    world.drives[1].parts[1].volume.bytes(path)
}

const OF_START: &str = "logs/failed_start/smsts.log";

#[test]
fn a_start_that_fails_before_its_run_leaves_its_log_on_a_media_that_can_be_written() {
    let in_memory = "smsts.log, in memory until the machine is switched off";
    let (world, report) = run_to_end(with_damaged_media(MediaLayout::Usb, false));
    let (place, copy) = places_of_start(&report);
    assert!(place.ends_with(in_memory), "{place}");
    assert_eq!(copy, Some(format!("{OF_START} on the media").as_str()));
    let copied = on_the_stick(&world, OF_START).expect("the log");
    assert!(String::from_utf8_lossy(copied).contains("differs from what was built"));
    for (layout, copies) in [(MediaLayout::Iso, false), (MediaLayout::Usb, true)] {
        let (world, report) = run_to_end(with_damaged_media(layout, copies));
        let (place, copy) = places_of_start(&report);
        assert!(place.ends_with(in_memory) && copy.is_none(), "{place} {copy:?}");
        let mut volumes = world.drives.iter().flat_map(|drive| &drive.parts);
        assert!(volumes.all(|part| part.volume.bytes(OF_START).is_none()));
    }
}

/// A stick that no longer answers may hold up the copy for minutes.
#[test]
fn why_a_start_failed_is_said_before_its_log_is_copied() {
    let mut world = with_damaged_media(MediaLayout::Usb, false);
    let (done, _) = run_to_end(world.clone());
    let mut operations = done.operations.iter();
    let copy = operations.position(|name| name.ends_with(OF_START));
    world.cuts.insert(copy.expect("the copy") + 1);
    let (_, report) = run_to_cut(world);
    assert_eq!(report.ended, Ended::Off);
    assert!(
        matches!(&report.events[..], [Event::Ended { reason: Some(reason), .. }] if reason.contains("differs from what was built")),
        "{:?}",
        report.events
    );
}

/// It may be the only thing that tells why the run failed.
#[test]
fn a_start_that_fails_does_not_replace_the_log_of_a_run() {
    // A machine that has no name yet.
    let nameless = deploy()
        .replace("OSDComputerName = \"COMPUTER\"\n", "")
        .replace("%OSDComputerName%", "COMPUTER");
    let sequence = with_first(&nameless, &command("Break it", "exit 4", ""));
    let media = MediaBuilder::new(MediaLayout::Usb, &sequence);
    let (mut world, report) = run_to_end(machine(Firmware::Uefi, &media));
    assert!(report.reason().contains("\"Break it\" failed with 4"));
    let of_run = "logs/machine/smsts.log";
    let before = on_the_stick(&world, of_run).expect("the run's log").clone();
    damage_sequence(&mut world);
    let (world, report) = run_to_end(world);
    assert!(places_of_start(&report).1.is_some());
    assert!(on_the_stick(&world, of_run) == Some(&before));
}
