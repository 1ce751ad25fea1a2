//! What is refused, before anything of the machine was changed.

use media_format::manifest::MediaLayout;
use runtime::platform::{Bus, Firmware};

use crate::driver::{run_to_cut, run_to_end, run_to_system};
use crate::fixture::{CAPTURE_CANARY, MediaBuilder, SHARE, build_and_capture, deploy, installed, machine};
use crate::frames::{erasing, with_late};
use crate::outcome;
use crate::runs::{existing_to_share, to_share, with_account};
use crate::world::{Drive, Node, Volume, World, file};

/// The run fails with those words, and every disk, share and firmware entry is as it was.
#[track_caller]
pub(crate) fn refused(before: &World, words: &[&str]) {
    let (after, report) = run_to_end(before.clone());
    let reason = report.reason();
    for word in words {
        assert!(reason.contains(word), "\"{word}\" is not in: {reason}");
    }
    let differences = outcome::of(&after).differences(&outcome::of(before));
    assert!(differences.is_empty(), "{differences:?}");
    assert!(
        without_logs(&after).drives == without_logs(before).drives,
        "a disk was changed"
    );
    assert!(
        without_logs(&after).shares == without_logs(before).shares,
        "a share was changed"
    );
    assert_eq!(after.entries, before.entries, "the firmware was changed");
}

/// The log of a run that was refused is copied to a stick, and to where its capture would have come.
fn without_logs(world: &World) -> World {
    let mut world = world.clone();
    for part in world.drives.iter_mut().flat_map(|drive| &mut drive.parts) {
        part.volume.tree.retain(|path, _| !path.starts_with("logs"));
    }
    for share in world.shares.values_mut() {
        share.volume.tree.retain(|path, _| !path.starts_with("logs"));
    }
    world
}

fn deploys(edit: impl Fn(String) -> String) -> World {
    machine(
        Firmware::Uefi,
        &MediaBuilder::new(MediaLayout::Iso, &edit(deploy())),
    )
}

#[test]
fn two_possible_disks_and_no_rule() {
    let mut world = deploys(|text| text);
    world.drives.insert(1, Drive::empty("vdb", 8 << 30, Bus::Virtio));
    refused(&world, &["2 disks could be the target", "/dev/vda", "/dev/vdb"]);
}

#[test]
fn the_only_disk_is_the_stick() {
    let media = MediaBuilder::new(MediaLayout::Usb, &deploy());
    let mut world = machine(Firmware::Uefi, &media);
    world.drives.remove(0);
    refused(&world, &["no disk can be the target", "is the boot media"]);
}

/// Not even something that is put right again: of all that the run does to disks, nothing is left but its log on the stick.
#[track_caller]
fn refused_without_a_write(world: &World, words: &[&str]) {
    refused(world, words);
    let (after, _) = run_to_end(world.clone());
    let of_log = |operation: &&String| operation.contains(" /run/media-runtime/mounts/sdz2/logs/");
    let others: Vec<_> = after.operations.iter().filter(|one| !of_log(one)).collect();
    assert!(others.is_empty(), "{others:#?}");
}

#[test]
fn the_stick_is_not_written_to_where_a_rule_means_it_or_no_disk_at_all() {
    let on = |rule: &str| {
        let text = deploy().replace("disk = { only = true }", &format!("disk = {rule}"));
        assert!(text.contains(rule));
        machine(
            Firmware::Uefi,
            &MediaBuilder::new(MediaLayout::Usb, &erasing(&text)),
        )
    };
    for rule in [
        "{ only = true }",
        "{ number = 0 }",
        "{ bus = \"usb\" }",
        "{ removable = true }",
        "{ serial = \"SERIAL-sdz\" }",
    ] {
        let mut world = on(rule);
        world.drives.remove(0);
        refused_without_a_write(&world, &["no disk can be the target", "is the boot media"]);
    }
    for rule in [
        "{ min-size = \"1 TB\" }",
        "{ bus = \"nvme\" }",
        "{ bus = \"usb\" }",
        "{ serial = \"SERIAL-sdz\" }",
    ] {
        let mut world = on(rule);
        let photos = Volume::new("ext4", 1 << 30);
        world.drives[0] = Drive::empty("vda", 8 << 30, Bus::Virtio).with("photos", photos);
        refused_without_a_write(&world, &["no disk fits the rule of the step", "/dev/vda"]);
    }
}

