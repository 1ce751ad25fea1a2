//! Whole runs with a Windows: what its volumes hold on the way and at the end, with the power failing everywhere.

use media_format::event::Environment::{Os, Pe};
use media_format::hive::{Edit, Value};
use media_format::manifest::MediaLayout;
use runtime::context::beginning;
use runtime::platform::{Bus, Firmware};
use runtime::windows::planted;
use windows_setup::offline_registry::{CREATED_USER, ControlSet, FIRST_START};

use crate::cuts::cut_everywhere;
use crate::driver::{run_to_end, run_to_system};
use crate::fixture::{ADMIN_CANARY, CAPTURE_CANARY, JOIN_CANARY, MediaBuilder, SHARE, machine};
use crate::frames::{deploy_windows, with_first};
use crate::hives::{edited, value};
use crate::images::Wim;
use crate::windows::{
    SETUP_COMPLETE, SOFTWARE_HIVE, SYSTEM_HIVE, add_drivers, controller, info, installation, wim,
};
use crate::world::{Drive, Node, Part, Volume, World, file};

pub(crate) const BUILD_AND_CAPTURE: &str = include_str!("../../../templates/windows-build-and-capture.toml");
pub(crate) const CAPTURE_EXISTING: &str = include_str!("../../../templates/windows-capture-existing.toml");
pub(crate) const DEPLOY: &str = include_str!("../../../templates/windows-deploy.toml");
pub(crate) const GENERALIZED: &str = "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE";

/// The template with the tests' destination, without the steps of those types.
pub(crate) fn template(text: &str, without: &[&str]) -> String {
    let mut lines = text.lines();
    let destination = lines.find(|line| line.starts_with("OSDCaptureDestination"));
    let ours = r"OSDCaptureDestination = '\\server\captures\ref.wim'";
    template_of(&text.replace(destination.unwrap(), ours), without)
}

pub(crate) fn template_of(text: &str, without: &[&str]) -> String {
    let mut parts = text.split("[[steps.steps]]");
    let mut kept = vec![parts.next().unwrap().to_owned()];
    let typed = |part: &str, kind: &str| part.contains(&format!("type = \"{kind}\""));
    for part in parts {
        if without.iter().any(|kind| typed(part, kind)) {
            // The group behind the step stays.
            let group = part.find("[[steps]]").map(|at| part[at..].to_owned());
            kept.extend(group);
        } else {
            kept.push(format!("[[steps.steps]]{part}"));
        }
    }
    kept.concat()
}

/// What is done inside Windows and not by it.
pub(crate) const INSIDE: [&str; 3] = [
    "install-updates",
    "install-applications",
    "join-domain-or-workgroup",
];

pub(crate) fn media(layout: MediaLayout, sequence: &str) -> MediaBuilder {
    let mut media = MediaBuilder::new(layout, sequence)
        .secret("OSDCaptureAccountPassword", CAPTURE_CANARY)
        .secret("OSDJoinPassword", JOIN_CANARY)
        .secret("OSDLocalAdminPassword", ADMIN_CANARY);
    let variables = &mut media.options.variables;
    variables.insert("OSDCaptureAccount".into(), "capturer".into());
    add_drivers(&mut media);
    media.add_wim(
        "windows",
        &wim(&installation("IMAGE_STATE_COMPLETE"), Some(info(9))),
    );
    media
}

fn build_and_capture(layout: MediaLayout) -> World {
    with_controller(&media(layout, &template(BUILD_AND_CAPTURE, &INSIDE)))
}

pub(crate) fn with_controller(media: &MediaBuilder) -> World {
    let mut world = machine(Firmware::Uefi, media);
    world.devices = vec![controller()];
    world
}

pub(crate) fn captured(world: &World) -> Wim {
    Wim::parse(world.shares[SHARE].volume.bytes("ref.wim").unwrap()).unwrap()
}

