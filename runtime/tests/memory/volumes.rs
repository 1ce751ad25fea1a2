//! Systems on several volumes: spread over them, captured from them, restored to them.

use std::collections::BTreeMap;

use media_format::manifest::MediaLayout;
use runtime::platform::{Bus, Firmware};

use crate::cuts::cut_everywhere;
use crate::driver::run_to_end;
use crate::fixture::{
    self, MediaBuilder, SHARE, build_and_capture, capture_existing, deploy, installed, machine,
};
use crate::images::{Image, Wim};
use crate::refusals::refused;
use crate::runs::with_account;
use crate::world::{Drive, Tree, Volume, World, file};

const TO_SHARE: &str = r"\\server\captures\ref.wim";
/// `/srv` is on no volume of its own, and nobody has said what the last one is for.
const PARTITIONS: &str = r#"disk = { only = true }
  partitions = [
    { kind = "primary", size = "1 GB", mount-point = "/home" },
    { kind = "primary", size = "2 GB", mount-point = "/" },
    { kind = "primary", size = "1 GB", mount-point = "/var/log", file-system = "xfs" },
    { kind = "primary", size = "1 GB", mount-point = "/var/", file-system = "btrfs" },
    { kind = "primary", size = "500 MB", mount-point = "/boot" },
    { kind = "primary", size = "200 MB" },
  ]"#;

fn on_volumes(sequence: &str) -> String {
    assert!(sequence.contains("disk = { only = true }"));
    sequence
        .replace("disk = { only = true }", PARTITIONS)
        .replace("style = \"by-firmware\"", "style = \"gpt\"")
}

fn captures(firmware: Firmware) -> World {
    machine(
        firmware,
        &with_account(MediaLayout::Iso, &on_volumes(&build_and_capture(TO_SHARE))),
    )
}

/// The images by their mount points.
pub(crate) fn images(world: &World) -> BTreeMap<String, (String, Tree)> {
    let bytes = world.shares[SHARE].volume.bytes("ref.wim").expect("a capture");
    let wim = Wim::parse(bytes).unwrap();
    let image = |image: &Image| {
        let point = image.mount_point.clone().unwrap_or_default();
        (point, (image.name.clone(), image.tree()))
    };
    wim.images.iter().map(image).collect()
}

/// The volume that was made with that mount point: its place among the partitions of the first disk.
fn volume<'a>(world: &'a World, point: &str) -> &'a Volume {
    let places = ["/home", "/", "/var/log", "/var", "/boot", ""];
    let place = places.iter().position(|known| *known == point).unwrap();
    let parts = &world.drives[0].parts;
    &parts[parts.len() - places.len() + place].volume
}

#[test]
fn a_system_is_spread_over_its_volumes_and_captured_from_each() {
    for firmware in [Firmware::Uefi, Firmware::Bios] {
        let (world, report) = run_to_end(captures(firmware));
        report.assert_succeeded();
        assert!(volume(&world, "/").bytes("etc/os-release").is_some());
        assert!(volume(&world, "/").bytes("var/lib/dpkg/status").is_none());
        assert!(volume(&world, "/var").bytes("lib/dpkg/status").is_some());
        assert!(volume(&world, "/boot").bytes("grub/grub.cfg").is_some());
        assert!(
            report
                .log
                .contains("nothing was applied to it and it has no mount point")
        );

        let images = images(&world);
        let points: Vec<_> = images.keys().map(String::as_str).collect();
        assert_eq!(points, ["/", "/boot", "/home", "/var", "/var/log"]);
        assert_ne!(images["/"].0, images["/home"].0);
        let (root, var) = (&images["/"].1, &images["/var"].1);
        assert!(root.contains_key("etc/os-release") && root.contains_key("opt-tool"));
        assert!(var.contains_key("lib/dpkg/status") && !var.contains_key("lib/media-runtime"));
        assert!(images["/boot"].1.contains_key("grub/grub.cfg"));
        assert!(!images["/boot"].1.contains_key("grub/custom.cfg"));
        assert_eq!(root.keys().filter(|path| path.starts_with("var/")).count(), 0);
    }
}

