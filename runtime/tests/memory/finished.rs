//! Media that stays in the machine after its run does not begin another one by itself.

use media_format::manifest::{Finish, MediaLayout};
use runtime::platform::Firmware;

use crate::driver::{Answers, Ended, run_to_end, run_with};
use crate::fixture::{MediaBuilder, build_and_capture, capture_existing, deploy, installed, machine};
use crate::frames::erasing;
use crate::runs::with_account;

const DESTINATION: &str = r"\\server\captures\ref.wim";

/// Unattended, restarting at the end, and allowed to erase: the media that would build for ever.
fn restless(mut media: MediaBuilder) -> MediaBuilder {
    assert!(media.options.unattended);
    media.options.finish = Finish::Restart;
    media
}

#[test]
fn a_machine_that_was_built_is_not_built_again_by_itself() {
    for firmware in [Firmware::Uefi, Firmware::Bios] {
        for media in [
            MediaBuilder::new(MediaLayout::Iso, &erasing(&deploy())),
            with_account(MediaLayout::Iso, &erasing(&build_and_capture(DESTINATION))),
        ] {
            let (built, report) = run_to_end(machine(firmware, &restless(media)));
            report.assert_succeeded();
            assert_eq!(report.finish, Some(Finish::Restart));
            let (again, report) = run_to_end(built.clone());
            assert!(
                report.reason().contains("has built this machine already"),
                "{}",
                report.reason()
            );
            assert_eq!(again.drives, built.drives);
            // Somebody who wants it gets it, and the firmware that prefers the disk starts the system.
            let wants = Answers(|_| Some("build again".into()));
            let (again, report) = run_with(again, &wants);
            report.assert_succeeded();
            let mut detached = again;
            detached.drives.retain(|drive| !drive.is_media);
            assert_eq!(run_to_end(detached).1.ended, Ended::Idle);
        }
    }
}

#[test]
fn a_capture_that_leaves_no_trace_ends_with_a_shut_down() {
    let media = with_account(MediaLayout::Iso, &capture_existing(DESTINATION));
    let (_, report) = run_to_end(installed(&restless(media)));
    report.assert_succeeded();
    assert_eq!(report.finish, Some(Finish::Shutdown));
    assert!(
        report.log.contains("shuts down instead of restarting"),
        "{}",
        report.log
    );
}

#[test]
fn somebody_who_switches_the_machine_on_again_may_mean_it() {
    let media = MediaBuilder::new(MediaLayout::Iso, &erasing(&deploy()));
    let (built, report) = run_to_end(machine(Firmware::Uefi, &media));
    assert_eq!(report.finish, Some(Finish::Shutdown));
    run_to_end(built).1.assert_succeeded();
}
