//! Windows sequences on the stand-in for Windows (payloads/README.md), from the bare disk to the captured image.
//! `make stand-in` makes what they deploy.

mod bios;
mod deployed;
mod existing;
mod existing_by_bios;
mod listing;
mod secure_boot;
mod start_up;
mod two_volumes;

use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::{self, Processors, demo, failing_try, out, project, results_of, try_media};
use existing::Left;
use listing::{Entry, Listing};

/// Files of the applied image that are other ones after the run, and why.
const CHANGED: [(&str, &str); 2] = [
    (
        "/Windows/System32/config/SYSTEM",
        "set-up, services and computer name are in it",
    ),
    ("/Windows/System32/config/SOFTWARE", "what was installed is in it"),
];

/// What the run and the running system added, by the beginning of the path, and why.
const ADDED: [(&str, &str); 10] = [
    ("/Tools", "a command of the boot image put it there"),
    ("/Program Files/Stand-in Library", "installed by the MSI"),
    ("/Program Files/Stand-in Editor", "installed by its setup program"),
    (
        "/Windows/Installer",
        "msiexec keeps the database of what it installed",
    ),
    ("/Windows/servicing", "the updates"),
    (
        "/Windows/Setup/Scripts/of-the-image.txt",
        "the image's own SetupComplete.cmd, which ours called",
    ),
    (
        "/Windows/System32/drivers/standahci.sys",
        "the driver of the disk controller, which the boot loader has to find",
    ),
    ("/Windows/System32/Sysprep/", "sysprep's logs"),
    (
        "/Windows/Panther/",
        "the folder of the answer file, which itself is gone",
    ),
    ("/Users/SYSTEM", "the profile of the account that Wine runs as"),
];

/// What the run leaves behind must not be in an image.
const TRACES: [&str; 5] = [
    "/ProgramData/media-runtime",
    "/Windows/Setup/Scripts/SetupComplete.before-media-runtime.cmd",
    "/media-runtime",
    "/Windows/Panther/unattend.xml",
    "/Windows/Panther/Unattend/Unattend.xml",
];

fn install_wim() -> PathBuf {
    out("stand-in/install.wim")
}

/// The run is done once for all tests. The machine starts its disk first, so that the staged boot image leads the run; it loses its
/// power in the boot image, inside Windows and while it is captured. What comes of it must be the same as without.
fn captured() -> &'static Path {
    static WIM: OnceLock<PathBuf> = OnceLock::new();
    WIM.get_or_init(|| {
        let cuts = [
            "--kill-at=Apply the operating system:2",
            "--kill-at=Install the applications:2",
            "--kill-at=Capture the operating system:2",
        ];
        demo(&[&["windows", "--media-last"], &cuts[..]].concat());
        out("demo/windows/captures/reference.wim")
    })
}

/// A value of a hive of the first image of a WIM, as hivexget prints it.
fn registry(wim: &Path, hive: &str, key: &str, value: &str) -> Option<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let extracted = Command::new("wimlib-imagex")
        .arg("extract")
        .arg(wim)
        .args(["1", &format!("/Windows/System32/config/{hive}"), "--dest-dir"])
        .arg(folder.path())
        .output()
        .expect("wimlib-imagex");
    assert!(extracted.status.success(), "{extracted:?}");
    let output = Command::new("hivexget")
        .arg(folder.path().join(hive))
        .args([key, value])
        .output()
        .expect("hivexget");
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

/// NTFS-3G sets this in a folder that it writes to: "has an index of names", which no program sees as an attribute.
const HAS_INDEX: u32 = 0x1000_0000;
const FOLDER: u32 = 0x10;

fn attributes(entry: &Entry) -> u32 {
    let text = entry.properties.get("Attributes").expect("attributes");
    u32::from_str_radix(text.trim_start_matches("0x"), 16).expect("attributes in hexadecimal")
}

/// What must not change. A folder's time does, with what is added to it.
fn kept(entry: &Entry) -> Entry {
    let mut kept = entry.clone();
    let attributes = attributes(entry) & !HAS_INDEX;
    kept.properties
        .insert("Attributes".into(), format!("{attributes:#x}"));
    if attributes & FOLDER != 0 {
        kept.properties.remove("Last Write Time");
    }
    kept
}

