//! Whole runs, from the empty disk to the captured image, and the machines that are deployed from it. Named by scenario; each runs
//! `scripts/demo` or `media-builder try`, which have time-outs of their own and print the end of the serial log when they fail.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cuts;
use crate::support::{self, Image, System, demo, demo_into, deployed_disk, digest, out, project};

/// What the run leaves behind must not be in an image or on a deployed machine.
const TRACES: [&str; 5] = [
    "/var/lib/media-runtime",
    "/etc/systemd/system/media-runtime.service",
    "/etc/systemd/system/multi-user.target.wants/media-runtime.service",
    "/boot/grub/custom.cfg",
    "/etc/systemd/network/10-media-runtime.network",
];

/// The administrator's password, of scripts/demo.
const SECRET: &str = "Canary-9kWm4";

/// The stick's run is the beginning of other scenarios: it is done once. What it writes is recorded.
fn captured_on_the_stick() -> &'static Image {
    static IMAGE: OnceLock<Image> = OnceLock::new();
    IMAGE.get_or_init(|| {
        support::our_qemu::recorded_demo(&recording(), &["media"]);
        Image::at(&captured_image())
    })
}

fn recording() -> PathBuf {
    out("tests/recording")
}

fn captured_image() -> PathBuf {
    out("demo/media/captures/reference.wim")
}

#[test]
fn no_power_cut_takes_what_the_target_has_flushed() {
    captured_on_the_stick();
    cuts::lose_nothing_of_the_target(&recording());
}

#[test]
fn no_power_cut_leaves_an_image_that_has_its_name_and_is_not_complete() {
    captured_on_the_stick();
    cuts::lose_nothing_of_the_stick(&recording(), &out("demo/media.img"), &captured_image());
}

fn deployed() -> &'static System {
    static SYSTEM: OnceLock<System> = OnceLock::new();
    SYSTEM.get_or_init(|| {
        captured_on_the_stick();
        demo(&["deploy"]);
        System::on(&deployed_disk())
    })
}

#[test]
fn secure_boot_stick_nvme_captures_onto_the_stick() {
    let image = captured_on_the_stick();
    image.verify();
    image.has_applications_and_update();
    for trace in TRACES {
        assert!(!image.contains(trace), "{trace} was captured");
    }
    assert!(!image.matches("/etc/ssh/ssh_host_"), "host keys were captured");
    assert_eq!(image.text("/etc/machine-id"), "", "the machine's id was captured");
    assert_eq!(
        image.text("/etc/fstab"),
        "",
        "the machine's volumes were captured"
    );
    assert!(
        !image.contains("/var/lib/systemd/random-seed"),
        "the random seed was captured"
    );
    let log = fs::read_to_string(out("demo/media/logs/REFERENCE/smsts.log")).expect("the log came back");
    assert!(
        log.contains("<![LOG[") && log.contains("the task sequence has ended successfully"),
        "{log}"
    );
    let (on, off) = ("by UEFI with Secure Boot", "by UEFI without Secure Boot");
    assert!(log.contains(on) && !log.contains(off), "{log}");
}

#[test]
fn what_was_captured_deploys_to_a_machine_of_its_own() {
    let (image, system) = (captured_on_the_stick(), deployed());
    assert_eq!(system.text("/etc/hostname").trim(), "DEPLOYED");
    assert!(system.link("/etc/localtime").ends_with("Europe/Amsterdam"));
    assert_eq!(
        system.text("/etc/machine-id").trim().len(),
        32,
        "no machine id of its own"
    );
    assert!(
        system.exists("/etc/ssh/ssh_host_ed25519_key"),
        "no host keys of its own"
    );
    for package in ["demo-library", "demo-editor"] {
        assert_eq!(
            system.package_version(package).as_deref(),
            Some("1.0"),
            "{package}"
        );
    }
    assert_eq!(
        system.package_version("demo-base").as_deref(),
        Some("1.1"),
        "the update"
    );
    for trace in TRACES {
        assert!(!system.exists(trace), "{trace} was left on the deployed machine");
    }
    starts_by_itself(system);
    assert!(image.contains("/usr/sbin/sshd"));
}

/// Its boot partition has the system's own loader, and nothing of the run.
fn starts_by_itself(system: &System) {
    let loaders = system.of_boot_partition(&["EFI/debian", "EFI/BOOT"]);
    assert!(!loaders.is_empty(), "{:?}", system.boot_partition());
    let traces = ["media-runtime", ".disk", "boot", "EFI/media-runtime"];
    assert_eq!(system.of_boot_partition(&traces), [""; 0]);
}

