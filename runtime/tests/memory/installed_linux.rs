//! Linux as installers and makers of cloud images lay it out: captured, or refused before any step, and made to start elsewhere.

use media_format::manifest::MediaLayout;
use runtime::platform::{Bus, Firmware};

use crate::cuts::cut_everywhere;
use crate::driver::run_to_end;
use crate::fixture::{MediaBuilder, capture_existing, deploy, installed, machine, reference};
use crate::frames::{command, with_first};
use crate::refusals::refused;
use crate::runs::with_account;
use crate::volumes::images;
use crate::world::{Drive, Volume, World, file};

const TO_SHARE: &str = r"\\server\captures\ref.wim";

/// A machine whose disk has those volumes, by their ids; a command comes before the steps that capture.
fn with_disk(volumes: Vec<(&str, Volume)>) -> World {
    let sequence = with_first(&capture_existing(TO_SHARE), &command("true", ""));
    let mut world = installed(&with_account(MediaLayout::Iso, &sequence));
    let empty = Drive::empty("vda", 8 << 30, Bus::Virtio);
    world.drives[0] = volumes
        .into_iter()
        .fold(empty, |drive, (id, volume)| drive.with(id, volume));
    world
}

fn holding(kind: &str, files: &[(&str, &str)]) -> Volume {
    let mut volume = Volume::new(kind, 1 << 30);
    for (path, text) in files {
        volume.put(path, file(*text));
    }
    volume
}

/// A root with that fstab.
fn root(fstab: &str) -> Volume {
    let mut volume = Volume {
        tree: reference(),
        ..Volume::new("ext4", 4 << 30)
    };
    volume.put("etc/fstab", file(fstab));
    volume
}

fn boot() -> Volume {
    holding("ext4", &[("vmlinuz", "kernel"), ("grub/grub.cfg", "menu")])
}

/// Refused with those words, and no step has run.
fn refused_at_once(world: &World, words: &[&str]) {
    refused(world, words);
    let (after, report) = run_to_end(world.clone());
    assert!(
        report.trace().is_empty() && after.commands.is_empty(),
        "{:?}",
        report.trace()
    );
}

#[test]
fn a_system_in_lvm_in_a_raid_or_encrypted_is_refused_by_name_before_any_step() {
    for (kind, name) in [
        ("LVM2_member", "LVM"),
        ("crypto_LUKS", "encrypted (LUKS)"),
        ("linux_raid_member", "RAID of Linux (md)"),
    ] {
        let world = with_disk(vec![
            ("part-esp", Volume::new("vfat", 512 << 20)),
            ("part-boot", boot()),
            ("part-closed", Volume::new(kind, 4 << 30)),
        ]);
        let words = ["an installed Linux", "/dev/vda3", name, "install it with ext4"];
        refused_at_once(&world, &words);
    }
}

#[test]
fn a_system_in_a_btrfs_subvolume_is_refused_by_name_before_any_step() {
    for subvolume in ["@", "@rootfs"] {
        let system = format!("{subvolume}/etc/os-release");
        let files = [
            (system.as_str(), "NAME=\"Debian\"\n"),
            ("@home/user/work", "kept"),
        ];
        let world = with_disk(vec![("part-pool", holding("btrfs", &files))]);
        let words = ["/dev/vda1", &format!("Btrfs subvolume {subvolume},")];
        refused_at_once(&world, &words);
    }
    // One whose default subvolume is the root, and others are mounted into it.
    let fstab =
        "UUID=uuid-of-part-pool / btrfs defaults 0 0\nUUID=uuid-of-part-pool /var btrfs subvol=/@/var 0 0\n";
    let pool = Volume {
        kind: "btrfs".into(),
        ..root(fstab)
    };
    let words = ["the system's /var", "it is a subvolume"];
    refused_at_once(&with_disk(vec![("part-pool", pool)]), &words);
}