/// Nothing of an ISO is written, so a copy of one does no harm.
#[test]
fn a_stick_of_which_the_machine_has_a_copy() {
    let with_copy = |layout| {
        let mut world = machine(Firmware::Uefi, &MediaBuilder::new(layout, &deploy()));
        let mut copy = world.drives[1].clone();
        (copy.path, copy.bus) = ("/dev/sdy".into(), Bus::Ata);
        world.drives.push(copy);
        world
    };
    refused(
        &with_copy(MediaLayout::Usb),
        &["carry this media", "/dev/sdy", "/dev/sdz"],
    );
    run_to_end(with_copy(MediaLayout::Iso)).1.assert_succeeded();
}

#[test]
fn a_payload_with_another_digest() {
    for path in [
        "packages/reference/reference.wim",
        "media-runtime/sequences/main.toml",
    ] {
        let mut world = deploys(|text| text);
        let media = world.drives[1].whole.as_mut().unwrap();
        let Some(Node::File(bytes, _)) = media.tree.get_mut(path) else {
            panic!("no {path}")
        };
        std::rc::Rc::make_mut(bytes)[20] ^= 1;
        refused(&world, &[path, "differs from what was built"]);
    }
}

#[test]
fn a_missing_package() {
    let text = |text: String| text.replace("package = \"reference\"", "package = \"elsewhere\"");
    refused(
        &deploys(text),
        &["Apply the operating system", "\"elsewhere\" is not on the media"],
    );
}

#[test]
fn an_index_that_the_image_does_not_have() {
    let text = |text: String| text.replace("all-volumes = true", "index = 5");
    refused(
        &deploys(text),
        &["Apply the operating system", "index 5", "1 images"],
    );
}

#[test]
fn too_small_a_disk() {
    let mut world = deploys(|text| text);
    world.drives[0].size = 300 << 20;
    refused(&world, &["Partition the disk", "/dev/vda", "need at least"]);
}

#[test]
fn a_disk_with_content() {
    let mut world = deploys(|text| text);
    let volume = Volume {
        label: "photos".into(),
        ..Volume::new("ext4", 1 << 30)
    };
    world.drives[0] = Drive::empty("vda", 8 << 30, Bus::Virtio).with("photos", volume);
    refused(&world, &["Partition the disk", "/dev/vda", "is not empty"]);
}

#[test]
fn a_full_destination() {
    let mut world = to_share(Firmware::Uefi, MediaLayout::Iso);
    world.shares.get_mut(SHARE).unwrap().volume.capacity = 1000;
    refused(&world, &["Capture the operating system", "1000 bytes free"]);
}

/// A machine with a large file in its system, and a share with so many bytes of room.
fn large_with_room(room: u64) -> World {
    let mut world = existing_to_share(MediaLayout::Iso);
    let system = &mut world.drives[0].parts[1].volume;
    system.put("home/user/large", file(vec![7; 100_000]));
    world.shares.get_mut(SHARE).unwrap().volume.capacity = room;
    world
}

#[test]
fn a_destination_that_cannot_hold_the_system_that_is_there() {
    let mut full = large_with_room(5000);
    let words = ["Capture the operating system", "5000 bytes free", "hold 100"];
    refused(&full, &words);
    // A server that does not say how large its volume is may have the room.
    full.shares.get_mut(SHARE).unwrap().volume.capacity = 0;
    let (_, report) = run_to_end(full);
    report.assert_succeeded();
    // An image may be that small, and this one is not.
    let (world, report) = run_to_end(large_with_room(40_000));
    assert!(report.log.contains("the image may not fit"), "{}", report.log);
    assert!(report.reason().contains("no space left"), "{}", report.reason());
    // What the interrupted capture left is no reason to refuse the next one.
    let mut again = world;
    let share = &mut again.shares.get_mut(SHARE).unwrap().volume;
    share.capacity = share.used() + 1_000_000;
    share.put("ref.wim.partial", file(vec![0; 999_000]));
    let (_, report) = run_to_end(again);
    report.assert_succeeded();
}