/// As the kernel of the deployed system says at its first start, by the ISO, and at its next, without: the firmware checks each
/// program on the way. Of the way to the boot image nothing stays in the firmware.
#[test]
fn secure_boot_iso_deploys_and_the_firmware_has_nothing_of_the_run_any_more() {
    deployed();
    let serial = fs::read(out("demo/deploy/serial.log")).expect("the serial log");
    let serial = String::from_utf8_lossy(&serial);
    let says = |state: &str| {
        serial
            .matches(&format!("secureboot: Secure boot {state}"))
            .count()
    };
    assert_eq!((says("enabled"), says("disabled")), (2, 0));
    let store = out("demo/deploy-machine/firmware-variables.fd");
    let variables = support::firmware::variables(&store);
    assert!(variables.contains_key("BootOrder"), "{:?}", variables.keys());
    let entries = support::firmware::boot_entries(&variables);
    let ours = |label: &String| label.starts_with("media-runtime");
    assert!(!entries.is_empty() && !entries.iter().any(ours), "{entries:?}");
    // There was an entry: the bytes of a deleted one stay.
    assert_ne!(support::with_secret(&store, "media-runtime"), "");
}

/// The machine starts from its disk in the end, as nobody's copy.
#[test]
fn an_installed_system_is_captured_stays_as_it_is_and_deploys() {
    deployed();
    let before = digest(&deployed_disk());
    demo(&["capture-existing"]);
    assert_eq!(
        digest(&deployed_disk()),
        before,
        "the captured machine's disk was changed"
    );
    let wims = support::files_below(&out("demo/capture-existing"), ".wim");
    assert_eq!(wims.len(), 1, "{wims:?}");
    let image = Image::at(&wims[0]);
    image.verify();
    image.has_applications_and_update();
    assert_eq!(image.text("/etc/machine-id"), "");
    assert!(!image.matches("/etc/ssh/ssh_host_"), "host keys were captured");
    demo(&["deploy-existing"]);
    let (first, second) = (deployed(), System::on(&out("demo/deployed-existing.raw")));
    assert_eq!(second.text("/etc/hostname").trim(), "SECOND");
    for own in [
        "/etc/machine-id",
        "/etc/ssh/ssh_host_ed25519_key.pub",
        "/etc/fstab",
    ] {
        assert_ne!(
            first.text(own),
            second.text(own),
            "{own} is that of the captured machine"
        );
    }
    assert_eq!(second.package_version("demo-editor").as_deref(), Some("1.0"));
    for trace in TRACES {
        assert!(!second.exists(trace), "{trace} was left on the deployed machine");
    }
    starts_by_itself(&second);
    // Its media have it.
    support::assert_without(&out("demo/deployed-existing.raw"), SECRET);
    support::assert_without(&out("demo/deploy-existing"), SECRET);
}

/// The system lies on three volumes, GRUB's files on one of their own: each is an image of the WIM.
fn captured_to_a_second_disk() -> &'static Path {
    static WIM: OnceLock<PathBuf> = OnceLock::new();
    WIM.get_or_init(|| {
        demo(&["second-disk"]);
        let wims = support::files_below(&out("demo/second-disk"), ".wim");
        assert_eq!(wims.len(), 1, "{wims:?}");
        wims[0].clone()
    })
}

#[test]
fn bios_iso_sata_captures_to_a_second_disk() {
    let wim = captured_to_a_second_disk();
    Image::at(wim).verify();
    let volume = |mount_point| Image::of_volume(wim, mount_point);
    let root = volume("/");
    assert!(root.contains("/usr/sbin/sshd") && root.contains("/var"));
    assert!(!root.contains("/var/lib") && !root.matches("/boot/vmlinuz"));
    let var = volume("/var");
    var.lists_applications_and_update("/lib/dpkg/status");
    assert!(
        var.contains("/lib/origin"),
        "a command of the boot image put it there"
    );
    assert!(volume("/boot").matches("/vmlinuz"));
}

