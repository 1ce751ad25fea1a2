//! What a run leaves in a Linux of a distribution with RPM packages, and what it takes away again.

use media_format::manifest::MediaLayout;
use runtime::platform::Firmware;

use crate::driver::{run_to_end, run_to_system};
use crate::fixture::{build_and_capture, capture_existing, deploy, installed, machine};
use crate::outcome::captured;
use crate::runs::with_account;
use crate::world::{Node, World};

const CONFIG: (&str, &str) = (
    "etc/selinux/config",
    "# SELINUX= one of three\nSELINUX=enforcing\nSELINUXTYPE=targeted\n",
);
const LABELS: &str = "etc/selinux/targeted/contexts/files/file_contexts.local";
const USERS: &str = "/opt/tool\t--\tsystem_u:object_r:bin_t:s0\n";
const DESTINATION: &str = r"\\server\captures\ref.wim";

/// A machine whose image has such files; its own GRUB has to lead to the boot image.
fn with(sequence: &str, files: &[(&str, &str)]) -> World {
    let mut media = with_account(MediaLayout::Iso, sequence);
    media.put_into_reference(files);
    let mut world = machine(Firmware::Uefi, &media);
    world.media_first = false;
    world
}

fn text(node: Option<&Node>) -> Option<String> {
    match node {
        Some(Node::File(bytes, _)) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }
}

#[test]
fn grub2_leads_to_the_boot_image_and_keeps_nothing_of_it() {
    let mut media = with_account(MediaLayout::Iso, &build_and_capture(DESTINATION));
    media.put_into_reference_without("usr/sbin/grub-install", &[("usr/sbin/grub2-install", "program")]);
    // Under Secure Boot it would be refused.
    let mut world = machine(Firmware::Bios, &media);
    world.media_first = false;
    let (world, _) = run_to_system(world);
    assert!(world.system_bytes(0, 1, "boot/grub2/custom.cfg").is_some());
    assert!(world.system_bytes(0, 1, "boot/grub/custom.cfg").is_none());
    let (world, report) = run_to_end(world);
    report.assert_succeeded();
    let image = captured(&world, "ref.wim").unwrap();
    assert!(!image.contains_key("boot/grub2/custom.cfg"));
}

#[test]
fn a_folder_called_grub2_alone_makes_no_other_grub() {
    let files = [("boot/grub2/themes/left.txt", "of another tool")];
    let (world, _) = run_to_system(with(&build_and_capture(DESTINATION), &files));
    assert!(world.system_bytes(0, 1, "boot/grub/custom.cfg").is_some());
    assert!(world.system_bytes(0, 1, "boot/grub2/custom.cfg").is_none());
    let (_, report) = run_to_end(world);
    report.assert_succeeded();
}

#[test]
fn a_system_with_selinux_labels_what_was_written_into_it() {
    let files = [CONFIG, (LABELS, USERS)];
    let begin = with(&build_and_capture(DESTINATION), &files);
    let (world, _) = run_to_system(begin);
    assert!(world.system_bytes(0, 1, ".autorelabel").is_some());
    let labels = String::from_utf8_lossy(world.system_bytes(0, 1, LABELS).unwrap());
    let ours = "/var/lib/media-runtime/media-runtime\t--\tsystem_u:object_r:bin_t:s0\n";
    assert_eq!(labels, format!("{USERS}{ours}"));
    let (world, report) = run_to_end(world.clone());
    report.assert_succeeded();
    let image = captured(&world, "ref.wim").unwrap();
    assert!(image.contains_key(".autorelabel"));
    assert_eq!(text(image.get(LABELS)).as_deref(), Some(USERS));
    // A deployed system keeps nothing of the run.
    let (world, report) = run_to_end(with(&deploy(), &files));
    report.assert_succeeded();
    assert_eq!(
        world.system_bytes(0, 1, LABELS).map(Vec::as_slice),
        Some(USERS.as_bytes())
    );
}

#[test]
fn a_system_without_selinux_gets_no_labels() {
    for config in ["SELINUX=disabled\nSELINUXTYPE=targeted\n", "SELINUX=enforcing\n"] {
        let (world, _) = run_to_system(with(&deploy(), &[(CONFIG.0, config)]));
        assert!(world.system_bytes(0, 1, ".autorelabel").is_none());
        assert!(world.system_bytes(0, 1, LABELS).is_none());
    }
}

#[test]
fn registrations_and_caches_are_not_captured() {
    let media = with_account(MediaLayout::Iso, &capture_existing(DESTINATION));
    let mut world = installed(&media);
    let gone = [
        "etc/pki/consumer/cert.pem",
        "etc/zypp/credentials.d/SCCcredentials",
        "var/lib/zypp/AnonymousUniqueId",
        "var/cache/dnf/media.solv",
        "var/cache/libdnf5/media.solv",
        "var/cache/zypp/solv/media",
    ];
    let volume = &mut world.drives[0].parts[1].volume;
    gone.iter()
        .for_each(|path| volume.put(path, crate::world::file("x")));
    let (world, report) = run_to_end(world);
    report.assert_succeeded();
    let image = captured(&world, "ref.wim").unwrap();
    for path in gone {
        assert!(!image.contains_key(path), "{path}");
    }
}

#[test]
fn what_a_cut_has_left_in_rpms_list_is_named_before_the_capture() {
    let said = |packages: &str| {
        let sequence = build_and_capture(DESTINATION);
        let (_, report) = run_to_end(with(&sequence, &[("usr/bin/rpm", packages)]));
        report.assert_succeeded();
        report.log
    };
    let log = said("hello 1.0\nkernel-core 6.1\nhello 2.0\nkernel-core 6.2\n");
    let why = "installed in several versions, as after an installation that was cut: hello.noarch (";
    assert!(log.contains(why), "{log}");
    assert!(!said("hello 2.0\n").contains("several versions"));
}
