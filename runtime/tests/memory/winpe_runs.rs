//! Whole runs with a Windows whose boot image is a Windows PE: the firmware leads from place to place, by entries of the run.

use media_format::event::Environment::{Os, Pe};
use media_format::manifest::{Manifest, MediaLayout};
use media_format::paths;
use runtime::context::beginning;
use runtime::platform::{Bus, Firmware};

use crate::boot::{Started, start};
use crate::cuts::{cut_everywhere, cut_twice};
use crate::driver::{run_to_cut, run_to_end};
use crate::fixture::{MEDIA, SHARE, machine};
use crate::frames::{as_winpe, deploy_windows};
use crate::refusals::refused;
use crate::signed_programs::{Authority, X509, list};
use crate::windows::{info, installation, wim, with_files};
use crate::windows_runs::{BUILD_AND_CAPTURE, INSIDE, captured, media, template, with_controller};
use crate::world::{Drive, Volume, World, file};

fn with(layout: MediaLayout, sequence: &str) -> World {
    as_winpe(machine(Firmware::Uefi, &media(layout, sequence)))
}

fn build_and_capture(layout: MediaLayout) -> World {
    with(layout, &template(BUILD_AND_CAPTURE, &INSIDE))
}

/// The same on a machine with a BIOS.
fn by_bios(layout: MediaLayout) -> World {
    let sequence = template(BUILD_AND_CAPTURE, &INSIDE);
    as_winpe(machine(Firmware::Bios, &media(layout, &sequence)))
}

fn labels(world: &World) -> Vec<&str> {
    world.entries.iter().map(|entry| entry.label.as_str()).collect()
}

#[test]
fn a_windows_is_built_and_captured_whether_the_media_is_first_or_not() {
    for layout in [MediaLayout::Iso, MediaLayout::Usb] {
        for media_first in [true, false] {
            let mut world = build_and_capture(layout);
            world.media_first = media_first;
            let (world, report) = run_to_end(world);
            report.assert_succeeded();
            assert_eq!(report.starts, [Pe, Os, Pe], "{}", report.log);
            let wim = captured(&world);
            let tree = wim.images[0].tree();
            assert!(tree.contains_key("Windows/explorer.exe"));
            assert!(!tree.keys().any(|path| path.contains("media-runtime")));
            assert_eq!(labels(&world), ["Windows Boot Manager"]);
            let esp = &world.drives[0].parts[0].volume;
            assert!(
                !esp.tree
                    .keys()
                    .any(|path| path.starts_with("media-runtime") || path.starts_with(".disk"))
            );
            assert!(esp.bytes("boot/grub/grub.cfg").is_none(), "nothing of a Linux PE");
        }
    }
}

/// GRUB on the stick, and on the disk where that comes first, reads the boot state.
#[test]
fn on_a_bios_a_stick_builds_and_captures_whether_it_is_first_or_not() {
    for media_first in [true, false] {
        let mut world = by_bios(MediaLayout::Usb);
        world.media_first = media_first;
        let (world, report) = run_to_end(world);
        report.assert_succeeded();
        assert_eq!(report.starts, [Pe, Os, Pe], "{}", report.log);
        let tree = captured(&world).images[0].tree();
        assert!(!tree.keys().any(|path| path.contains("media-runtime")));
        assert!(world.entries.is_empty(), "a BIOS has none");
        let active = &world.drives[0].parts[0].volume;
        let of_run = |path: &String| path.starts_with("media-runtime") || path.starts_with(".disk");
        assert!(!active.tree.keys().any(of_run));
        assert!(active.bytes("bootmgr").is_some(), "what bcdboot has put there");
    }
}

#[test]
fn on_a_bios_a_deployed_windows_starts_without_the_media() {
    let world = as_winpe(machine(
        Firmware::Bios,
        &media(MediaLayout::Usb, &deploy_windows()),
    ));
    let (mut world, report) = run_to_end(world);
    report.assert_succeeded();
    assert_eq!(report.starts, [Pe, Os], "{}", report.log);
    world.drives.retain(|drive| !drive.is_media);
    assert_eq!(start(&world, MEDIA), Started::Os(0, 1));
}