/// Everything that was applied, but for what is listed with a reason.
fn assert_kept(before: &Listing, after: &Listing) {
    for (path, entry) in &before.entries {
        let Some(now) = after.entries.get(path) else {
            panic!("{path} was not captured");
        };
        if CHANGED.iter().any(|(changed, _)| changed == path) {
            assert_eq!(
                entry.properties.get("Security Descriptor"),
                now.properties.get("Security Descriptor"),
                "{path}"
            );
        } else {
            assert_eq!(kept(entry), kept(now), "{path}");
        }
    }
    assert!(
        before.links.is_subset(&after.links),
        "hard links: {:?}",
        after.links
    );
}

fn assert_nothing_else(before: &Listing, after: &Listing) {
    for path in after
        .entries
        .keys()
        .filter(|path| !before.entries.contains_key(*path))
    {
        assert!(
            ADDED.iter().any(|(beginning, _)| path.starts_with(beginning)),
            "{path} was added, and no reason is known"
        );
    }
}

#[test]
fn what_was_applied_comes_back_with_streams_security_and_links() {
    let (before, after) = (Listing::of(&install_wim(), 1), Listing::of(captured(), 1));
    let downloads = &before.entries["/Users/Public/Downloads/tool.exe"];
    assert_eq!(
        downloads.streams.len(),
        3,
        "the listing lost streams: {downloads:?}"
    );
    assert!(!before.links.is_empty(), "the listing lost links");
    assert_kept(&before, &after);
    assert_nothing_else(&before, &after);
    assert!(after.entries.contains_key("/Tools/origin.txt"));
    let own_script = "/Windows/Setup/Scripts/of-the-image.txt";
    assert!(
        after.entries.contains_key(own_script),
        "its own script did not run"
    );
    for trace in TRACES {
        assert!(!after.entries.contains_key(trace), "{trace} was captured");
    }
}

#[test]
fn windows_was_set_up_given_its_applications_and_generalized() {
    let software = |key: &str, value: &str| registry(captured(), "SOFTWARE", key, value);
    let system = |key: &str, value: &str| registry(captured(), "SYSTEM", key, value);
    let state = software(r"\Microsoft\Windows\CurrentVersion\Setup\State", "ImageState");
    assert_eq!(state.as_deref(), Some("IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE"));
    assert_eq!(software(r"\Stand-in Library", "Version").as_deref(), Some("1.0"));
    let name = system(
        r"\ControlSet001\Control\ComputerName\ComputerName",
        "ComputerName",
    );
    assert_eq!(name.as_deref(), Some("REFERENCE"));
    assert_eq!(
        system(r"\ControlSet001\Services\media-runtime", "ImagePath"),
        None
    );
}

/// The driver of the machine's disk controller was known to the Windows that ran (the sequence looks for it), and of the way to
/// it nothing was captured; the updates came in their order, and got the restart that they ask for.
#[test]
fn a_driver_was_placed_and_updates_were_installed() {
    let system = |key: &str, value: &str| registry(captured(), "SYSTEM", key, value);
    assert_eq!(
        system(r"\ControlSet001\Services\standahci", "Start").as_deref(),
        Some("0")
    );
    let image = Listing::of(captured(), 1);
    assert!(
        image
            .entries
            .contains_key("/Windows/System32/drivers/standahci.sys")
    );
    let database = r"\DriverDatabase\DriverInfFiles\media-runtime-standahci.inf";
    assert_eq!(system(database, "Active"), None);
    let software = |key: &str, value: &str| registry(captured(), "SOFTWARE", key, value);
    let path = software(r"\Microsoft\Windows\CurrentVersion", "DevicePath").expect("the path");
    assert!(!path.contains("media-runtime"), "{path}");
    let updates = r"\Stand-in\Updates";
    assert_eq!(software(updates, "ssu-1.msu").as_deref(), Some("1"));
    assert_eq!(software(updates, "a-2.cab").as_deref(), Some("2"));
    let serial = std::fs::read(out("demo/windows/serial.log")).expect("the serial log");
    let restarted = r#""name":"Install the updates","outcome":"restart""#;
    assert!(String::from_utf8_lossy(&serial).contains(restarted), "no restart");
}