#[test]
fn a_windows_is_built_and_captured_without_a_trace_of_the_run() {
    let (world, report) = run_to_end(build_and_capture(MediaLayout::Iso));
    report.assert_succeeded();
    assert_eq!(report.starts, [Pe, Os, Pe]);
    let wim = captured(&world);
    let tree = wim.images[0].tree();
    assert_eq!(wim.images.len(), 1);
    assert_eq!(tree[SETUP_COMPLETE], file("echo the image's own"));
    assert!(tree.contains_key("Windows/explorer.exe") && !tree.contains_key("pagefile.sys"));
    let ours: Vec<_> = tree
        .keys()
        .filter(|path| path.contains("media-runtime"))
        .collect();
    assert!(ours.is_empty(), "{ours:?}");
    assert!(
        !tree
            .keys()
            .any(|path| path.to_lowercase().ends_with("unattend.xml"))
    );
    let Node::File(system, _) = &tree[SYSTEM_HIVE] else {
        panic!("no hive")
    };
    assert!(!String::from_utf8_lossy(system).contains("media-runtime"));
    let Node::File(software, _) = &tree[SOFTWARE_HIVE] else {
        panic!("no hive")
    };
    let path = value(software, r"Microsoft\Windows\CurrentVersion", "DevicePath");
    assert_ne!(path, None);
    assert!(!format!("{path:?}").contains("media-runtime"), "{path:?}");
    // Whoever sets up the image is asked for a user.
    assert_eq!(value(software, FIRST_START, CREATED_USER), None);
}

#[test]
fn a_run_goes_by_the_identifiers_that_the_new_partitions_really_have() {
    let mut world = build_and_capture(MediaLayout::Iso);
    world.names_partitions = true;
    let (world, report) = run_to_end(world);
    report.assert_succeeded();
    assert_eq!(report.starts, [Pe, Os, Pe]);
    assert!(
        world.drives[0]
            .parts
            .iter()
            .all(|part| part.id.starts_with("0badcafe-"))
    );
    assert_eq!(captured(&world).images.len(), 1);
}

#[test]
fn a_windows_survives_a_cut_at_every_operation() {
    for layout in [MediaLayout::Iso, MediaLayout::Usb] {
        let stops = cut_everywhere(&build_and_capture(layout));
        let early: Vec<_> = stops.keys().map(|stop| beginning(stop, 400)).collect();
        assert!(early.is_empty(), "{early:#?}");
    }
    let mut world = build_and_capture(MediaLayout::Iso);
    world.media_first = false;
    let stops = cut_everywhere(&world);
    // The capture is complete and the way back to the boot image half removed: the machine, used up, starts its Windows.
    let early: Vec<_> = stops.keys().map(|stop| beginning(stop, 200)).collect();
    let inert = |stop: &&str| stop.starts_with("remove ") && stop.contains(": Idle ");
    assert!(early.iter().all(inert), "{early:#?}");
}

/// A machine with an installed Windows that no run of ours made, beside volumes that are and are not captured.
pub(crate) fn existing(state: &str) -> World {
    let mut world = machine(
        Firmware::Uefi,
        &media(MediaLayout::Iso, &template(CAPTURE_EXISTING, &[])),
    );
    let volume = |kind: &str, path: &str| {
        let mut volume = Volume::new(kind, 1 << 30);
        volume.put(path, file("content"));
        volume
    };
    let system = Volume {
        tree: installation(state),
        ..Volume::new("ntfs", 4 << 30)
    };
    let esp = volume("vfat", "EFI/BOOT/BOOTX64.EFI");
    let mut drive = Drive::empty("vda", 8 << 30, Bus::Virtio)
        .with("part-esp", esp)
        .with("part-windows", system)
        .with("part-fat", volume("vfat", "notes.txt"))
        .with("part-linux", volume("ext4", "etc/hostname"));
    drive.parts[0].kind = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b".into();
    world.drives[0] = drive;
    let stick = Drive::empty("sdy", 8 << 30, Bus::Usb);
    world
        .drives
        .push(stick.with("part-stick", volume("ntfs", "photo.jpg")));
    world
}

/// The type of the partition from which a BIOS starts Windows does not say that it is one: what lies on it does.
#[test]
fn the_partition_that_starts_windows_is_captured_only_with_something_else_on_it() {
    let mut starter = Volume::new("ntfs", 500 << 20);
    for path in ["bootmgr", "BOOTNXT", "Boot/BCD", "System Volume Information/x"] {
        starter.put(path, file("content"));
    }
    let mut world = existing(GENERALIZED);
    world.drives[0] = world.drives[0].clone().with("part-reserved", starter);
    let (after, report) = run_to_end(world.clone());
    report.assert_succeeded();
    assert_eq!(captured(&after).images.len(), 2);
    let reserved = world.drives[0].parts.last_mut().unwrap();
    reserved.volume.put("Accounts.xlsx", file("content"));
    let (after, report) = run_to_end(world);
    report.assert_succeeded();
    assert_eq!(captured(&after).images.len(), 3);
}