#[test]
fn every_volume_is_in_the_fstab_after_the_one_that_it_lies_in() {
    let media = MediaBuilder::new(MediaLayout::Iso, &on_volumes(&deploy()));
    let (world, report) = run_to_end(machine(Firmware::Uefi, &media));
    report.assert_succeeded();
    let fstab = volume(&world, "/").bytes("etc/fstab").unwrap();
    let fstab = String::from_utf8(fstab.clone()).unwrap();
    let points: Vec<_> = fstab
        .lines()
        .skip(1)
        .filter_map(|line| line.split(' ').nth(1))
        .collect();
    assert_eq!(points, ["/", "/boot", "/home", "/var", "/var/log", "/boot/efi"]);
    assert!(
        volume(&world, "/var")
            .tree
            .keys()
            .all(|path| !path.contains("media-runtime"))
    );
}

#[test]
fn a_cut_at_every_operation_is_survived_with_several_volumes() {
    assert_eq!(cut_everywhere(&captures(Firmware::Uefi)), BTreeMap::new());
}

/// Media that deploys what a run on several volumes has captured, with files in `/home`.
fn deploys(edit: impl Fn(String) -> String) -> MediaBuilder {
    let (world, _) = run_to_end(captures(Firmware::Uefi));
    let mut wim = Wim::parse(world.shares[SHARE].volume.bytes("ref.wim").unwrap()).unwrap();
    let mut home = Volume::default();
    home.put("user/work", file("kept"));
    for image in wim
        .images
        .iter_mut()
        .filter(|image| image.mount_point.as_deref() == Some("/home"))
    {
        *image = Image::of_volume("/home", &home.tree);
    }
    // The order in the file says nothing.
    wim.images.reverse();
    let mut media = MediaBuilder::new(MediaLayout::Iso, &edit(deploy()));
    media.put_image("reference", &wim.to_bytes());
    media
}

#[test]
fn each_image_comes_back_to_its_volume() {
    let (world, report) = run_to_end(machine(Firmware::Uefi, &deploys(|text| on_volumes(&text))));
    report.assert_succeeded();
    assert!(volume(&world, "/home").bytes("user/work").is_some());
    assert!(volume(&world, "/var").bytes("lib/dpkg/status").is_some());
    assert!(volume(&world, "/").bytes("etc/os-release").is_some());
    assert!(volume(&world, "/").bytes("lib/dpkg/status").is_none());
}

#[test]
fn on_a_layout_with_one_volume_the_images_of_all_volumes_become_one_tree() {
    let (world, report) = run_to_end(machine(Firmware::Uefi, &deploys(|text| text)));
    report.assert_succeeded();
    let root = &world.drives[0].parts[1].volume;
    for path in [
        "etc/os-release",
        "home/user/work",
        "var/lib/dpkg/status",
        "opt-tool",
    ] {
        assert!(root.bytes(path).is_some(), "{path} is missing");
    }
}

#[test]
fn one_image_of_several_volumes_is_refused() {
    let index = |number| move |text: String| text.replace("all-volumes = true", &format!("index = {number}"));
    let root = machine(Firmware::Uefi, &deploys(index(5)));
    refused(&root, &["further volumes", "/home", "all-volumes = true"]);
    let other = machine(Firmware::Uefi, &deploys(index(1)));
    refused(&other, &["is no system by itself"]);
}

#[test]
fn an_image_that_is_larger_than_its_volume_is_refused_before_the_disk_is_touched() {
    let small = |text: String| {
        on_volumes(&text).replace(
            "\"1 GB\", mount-point = \"/home\"",
            "\"1 MB\", mount-point = \"/home\"",
        )
    };
    refused(
        &deploys_larger(small, 0, 2),
        &[
            "Partition the disk",
            "the volume for /home has",
            "give the volume more room",
        ],
    );
}

/// The files alone would fit onto either volume; only the system has to run.
#[test]
fn a_system_without_room_to_run_is_refused_before_the_disk_is_touched() {
    let volumes = |text: String| on_volumes(&text);
    refused(
        &deploys_larger(volumes, 1700, 830),
        &["Partition the disk", "room to run) and the volume for / has"],
    );
}