/// The sequence asks for the boot files of 2023; the image's boot manager of that set says at every start that it is the one.
#[test]
fn windows_started_from_the_boot_files_that_the_sequence_asks_for() {
    captured();
    let serial = std::fs::read(out("demo/windows/serial.log")).expect("the serial log");
    let serial = String::from_utf8_lossy(&serial);
    assert!(serial.contains("stand-in of 2023: (hd"), "it did not start");
    assert!(!serial.contains("stand-in: (hd"), "that of 2011 has started");
}

/// What the XML metadata says of the system comes from its registry, and the rest from the step.
const SAID_OF_WINDOWS: [&str; 6] = [
    "<NAME>Windows reference</NAME>",
    "<FLAGS>Professional</FLAGS>",
    "<EDITIONID>Professional</EDITIONID>",
    "<MAJOR>10</MAJOR><MINOR>0</MINOR><BUILD>19045</BUILD>",
    "<CREATOR>media-builder</CREATOR>",
    "<VERSION>1</VERSION>",
];

#[test]
fn the_captured_image_says_what_it_is() {
    let xml = support::xml_of(captured());
    let description = "<DESCRIPTION>Built and captured by media-builder</DESCRIPTION>";
    for said in SAID_OF_WINDOWS.iter().chain(&[description]) {
        assert!(xml.contains(said), "{said}: {xml}");
    }
}

/// The application's exit code 3010 was followed by a restart before the run went on.
#[test]
fn an_application_that_asks_for_a_restart_got_it() {
    let number = |key: &str, value: &str| {
        let text = registry(captured(), "SOFTWARE", key, value).unwrap_or_else(|| panic!("no {value}"));
        text.parse::<u32>()
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    };
    let installed_in = number(
        r"\Microsoft\Windows\CurrentVersion\Uninstall\Stand-in Editor",
        "InstalledInStart",
    );
    let starts = number(r"\Stand-in", "Starts");
    assert!(starts > installed_in, "start {installed_in} of {starts}");
}

/// As sgdisk sees the disk, and as the boot sector of the volume says where it begins.
#[test]
fn the_disk_is_laid_out_as_windows_expects_it() {
    captured();
    let disk = out("demo/windows.raw");
    let partition = |number: u32| {
        let about = support::run(
            "sgdisk",
            &[&format!("--info={number}"), &disk.display().to_string()],
        );
        let value = |name: &str| {
            let line = about.lines().find_map(|line| line.strip_prefix(name));
            let value = line.and_then(|rest| rest.split_whitespace().next());
            value.unwrap_or_else(|| panic!("no {name} in {about}")).to_owned()
        };
        (
            value("Partition GUID code: "),
            value("Attribute flags: "),
            value("First sector: "),
        )
    };
    // EFI system partition, Microsoft reserved, basic data, Windows recovery: required, and without a letter.
    let expected = [
        ("C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "0000000000000000"),
        ("E3C9E316-0B5C-4DB8-817D-F92DF00215AE", "8000000000000000"),
        ("EBD0A0A2-B9E5-4433-87C0-68B6B72699C7", "0000000000000000"),
        ("DE94BBA4-06D1-4D40-A16A-BFD50179D6AC", "8000000000000001"),
    ];
    for (number, (kind, flags)) in (1..).zip(expected) {
        let (found, attributes, _) = partition(number);
        assert_eq!(
            (found.as_str(), attributes.as_str()),
            (kind, flags),
            "partition {number}"
        );
    }
    let first: u64 = partition(3).2.parse().expect("a sector");
    let mut sector = [0; 512];
    let file = std::fs::File::open(&disk).expect("the disk");
    file.read_exact_at(&mut sector, first * 512)
        .expect("the boot sector");
    assert_eq!(&sector[3..11], b"NTFS    ");
    let geometry = |at: usize| u16::from_le_bytes([sector[at], sector[at + 1]]);
    assert_eq!(
        (geometry(0x18), geometry(0x1a)),
        (63, 255),
        "sectors of a track, heads"
    );
    let hidden = u32::from_le_bytes([sector[0x1c], sector[0x1d], sector[0x1e], sector[0x1f]]);
    assert_eq!(u64::from(hidden), first, "the sectors before the volume");
}

/// Sysprep's exit code is 0 when an app stands in its way: only its state and its log say so. This run comes from a CD.
#[test]
fn a_sysprep_without_result_fails_with_its_reason() {
    let media = project("windows-sysprep-no-state", "iso", &[]);
    let share = ["--share", "--share-password=demonstration"];
    let machine = ["--firmware=uefi", "--disk-bus=sata", "--disk=4G"];
    let said = failing_try(&media, &[&machine[..], &share].concat());
    assert!(said.contains("not generalized"), "{said}");
    assert!(said.contains("Contoso.Notes"), "{said}");
    assert!(said.contains("Prepare the operating system"), "{said}");
}

/// The image has the files of the volume of data, and no others.
fn assert_data(wim: &Path) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (wim, into) = (wim.display().to_string(), folder.path().display().to_string());
    support::run("wimlib-imagex", &["apply", &wim, "2", &into]);
    start_up::assert_same(&existing::data(), &folder);
}

