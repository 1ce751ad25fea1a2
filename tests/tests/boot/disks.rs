//! Machines with many disks: the one that the sequence names is partitioned, and of no other a byte is changed.

mod machine;
mod volumes;

use std::fs;
use std::path::PathBuf;

use crate::support::{self, digest, failing_try, own, results_of, try_media, try_until};
use machine::Machine;
use volumes::Volumes;

/// Two disks have the same serial number and the same size; each bus has one at least, and both kinds of sectors are there.
const DISKS: [&str; 6] = [
    "512M,bus=virtio,serial=OTHER",
    "3G,bus=virtio,serial=TWIN,sectors=4096",
    "3G,bus=sata,serial=TWIN",
    "512M,bus=nvme,serial=NVME,sectors=4096",
    "512M,bus=scsi,serial=SCSI",
    "512M,bus=usb,serial=STICK",
];
/// The second of them.
const TARGET: usize = 1;

/// What every sequence begins with.
const BEGIN: &str = r#"
name = "Many disks"
description = "Partitions one of them."
operating-system = "linux"

[[steps]]
type = "format-and-partition-disk"
name = "Partition the disk"
erase-existing = true
"#;

/// A stick with a sequence that partitions the disk of that rule and goes on with those steps.
fn stick(name: &str, rule: &str, steps: &str) -> PathBuf {
    media(name, "usb", rule, steps)
}

fn media(name: &str, format: &str, rule: &str, steps: &str) -> PathBuf {
    const PROJECT: &str = r#"
        name = "Many disks"
        organization = "media-builder"
        boot-image = "../boot-image/linux-pe.tar"
        sequences = ["SEQUENCE"]
        unattended = true

        [usb]
        free = "64 MB"

        [[packages]]
        id = "reference"
        kind = "image"
        source = "../reference/reference.wim"
    "#;
    let (sequence, project) = (own("sequence", "toml"), own(name, "toml"));
    fs::write(&sequence, format!("{BEGIN}disk = {rule}\n{steps}")).unwrap();
    let file = sequence.file_name().unwrap().to_string_lossy();
    fs::write(&project, PROJECT.replace("SEQUENCE", &file)).unwrap();
    let media = support::build(&project, format, &[]);
    fs::remove_file(sequence).unwrap();
    fs::remove_file(project).unwrap();
    media
}