/// Most of what a large system holds may be its page file and snapshots.
#[test]
fn a_destination_with_a_small_share_of_what_a_large_system_holds() {
    let with_free = |free: u64| {
        let mut world = existing_to_share(MediaLayout::Iso);
        let system = &mut world.drives[0].parts[1].volume;
        (system.capacity, system.more_bytes) = (100 << 30, 60 << 30);
        world.shares.get_mut(SHARE).unwrap().volume.capacity = free;
        world
    };
    let words = ["Capture the operating system", "becomes larger than what is free"];
    refused(&with_free((1 << 30) - 1), &words);
    let (_, report) = run_to_end(with_free(1 << 30));
    report.assert_succeeded();
    assert!(report.log.contains("the image may not fit"), "{}", report.log);
}

/// It may be that of another machine, which captures at this very time.
#[test]
fn an_unfinished_image_stays_at_the_destination_until_the_capture_itself() {
    let mut world = to_share(Firmware::Uefi, MediaLayout::Iso);
    let share = &mut world.shares.get_mut(SHARE).unwrap().volume;
    share.put("ref.wim.partial", file("of another machine"));
    let (world, _) = run_to_system(world);
    let left = world.shares[SHARE].volume.bytes("ref.wim.partial");
    assert_eq!(left.map(Vec::as_slice), Some(&b"of another machine"[..]));
    let (world, report) = run_to_end(world);
    report.assert_succeeded();
    let share = &world.shares[SHARE].volume;
    assert!(share.bytes("ref.wim").is_some() && share.bytes("ref.wim.partial").is_none());
}

#[test]
fn a_wrong_share_password() {
    let mut world = to_share(Firmware::Uefi, MediaLayout::Iso);
    world.shares.get_mut(SHARE).unwrap().password = "another".into();
    refused(&world, &["Capture the operating system", "capturer", "refuses"]);
    let (_, report) = run_to_end(world);
    assert!(!report.reason().contains(CAPTURE_CANARY));
}

#[test]
fn a_computer_name_that_is_too_long() {
    let mut media = MediaBuilder::new(MediaLayout::Iso, &deploy());
    media
        .options
        .variables
        .insert("OSDComputerName".into(), "SIXTEEN-CHARS-XX".into());
    refused(&machine(Firmware::Uefi, &media), &["SIXTEEN-CHARS-XX", "15"]);
}

#[test]
fn a_computer_name_from_a_variable_follows_the_rule_of_a_written_one() {
    for (name, why) in [("REF-01-", "ends with a hyphen"), ("20260131", "has no letter")] {
        let mut media = MediaBuilder::new(MediaLayout::Iso, &deploy());
        let variables = &mut media.options.variables;
        variables.insert("OSDComputerName".into(), name.into());
        refused(&machine(Firmware::Uefi, &media), &[name, why]);
    }
}

#[test]
fn a_domain_that_a_linux_cannot_join_from_outside() {
    let written = "  join = \"workgroup\"\n";
    assert!(deploy().contains(written));
    let mut media = MediaBuilder::new(MediaLayout::Iso, &deploy().replace(written, ""));
    let variables = &mut media.options.variables;
    variables.insert("OSDNetworkJoinType".into(), "0".into());
    let step = "Apply the network settings";
    refused(
        &machine(Firmware::Uefi, &media),
        &[step, "joins a domain while it runs"],
    );
}

#[test]
fn a_domain_before_a_capture_by_variables() {
    let written =
        "  join = \"workgroup\"\n  workgroup = \"WORKGROUP\"\n\n  [[steps.steps]]\n  type = \"prepare-client";
    let capture = build_and_capture(r"\\server\captures\ref.wim");
    assert!(capture.contains(written));
    let by_variables = capture.replace(written, "\n  [[steps.steps]]\n  type = \"prepare-client");
    let to_domain = [
        ("OSDJoinType", "0"),
        ("OSDJoinDomainName", "corp.example"),
        ("OSDJoinAccount", "joiner"),
    ];
    let mut media = with_account(MediaLayout::Iso, &by_variables);
    for (name, value) in to_domain {
        media.options.variables.insert(name.into(), value.into());
    }
    let why = ["Join a workgroup", "joins a domain before the capture"];
    refused(&machine(Firmware::Uefi, &media), &why);

    // What only a step of the run says is known when the step comes, and nothing is joined either.
    let said = "[[steps]]\ntype = \"set-variables\"\nvariables = { OSDJoinType = \"0\", OSDJoinDomainName = \"corp.example\" }\n";
    let late = with_late(&by_variables, said);
    let (world, report) = run_to_end(machine(Firmware::Uefi, &with_account(MediaLayout::Iso, &late)));
    for part in why {
        assert!(report.reason().contains(part), "{}", report.reason());
    }
    assert!(world.domain.is_none() && world.commands.iter().all(|command| command.program != "realm"));
}