#[test]
fn the_files_of_a_fat32_volume_that_lose_attributes_are_counted() {
    let warnings = |marked: &[&str]| {
        let mut world = existing(GENERALIZED);
        world.drives[0].parts[2].volume.marked = marked.iter().map(|path| (*path).to_owned()).collect();
        let (_, report) = run_to_end(world);
        report.assert_succeeded();
        let lines = report
            .log
            .lines()
            .filter(|line| line.contains("read-only, hidden or"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    // What Windows makes on each volume, and no image has.
    let made = [
        "System Volume Information",
        "$RECYCLE.BIN",
        "$RECYCLE.BIN/desktop.ini",
    ];
    assert_eq!(warnings(&made), [""; 0]);
    let kept = ["Recyclers", "notes.txt"];
    let named = warnings(&[&made[..], &kept].concat());
    assert_eq!(named.len(), 1, "{named:?}");
    let expected = "2 files and folders of /dev/vda3, such as Recyclers, are";
    assert!(named[0].contains(expected), "{named:?}");
}

#[test]
fn an_existing_windows_is_captured_volume_by_volume_and_not_changed() {
    let before = existing(GENERALIZED);
    let (world, report) = run_to_end(before.clone());
    report.assert_succeeded();
    assert_eq!(world.drives, before.drives);
    let images = captured(&world).images;
    let [windows, fat] = &images[..] else {
        panic!("two images")
    };
    assert_eq!(
        (windows.name.as_str(), fat.name.as_str()),
        ("Windows reference", "Windows reference (volume 3)")
    );
    assert!(windows.tree().contains_key("Windows/explorer.exe"));
    assert_eq!(fat.tree()["notes.txt"], file("content"));
    for skipped in ["vda1", "vda4", "sdy"] {
        let named = |line: &str| line.contains("not captured: /dev/") && line.contains(skipped);
        assert!(report.log.lines().any(named), "{skipped}: {}", report.log);
    }
}

/// A run that has failed inside that Windows leaves its log there, for somebody to read.
#[test]
fn what_an_earlier_run_has_left_in_an_existing_windows_stays_there() {
    let mut before = existing(GENERALIZED);
    let log = "ProgramData/media-runtime/smsts.log";
    before.drives[0].parts[1].volume.put(log, file("it failed"));
    let (world, report) = run_to_end(before.clone());
    report.assert_succeeded();
    assert_eq!(world.drives, before.drives);
    assert!(!captured(&world).images[0].tree().contains_key(log));
    assert!(
        report
            .log
            .contains(r"Windows has \ProgramData\media-runtime, which an earlier run has left"),
        "{}",
        report.log
    );
}

/// Its program is not captured: machines with the image would start whatever somebody put in its place.
#[test]
fn the_service_of_an_earlier_run_is_taken_out_of_an_existing_windows_and_nothing_else() {
    let mut before = existing(GENERALIZED);
    let hive = |world: &World| {
        let bytes = world.drives[0].parts[1].volume.bytes(SYSTEM_HIVE);
        bytes.expect("the hive").clone()
    };
    let clean = hive(&before);
    let set = ControlSet::current(Some(&Value::Dword(1))).unwrap();
    let entered = edited(&clean, &set.service(&planted::service()).unwrap());
    let name = |bytes: &[u8]| value(bytes, r"ControlSet001\Services\media-runtime", "DisplayName");
    assert!(name(&entered).is_some());
    before.drives[0].parts[1].volume.put(SYSTEM_HIVE, file(entered));
    let (mut world, report) = run_to_end(before.clone());
    report.assert_succeeded();
    assert_eq!(name(&hive(&world)), None);
    let image = &captured(&world).images[0];
    let Some(Node::File(bytes, _)) = image.tree().get(SYSTEM_HIVE).cloned() else {
        panic!("the image has no hive")
    };
    assert_eq!(name(&bytes), None);
    let warned = "has the service media-runtime of an earlier run";
    assert!(report.log.contains(warned), "{}", report.log);
    for world in [&mut world, &mut before] {
        world.drives[0].parts[1].volume.put(SYSTEM_HIVE, file("either"));
    }
    assert_eq!(world.drives, before.drives);
}

#[test]
fn what_a_configmgr_client_knows_the_machine_by_is_not_captured_or_named() {
    let named = "certificates of a ConfigMgr client";
    let (_, report) = run_to_end(existing(GENERALIZED));
    assert!(!report.log.contains(named));
    let mut world = existing(GENERALIZED);
    let system = &mut world.drives[0].parts[1].volume;
    system.put("Windows/SMSCFG.ini", file("SMS Unique Identifier=GUID:1"));
    let edit = Edit::SetValue {
        key: r"Microsoft\SystemCertificates\SMS\Certificates\0A1B".into(),
        name: "Blob".into(),
        value: Value::Binary(vec![1]),
    };
    let software = edited(system.bytes(SOFTWARE_HIVE).unwrap(), &[edit]);
    system.put(SOFTWARE_HIVE, file(software));
    let (world, report) = run_to_end(world);
    report.assert_succeeded();
    assert!(
        !captured(&world).images[0]
            .tree()
            .contains_key("Windows/SMSCFG.ini")
    );
    assert!(report.log.contains(named), "{}", report.log);
}

#[test]
fn a_hidden_partition_is_not_captured_whatever_the_table() {
    let hide: [fn(&mut Part); 3] = [
        |part| part.attributes = 1 << 62,
        |part| part.kind = "0x17".into(),
        |part| part.kind = "0x1C".into(),
    ];
    for hide in hide {
        let mut world = existing(GENERALIZED);
        hide(&mut world.drives[0].parts[2]);
        let (after, report) = run_to_end(world);
        report.assert_succeeded();
        assert_eq!(captured(&after).images.len(), 1);
        let named = "not captured: /dev/vda3 (vfat): it is hidden";
        assert!(report.log.contains(named), "{}", report.log);
    }
}

/// What DISM and the list of Windows set-up show.
#[test]
fn a_captured_windows_says_what_it_is() {
    let about = |sequence: &str| {
        let mut world = machine(Firmware::Uefi, &media(MediaLayout::Iso, sequence));
        world.drives[0] = existing(GENERALIZED).drives.swap_remove(0);
        let (world, report) = run_to_end(world);
        report.assert_succeeded();
        let images = captured(&world).images.into_iter();
        let joined = |(name, text): (String, String)| format!("{name}: {text}");
        let all = images.map(|image| image.about.into_iter().map(joined).collect());
        all.collect::<Vec<Vec<String>>>()
    };
    let given = template(CAPTURE_EXISTING, &[])
        .replace("%OSDImageVersion%", "7.1")
        .replace("%OSDImageCreator%", "Somebody");
    let shared = ["creator: Somebody", "description: Captured by media-builder"];
    let windows = [
        "display description: Captured by media-builder",
        "display name: Windows reference",
        "flags: Professional",
        "version: 7.1",
    ];
    let expected = [
        [&shared[..], &windows].concat(),
        [&shared[..], &["version: 7.1"]].concat(),
    ];
    assert_eq!(about(&given), expected);
    // Where nobody describes it, it is described by what it is; another volume by nothing.
    let line = "  image-description = \"Captured by media-builder\"\n";
    assert!(given.contains(line));
    let all = about(&given.replace(line, ""));
    for described in ["description: ", "display description: "] {
        let line = format!("{described}Windows 11 Pro 10.0.26100.0");
        assert!(all[0].contains(&line), "{all:?}");
    }
    assert_eq!(all[1], ["creator: Somebody", "version: 7.1"]);
}

#[test]
fn a_windows_that_cannot_be_captured_is_refused_and_not_changed() {
    let refused = |world: World, why: &str| {
        let (after, report) = run_to_end(world.clone());
        assert!(report.reason().contains(why), "{}", report.reason());
        assert_eq!(after.drives, world.drives);
        assert!(after.shares[SHARE].volume.bytes("ref.wim").is_none());
    };
    refused(existing("IMAGE_STATE_COMPLETE"), "was not generalized");
    let mut unclean = existing(GENERALIZED);
    unclean.drives[0].parts[1].volume.unclean = true;
    refused(unclean, "fast startup");
    let mut none = existing(GENERALIZED);
    none.drives[0].parts[1].volume.tree.remove(SYSTEM_HIVE);
    refused(none, "no disk of the machine has an installed Windows");
}

/// The run ends before anything was written to a disk.
pub(crate) fn refused_untouched(firmware: Firmware, sequence: &str, wim: &[u8], why: &str) {
    let mut media = media(MediaLayout::Iso, sequence);
    media.put_image("windows", wim);
    let world = machine(firmware, &media);
    let (after, report) = run_to_end(world.clone());
    assert!(report.reason().contains(why), "{}", report.reason());
    assert_eq!(after.drives, world.drives);
}

#[test]
fn what_cannot_become_a_windows_is_refused_before_anything_is_changed() {
    let sequence = template(BUILD_AND_CAPTURE, &INSIDE);
    let good = wim(&installation("IMAGE_STATE_COMPLETE"), Some(info(9)));
    let refused = |sequence: &str, wim: &[u8], why| refused_untouched(Firmware::Uefi, sequence, wim, why);
    // A BIOS would start it: the reason is none of the firmware.
    for firmware in [Firmware::Uefi, Firmware::Bios] {
        for (number, why) in [(0, "for x86 processors"), (12, "for arm64 processors")] {
            let other = wim(&installation(GENERALIZED), Some(info(number)));
            refused_untouched(firmware, &sequence, &other, why);
            let why = "the runtime that goes on with the run inside Windows is for amd64 (x64) only";
            refused_untouched(firmware, &sequence, &other, why);
        }
    }
    refused(
        &sequence,
        &wim(&installation(GENERALIZED), None),
        "none of these images is an installed Windows",
    );
    let mut without = installation(GENERALIZED);
    without.remove("Windows/Boot/EFI/bootmgfw.efi");
    refused(
        &sequence,
        &wim(&without, Some(info(9))),
        "has no /Windows/Boot/EFI/bootmgfw.efi",
    );
    let mut without = installation(GENERALIZED);
    without.remove("Windows/Boot/PCAT/bootmgr");
    refused_untouched(
        Firmware::Bios,
        &sequence,
        &wim(&without, Some(info(9))),
        "has no /Windows/Boot/PCAT/bootmgr",
    );
    let long = sequence.replace(
        "OSDComputerName = \"REFERENCE\"",
        "OSDComputerName = \"SIXTEEN-CHARS-XX\"",
    );
    refused(&long, &good, "16 characters");
    let key = sequence.replace("  time-zone =", "  product-key = \"ABCDE\"\n  time-zone =");
    refused(&key, &good, "product-key");
    let domain = sequence.replace(
        "  join = \"workgroup\"\n  workgroup = \"WORKGROUP\"",
        "  join = \"domain\"\n  domain = \"example.org\"\n  account = \"example\\\\a\"\n  password = \"%OSDJoinPassword%\"",
    );
    assert_ne!(domain, sequence);
    refused(&domain, &good, "domain");
}

/// What a step sets is not known before the run.
#[test]
fn a_domain_that_only_the_run_knows_of_is_not_joined_before_a_capture_either() {
    let sets = "[[steps.steps]]\n  type = \"set-variables\"\n  variables = { OSDNetworkJoinType = \"0\", \
                OSDDomainName = \"example.org\", OSDJoinAccount = \"example\\\\a\" }\n\n  ";
    let network = "[[steps.steps]]\n  type = \"apply-network-settings\"";
    let written = "  join = \"workgroup\"\n  workgroup = \"WORKGROUP\"\n";
    let without = [&INSIDE[..], &["apply-os-settings"]].concat();
    let sequence = template(BUILD_AND_CAPTURE, &without);
    assert!(sequence.contains(network) && sequence.contains(written));
    let sequence = sequence
        .replace(written, "")
        .replace(network, &format!("{sets}{network}"));
    let (_, report) = run_to_end(with_controller(&media(MediaLayout::Iso, &sequence)));
    for why in ["Apply the network settings", "must not be a member of a domain"] {
        assert!(report.reason().contains(why), "{}", report.reason());
    }
}

/// Only the run decides which of the two it is.
fn one_of_two(sequence: &str, images: [&str; 2]) -> String {
    let package = "  package = \"windows\"\n  index = 1\n";
    assert!(sequence.contains(package));
    let step = "\n  [[steps.steps]]\n  type = \"apply-operating-system-image\"\n";
    let cached = "{ variable = \"_SMSTSClientCache\", exists = true }";
    let [one, other] = images.map(|image| package.replace("windows", image));
    let both = format!("{one}  when = {cached}\n{step}{other}  when = {{ none = [{cached}] }}\n");
    sequence.replace(package, &both)
}

#[test]
fn settings_are_judged_before_the_disk_is_erased_though_the_image_is_not_known() {
    let sequence = template(BUILD_AND_CAPTURE, &INSIDE);
    let good = wim(&installation("IMAGE_STATE_COMPLETE"), Some(info(9)));
    let name = |text: &str| text.replace("\"REFERENCE\"", "\"SIXTEEN-CHARS-XX\"");
    let key = |text: &str| text.replace("  time-zone =", "  product-key = \"ABCDE\"\n  time-zone =");
    let two = one_of_two(&sequence, ["windows", "windows"]);
    for (text, why) in [(name(&two), "16 characters"), (key(&two), "product-key")] {
        refused_untouched(Firmware::Uefi, &text, &good, why);
    }
    let mut media = media(MediaLayout::Iso, &two);
    media.put_image("windows", &good);
    run_to_end(with_controller(&media)).1.assert_succeeded();
    // Only a step says which image it is.
    let sets = "[[steps]]\ntype = \"set-variables\"\nvariables = { Image = \"1\" }\n\n";
    let open = sequence.replace("index = 1", "index = \"%Image%\"");
    let open = with_first(&open, sets);
    refused_untouched(Firmware::Uefi, &name(&open), &good, "16 characters");
}

#[test]
fn a_boot_image_with_a_program_for_drivers_adds_them_by_it() {
    let deploys = deploy_windows();
    let mut world = with_controller(&media(MediaLayout::Iso, &deploys));
    world.adds_drivers = true;
    world.system_hangs = true;
    let (world, report) = run_to_end(world);
    let system = &world.drives[0].parts[2].volume;
    let added = system.bytes("Windows/INF/vmd.inf").map(|bytes| bytes.to_vec());
    assert_eq!(added.as_deref(), Some(&b"signed: true"[..]), "{}", report.log);
    assert!(system.bytes("Windows/System32/drivers/vmdstor.sys").is_none());
    assert!(system.below("ProgramData/media-runtime/drivers").is_empty());
}

#[test]
fn a_deployed_windows_is_told_everything_and_started_from_its_own_store() {
    let deploys = deploy_windows();
    let world = with_controller(&media(MediaLayout::Iso, &deploys));
    let (_, report) = run_to_end(world.clone());
    assert_eq!(report.starts, [Pe, Os], "{}", report.log);
    // What it finds when it starts for the first time: the runtime takes it away at the end.
    let (world, _) = run_to_system(world);
    let [esp, _, system, _] = &world.drives[0].parts[..] else {
        panic!("four partitions")
    };
    for path in [
        "EFI/Microsoft/Boot/bootmgfw.efi",
        "EFI/Microsoft/Boot/nl-NL/bootmgfw.efi.mui",
        "EFI/Microsoft/Boot/Fonts/segoe_slboot.ttf",
        "EFI/Microsoft/Boot/Resources/bootres.dll",
        "EFI/Microsoft/Boot/BCD",
        "EFI/BOOT/BOOTX64.EFI",
    ] {
        assert!(esp.volume.bytes(path).is_some(), "{path}");
    }
    let answers = system
        .volume
        .bytes("Windows/Panther/Unattend/Unattend.xml")
        .unwrap();
    let answers = String::from_utf8_lossy(answers);
    for told in [
        "<ComputerName>COMPUTER<",
        "<JoinWorkgroup>WORKGROUP<",
        "<TimeZone>UTC<",
        "HideEULAPage",
    ] {
        assert!(answers.contains(told), "{told}: {answers}");
    }
    let found = |hive: &str, key: &str, name: &str| value(system.volume.bytes(hive).unwrap(), key, name);
    let path = found(SOFTWARE_HIVE, r"Microsoft\Windows\CurrentVersion", "DevicePath");
    let folder = r"%SystemDrive%\ProgramData\media-runtime\drivers\drivers\vmd";
    assert_eq!(path, Some(Value::ExpandSz(format!(r"%SystemRoot%\inf;{folder}"))));
    for placed in ["vmd.inf", "vmd.cat", "vmdstor.sys", "vmdlog.dll"] {
        let place = format!("ProgramData/media-runtime/drivers/drivers/vmd/{placed}");
        assert!(system.volume.bytes(&place).is_some(), "{place}");
    }
    assert!(
        system
            .volume
            .bytes("Windows/System32/drivers/vmdstor.sys")
            .is_some()
    );
    let start = found(SYSTEM_HIVE, r"ControlSet001\Services\vmdstor", "Start");
    assert_eq!(start, Some(Value::Dword(0)));
    let id = r"DriverDatabase\DeviceIds\PCI\VEN_8086&DEV_9A0B";
    assert!(found(SYSTEM_HIVE, id, "media-runtime-vmdstor.inf").is_some());
    let entry = world
        .entries
        .iter()
        .find(|entry| entry.label == "Windows Boot Manager");
    assert_eq!(entry.unwrap().loader, "/EFI/Microsoft/Boot/bootmgfw.efi");
}