/// Two images: that of Windows, and that of the volume of data, which is no system.
fn assert_says_both(wim: &Path) {
    let xml = support::xml_of(wim);
    let (windows, data) = xml.split_once("<IMAGE INDEX=\"2\">").expect("two images");
    assert!(!data.contains("<IMAGE"), "{data}");
    let description = "<DESCRIPTION>Captured by media-builder</DESCRIPTION>";
    for said in SAID_OF_WINDOWS.iter().chain(&[description]) {
        assert!(windows.contains(said), "{said}: {windows}");
    }
    for said in ["<NAME>Windows reference (volume 3)</NAME>", description] {
        assert!(data.contains(said), "{said}: {data}");
    }
    assert!(!data.contains("<FLAGS>") && !data.contains("<WINDOWS>"), "{data}");
}

/// The NTFS and the FAT32 volume become an image each; ext4, the ESP, the media's stick and one that somebody forgot do not.
#[test]
fn an_existing_windows_is_captured_with_its_volumes() {
    let (disk, stick) = (existing::disk(&install_wim(), Left::Off), existing::stick());
    let before = [&disk, &stick].map(|path| support::digest(path));
    let media = project("windows-capture-existing", "usb", &[]);
    let (disk_path, stick_path) = (disk.display().to_string(), stick.display().to_string());
    let machine = ["--firmware=uefi", "--disk", &disk_path, "--usb-disk", &stick_path];
    let (status, said) = try_media(&media, &machine);
    assert_eq!(status, Some(0), "{said}");
    let results = results_of(&media);
    let wim = results.join("captures/existing.wim");
    assert_says_both(&wim);
    let (applied, windows) = (Listing::of(&install_wim(), 1), Listing::of(&wim, 1));
    assert_kept(&applied, &windows);
    let more = windows
        .entries
        .keys()
        .filter(|path| !applied.entries.contains_key(*path));
    assert_eq!(more.collect::<Vec<_>>(), [""; 0], "of the running machine");
    assert_data(&wim);
    let log = support::files_below(&results, "smsts.log");
    let log = std::fs::read_to_string(log.first().expect("the log came back")).expect("the log");
    for parts in [
        ["not captured: /dev/vda1 (vfat)", "it is no volume of the system"],
        ["not captured: /dev/vda4 (ext4)", "it is no volume of the system"],
        ["serial DISK1", "(another disk)"],
        [
            "2 files and folders of /dev/vda3",
            "read-only, hidden or of the system",
        ],
    ] {
        let names_it = |line: &str| parts.iter().all(|part| line.contains(part));
        assert!(log.lines().any(names_it), "{parts:?}: {log}");
    }
    let after = [&disk, &stick].map(|path| support::digest(path));
    assert_eq!(after, before, "the machine's disk or the stick was changed");
    std::fs::remove_file(disk).expect("removing the disk");
    std::fs::remove_file(stick).expect("removing the stick");
}