#[test]
fn a_system_that_was_not_shut_down_is_refused_before_any_step() {
    let root = Volume {
        unclean: true,
        ..root("UUID=uuid-of-part-root / ext4 defaults 0 1\n")
    };
    refused_at_once(
        &with_disk(vec![("part-root", root)]),
        &["was not shut down cleanly"],
    );
}

#[test]
fn what_lies_in_lvm_beside_the_system_is_named_and_essential_parts_of_it_are_not_left_out() {
    let with = |line: &str| {
        let fstab = format!("UUID=uuid-of-part-root / ext4 errors=remount-ro 0 1\n{line}\n");
        with_disk(vec![
            ("part-root", root(&fstab)),
            ("part-pv", Volume::new("LVM2_member", 4 << 30)),
        ])
    };
    let (_, report) = run_to_end(with("/dev/mapper/vg-home /home ext4 defaults 0 2"));
    report.assert_succeeded();
    let line = "not captured: /home (/dev/mapper/vg-home): it is no partition of the machine's disks, and what lies in LVM";
    assert_eq!(report.log.matches(line).count(), 1, "{}", report.log);
    let words = ["the system's /var", "what lies in LVM"];
    refused_at_once(&with("/dev/mapper/vg-var /var ext4 defaults 0 2"), &words);
}

/// As Debian's installer writes it, on a machine that it was put on from a stick.
const FSTAB: &str = "# /etc/fstab: static file system information.\n#\n\
     # <file system> <mount point>   <type>  <options>       <dump>  <pass>\n\
     # / was on /dev/sda1 during installation\n\
     UUID=uuid-of-part-root /               ext4    errors=remount-ro 0       1\n\
     # /home was on /dev/sda6 during installation\n\
     UUID=uuid-of-part-home /home           ext4    defaults        0       2\n\
     # swap was on /dev/sda5 during installation\n\
     UUID=uuid-of-part-swap none            swap    sw              0       0\n\
     /dev/sr0        /media/cdrom0   udf,iso9660 user,noauto     0       0\n\
     /dev/vdb1       /media/usb0     auto    rw,user,noauto  0       0\n";

#[test]
fn what_debians_installer_made_is_captured_and_the_place_of_its_stick_is_no_volume() {
    let mut world = with_disk(vec![
        ("part-root", root(FSTAB)),
        ("part-swap", Volume::new("swap", 1 << 30)),
        ("part-home", holding("ext4", &[("user/work", "kept")])),
    ]);
    // What has the stick's name now.
    let other = Drive::empty("vdb", 8 << 30, Bus::Virtio);
    let other = other.with("part-other", holding("ext4", &[("secret", "another's")]));
    world.drives.insert(1, other);
    let (after, report) = run_to_end(world.clone());
    report.assert_succeeded();
    assert_eq!(after.drives, world.drives);
    let images = images(&after);
    assert_eq!(images.keys().collect::<Vec<_>>(), ["/", "/home"]);
    assert!(images["/home"].1.contains_key("user/work"));
    assert!(report.log.contains("not captured: /media/usb0 (/dev/vdb1)"));
}

#[test]
fn a_cloud_image_is_captured_whose_root_comes_first_and_is_known_by_its_label() {
    let fstab = "LABEL=cloudimg-rootfs\t/\text4\tdiscard,commit=30,errors=remount-ro\t0 1\n\
                 LABEL=BOOT\t/boot\text4\tdefaults\t0 2\nLABEL=UEFI\t/boot/efi\tvfat\tumask=0077\t0 1\n";
    let labelled = |label: &str, volume| Volume {
        label: label.into(),
        ..volume
    };
    let mut root = labelled("cloudimg-rootfs", root(fstab));
    root.put("var/lib/cloud/instance/user-data.txt", file("of this instance"));
    let world = with_disk(vec![
        ("part-root", root),
        ("part-bios", Volume::new("", 4 << 20)),
        ("part-esp", labelled("UEFI", Volume::new("vfat", 100 << 20))),
        ("part-boot", labelled("BOOT", boot())),
    ]);
    let (after, report) = run_to_end(world.clone());
    report.assert_succeeded();
    assert_eq!(after.drives, world.drives);
    let images = images(&after);
    assert_eq!(images.keys().collect::<Vec<_>>(), ["/", "/boot"]);
    let of_instance = |path: &String| path.starts_with("var/lib/cloud/instance");
    assert!(!images["/"].1.keys().any(of_instance));
}

