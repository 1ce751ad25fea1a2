//! What was captured, deployed to a second machine with a key of a retail edition, which afterwards starts without the media.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::listing::Listing;
use super::start_up::copy_of_esp;
use super::{assert_kept, attributes, captured, registry};
use crate::support;

/// What `scripts/demo` gives the administrator of the machine.
const PASSWORD: &str = "Canary-9kWm4";

/// What the deployment and the running system added, by the beginning of the path, and why.
const ADDED: [(&str, &str); 3] = [
    (
        "/Windows/System32/drivers/standahci.sys",
        "the driver of the disk controller",
    ),
    ("/Windows/Panther", "the folder of the answer file"),
    ("/Users/SYSTEM", "the profile of the account that Wine runs as"),
];

fn disk() -> PathBuf {
    support::out("demo/deployed-windows.raw")
}

/// The volume of the deployed Windows, as an image. It is deployed once for all tests.
fn deployed() -> &'static Path {
    static WIM: OnceLock<PathBuf> = OnceLock::new();
    WIM.get_or_init(|| {
        captured();
        support::demo(&["deploy-windows"]);
        let volume = support::own("deployed-windows", "ntfs");
        let wim = volume.with_extension("wim");
        // The third partition (that of the layout by firmware), without its holes.
        let copy = format!(
            r#"set -e
            about=$(sgdisk --info=3 '{disk}')
            value() {{ echo "$about" | sed -n "s/^$1: \\([0-9]*\\) .*/\\1/p"; }}
            dd if='{disk}' of='{volume}' bs=1M conv=sparse status=none iflag=skip_bytes,count_bytes \
                skip=$(($(value 'First sector') * 512)) count=$(($(value 'Partition size') * 512))"#,
            disk = disk().display(),
            volume = volume.display(),
        );
        support::run("sh", &["-c", &copy]);
        let capture = Command::new("wimlib-imagex")
            .arg("capture")
            .args([&volume, &wim])
            .arg("--compress=none")
            .output()
            .expect("wimlib-imagex");
        assert!(capture.status.success(), "{capture:?}");
        std::fs::remove_file(volume).expect("removing the volume");
        wim
    })
}

/// Where set-up calls no SetupComplete.cmd, the service goes on with the run when set-up's notes say that it is over.
#[test]
fn what_was_captured_deploys_also_where_set_up_calls_nobody() {
    deployed();
    let serial = std::fs::read(support::out("demo/deploy-windows/serial.log")).expect("the serial log");
    let serial = String::from_utf8_lossy(&serial);
    assert!(
        serial.contains("SetupComplete.cmd is not run: there is a product key"),
        "{serial}"
    );
    let (before, at) = serial
        .split_once(r#""name":"Set up Windows","outcome":"done""#)
        .expect("its end");
    // Nothing of the run stays, its log neither, and a CD takes no copy.
    assert!(at.contains(r#""succeeded":true,"log":"nowhere any more"#), "{at}");
    assert!(before.contains("set-up is over") && at.contains("set-up: 0, computer: DEPLOYED"));
}

#[test]
fn a_deployed_windows_has_its_name_its_applications_and_every_file_of_the_image() {
    let (mut before, after) = (Listing::of(captured(), 1), Listing::of(deployed(), 1));
    // It is placed anew. What lies on a CD is read-only, and this must not be.
    let driver = "/Windows/System32/drivers/standahci.sys";
    let placed = before.entries.remove(driver).expect("the driver");
    assert_eq!(attributes(&placed), attributes(&after.entries[driver]));
    assert_eq!(placed.streams, after.entries[driver].streams);
    assert_kept(&before, &after);
    let added = after
        .entries
        .keys()
        .filter(|path| !before.entries.contains_key(*path));
    for path in added {
        assert!(
            ADDED.iter().any(|(beginning, _)| path.starts_with(beginning)),
            "{path} was added, and no reason is known"
        );
    }
    let software = |key: &str, value: &str| registry(deployed(), "SOFTWARE", key, value);
    let system = |key: &str, value: &str| registry(deployed(), "SYSTEM", key, value);
    let state = software(r"\Microsoft\Windows\CurrentVersion\Setup\State", "ImageState");
    assert_eq!(state.as_deref(), Some("IMAGE_STATE_COMPLETE"));
    assert_eq!(software(r"\Stand-in Library", "Version").as_deref(), Some("1.0"));
    let editor = r"\Microsoft\Windows\CurrentVersion\Uninstall\Stand-in Editor";
    assert!(software(editor, "InstalledInStart").is_some());
    let name = system(
        r"\ControlSet001\Control\ComputerName\ComputerName",
        "ComputerName",
    );
    assert_eq!(name.as_deref(), Some("DEPLOYED"));
    assert_eq!(
        system(r"\ControlSet001\Services\media-runtime", "ImagePath"),
        None
    );
}

/// What lay on the CD is read-only where it was copied to, and goes all the same.
#[test]
fn a_deployed_windows_has_nothing_of_the_run_and_no_password() {
    let image = Listing::of(deployed(), 1);
    for trace in super::TRACES {
        assert!(!image.entries.contains_key(trace), "{trace} is still there");
    }
    let esp = copy_of_esp(&disk());
    let there = |path: &str| esp.path().join(path).exists();
    assert!(there("EFI/Microsoft/Boot/BCD"), "no boot configuration");
    for trace in ["media-runtime", "EFI/media-runtime", "boot", ".disk"] {
        assert!(!there(trace), "{trace} is still on the EFI system partition");
    }
    let files = tempfile::tempdir().expect("a temporary folder");
    let folder = files.path().display().to_string();
    let wim = deployed().display().to_string();
    support::run(
        "wimlib-imagex",
        &["extract", &wim, "1", "--no-acls", "--dest-dir", &folder],
    );
    for place in [files.path(), esp.path()] {
        support::assert_without(place, PASSWORD);
    }
    // Nor is it in what belongs to no file any more.
    support::assert_without(&disk(), PASSWORD);
}