/// A generalized Windows that starts once more would not be what is captured.
#[test]
fn on_a_bios_a_generalized_windows_waits_for_the_media() {
    let world = by_bios(MediaLayout::Usb);
    let (done, _) = run_to_end(world.clone());
    let mut found = Vec::new();
    for at in 1..=done.operations.len() {
        let mut cut = world.clone();
        cut.cuts.insert(at);
        let (mut stopped, _) = run_to_cut(cut);
        let captured = stopped.shares[SHARE].volume.bytes("ref.wim.sha256").is_some();
        stopped.drives.retain(|drive| !drive.is_media);
        found.push((start(&stopped, MEDIA), captured));
    }
    let mut starts: Vec<Started> = found.iter().map(|(started, _)| *started).collect();
    starts.dedup();
    let windows = Started::Os(0, 1);
    assert_eq!(starts, [Started::Nothing, windows, Started::Nothing, windows]);
    let waits = found
        .iter()
        .rposition(|(started, _)| *started == Started::Nothing);
    let after = &found[waits.expect("it waits") + 1..];
    assert!(after.iter().all(|(_, captured)| *captured));
}

#[test]
fn a_deployed_windows_is_what_the_machine_starts_after_the_run() {
    let sequence = deploy_windows();
    let (world, report) = run_to_end(with(MediaLayout::Iso, &sequence));
    report.assert_succeeded();
    assert_eq!(report.starts, [Pe, Os], "{}", report.log);
    assert_eq!(labels(&world), ["Windows Boot Manager"]);
    let mut alone = world.clone();
    alone.drives.truncate(1);
    assert_eq!(start(&alone, MEDIA), Started::Os(0, 2));
}

#[test]
fn the_recovery_environment_comes_onto_its_partition() {
    let sequence = deploy_windows();
    let mut media = media(MediaLayout::Iso, &sequence);
    const WINRE: &str = "Windows/System32/Recovery/Winre.wim";
    let tree = with_files(installation("IMAGE_STATE_COMPLETE"), &[(WINRE, b"recovery")]);
    media.put_image("windows", &wim(&tree, Some(info(9))));
    let (world, report) = run_to_end(as_winpe(machine(Firmware::Uefi, &media)));
    report.assert_succeeded();
    let [_, _, windows, recovery] = &world.drives[0].parts[..] else {
        panic!("four partitions")
    };
    let placed = recovery.volume.bytes("Recovery/WindowsRE/Winre.wim");
    assert_eq!(placed.map(Vec::as_slice), Some(&b"recovery"[..]));
    assert!(windows.volume.bytes(WINRE).is_some());
    let told = windows
        .volume
        .bytes("Windows/System32/Recovery/ReAgent.xml")
        .unwrap();
    assert_eq!(told, b"vda4/Recovery/WindowsRE");
}

/// One number for one partition, whatever the boot image is.
#[test]
fn partitions_are_counted_as_the_table_does_and_not_as_windows() {
    let to = |number: u32| {
        let variable = "destination = \"%OSDCaptureDestination%\"";
        let there =
            format!("{{ disk = {{ serial = \"SERIAL-vdb\" }}, partition = {number}, path = \"ref.wim\" }}");
        let text = template(BUILD_AND_CAPTURE, &INSIDE).replace(variable, &format!("destination = {there}"));
        let mut world = with(MediaLayout::Iso, &text);
        let volume = || Volume::new("ntfs", 4 << 30);
        let mut second = Drive::empty("vdb", 9 << 30, Bus::Virtio)
            .with("0badf00d-01", volume())
            .with("0badf00d-05", volume());
        second.table_id = "0badf00d".into();
        world.drives.insert(1, second);
        run_to_end(world)
    };
    let (world, report) = to(5);
    report.assert_succeeded();
    assert!(world.drives[1].parts[1].volume.bytes("ref.wim").is_some());
    let (_, report) = to(2);
    let why = "has no volume that a capture can go to";
    assert!(report.reason().contains(why), "{}", report.reason());
}

#[test]
fn a_build_by_windows_pe_survives_a_cut_at_every_operation() {
    for layout in [MediaLayout::Iso, MediaLayout::Usb] {
        let stops = cut_everywhere(&build_and_capture(layout));
        let early: Vec<_> = stops.keys().map(|stop| beginning(stop, 400)).collect();
        assert!(early.is_empty(), "{early:#?}");
    }
    cut_twice(&build_and_capture(MediaLayout::Usb), 4);
    for media_first in [true, false] {
        let mut bios = by_bios(MediaLayout::Usb);
        bios.media_first = media_first;
        let stops = cut_everywhere(&bios);
        let early: Vec<_> = stops.keys().map(|stop| beginning(stop, 400)).collect();
        assert!(early.is_empty(), "{early:#?}");
        cut_twice(&bios, 6);
    }
    let mut world = build_and_capture(MediaLayout::Iso);
    world.media_first = false;
    let stops = cut_everywhere(&world);
    // The capture is complete and the way back to the boot image half removed: the machine, used up, starts its Windows.
    let early: Vec<_> = stops.keys().map(|stop| beginning(stop, 200)).collect();
    let inert = |stop: &&str| stop.starts_with("remove ") && stop.contains(": Idle ");
    assert!(early.iter().all(inert), "{early:#?}");
}