/// Deploys a system whose images say that they have so many MiB more.
fn deploys_larger(edit: impl Fn(String) -> String, more_of_root: u64, more_of_home: u64) -> World {
    let mut media = deploys(edit);
    let mut images = vec![
        Image::of_volume("/", &fixture::reference()),
        Image::of_volume("/home", &Tree::new()),
    ];
    images[0].more_bytes = more_of_root << 20;
    images[1].more_bytes = more_of_home << 20;
    media.put_image("reference", &Wim { images }.to_bytes());
    machine(Firmware::Uefi, &media)
}

/// An installed system whose `/var`, `/home` and `/srv` are volumes of their own, the last one on another disk.
fn existing() -> World {
    let mut world = installed(&with_account(MediaLayout::Iso, &capture_existing(TO_SHARE)));
    let root = &mut world.drives[0].parts[1].volume;
    root.tree
        .retain(|path, _| !path.starts_with("var/") && !path.starts_with("home/"));
    let fstab = "UUID=uuid-of-part-root / ext4 defaults 0 1\nUUID=uuid-of-part-var /var xfs defaults 0 2\n\
                 LABEL=people /home ext4 defaults 0 2\n/dev/vdb1 /srv btrfs nofail 0 2\n\
                 /dev/mapper/vg-old /old ext4 defaults 0 2\n";
    root.put("etc/fstab", file(fstab));
    let mut var = Volume::new("xfs", 1 << 30);
    var.put("lib/dpkg/status", file("hello 1.0\n"));
    var.put("log/syslog", file("what happened"));
    var.put("cache/apt/pkgcache.bin", file("cache"));
    var.put("lib/systemd/random-seed", file("seed"));
    let mut home = Volume {
        label: "people".into(),
        ..Volume::new("ext4", 1 << 30)
    };
    home.put("user/work", file("kept"));
    home.put("user/.bash_history", file("ls"));
    let mut srv = Volume::new("btrfs", 1 << 30);
    srv.put("www/index.html", file("kept"));
    let unused = Volume::new("ext4", 1 << 30);
    let disk = world.drives[0].clone();
    world.drives[0] = disk
        .with("part-var", var)
        .with("part-home", home)
        .with("part-unused", unused);
    let second = Drive::empty("vdb", 8 << 30, Bus::Virtio).with("part-srv", srv);
    world.drives.insert(1, second);
    world
}

#[test]
fn an_existing_system_is_captured_from_all_its_volumes_and_generalized_on_each() {
    let before = existing();
    let (world, report) = run_to_end(before.clone());
    report.assert_succeeded();
    assert_eq!(world.drives, before.drives, "nothing of the machine is changed");
    let images = images(&world);
    let points: Vec<_> = images.keys().map(String::as_str).collect();
    assert_eq!(points, ["/", "/home", "/srv", "/var"]);
    let var = &images["/var"].1;
    assert!(var.contains_key("lib/dpkg/status"));
    for gone in ["log/syslog", "cache/apt/pkgcache.bin", "lib/systemd/random-seed"] {
        assert!(!var.contains_key(gone), "{gone} was captured");
    }
    let home = &images["/home"].1;
    assert!(home.contains_key("user/work") && !home.contains_key("user/.bash_history"));
    assert!(report.log.contains("not captured: /old (/dev/mapper/vg-old)"));
    assert!(
        report
            .log
            .contains("not captured: /dev/vda5 (ext4): it is no volume of the system")
    );
}

#[test]
fn a_system_that_lacks_an_essential_volume_is_not_captured() {
    let mut world = existing();
    world.drives[0].parts.remove(2);
    refused(
        &world,
        &["the system's /var (UUID=uuid-of-part-var) cannot be captured"],
    );
}

#[test]
fn a_dirty_volume_of_the_system_is_refused_and_a_damaged_other_one_is_passed_over() {
    for part in [1, 2] {
        let mut world = existing();
        world.drives[0].parts[part].volume.unclean = true;
        let node = format!("/dev/vda{}", part + 1);
        refused(&world, &[&node, "was not shut down cleanly", "shut it down"]);
    }
    let mut world = existing();
    world.drives[0].parts[4].volume.damaged = true;
    let volume = Volume {
        unclean: true,
        ..Volume::new("ext4", 1 << 30)
    };
    let dirty = Drive::empty("vdc", 8 << 30, Bus::Virtio).with("dirty", volume);
    world.drives.insert(2, dirty);
    let (after, report) = run_to_end(world.clone());
    report.assert_succeeded();
    assert!(
        report
            .log
            .contains("not looked at: /dev/vda5: mounting /dev/vda5: the superblock is damaged")
    );
    assert_eq!(after.drives, world.drives);
}

