//! What cannot run is not looked for: disabled groups, and conditions that do not hold.

use media_format::manifest::MediaLayout;
use runtime::platform::{Bus, Firmware};

use crate::driver::run_to_end;
use crate::fixture::{MediaBuilder, deploy, machine};
use crate::frames::{deploys_then, erasing, with_first};
use crate::refusals::refused;
use crate::world::{Drive, Node, Volume, World};

fn with_steps(steps: &str) -> World {
    let media = deploys_then(steps);
    machine(Firmware::Uefi, &media)
}

/// A group of a step that needs a package which is not on the media.
fn group(settings: &str) -> String {
    format!(
        "[[steps]]\ngroup = \"More\"\n{settings}\n[[steps.steps]]\ngroup = \"Inner\"\n[[steps.steps.steps]]\n\
         type = \"install-applications\"\napplications = [\"elsewhere\"]\n"
    )
}

#[test]
fn a_group_that_cannot_run_needs_nothing() {
    refused(&with_steps(&group("")), &["\"elsewhere\" is not on the media"]);
    let (_, report) = run_to_end(with_steps(&group("disabled = true")));
    report.assert_succeeded();
    assert!(
        report.log.contains("is skipped: group \"More\" is disabled"),
        "{}",
        report.log
    );
    let (_, report) = run_to_end(with_steps(&group(r#"when = { memory = "900 GB" }"#)));
    report.assert_succeeded();
    assert!(
        report
            .log
            .contains("the condition of group \"More\" does not hold")
    );
}

#[test]
fn a_condition_that_holds_later_in_the_run_rules_nothing_out() {
    for condition in [
        r#"when = { variable = "_SMSTSInWinPE", equals = "false" }"#,
        r#"when = { variable = "_SMSTSClientCache", exists = true }"#,
    ] {
        refused(
            &with_steps(&group(condition)),
            &["\"elsewhere\" is not on the media"],
        );
    }
}

/// The set-up of the media with a step that a later one may let run, whose package is damaged.
fn with_damaged_package(condition: &str) -> World {
    let text = format!(
        "{}\n[[steps]]\ntype = \"set-variables\"\nvariables = {{ Site = \"north\" }}\n\
         [[steps]]\ntype = \"run-command-line\"\ncommand = \"echo\"\npackage = \"damaged\"\nwhen = {condition}\n",
        deploy()
    );
    let mut media = MediaBuilder::new(MediaLayout::Iso, &text);
    media.add_wim("damaged", b"content");
    let mut world = machine(Firmware::Uefi, &media);
    let tree = &mut world.drives[1].whole.as_mut().expect("the media").tree;
    let Some(Node::File(bytes, _)) = tree.get_mut("packages/damaged/damaged.wim") else {
        panic!("no damaged package")
    };
    std::rc::Rc::make_mut(bytes)[3] ^= 1;
    world
}

#[test]
fn content_that_may_be_needed_later_is_compared_before_anything_is_erased() {
    for condition in [
        r#"{ variable = "Site", equals = "north" }"#,
        r#"{ file = "/opt/later" }"#,
        r#"{ variable = "_SMSTSLastActionSucceeded", equals = "false" }"#,
        r#"{ variable = "_SMSTSIPAddresses", like = "192.0.2.*" }"#,
    ] {
        refused(
            &with_damaged_package(condition),
            &["packages/damaged", "differs from what was built"],
        );
    }
    // What the machine itself rules out is not read.
    let (_, report) = run_to_end(with_damaged_package(r#"{ memory = "900 GB" }"#));
    report.assert_succeeded();
}

#[test]
fn the_disk_of_a_disabled_capture_is_not_looked_for() {
    let capture = |settings: &str| {
        format!(
            "[[steps]]\ngroup = \"Capture\"\n{settings}\n[[steps.steps]]\ntype = \"prepare-os-for-capture\"\n\
             [[steps.steps]]\ntype = \"capture-operating-system-image\"\n\
             destination = {{ disk = {{ number = 5 }}, path = \"ref.wim\" }}\n"
        )
    };
    refused(
        &with_steps(&capture("")),
        &["the disk of the capture's destination"],
    );
    let (_, report) = run_to_end(with_steps(&capture("disabled = true")));
    report.assert_succeeded();
}

/// A deployment onto the disk with that number, with a capture to the second one under this condition.
fn captures_to(number: u32, condition: &str, settings: &str) -> World {
    let capture = |kind: &str, more: &str| {
        format!("[[steps]]\ntype = \"{kind}\"\nwhen = {condition}\n{settings}\n{more}\n")
    };
    let destination = "destination = { disk = { serial = \"SERIAL-vdb\" }, path = \"ref.wim\" }";
    let text = deploy().replace(
        "disk = { only = true }",
        &format!("disk = {{ number = {number} }}"),
    ) + &capture("prepare-os-for-capture", "")
        + &capture("capture-operating-system-image", destination);
    let mut world = machine(
        Firmware::Uefi,
        &MediaBuilder::new(MediaLayout::Iso, &erasing(&text)),
    );
    let archive = Volume::new("ext4", 1 << 30);
    let drive = Drive::empty("vdb", 8 << 30, Bus::Virtio).with("archive", archive);
    world.drives.insert(1, drive);
    world
}

/// Its condition may hold in the system that the run makes: nothing of the disk may be gone by then.
#[test]
fn the_disk_of_a_capture_that_may_still_run_is_not_erased() {
    for condition in [
        r#"{ file = "/opt/later" }"#,
        r#"{ software = "editor" }"#,
        r#"{ variable = "_SMSTSLastActionSucceeded", equals = "false" }"#,
    ] {
        let world = captures_to(1, condition, "");
        refused(&world, &["Partition the disk", "/dev/vdb"]);
        // It need not be there.
        let mut alone = world;
        alone.drives[1].serial = "another".into();
        let (after, report) = run_to_end(alone);
        report.assert_succeeded();
        assert!(after.drives[1].parts.len() > 1);
    }
    // What never runs keeps no disk from being used.
    for (condition, settings) in [
        (r#"{ memory = "900 GB" }"#, ""),
        (r#"{ file = "/opt/later" }"#, "disabled = true"),
    ] {
        let (after, report) = run_to_end(captures_to(1, condition, settings));
        report.assert_succeeded();
        assert!(after.drives[1].parts.len() > 1);
    }
}

/// There is nothing else to build on; where the capture runs after all, it has no disk to go to and says so.
#[test]
fn a_capture_that_may_never_run_does_not_take_the_only_disk() {
    let mut world = captures_to(0, r#"{ file = "/opt/later" }"#, "");
    world.drives.remove(0);
    let (after, report) = run_to_end(world.clone());
    report.assert_succeeded();
    assert!(after.drives[0].parts.len() > 1);
    // With another one there, it is the disk to build on that is named wrongly.
    world.drives.insert(1, Drive::empty("vda", 8 << 30, Bus::Virtio));
    refused(&world, &["Partition the disk", "left out", "/dev/vdb"]);
}

fn on_disk(disk: &str, before: &str) -> World {
    let text = deploy().replace("disk = { only = true }", &format!("disk = {disk}"));
    let media = MediaBuilder::new(MediaLayout::Iso, &with_first(&text, before));
    let mut world = machine(Firmware::Uefi, &media);
    world.drives.insert(1, Drive::empty("vdb", 8 << 30, Bus::Virtio));
    world
}

#[test]
fn a_variable_that_has_no_value_means_no_disk() {
    let disk = r#"{ variable = "TargetDisk" }"#;
    let mut world = on_disk(disk, "");
    refused(&world, &["variable TargetDisk", "has no value"]);
    // Nor does it mean the only one.
    world.drives.remove(1);
    refused(&world, &["variable TargetDisk", "has no value"]);
    let set = "[[steps]]\ntype = \"set-variables\"\nvariables = { TargetDisk = \"1\" }\n";
    let (world, report) = run_to_end(on_disk(disk, set));
    report.assert_succeeded();
    assert!(world.drives[0].parts.is_empty() && !world.drives[1].parts.is_empty());
}

#[test]
fn a_run_does_not_leave_its_disk_for_another() {
    let more = "[[steps]]\ntype = \"format-and-partition-disk\"\nname = \"Partition the second disk\"\n\
                disk = { number = 1 }\nstyle = \"by-firmware\"\n";
    let text = deploy().replace("disk = { only = true }", "disk = { number = 0 }");
    let place = text
        .find("  [[steps.steps]]\n  type = \"apply-operating-system-image\"")
        .expect("the step");
    let inside = more.replace("[[steps]]", "[[steps.steps]]");
    let text = format!("{}{inside}\n{}", &text[..place], &text[place..]);
    let mut world = machine(Firmware::Uefi, &MediaBuilder::new(MediaLayout::Iso, &text));
    world.drives.insert(1, Drive::empty("vdb", 8 << 30, Bus::Virtio));
    let second = world.drives[1].clone();
    let (world, report) = run_to_end(world);
    assert_eq!(world.drives[1], second);
    let reason = report.reason();
    assert!(
        reason.contains("Partition the second disk") && reason.contains("works on /dev/vda"),
        "{reason}"
    );
}
