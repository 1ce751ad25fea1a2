//! How a run leaves a system: switched off instead of restarted, and without the folders that it has made for shares.

use media_format::event::Environment::{Os, Pe};
use media_format::event::Event;
use media_format::manifest::MediaLayout;
use runtime::context::beginning;
use runtime::platform::Firmware;

use crate::cuts::cut_everywhere;
use crate::driver::{Report, run_to_end};
use crate::fixture::{self, MediaBuilder, SHARE, build_and_capture, deploy, machine};
use crate::frames::{command, deploy_then, with_late};
use crate::outcome;
use crate::runs::with_account;
use crate::windows_runs::{self, INSIDE};
use crate::world::World;

const TO_SHARE: &str = r"\\server\captures\ref.wim";
const PREPARE: &str = "type = \"prepare-os-for-capture\"";

fn shutting_down(sequence: &str) -> String {
    assert!(sequence.contains(PREPARE));
    sequence.replace(PREPARE, &format!("{PREPARE}\n  shut-down = true"))
}

fn switches_off(report: &Report) -> usize {
    let events = report.events.iter();
    events
        .filter(|event| matches!(event, Event::ShutDown { target: Pe }))
        .count()
}

#[test]
fn a_generalized_machine_that_is_switched_on_again_goes_on_with_its_capture() {
    let setting = with_account(MediaLayout::Iso, &shutting_down(&build_and_capture(TO_SHARE)));
    let mut variable = with_account(MediaLayout::Iso, &build_and_capture(TO_SHARE));
    let variables = &mut variable.options.variables;
    variables.insert("OSDShutdownPreparedOs".into(), "true".into());
    for (media, media_first) in [(&setting, true), (&setting, false), (&variable, true)] {
        let mut world = machine(Firmware::Uefi, media);
        world.media_first = media_first;
        let (world, report) = run_to_end(world);
        report.assert_succeeded();
        assert_eq!(report.starts, [Pe, Os, Os, Pe]);
        let trace = report.trace();
        let off = trace.iter().position(|line| line == "off, then pe").unwrap();
        assert_eq!(trace[off - 1], "Prepare the operating system: shutdown");
        assert_eq!(trace[off + 1], "Prepare the operating system: done");
        assert_eq!(switches_off(&report), 1);
        assert!(outcome::captured(&world, "ref.wim").is_some());
    }
}

#[test]
fn a_windows_is_shut_down_after_sysprep_and_captured_at_the_next_start() {
    let sequence = windows_runs::template(windows_runs::BUILD_AND_CAPTURE, &INSIDE);
    let media = windows_runs::media(MediaLayout::Iso, &shutting_down(&sequence));
    let (world, report) = run_to_end(windows_runs::with_controller(&media));
    report.assert_succeeded();
    assert_eq!((switches_off(&report), report.starts), (1, vec![Pe, Os, Pe]));
    assert_eq!(windows_runs::captured(&world).images.len(), 1);
}

#[test]
fn a_system_that_does_not_run_is_not_shut_down() {
    let sequence = shutting_down(&fixture::capture_existing(TO_SHARE));
    let (_, report) = run_to_end(fixture::installed(&with_account(MediaLayout::Iso, &sequence)));
    report.assert_succeeded();
    assert_eq!((switches_off(&report), report.starts.len()), (0, 1));
    assert!(report.log.contains("nothing is shut down"), "{}", report.log);
}

fn connect(at: &str) -> String {
    format!(
        "[[steps]]\ntype = \"connect-to-network-folder\"\nname = \"Connect\"\npath = '\\\\server\\captures'\nat = \"{at}\"\n\
         account = \"capturer\"\npassword = \"%OSDCaptureAccountPassword%\"\n"
    )
}

fn touch(path: &str) -> String {
    command(&format!("touch {path}"), "")
}

/// A deployment that connects the share inside the installed system, and writes into it.
fn deployed(at: &str, before: &str) -> (World, Report) {
    let steps = format!("{before}{}{}", connect(at), touch("/mnt/Z/there"));
    let media = with_account(MediaLayout::Iso, &deploy_then(&steps));
    run_to_end(machine(Firmware::Uefi, &media))
}

/// A capture that connects the share inside the installed system.
fn captures() -> MediaBuilder {
    let sequence = build_and_capture(TO_SHARE);
    let steps = connect("Z:") + &touch("/mnt/Z/there");
    with_account(MediaLayout::Iso, &with_late(&sequence, &steps))
}

#[test]
fn the_folder_of_a_share_goes_with_the_connection() {
    let (world, report) = deployed("Z:", "");
    report.assert_succeeded();
    let tree = &world.drives[0].parts[1].volume.tree;
    assert!(!tree.contains_key("mnt/Z") && !tree.contains_key("mnt"));
    assert!(world.shares[SHARE].volume.bytes("there").is_some());
}

/// It may switch the machine off, so nothing of the run is left for later.
#[test]
fn the_share_is_closed_before_the_command_that_comes_after_the_run() {
    let action = "[variables]\nSMSTSPostAction = \"touch /mnt/Z/late\"\n";
    let sequence = deploy().replacen("[variables]\n", action, 1);
    assert!(sequence.contains("SMSTSPostAction"));
    let steps = connect("Z:") + &touch("/mnt/Z/there");
    for end in ["true", "exit 5"] {
        let last = command(end, "");
        let media = with_account(MediaLayout::Iso, &format!("{sequence}\n{steps}{last}"));
        let (world, report) = run_to_end(machine(Firmware::Uefi, &media));
        assert!(
            report.log.contains("SMSTSPostAction ended with 0"),
            "{}",
            report.log
        );
        let share = &world.shares[SHARE].volume;
        assert!(share.bytes("there").is_some() && share.bytes("late").is_none());
    }
}

#[test]
fn folders_that_were_there_or_are_not_empty_stay() {
    let (world, report) = deployed("/tmp", "");
    report.assert_succeeded();
    assert!(world.drives[0].parts[1].volume.tree.contains_key("tmp"));
    let (world, report) = deployed("Z:", &touch("/mnt/own"));
    report.assert_succeeded();
    let tree = &world.drives[0].parts[1].volume.tree;
    assert!(tree.contains_key("mnt/own") && !tree.contains_key("mnt/Z"));
}

#[test]
fn a_capture_has_no_folder_of_a_share_also_when_something_keeps_it_busy() {
    for busy in [false, true] {
        let mut world = machine(Firmware::Uefi, &captures());
        world.shares_are_in_use = busy;
        let (world, report) = run_to_end(world);
        report.assert_succeeded();
        let tree = outcome::captured(&world, "ref.wim").unwrap();
        assert!(!tree.contains_key("mnt"), "{busy}");
        assert_eq!(
            report.log.contains("/mnt/Z, which was made for a share, stays"),
            busy
        );
    }
}

#[test]
fn a_cut_leaves_no_folder_of_a_share_behind() {
    let steps = connect("Z:") + &touch("/last");
    let media = with_account(MediaLayout::Iso, &deploy_then(&steps));
    let stops = cut_everywhere(&machine(Firmware::Uefi, &media));
    let differs: Vec<_> = stops.keys().filter(|stop| stop.contains("mnt")).collect();
    let shown: Vec<_> = differs.iter().map(|stop| beginning(stop, 300)).collect();
    assert!(shown.is_empty(), "{shown:#?}");
}
