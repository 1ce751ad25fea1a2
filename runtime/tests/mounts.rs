//! Mounts of real file systems: what is only looked at stays as it is, bit by bit.
// A test that unwraps fails with the place, which is what it is for.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use runtime::platform::Disks as _;
use runtime::platform::linux::Linux;
use sha2::{Digest as _, Sha256};

/// A file as a block device.
struct Loop(PathBuf);

impl Loop {
    /// Nothing for an account that may make none; where root cannot, the test fails, so that it is never passed over unseen.
    fn new(file: &Path) -> Option<Self> {
        let output = Command::new("losetup")
            .args(["--find", "--show"])
            .arg(file)
            .output()
            .ok()?;
        let made = output.status.success();
        assert!(made || !rustix::process::geteuid().is_root(), "{output:?}");
        let device = String::from_utf8(output.stdout).unwrap();
        made.then(|| Self(device.trim().into()))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("--detach").arg(&self.0).status();
    }
}

fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(status.unwrap().success(), "{program} {arguments:?} failed");
}

fn digest(file: &Path) -> Vec<u8> {
    Sha256::digest(fs::read(file).unwrap()).to_vec()
}

/// A volume as a machine leaves it whose power fails while it writes: a copy of a mounted one.
fn cut_off(folder: &Path, kind: &str, linux: &Linux) -> Option<PathBuf> {
    let (file, copy) = (folder.join(kind), folder.join(format!("{kind}-cut")));
    fs::File::create(&file).unwrap().set_len(320 << 20).unwrap();
    run(&format!("mkfs.{kind}"), &["-q", file.to_str().unwrap()]);
    let device = Loop::new(&file)?;
    let root = linux.mount(&device.0, true).unwrap();
    fs::create_dir(root.join("etc")).unwrap();
    fs::write(root.join("etc/os-release"), "NAME=Test\n").unwrap();
    fs::File::open(root.join("etc/os-release"))
        .unwrap()
        .sync_all()
        .unwrap();
    run(
        "cp",
        &["--sparse=always", file.to_str().unwrap(), copy.to_str().unwrap()],
    );
    linux.unmount(&device.0).unwrap();
    assert_eq!(
        linux.unclean(&device.0).unwrap(),
        None,
        "{kind} after an orderly unmount"
    );
    Some(copy)
}

#[test]
fn looking_at_a_volume_with_a_dirty_journal_changes_nothing_and_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let linux = Linux::new();
    for kind in ["ext4", "xfs", "btrfs"] {
        let Some(copy) = cut_off(folder.path(), kind, &linux) else {
            return;
        };
        let before = digest(&copy);
        let device = Loop::new(&copy).unwrap();
        assert!(linux.unclean(&device.0).unwrap().is_some(), "{kind}");
        linux.mount(&device.0, false).unwrap();
        linux.unmount(&device.0).unwrap();
        assert_eq!(digest(&copy), before, "{kind} was changed");
        // A mount to write to it replays the journal, also where it was looked at before.
        linux.mount(&device.0, false).unwrap();
        let root = linux.mount(&device.0, true).unwrap();
        assert!(
            root.join("etc/os-release").exists(),
            "{kind} lost what was flushed"
        );
        fs::write(root.join("more"), "more").unwrap();
        linux.unmount(&device.0).unwrap();
    }
}

#[test]
fn a_volume_that_somebody_looks_at_for_a_moment_is_unmounted() {
    let folder = tempfile::tempdir().unwrap();
    let (linux, file) = (Linux::new(), folder.path().join("volume"));
    fs::File::create(&file).unwrap().set_len(64 << 20).unwrap();
    run("mkfs.ext4", &["-q", file.to_str().unwrap()]);
    let Some(device) = Loop::new(&file) else { return };
    let root = linux.mount(&device.0, true).unwrap();
    let looking = fs::File::create(root.join("file")).unwrap();
    let gone = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(300));
        drop(looking);
    });
    linux.unmount(&device.0).unwrap();
    gone.join().unwrap();
}

#[test]
fn a_volume_and_its_view_are_shown_inside_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let linux = Linux::new();
    let files = ["root", "var", "log"].map(|name| folder.path().join(name));
    let mut devices = Vec::new();
    for file in &files {
        fs::File::create(file).unwrap().set_len(64 << 20).unwrap();
        run("mkfs.ext4", &["-q", file.to_str().unwrap()]);
        let Some(device) = Loop::new(file) else { return };
        devices.push(device);
    }
    let folders: Vec<PathBuf> = devices
        .iter()
        .map(|device| linux.mount(&device.0, true).unwrap())
        .collect();
    let [root, var, log] = &folders[..] else {
        panic!("three volumes")
    };
    // A link in the image leads to the boot image's own folder, which stays as it is.
    let outside = folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, root.join("srv")).unwrap();
    assert!(linux.mount_inside(log, &root.join("srv")).is_err());
    assert!(!outside.join("lost+found").exists());
    assert!(
        linux.space(&root.join("srv/below")).unwrap().used < 64 << 20,
        "room on the volume itself"
    );

    linux.mount_inside(var, &root.join("var")).unwrap();
    linux.mount_inside(log, &root.join("var/log")).unwrap();
    fs::write(root.join("var/log/syslog"), "a line").unwrap();
    assert!(log.join("syslog").exists() && !var.join("log/syslog").exists());
    linux.unmount_inside(&root.join("var/log")).unwrap();
    linux.unmount_inside(&root.join("var")).unwrap();
    assert!(!root.join("var/log").exists(), "what was inside is out again");

    let views: Vec<PathBuf> = folders
        .iter()
        .map(|folder| linux.overlay(folder).unwrap())
        .collect();
    linux.mount_inside(&views[2], &views[0].join("var/log")).unwrap();
    fs::remove_file(views[0].join("var/log/syslog")).unwrap();
    assert!(!views[2].join("syslog").exists() && log.join("syslog").exists());
    for view in &views {
        linux.remove_overlay(view).unwrap();
    }
    linux.mount_inside(var, &root.join("var")).unwrap();
    // The oldest first: what is shown inside goes with it.
    devices
        .iter()
        .for_each(|device| linux.unmount(&device.0).unwrap());
}