#[test]
fn without_a_system_what_could_not_be_looked_at_is_named() {
    let mut world = existing();
    world.drives[0].parts[1].volume.damaged = true;
    refused(
        &world,
        &[
            "no disk of the machine has an installed Linux",
            "/dev/vda2",
            "the superblock is damaged",
        ],
    );
}

#[test]
fn a_data_image_goes_to_the_volume_that_got_nothing_of_the_system() {
    let step = "  [[steps.steps]]\n  type = \"apply-data-image\"\n  name = \"Data\"\n  package = \"reference\"\n  index = 1\n\n\
                \x20 [[steps.steps]]\n  type = \"apply-os-settings\"";
    let before = "  [[steps.steps]]\n  type = \"apply-os-settings\"";
    let sequence = deploy();
    assert!(sequence.contains(before));
    let sequence = on_volumes(&sequence.replace(before, step));
    let (world, report) = run_to_end(machine(
        Firmware::Uefi,
        &MediaBuilder::new(MediaLayout::Iso, &sequence),
    ));
    report.assert_succeeded();
    assert!(volume(&world, "/home").bytes("etc/os-release").is_some());
    assert!(volume(&world, "/").bytes("etc/fstab").is_some());
}

/// The existing system with a second disk that the capture goes to.
fn existing_to_disk(kind: &str, compression: &str) -> World {
    let destination = "destination = \"%OSDCaptureDestination%\"";
    let sequence = capture_existing("media:unused.wim");
    assert!(sequence.contains(destination));
    let sequence = sequence.replace(
        destination,
        &format!("destination = {{ disk = {{ only = true }}, path = \"ref.wim\" }}\n  compression = \"{compression}\""),
    );
    let mut world = installed(&MediaBuilder::new(MediaLayout::Iso, &sequence));
    let archive = Drive::empty("vdb", 8 << 30, Bus::Virtio).with("archive", Volume::new(kind, 1 << 30));
    world.drives.insert(1, archive);
    world
}

#[test]
fn the_disk_of_an_existing_system_is_not_the_destination_of_its_capture() {
    let (world, report) = run_to_end(existing_to_disk("exfat", "xpress"));
    report.assert_succeeded();
    assert!(world.drives[1].parts[0].volume.bytes("ref.wim").is_some());
}

#[test]
fn a_volume_of_the_system_that_the_capture_goes_to_is_not_captured() {
    let mut world = existing_to_disk("ext4", "xpress");
    let fstab = "PARTUUID=part-root / ext4 defaults 0 1\nPARTUUID=archive /backup ext4 defaults 0 2\n";
    world.drives[0].parts[1].volume.put("etc/fstab", file(fstab));
    let (world, report) = run_to_end(world);
    report.assert_succeeded();
    assert!(
        report
            .log
            .contains("/dev/vdb1 (ext4): it is the destination of the capture")
    );
    let wim = Wim::parse(world.drives[1].parts[0].volume.bytes("ref.wim").unwrap()).unwrap();
    assert_eq!(wim.images.len(), 1);
}

#[test]
fn an_image_that_fat32_cannot_hold_is_refused_before_it_is_written() {
    let mut known = crate::runs::to_disk(Firmware::Uefi, "{ number = 1 }");
    known.drives[1].parts[0].volume.kind = "vfat".into();
    refused(&known, &["Capture the operating system", "FAT32", "exFAT"]);
    let mut unknown = existing_to_disk("vfat", "none");
    let large = vec![b'x'; usize::try_from(crate::disks::LARGEST_FILE).unwrap() + 1];
    unknown.drives[0].parts[1]
        .volume
        .put("home/user/large", file(large));
    refused(&unknown, &["Capture the operating system", "FAT32", "exFAT"]);
}

