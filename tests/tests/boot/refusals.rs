//! What is refused before anything is erased.

use std::fs;

use crate::support::{self, failing_try, out, project};

/// The ISO is attached as a stick here and in `a_full_capture_destination_…`: it is hybrid.
#[test]
fn a_wrong_share_password_is_refused_before_anything_is_erased() {
    let disk = support::empty_disk("wrong-password");
    let media = project("share", "iso", &[("CAPTURE_PASSWORD", "wrong")]);
    let said = failing_try(
        &media,
        &[
            "--firmware=uefi",
            "--attach=usb",
            "--share",
            "--share-password=right",
            "--disk",
            &disk,
        ],
    );
    assert!(said.contains("the server refuses the account"), "{said}");
    support::assert_empty(&disk);
}

#[test]
fn two_possible_disks_and_no_rule_are_refused() {
    let (first, second) = (support::empty_disk("first"), support::empty_disk("second"));
    let media = project("media", "usb", &[]);
    let picture = support::own("screen", "png");
    let disks = ["--disk", &first, "--disk", &second];
    let screen = ["--firmware=uefi", "--screenshot", &picture.display().to_string()];
    let said = failing_try(&media, &[&screen[..], &disks].concat());
    assert!(said.contains("2 disks could be the target"), "{said}");
    let shown = fs::read(&picture).expect("the picture of the screen");
    // One that shows nothing is much smaller than one with text.
    assert!(
        shown.starts_with(b"\x89PNG") && shown.len() > 4000,
        "{} bytes",
        shown.len()
    );
    support::assert_empty(&first);
    support::assert_empty(&second);
}

#[test]
fn a_damaged_payload_is_refused_before_anything_is_erased() {
    let disk = support::empty_disk("damaged");
    let media = project("media", "usb", &[]);
    support::damage(&media);
    let said = failing_try(&media, &["--firmware=bios", "--disk", &disk]);
    assert!(said.contains("differs from what was built"), "{said}");
    support::assert_empty(&disk);
}

/// The first has no room for the partitions. The second has it, and room for the bytes of the image's files and a little more, but
/// not for a system that runs: it would fail at its first update.
#[test]
fn a_disk_that_is_too_small_is_refused() {
    let about = support::xml_of(&out("reference/reference.wim"));
    let files = about
        .split_once("<TOTALBYTES>")
        .and_then(|(_, rest)| rest.split_once('<'));
    let files: u64 = files.expect("the image's size").0.parse().unwrap();
    let boot_partition = 512 << 20;
    for size in [
        300 << 20,
        boot_partition + (files * 19 / 16).next_multiple_of(1 << 20),
    ] {
        let disk = support::empty_disk_of("small", size);
        let media = project("media", "usb", &[]);
        let said = failing_try(&media, &["--firmware=bios", "--disk", &disk]);
        assert!(said.contains("before anything was changed"), "{said}");
        assert!(said.contains("bytes"), "{said}");
        support::assert_empty(&disk);
    }
}

#[test]
fn the_stick_itself_is_never_the_target() {
    let media = project("media", "usb", &[]);
    let said = failing_try(&media, &["--firmware=uefi", "--no-disk"]);
    assert!(said.contains("before anything was changed"), "{said}");
    assert!(said.contains("no disk"), "{said}");
}

#[test]
fn a_full_capture_destination_is_refused_before_anything_is_erased() {
    let disk = support::empty_disk("full-destination");
    let media = project("second-disk", "iso", &[]);
    let said = failing_try(
        &media,
        &[
            "--firmware=bios",
            "--attach=usb",
            "--disk",
            &disk,
            "--second-disk=64M",
        ],
    );
    assert!(said.contains("bytes free and about"), "{said}");
    assert!(said.contains("choose another destination"), "{said}");
    support::assert_empty(&disk);
}