/// On other file systems and sizes than they were captured from; the machine starts from its disk in the end.
#[test]
fn what_was_captured_from_several_volumes_deploys_to_several() {
    captured_to_a_second_disk();
    demo(&["deploy-volumes"]);
    // The first partition is the one that the boot image was staged on.
    let volume = |number| System::of_volume(&out("demo/deployed-volumes.raw"), number);
    // The fourth is the extended one, in which that of /var lies.
    let (boot, root, var) = (volume(1), volume(2), volume(4));
    assert_eq!(root.text("/etc/hostname").trim(), "SEVERAL");
    let mounted = root.text("/etc/fstab");
    for point in [" / ext4 ", " /boot ext4 ", " /var ext4 "] {
        assert!(mounted.contains(point), "{point} in {mounted}");
    }
    assert!(!root.exists("/var/lib") && !root.exists("/boot/grub"));
    assert!(boot.exists("/grub/grub.cfg") && !boot.exists("/grub/custom.cfg"));
    assert!(!var.exists("/lib/media-runtime"));
    assert_eq!(root.boot_partition(), ["::/COMPLETE.TXT"]);
    judge_notes(&var, &volume(5));
    for (file, line) in [
        ("/etc/locale.conf", "LANG=nl_NL.UTF-8"),
        ("/etc/locale.conf", "LC_TIME=de_DE.UTF-8"),
        ("/etc/machine-info", "REGISTERED_ORGANIZATION=\"Example\""),
        ("/etc/default/keyboard", "XKBLAYOUT=\"be\""),
    ] {
        let text = root.text(file);
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    let status = var.text("/lib/dpkg/status");
    assert!(status.contains("Package: demo-editor"), "{status}");
    // The administrator's password opens the account and lies nowhere on the disk.
    let password = SECRET;
    let shadow = root.text("/etc/shadow");
    let account = shadow.lines().find_map(|line| line.strip_prefix("root:"));
    let hash = account.and_then(|rest| rest.split(':').next());
    let hash = hash.unwrap_or_else(|| panic!("no administrator in {shadow}"));
    let hashed = support::run("perl", &["-e", "print crypt($ARGV[0], $ARGV[1])", password, hash]);
    assert_eq!(hashed, hash);
    support::assert_without(&out("demo/deployed-volumes.raw"), password);
    support::assert_without(&out("demo/deploy-volumes"), password);
}

/// What the steps of deploy-volumes-install.toml left: each a note, and the data of apply-data-image on a volume of their own.
fn judge_notes(var: &System, data: &System) {
    let note = |name: &str| var.text(&format!("/lib/demo/{name}"));
    assert_eq!(
        note("installed"),
        "first in first for a server\nsecond in second for a server\n\
         third in tool for a server\nfourth in tool for a server\n"
    );
    assert_eq!(note("about"), "a server in tool by Ask a script, from a script\n");
    assert_eq!(note("tries"), "try\ntry\ntry\n");
    assert_eq!(note("failure"), "Fail ended with 7\n");
    let readme = fs::read_to_string(out("../demo/deploy-volumes-data/readme.txt")).unwrap();
    assert_eq!([data.text("/readme.txt"), note("data")], [readme.clone(), readme]);
    assert!(!var.exists("/lib/demo/no-data"));
    assert!(
        note("addresses").contains(" 192.0.2.7/24"),
        "{}",
        note("addresses")
    );
    assert!(note("dns").contains("192.0.2.53"), "{}", note("dns"));
    assert_eq!(note("who"), "daemon\ndaemon\n");
    // The kernel draws an id at each start.
    let starts = [note("first-start"), note("second-start")];
    assert!(starts.iter().all(|id| id.trim().len() == 36), "{starts:?}");
    assert_ne!(starts[0], starts[1], "restart-computer did not restart it");
}

/// The machine loses its power in five steps and comes back each time; the image is the same as without.
#[test]
fn uefi_iso_virtio_captures_to_a_share_in_spite_of_five_power_cuts() {
    let cuts = [
        "--kill-at=Partition the disk:1",
        "--kill-at=Apply the operating system:4",
        "--kill-at=Set up the operating system:3",
        "--kill-at=Install the applications:2",
        "--kill-at=Capture the operating system:4",
    ];
    demo(&[&["share"], &cuts[..]].concat());
    let wims = support::files_below(&out("demo/share"), ".wim");
    assert_eq!(wims.len(), 1, "{wims:?}");
    let image = Image::at(&wims[0]);
    image.verify();
    image.has_applications_and_update();
    image.assert_same_files(captured_on_the_stick());
    // The password of the share, of scripts/demo.
    image.assert_without("Canary-7hXq2");
    let disk = out("demo/share.raw");
    support::assert_without(&disk, "Canary-7hXq2");
    fs::remove_file(disk).unwrap();
    let logs = support::files_below(&out("demo/share"), ".log");
    assert!(logs.iter().any(|log| log.ends_with("serial.log")), "{logs:?}");
    assert!(logs.iter().any(|log| log.ends_with("smsts.log")), "{logs:?}");
    logs.iter()
        .for_each(|log| support::assert_without(log, "Canary-7hXq2"));
}

#[test]
fn a_fixed_address_reaches_a_share_that_a_step_connects() {
    let media = project("connect", "iso", &[("CAPTURE_PASSWORD", "Canary-7hXq2")]);
    let share = ["--share", "--share-password=Canary-7hXq2"];
    let (status, said) =
        support::try_media(&media, &[&["--firmware=uefi", "--no-disk"], &share[..]].concat());
    assert_eq!(status, Some(0), "{said}");
    let written = support::files_below(&support::results_of(&media), "addresses.txt");
    let written = fs::read_to_string(written.first().expect("a file on the share")).unwrap();
    assert!(written.contains("inet 10.0.2.77/24"), "{written}");
    support::assert_without(&support::results_of(&media), "Canary-7hXq2");
}

/// Linux makes a FAT volume read-only when it finds such a file, and the journal lies beside it.
#[test]
fn a_log_that_a_cut_left_with_too_many_clusters_does_not_end_the_run() {
    let media = project("cut-log", "usb", &[]);
    let disk = support::empty_disk("cut-log");
    let arguments = ["--disk", &disk];
    support::try_until(&media, &arguments, "step 3 of 4");
    support::shorten_log(&disk);
    let (status, said) = support::try_media(&media, &arguments);
    assert!(status == Some(0) && said.contains("goes on"), "{said}");
    let log = support::files_below(&support::results_of(&media), "smsts.log");
    let log = fs::read_to_string(log.first().expect("a log on the stick")).unwrap();
    assert!(
        log.contains("after the cut: 100") && !log.contains("before the cut: 100"),
        "{log}"
    );
    fs::remove_file(disk).unwrap();
}

/// The opposite boot order: every restart reaches the boot image that is staged on the disk.
#[test]
fn a_bios_that_starts_its_disk_first_reaches_the_boot_image_again() {
    let wim = captured_with_the_disk_first("second-disk");
    Image::of_volume(&wim, "/var").lists_applications_and_update("/lib/dpkg/status");
}

/// In the middle of the capture, by the bytes that have arrived.
const SERVER_ENDS_AT: [u64; 3] = [10 << 20, 60 << 20, 120 << 20];

/// Says that it is over when it is dropped.
struct Raised<'a>(&'a AtomicBool);

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs media with a share whose server ends three times while an image arrives.
fn try_while_the_server_ends(media: &Path, arguments: &[&str], disk: &str) -> (Option<i32>, String) {
    let over = AtomicBool::new(false);
    let (ended, killed) = std::thread::scope(|scope| {
        let killer = scope.spawn(|| support::servers::kill(disk, &SERVER_ENDS_AT, &over));
        // Also where this panics, or nothing would end.
        let raised = Raised(&over);
        let ended = support::try_media(media, arguments);
        drop(raised);
        (ended, killer.join().unwrap())
    });
    assert_eq!(killed, SERVER_ENDS_AT.len(), "{}", ended.1);
    ended
}