#[test]
fn a_bios_does_not_start_from_sectors_of_4096_bytes() {
    let world = |firmware| {
        let mut world = machine(firmware, &MediaBuilder::new(MediaLayout::Iso, &deploy()));
        world.drives[0].sector_size = 4096;
        world
    };
    refused(
        &world(Firmware::Bios),
        &["Partition the disk", "sectors of 4096 bytes", "UEFI"],
    );
    run_to_end(world(Firmware::Uefi)).1.assert_succeeded();
}

#[test]
fn a_capture_leaves_out_who_the_machine_is_and_keeps_what_is_the_users() {
    let mut world = installed(&with_account(MediaLayout::Iso, &capture_existing(TO_SHARE)));
    let gone = [
        "etc/nvme/hostid",
        "etc/nvme/hostnqn",
        "etc/krb5.keytab",
        "etc/shadow-",
        "etc/ssl/private/ssl-cert-snakeoil.key",
        "etc/ssl/certs/ssl-cert-snakeoil.pem",
        "var/lib/samba/private/secrets.tdb",
        "var/lib/systemd/coredump/core.1",
        "var/crash/report",
        "etc/default/grub.d/40-force-partuuid.cfg",
    ];
    let kept = [
        "mnt/data/file",
        "media/disc/file",
        "var/lib/private/service/state",
        "var/lib/samba/private/readme",
        "etc/ssl/private/own.key",
        "etc/default/grub.d/50-cloudimg-settings.cfg",
        "boot/efi/note",
    ];
    let root = &mut world.drives[0].parts[1].volume;
    for path in gone.iter().chain(&kept) {
        root.put(path, file("content"));
    }
    root.put("usr/lib/open-iscsi/startup-checks.sh", file("program"));
    root.put(
        "etc/iscsi/initiatorname.iscsi",
        file("InitiatorName=iqn.1993-08.org.debian:01:abc"),
    );
    let (world, report) = run_to_end(world);
    report.assert_succeeded();
    let tree = &images(&world)["/"].1;
    for path in gone {
        assert!(!tree.contains_key(path), "{path} was captured");
    }
    for path in kept {
        assert!(tree.contains_key(path), "{path} is missing");
    }
    let initiator = Volume {
        tree: tree.clone(),
        ..Volume::default()
    };
    let initiator = initiator.bytes("etc/iscsi/initiatorname.iscsi").unwrap().clone();
    assert_eq!(String::from_utf8(initiator).unwrap(), "GenerateName=yes\n");
}

/// The template that deploys, with that destination of the operating system, on volumes of which one is named.
fn deploys_to(destination: &str) -> World {
    let partitions = r#"disk = { number = 0 }
  partitions = [
    { kind = "primary", size = "1 GB", variable = "FIRST" },
    { kind = "primary", size = "100 MB", file-system = "swap" },
    { kind = "primary", size = "2 GB", variable = "SECOND" },
  ]"#;
    let whole = "all-volumes = true";
    let text = deploy().replace("disk = { only = true }", partitions);
    assert!(text.contains(whole));
    let text = text.replace(whole, &format!("index = 1\n  destination = {destination}"));
    let mut world = machine(Firmware::Uefi, &MediaBuilder::new(MediaLayout::Iso, &text));
    world.drives.insert(1, Drive::empty("vdb", 8 << 30, Bus::Virtio));
    world
}

#[test]
fn an_image_goes_to_the_volume_that_the_step_names() {
    for destination in [
        "{ disk = 0, partition = 4 }",
        "{ variable = \"second\" }",
        "{ volume = \"%SECOND%\" }",
    ] {
        let (world, report) = run_to_end(deploys_to(destination));
        report.assert_succeeded();
        let has_system = |part: usize| {
            world.drives[0].parts[part]
                .volume
                .bytes("etc/os-release")
                .is_some()
        };
        assert!(has_system(3) && !has_system(1), "{destination}");
    }
}

