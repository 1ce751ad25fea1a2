//! What a Windows is started from: by the firmware's certificates, and by a BIOS.

use media_format::event::Environment::{Os, Pe};
use media_format::manifest::MediaLayout;
use runtime::context::beginning;
use runtime::platform::Firmware;

use crate::boot::{Started, start};
use crate::cuts::cut_everywhere;
use crate::driver::run_to_end;
use crate::fixture::{MEDIA, machine};
use crate::frames::deploy_windows;
use crate::signed_programs::{Authority, X509, list, program};
use crate::windows::{info, installation, wim, with_files};
use crate::windows_runs::{BUILD_AND_CAPTURE, INSIDE, captured, media, template};
use crate::world::World;

/// A machine with UEFI whose firmware trusts that authority, and media with a Windows of these files.
fn trusting(authority: &Authority, sequence: &str, files: &[(&str, &[u8])]) -> World {
    let mut media = media(MediaLayout::Iso, sequence);
    let tree = with_files(installation("IMAGE_STATE_COMPLETE"), files);
    media.put_image("windows", &wim(&tree, Some(info(9))));
    let mut world = machine(Firmware::Uefi, &media);
    let db = list(X509, &[&authority.certificate]);
    world.signature_lists.insert("db".into(), db);
    world
}

#[test]
fn a_windows_starts_from_the_boot_files_that_the_firmware_trusts() {
    let (old, new) = (Authority::new("PCA 2011"), Authority::new("CA 2023"));
    let (first, second) = (old.sign(&program("first")), new.sign(&program("second")));
    let files: [(&str, &[u8]); 3] = [
        ("Windows/Boot/EFI/bootmgfw.efi", &first),
        ("Windows/Boot/EFI_EX/bootmgfw_EX.efi", &second),
        ("Windows/Boot/Fonts_EX/segoe_slboot_EX.ttf", b"new font"),
    ];
    for (authority, manager, font) in [(&old, &first, "font"), (&new, &second, "new font")] {
        let (world, report) = run_to_end(trusting(authority, &deploy_windows(), &files));
        assert_eq!(report.starts, [Pe, Os], "{}", report.log);
        let esp = &world.drives[0].parts[0].volume;
        for path in ["EFI/Microsoft/Boot/bootmgfw.efi", "EFI/BOOT/BOOTX64.EFI"] {
            assert_eq!(esp.bytes(path), Some(manager), "{path}");
        }
        let text = esp.bytes("EFI/Microsoft/Boot/Fonts/segoe_slboot.ttf").unwrap();
        assert_eq!(String::from_utf8_lossy(text), font);
        assert!(esp.bytes("EFI/Microsoft/Boot/nl-NL/bootmgfw.efi.mui").is_some());
        assert!(!esp.tree.keys().any(|path| path.contains("_EX")));
        for signer in [
            "bootmgfw.efi is signed by Microsoft Windows (PCA 2011)",
            "(CA 2023)",
        ] {
            assert!(report.log.contains(signer), "{}", report.log);
        }
    }
}

#[test]
fn boot_files_that_the_firmware_does_not_start_are_refused_before_anything_is_changed() {
    let (old, new) = (Authority::new("PCA 2011"), Authority::new("CA 2023"));
    let signed = old.sign(&program("first"));
    let files: [(&str, &[u8]); 1] = [("Windows/Boot/EFI/bootmgfw.efi", &signed)];
    let wish = deploy_windows().replace(
        "type = \"setup-os\"",
        "type = \"setup-os\"\n  boot-files = \"2023\"",
    );
    let cases = [
        (&new, deploy_windows(), "it trusts: CA 2023"),
        (&old, wish, "has no Windows/Boot/EFI_EX/bootmgfw_EX.efi"),
    ];
    for (authority, sequence, why) in cases {
        let world = trusting(authority, &sequence, &files);
        let (after, report) = run_to_end(world.clone());
        assert!(report.reason().contains(why), "{}", report.reason());
        assert_eq!(after.drives, world.drives);
    }
}

fn by_bios(sequence: &str) -> World {
    machine(Firmware::Bios, &media(MediaLayout::Iso, sequence))
}

#[test]
fn a_bios_starts_windows_through_grub_and_bootmgr_and_goes_on_doing_so() {
    let (world, report) = run_to_end(by_bios(&deploy_windows()));
    assert_eq!(report.starts, [Pe, Os], "{}", report.log);
    let active = &world.drives[0].parts[0].volume;
    for path in [
        "bootmgr",
        "boot/memtest.exe",
        "boot/BCD",
        "boot/Fonts/segoe_slboot.ttf",
        "boot/Resources/bootres.dll",
    ] {
        assert!(active.bytes(path).is_some(), "{path}: {:?}", active.tree.keys());
    }
    assert!(!active.tree.keys().any(|path| path.contains("media-runtime")));
    // Nobody attaches the media any more.
    let mut alone = world.clone();
    alone.drives.truncate(1);
    assert_eq!(start(&alone, MEDIA), Started::Os(0, 1));
}

#[test]
fn a_windows_on_a_bios_machine_is_built_and_captured_and_survives_every_cut() {
    let sequence = template(BUILD_AND_CAPTURE, &INSIDE);
    let (world, report) = run_to_end(by_bios(&sequence));
    report.assert_succeeded();
    assert_eq!(report.starts, [Pe, Os, Pe]);
    assert!(
        captured(&world).images[0]
            .tree()
            .contains_key("Windows/explorer.exe")
    );
    let stops = cut_everywhere(&by_bios(&sequence));
    let early: Vec<_> = stops.keys().map(|stop| beginning(stop, 400)).collect();
    assert!(early.is_empty(), "{early:#?}");
}