/// Meanwhile the server of the share ends: either nothing is lost, or nothing has the image's name, and the next start goes on.
#[test]
fn a_uefi_that_starts_its_disk_first_reaches_the_boot_image_again_and_a_server_that_ends_costs_no_image() {
    let disk = support::empty_disk("disk-first");
    let media = project("share", "iso", &[("CAPTURE_PASSWORD", "Canary-7hXq2")]);
    let again = support::own("again", "iso");
    fs::hard_link(&media, &again).unwrap();
    let machine = ["--firmware=uefi", "--nic=e1000e", "--media-last", "--disk", &disk];
    let arguments = [&machine[..], &["--share", "--share-password=Canary-7hXq2"]].concat();
    let image = |media: &Path| support::files_below(&support::results_of(media), ".wim");

    let (status, said) = try_while_the_server_ends(&media, &arguments, &disk);
    let mut wims = image(&media);
    if status != Some(0) {
        assert!(said.contains("the run is kept"), "{said}");
        assert!(wims.is_empty(), "{wims:?}");
        let (status, said) = support::try_media(&again, &arguments);
        assert_eq!(status, Some(0), "{said}");
        assert!(!said.contains("Partition the disk"), "{said}");
        wims = image(&again);
    }
    assert_eq!(wims.len(), 1, "{wims:?}");
    Image::at(&wims[0]).assert_same_files(captured_on_the_stick());
    fs::remove_file(disk).unwrap();
    let _ = fs::remove_file(again);
}

fn captured_with_the_disk_first(scenario: &str) -> PathBuf {
    let folder = format!("out/tests/disk-first-{scenario}");
    demo_into(&folder, &[scenario, "--media-last"]);
    let wims = support::files_below(&out("..").join(folder), ".wim");
    assert_eq!(wims.len(), 1, "{wims:?}");
    wims[0].clone()
}