#[test]
fn a_rule_that_two_disks_with_the_same_serial_number_fit_is_refused() {
    let machine = Machine::with(&DISKS);
    let media = stick("ambiguous", r#"{ serial = "TWIN" }"#, "");
    let said = failing_try(&media, &machine.arguments("bios"));
    assert!(said.contains("2 disks could be the target"), "{said}");
    machine.assert_unchanged();
}

/// The CD is there at once, and what is on USB after a second or two.
#[test]
fn all_disks_on_usb_are_there_when_one_is_selected() {
    let machine = Machine::with(&[
        "512M,bus=virtio,serial=VIRTIO",
        "1G,bus=usb,serial=FIRST",
        "1G,bus=usb,serial=SECOND",
    ]);
    let media = media("late-disks", "iso", r#"{ bus = "usb" }"#, "");
    let said = failing_try(&media, &machine.arguments("bios"));
    assert!(said.contains("2 disks could be the target"), "{said}");
    machine.assert_unchanged();
}

/// One volume of each kind; the disk's name changes while the run waits.
const FORMAT_ALL: &str = r#"
partitions = [
  { kind = "primary", size = "256 MB", mount-point = "/", file-system = "ext4" },
  { kind = "primary", size = "320 MB", file-system = "xfs" },
  { kind = "primary", size = "256 MB", file-system = "btrfs" },
  { kind = "primary", size = "64 MB", file-system = "exfat" },
  { kind = "primary", size = "64 MB", file-system = "ntfs" },
  { kind = "primary", size = "64 MB", file-system = "swap" },
  { kind = "primary", size = "rest", file-system = "fat32" },
]

[[steps]]
type = "run-command-line"
name = "Look"
command = "echo before: $(grep -l TWIN /sys/block/vd*/serial)"

[[steps]]
type = "run-command-line"
name = "Wait"
command = "sleep 10"
after-cut = "repeat"

[[steps]]
type = "run-command-line"
name = "Look again"
command = "echo after: $(grep -l TWIN /sys/block/vd*/serial)"
"#;

#[test]
fn a_run_goes_on_with_its_disk_after_the_disks_were_renumbered() {
    let mut machine = Machine::with(&DISKS);
    let media = stick("renumbered", r#"{ serial = "twin", bus = "virtio" }"#, FORMAT_ALL);
    try_until(&media, &machine.arguments("uefi"), "step 3 of 4");
    machine.reverse();
    let (status, said) = try_media(&media, &machine.arguments("uefi"));
    assert!(status == Some(0) && said.contains("goes on"), "{said}");
    let log = support::files_below(&results_of(&media), "smsts.log");
    let log = fs::read_to_string(log.first().expect("a log on the stick")).unwrap();
    for name in ["before: /sys/block/vdb/serial", "after: /sys/block/vda/serial"] {
        assert!(log.contains(name), "{name} is not in {log}");
    }
    machine.reverse();
    machine.assert_only_changed(TARGET);
    let volumes = Volumes::of(machine.path(TARGET), 4096);
    volumes.assert_whole(&["vfat", "ext4", "xfs", "btrfs", "exfat", "ntfs", "swap", "vfat"]);
}

/// From the image to the end of the run in the installed system, which its own GRUB starts.
const DEPLOY: &str = r#"
[[steps]]
type = "apply-operating-system-image"
name = "Apply the operating system"
package = "reference"
index = 1

[[steps]]
type = "apply-os-settings"
name = "Apply the settings of the system"
computer-name = "LARGE"
time-zone = "Etc/UTC"
system-locale = "C.UTF-8"
administrator = "disabled"

[[steps]]
type = "setup-os"
name = "Set up the operating system"

[[steps]]
type = "run-command-line"
name = "Look at the disk"
command = "lsblk --noheadings --list --output MOUNTPOINT,LOG-SEC,SERIAL >/root/disks"
"#;

#[test]
fn a_system_is_deployed_to_a_disk_with_sectors_of_4096_bytes_and_starts_from_it() {
    let disks = [
        "512M,bus=virtio,serial=VIRTIO",
        "512M,bus=sata,serial=TWIN",
        "4G,bus=nvme,serial=TWIN,sectors=4096",
        "512M,bus=scsi,serial=SCSI,sectors=4096",
        "512M,bus=usb,serial=STICK",
    ];
    let machine = Machine::with(&disks);
    let media = stick("large-sectors", r#"{ min-size = "3 GB" }"#, DEPLOY);
    let (status, said) = try_media(&media, &machine.arguments("uefi"));
    assert_eq!(status, Some(0), "{said}");
    machine.assert_only_changed(2);
    let volumes = Volumes::of(machine.path(2), 4096);
    volumes.assert_whole(&["vfat", "ext4"]);
    assert_eq!(volumes.text(1, "/etc/hostname").trim(), "LARGE");
    let seen = volumes.text(1, "/root/disks");
    let is_root = |line: &str| line.split_whitespace().eq(["/", "4096"]);
    assert!(seen.lines().any(is_root), "{seen}");
    assert!(seen.contains("4096 TWIN"), "{seen}");
}

#[test]
fn a_bios_and_a_disk_with_sectors_of_4096_bytes_are_refused_before_anything_is_changed() {
    let disk = support::empty_disk("large-sectors");
    let media = stick("bios", "{ only = true }", "");
    let argument = format!("{disk},bus=nvme,sectors=4096");
    let said = failing_try(&media, &["--firmware=bios", "--disk", &argument]);
    assert!(said.contains("before anything was changed"), "{said}");
    assert!(
        said.contains("a BIOS starts from sectors of 512 bytes only"),
        "{said}"
    );
    support::assert_empty(&disk);
}

/// What is captured would come onto one of the two by chance.
#[test]
fn a_stick_whose_copy_lies_on_another_disk_is_refused() {
    let (media, copy) = (stick("copied", "{ only = true }", ""), own("copy", "raw"));
    fs::copy(&media, &copy).unwrap();
    let (disk, before) = (support::empty_disk("beside-a-copy"), digest(&copy));
    let argument = format!("{},bus=sata", copy.display());
    let disks = ["--disk", disk.as_str(), "--disk", argument.as_str()];
    let said = failing_try(&media, &[&["--firmware=uefi"], &disks[..]].concat());
    assert!(
        said.contains("2 disks of this machine carry this media"),
        "{said}"
    );
    assert_eq!(digest(&copy), before, "the copy was changed");
    fs::remove_file(copy).unwrap();
    support::assert_empty(&disk);
}