/// The image of a Windows that was generalized inside, of which nothing else was changed, and the way that the log tells.
fn assert_captured_while_it_ran(results: &Path) {
    let wim = results.join("captures/existing.wim");
    let (before, after) = (Listing::of(&install_wim(), 1), Listing::of(&wim, 1));
    assert_kept(&before, &after);
    assert_nothing_else(&before, &after);
    for trace in TRACES {
        assert!(!after.entries.contains_key(trace), "{trace} was captured");
    }
    assert_says_both(&wim);
    assert_data(&wim);
    let state = registry(
        &wim,
        "SOFTWARE",
        r"\Microsoft\Windows\CurrentVersion\Setup\State",
        "ImageState",
    );
    assert_eq!(state.as_deref(), Some("IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE"));
    let service = registry(
        &wim,
        "SYSTEM",
        r"\ControlSet001\Services\media-runtime",
        "ImagePath",
    );
    assert_eq!(service, None);
    let log = support::files_below(results, "smsts.log");
    let log = std::fs::read_to_string(log.first().expect("the log came back")).expect("the log");
    for line in [
        "starts in the installed system",
        "the machine restarts, next: pe",
        "goes on in the boot image",
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
}

/// Somebody who is logged on starts the program from the stick, and the machine restarts from there. The stand-in cannot make the
/// firmware start the boot image next (Wine's `SetFirmwareEnvironmentVariable` is not implemented), so the media has become the first in the
/// boot order meanwhile: its menu finds the state of the run.
#[test]
fn a_running_windows_is_captured_by_the_program_on_the_media() {
    let disk = existing::disk(&install_wim(), Left::ToBegin);
    let esp = start_up::copy_of_esp(&disk);
    let media = project("windows-capture-existing", "usb", &[]);
    let attached = support::own("attached", "usb");
    std::fs::hard_link(&media, &attached).expect("a second name of the media");
    let disk_path = disk.display().to_string();
    let machine = ["--firmware=uefi", "--disk", &disk_path];
    let said = failing_try(
        &attached,
        &[&machine[..], &["--media-last", "--restarts=0"]].concat(),
    );
    assert!(said.contains("restarted more than 0 times"), "{said}");
    let (status, said) = try_media(&media, &machine);
    assert_eq!(status, Some(0), "{said}");

    assert_captured_while_it_ran(&results_of(&media));
    start_up::assert_same(&esp, &start_up::copy_of_esp(&disk));
    std::fs::remove_file(disk).expect("removing the disk");
}

/// The same where a BIOS starts Windows, from its own disk all the time: the boot code of the disk leads to it; after a restart GRUB in its
/// place to Windows' boot manager, and then to the boot image, where the power fails; and at the end the disk starts as before.
#[test]
fn a_running_windows_that_a_bios_starts_is_captured_and_its_boot_code_comes_back() {
    let disk = existing_by_bios::disk(&install_wim());
    let before = existing_by_bios::Start::of(&disk);
    let media = existing_by_bios::media();
    let disk_path = disk.display().to_string();
    let machine = ["--firmware=bios", "--disk", &disk_path, "--media-last"];
    let cut = "--kill-at=Prepare the operating system:0";
    let (status, said) = try_media(&media, &[&machine[..], &[cut]].concat());
    assert_eq!(status, Some(0), "{said}");
    let results = results_of(&media);
    assert_captured_while_it_ran(&results);
    let serial = std::fs::read(results.join("serial.log")).expect("the serial log");
    let starts = String::from_utf8_lossy(&serial)
        .matches("stand-in: by a BIOS")
        .count();
    assert_eq!(starts, 2, "starts of Windows' boot manager");
    before.assert_same(&existing_by_bios::Start::of(&disk));
    std::fs::remove_file(disk).expect("removing the disk");
}

/// What it holds in memory is missing on its disk.
#[test]
fn a_hibernated_windows_is_refused_and_its_disk_not_changed() {
    let disk = existing::disk(&install_wim(), Left::Hibernated);
    let before = support::digest(&disk);
    let media = project("windows-capture-existing", "usb", &[]);
    let said = failing_try(
        &media,
        &["--firmware=uefi", "--disk", &disk.display().to_string()],
    );
    assert!(
        said.contains("hibernat") && said.contains("shutdown /s /t 0"),
        "{said}"
    );
    assert_eq!(support::digest(&disk), before, "the disk was changed");
    std::fs::remove_file(disk).expect("removing the disk");
}

/// Under Secure Boot: firmware, shim, GRUB and the boot manager of Windows each start what they trust, and nothing else. The machine
/// gets two volumes, of which the second is FAT32, from images of NTFS.
#[test]
fn a_sysprep_that_never_ends_runs_into_the_time_out_of_its_step() {
    let (media, files) = two_volumes::media("windows-sysprep-never-ends", &install_wim());
    secure_boot::sign_loader(&media);
    let disk = support::empty_disk_of("two-volumes", 4 << 30);
    let firmware = ["--firmware=secure-boot", secure_boot::VARIABLES];
    let said = failing_try(
        &media,
        &[&firmware[..], &["--disk-bus=sata", "--disk", &disk]].concat(),
    );
    assert!(
        said.contains("sysprep.exe was stopped: it had not ended after 60 seconds"),
        "{said}"
    );
    assert!(said.contains("Prepare the operating system"), "{said}");
    let results = results_of(&media);
    let serial = std::fs::read(results.join("serial.log")).expect("the serial log");
    let serial = String::from_utf8_lossy(&serial);
    assert!(
        serial.contains("Secure Boot: 1"),
        "it was off in Windows: {serial}"
    );
    let log = std::fs::read_to_string(results.join("logs/REFERENCE/smsts.log")).expect("the log came back");
    assert!(
        log.contains("Windows starts from Windows/Boot/EFI/bootmgfw.efi: the firmware trusts it"),
        "{log}"
    );
    for lost in [
        "FILE_ATTRIBUTE_HIDDEN of",
        "Windows NT security descriptors of",
        "DOS names of",
    ] {
        let said = format!("not kept on FAT32 and exFAT: Ignoring {lost}");
        assert!(log.contains(&said), "{said}: {log}");
    }
    two_volumes::assert_deployed(&disk, files.path());
    std::fs::remove_file(disk).expect("removing the disk");
}

/// The same stick on a machine that trusts Microsoft: it starts, and Windows would not.
#[test]
fn a_windows_that_secure_boot_would_not_start_is_refused_before_anything_is_erased() {
    let disk = support::empty_disk_of("untrusted", 4 << 30);
    let media = project("windows-sysprep-never-ends", "usb", &[]);
    let said = failing_try(
        &media,
        &["--firmware=secure-boot", "--disk-bus=sata", "--disk", &disk],
    );
    for part in [
        "before anything was changed",
        "Secure Boot is on and the firmware starts no boot manager of the image",
        "bootmgfw.efi by O=SnakeOil",
        "Microsoft Windows Production PCA 2011",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    support::assert_empty(&disk);
}

/// On a machine with a BIOS: GRUB of the stick, and after the run GRUB of the disk alone. The stand-in's boot manager says what it
/// was given and switches the machine off.
#[test]
fn a_bios_starts_the_boot_manager_of_windows_through_grub() {
    let media = project("windows-sysprep-never-ends", "usb", &[]);
    let disk = support::empty_disk_of("bios", 4 << 30);
    let said = failing_try(&media, &["--firmware=bios", "--disk-bus=sata", "--disk", &disk]);
    // A stick is the first disk for a BIOS that starts from it.
    assert!(
        said.contains("bootmgr was started from drive 81, partition at sector 00000800"),
        "{said}"
    );
    bios::judge_active_partition(&disk);
    bios::judge_planted_folder(&disk);
    bios::end_run(&disk);
    let held = Processors::take(1);
    let said = bios::start_alone(&disk);
    drop(held);
    assert!(
        said.contains("bootmgr was started from drive 80, partition at sector 00000800"),
        "{said}"
    );
    std::fs::remove_file(disk).expect("removing the disk");
}