#[test]
fn a_destination_that_will_not_be_there_is_refused_before_anything_is_erased() {
    let step = "Apply the operating system";
    for (destination, words) in [
        ("{ disk = 1, partition = 2 }", ["disk 1", "disk 0, /dev/vda"]),
        (
            "{ disk = 0, partition = 5 }",
            ["partition 5 of /dev/vda", "2 (ext4 /), 4 (ext4)"],
        ),
        (
            "{ disk = 0, partition = 3 }",
            ["partition 3 of /dev/vda", "no volume for an image"],
        ),
        (
            "{ variable = \"THIRD\" }",
            ["variable THIRD", "no volume of the run"],
        ),
        ("{ volume = \"C:\" }", ["\"C:\"", "no volume of the run"]),
    ] {
        refused(&deploys_to(destination), &[step, words[0], words[1]]);
    }
    let mut media = MediaBuilder::new(MediaLayout::Iso, &deploy());
    let variables = &mut media.options.variables;
    variables.insert("OSDTargetSystemDrive".into(), "C:".into());
    refused(
        &machine(Firmware::Uefi, &media),
        &[step, "\"C:\"", "no volume of the run"],
    );
}

/// Applies the system again after a command has put users' state onto two of its volumes, one of them for the variable.
fn applies_again(state: &str, destination: &str) -> World {
    let partitions = r#"disk = { only = true }
  partitions = [
    { kind = "primary", size = "2 GB", mount-point = "/", variable = "ROOT" },
    { kind = "primary", size = "1 GB", mount-point = "/home", variable = "HOME" },
  ]"#;
    let whole = "all-volumes = true";
    let once = format!("{whole}\n  destination = {{ variable = \"ROOT\" }}");
    let text = deploy().replace("disk = { only = true }", partitions);
    let command = |path: &str| {
        format!(
            "\n  [[steps.steps]]\n  type = \"run-command-line\"\n  command = \"append %OSDTargetSystemDrive%/{path}\"\n"
        )
    };
    let more = command("var/state/of/user")
        + &command("var/state/junk")
        + &command("home/state/user")
        + &command("home/junk")
        + &format!(
            "\n  [[steps.steps]]\n  type = \"set-variables\"\n  variables = {{ _SMSTSUserStatePath = '{state}' }}\n\n  \
             [[steps.steps]]\n  type = \"apply-operating-system-image\"\n  package = \"reference\"\n  {whole}\n  destination = \
             {destination}\n"
        );
    assert!(text.contains(whole));
    let text = text.replace(whole, &(once + "\n" + &more));
    machine(Firmware::Uefi, &MediaBuilder::new(MediaLayout::Iso, &text))
}

#[test]
fn an_apply_deletes_everything_but_the_users_state() {
    for (state, there) in [
        ("%OSDTargetSystemDrive%/var/state/of", [true, false, false, false]),
        ("%ROOT%/var/state", [true, true, false, false]),
        ("%OSDTargetSystemDrive%/home/state", [false, false, true, false]),
        ("%HOME%/state", [false, false, true, false]),
        ("%ROOT%/VAR/State", [true, true, false, false]),
        ("", [false; 4]),
    ] {
        for destination in [
            "{ variable = \"ROOT\" }",
            "{ variable = \"OSDTargetSystemDrive\" }",
            "{ volume = \"%OSDTargetSystemDrive%\" }",
        ] {
            let (world, report) = run_to_end(applies_again(state, destination));
            report.assert_succeeded();
            state_is_kept(&world, state, there);
        }
    }
    for state in ["%ROOT%", "%ROOT%/../x", "/elsewhere", "%NOWHERE%/state"] {
        let (world, report) = run_to_end(applies_again(state, "{ variable = \"ROOT\" }"));
        assert!(
            report.reason().contains("_SMSTSUserStatePath"),
            "{}",
            report.reason()
        );
        let state = world.drives[0].parts[1].volume.bytes("var/state/of/user");
        assert!(state.is_some(), "nothing was deleted");
    }
}

fn state_is_kept(world: &World, state: &str, there: [bool; 4]) {
    let parts = &world.drives[0].parts;
    let paths = [
        (1, "var/state/of/user"),
        (1, "var/state/junk"),
        (2, "state/user"),
        (2, "junk"),
    ];
    let found = paths.map(|(part, path)| parts[part].volume.bytes(path).is_some());
    assert_eq!(found, there, "{state}");
    assert!(parts[1].volume.bytes("etc/os-release").is_some());
}