#[test]
fn partitions_of_another_kind_of_system_by_variables() {
    let mut media = MediaBuilder::new(MediaLayout::Iso, &deploy());
    for (name, value) in [("OSDPartitions", "1"), ("OSDPartitions0Type", "Recovery")] {
        media.options.variables.insert(name.into(), value.into());
    }
    refused(
        &machine(Firmware::Uefi, &media),
        &[
            "Partition the disk",
            "a partition of kind recovery is only for Windows",
        ],
    );
}

#[test]
fn a_capture_onto_an_iso() {
    let media = MediaBuilder::new(MediaLayout::Iso, &build_and_capture("media:captures/ref.wim"));
    refused(&machine(Firmware::Uefi, &media), &["an ISO cannot be written"]);
}

#[test]
fn a_machine_without_an_installed_system_to_capture() {
    let media = with_account(
        MediaLayout::Iso,
        &crate::fixture::capture_existing(r"\\server\captures\ref.wim"),
    );
    refused(
        &machine(Firmware::Uefi, &media),
        &["no disk of the machine has an installed Linux"],
    );
    let mut two = installed(&media);
    let mut other = Volume::new("ext4", 1 << 30);
    other.put("etc/os-release", file("NAME=Other\n"));
    two.drives
        .insert(1, Drive::empty("vdb", 8 << 30, Bus::Virtio).with("other", other));
    refused(
        &two,
        &[
            "several volumes have an installed system",
            "/dev/vda2",
            "/dev/vdb1",
        ],
    );
}

#[test]
fn a_changed_sequence_does_not_go_on_with_an_old_run() {
    let mut world = deploys(|text| text);
    let (done, _) = run_to_end(world.clone());
    world.cuts.insert(done.operations.len() / 2);
    let (mut cut, _) = run_to_cut(world);
    cut.drives[1] = MediaBuilder::new(MediaLayout::Iso, &deploy().replace("COMPUTER", "OTHER")).drive();
    refused(&cut, &["was changed since this run began"]);
}

/// Names and sizes are the same, and so the id is.
#[test]
fn media_with_other_content_do_not_go_on_with_an_old_run() {
    let with = |text: &str| {
        let mut media = MediaBuilder::new(MediaLayout::Iso, &deploy());
        media.add_file("version", text);
        media
    };
    let world = machine(Firmware::Uefi, &with("1"));
    let (done, _) = run_to_end(world.clone());
    let mut world = world;
    world.cuts.insert(done.operations.len() / 2);
    let (cut, _) = run_to_cut(world);
    let mut same = cut.clone();
    same.drives[1] = with("1").drive();
    run_to_end(same).1.assert_succeeded();
    let mut other = cut;
    other.drives[1] = with("2").drive();
    refused(
        &other,
        &["was built anew with other content since this run began"],
    );
}

#[test]
fn a_disk_on_which_a_run_was_completed_is_not_empty() {
    for firmware in [Firmware::Uefi, Firmware::Bios] {
        let media = MediaBuilder::new(MediaLayout::Iso, &deploy());
        let (done, report) = run_to_end(machine(firmware, &media));
        report.assert_succeeded();
        refused(&done, &["is not empty"]);
    }
}

#[test]
fn the_same_installation_is_captured_once() {
    let once = build_and_capture(r"\\server\captures\ref.wim");
    let again = "\n  [[steps.steps]]\n  type = \"capture-operating-system-image\"\n  name = \"Again\"\n  \
                 destination = '\\\\server\\captures\\again.wim'\n";
    let (world, report) = run_to_end(machine(
        Firmware::Uefi,
        &with_account(MediaLayout::Iso, &(once.clone() + again)),
    ));
    assert!(
        report.reason().contains("\"Again\"") && report.reason().contains("captured already"),
        "{}",
        report.reason()
    );
    assert!(world.shares[SHARE].volume.bytes("again.wim").is_none());
    let allowed = once + again + "  allow-repeated-capture = true\n";
    let (_, report) = run_to_end(machine(Firmware::Uefi, &with_account(MediaLayout::Iso, &allowed)));
    report.assert_succeeded();
}