/// A deployment of an image with those files beside the program that makes an initramfs.
fn deploys(files: &[(&str, &str)]) -> World {
    let mut media = MediaBuilder::new(MediaLayout::Iso, &deploy());
    let tools = [
        ("usr/sbin/update-initramfs", "program"),
        ("etc/initramfs-tools/initramfs.conf", "MODULES=most\n"),
        ("boot/initrd.img", "as captured"),
    ];
    media.put_into_reference(&[&tools[..], files].concat());
    machine(Firmware::Bios, &media)
}

fn text(world: &World, path: &str) -> Option<String> {
    let bytes = world.system_bytes(0, 1, path)?;
    Some(String::from_utf8_lossy(bytes).into_owned())
}

const INITRD: &str = "boot/initrd.img";
const RESUME: &str = "etc/initramfs-tools/conf.d/resume";

#[test]
fn an_initramfs_that_is_bound_to_the_captured_machine_is_made_anew() {
    for files in [
        &[(RESUME, "RESUME=UUID=uuid-of-part-swap\n")][..],
        &[("etc/fstab", FSTAB)],
        &[(RESUME, "RESUME=auto\n"), ("etc/fstab", FSTAB)],
        &[("etc/initramfs-tools/conf.d/driver-policy", "MODULES=dep\n")],
    ] {
        let (world, report) = run_to_end(deploys(files));
        report.assert_succeeded();
        let made = text(&world, INITRD).unwrap();
        assert!(
            made.starts_with("made with") && made.ends_with("RESUME=none\n"),
            "{made}"
        );
        assert_eq!(text(&world, RESUME), None, "{files:?}");
    }
    for files in [
        &[][..],
        &[("etc/fstab", "UUID=uuid-of-part-root / ext4 defaults 0 1\n")],
        &[(RESUME, "RESUME=none\n"), ("etc/fstab", FSTAB)],
    ] {
        let (world, report) = run_to_end(deploys(files));
        report.assert_succeeded();
        assert_eq!(text(&world, INITRD).as_deref(), Some("as captured"), "{files:?}");
        let kept = files.iter().find(|(path, _)| *path == RESUME);
        assert_eq!(text(&world, RESUME).as_deref(), kept.map(|(_, text)| *text));
    }
}

#[test]
fn a_cut_leaves_no_initramfs_that_is_bound_to_the_captured_machine() {
    let world = deploys(&[("etc/fstab", FSTAB)]);
    let stops = cut_everywhere(&world);
    assert!(stops.is_empty(), "{stops:#?}");
}

#[test]
fn an_initramfs_that_cannot_be_made_fails_the_step() {
    let files = [
        ("etc/fstab", FSTAB),
        ("boot/full", "no room for update-initramfs"),
    ];
    let (_, report) = run_to_end(deploys(&files));
    let reason = report.reason();
    assert!(
        reason.contains("Set up the operating system") && reason.contains("update-initramfs ended with 1"),
        "{reason}"
    );
}

/// Debian's installer installs GRUB for its own machine only.
#[test]
fn an_image_whose_grub_is_for_another_firmware_is_refused_before_anything_is_erased() {
    for (firmware, missing, package) in [
        (
            Firmware::Uefi,
            "usr/lib/grub/x86_64-efi/modinfo.sh",
            "grub-efi-amd64-bin",
        ),
        (Firmware::Bios, "usr/lib/grub/i386-pc/modinfo.sh", "grub-pc-bin"),
    ] {
        let mut media = MediaBuilder::new(MediaLayout::Iso, &deploy());
        media.put_into_reference_without(missing, &[]);
        let words = ["Set up the operating system", missing, package];
        refused(&machine(firmware, &media), &words);
    }
}