#[test]
fn where_restarts_would_lead_nowhere_nothing_is_changed() {
    let unchanged = |world: World, why: &str| {
        let (after, report) = run_to_end(world.clone());
        assert!(report.reason().contains(why), "{}", report.reason());
        assert_eq!(after.drives[0], world.drives[0]);
        assert_eq!(after.entries, world.entries);
    };
    unchanged(
        by_bios(MediaLayout::Iso),
        "is a disc, whose boot manager starts Windows PE every time",
    );
    let mut without_grub = by_bios(MediaLayout::Usb);
    let boot = &mut without_grub.drives.last_mut().unwrap().parts[0].volume;
    let mut manifest = Manifest::parse(boot.bytes(paths::MANIFEST).unwrap()).unwrap();
    manifest.files.retain(|file| file.path != paths::BIOS_CORE);
    boot.put(paths::MANIFEST, file(manifest.to_bytes()));
    unchanged(without_grub, "is a stick without GRUB");
    let mut silent = build_and_capture(MediaLayout::Iso);
    silent.tells_start = false;
    unchanged(silent, "does not say what has started the machine");
    let named = template(BUILD_AND_CAPTURE, &INSIDE).replace(
        "type = \"format-and-partition-disk\"",
        "type = \"format-and-partition-disk\"\n  partitions = [{ kind = \"primary\", size = \"5 GiB\", label = \"Größe\" }]",
    );
    unchanged(with(MediaLayout::Usb, &named), "cannot hold the label Größe");
}

/// The capture comes last, when the machine is built and generalized.
#[test]
fn a_capture_that_dism_cannot_make_is_refused_before_anything_is_changed() {
    let with_settings = |settings: &str| {
        let capture = "type = \"capture-operating-system-image\"\n";
        let text = template(BUILD_AND_CAPTURE, &INSIDE);
        let text = text.replace(capture, &format!("{capture}  {settings}\n"));
        let mut media = media(MediaLayout::Iso, &text);
        let variables = &mut media.options.variables;
        variables.insert("Kind".into(), "lzms".into());
        variables.insert("Name".into(), "Größe".into());
        media
    };
    for (settings, why) in [
        ("compression = \"%Kind%\"", "for `lzms` use the Linux PE"),
        ("exclude = [\"/%Name%\"]", "DISM cannot exclude /Größe"),
    ] {
        let media = with_settings(settings);
        let winpe = as_winpe(machine(Firmware::Uefi, &media));
        refused(&winpe, &["Capture the operating system", why]);
        let (_, report) = run_to_end(with_controller(&media));
        report.assert_succeeded();
    }
}

#[test]
fn an_image_without_the_boot_files_that_the_firmware_asks_for_is_refused() {
    let mut world = build_and_capture(MediaLayout::Iso);
    let new = Authority::new("Windows UEFI CA 2023");
    world
        .signature_lists
        .insert("db".into(), list(X509, &[&new.certificate]));
    let (after, report) = run_to_end(world.clone());
    assert!(
        report
            .reason()
            .contains("has no Windows/Boot/EFI_EX/bootmgfw_EX.efi"),
        "{}",
        report.reason()
    );
    assert_eq!(after.drives, world.drives);
    let old = Authority::new("Microsoft Windows Production PCA 2011");
    world
        .signature_lists
        .insert("db".into(), list(X509, &[&old.certificate, &new.certificate]));
    let (_, report) = run_to_end(world);
    // The stand-in's boot manager has no signature, which is seen once it is on the volume.
    assert!(
        report.log.contains("after the image was applied"),
        "{}",
        report.log
    );
}

/// A Windows that is set up restarts by itself, and firmware that starts the media first comes to Windows PE.
#[test]
fn a_windows_that_restarts_by_itself_comes_back_through_windows_pe() {
    let sequence = deploy_windows();
    let (done, _) = run_to_end(with(MediaLayout::Iso, &sequence));
    let last = done
        .operations
        .iter()
        .rposition(|name| name == "choose next start")
        .unwrap();
    let mut world = with(MediaLayout::Iso, &sequence);
    // The first operation in Windows.
    world.cuts.insert(last + 2);
    let (_, report) = run_to_end(world);
    report.assert_succeeded();
    assert_eq!(report.starts, [Pe, Os, Pe, Os], "{}", report.log);
}
