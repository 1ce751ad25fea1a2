//! WinPE as the boot image, and media with it, judged by foreign tools. No file of Microsoft is needed: what stands for
//! them is made here.
#![allow(unreachable_pub)] // A module of a test program has no outside.

#[path = "winpe/fixture.rs"]
mod fixture;
#[path = "winpe/stick.rs"]
mod stick;

use std::fs;
use std::path::Path;

use fixture::{Fixture, PLAIN, SETUP, SIGNER, failed, out, run, succeeded};
use media_builder::plan::{self, DEFAULT_TIMESTAMP, Format, PlanOptions};
use media_builder::project::Project;
use media_builder::resolve::{self, DigestCache};
use media_builder::split;
use media_format::paths::WINDOWS_RUNTIME;

/// A line of `wimlib-imagex info`.
fn wim_says(wim: &str, label: &str) -> String {
    let info = run("wimlib-imagex", &["info", wim]);
    let line = info.lines().find_map(|line| line.strip_prefix(label));
    line.unwrap_or_else(|| panic!("no {label}: {info}"))
        .trim()
        .to_owned()
}

fn wim_file(wim: &str, path: &str) -> String {
    run(
        "wimlib-imagex",
        &["extract", wim, "1", path, "--to-stdout", "--quiet"],
    )
}

/// An element of the loader in a store.
fn element(fixture: &Fixture, store: &str, number: &str) -> String {
    let loader = "{7619dcc9-fafe-11d9-b411-000476eba25f}";
    let script = format!("cd \\Objects\\{loader}\\Elements\\{number}\nlsval Element\n");
    fixture.write("commands", script.as_bytes());
    run(
        "hivexsh",
        &["-f", &fixture.text("commands"), &fixture.text(store)],
    )
}

#[test]
fn a_boot_wim_alone_becomes_a_boot_image() {
    let fixture = Fixture::new();
    fixture.boot_wim("boot.wim", true);
    let before = fs::read(fixture.path("boot.wim")).expect("the WIM");
    let drivers = fixture.text("vmd");
    let said = succeeded(&fixture.build("boot.wim", "winpe.tar", &["--drivers", &drivers]));
    for part in [
        &format!("WinPE 10.0.26100.1 x86_64 ({PLAIN}), nl-NL, image 1 of its source"),
        &format!("signed by: {SIGNER} ({SIGNER})"),
        &format!("bootx64.efi\n              signed by {SIGNER} ({SIGNER})\n              SBAT sbat,1 grub,"),
        "driver 001/disk.inf: SCSIAdapter, Maker 1.2.3.4, unsigned",
        "media/sources/boot.wim",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(
        before == fs::read(fixture.path("boot.wim")).expect("the WIM"),
        "it is only read"
    );
    assert_eq!(
        fixture.succeed(&["boot-image", "inspect", "--verify", &fixture.text("winpe.tar")]),
        said
    );

    fixture.unpack("winpe.tar", "image");
    let wim = fixture.text("image/media/sources/boot.wim");
    run("wimlib-imagex", &["verify", &wim]);
    assert_eq!(
        (wim_says(&wim, "Boot Index:"), wim_says(&wim, "Image Count:")),
        ("1".into(), "1".into())
    );
    assert_eq!(wim_says(&wim, "Name:"), PLAIN);
    assert_eq!(
        wim_file(&wim, "/Windows/System32/winpeshl.ini"),
        "[LaunchApps]\r\n%SYSTEMROOT%\\System32\\wpeinit.exe\r\n\
         %SYSTEMDRIVE%\\media-runtime\\media-runtime.exe, start\r\n"
    );
    assert_eq!(
        wim_file(&wim, "/media-runtime/media-runtime.exe"),
        "MZ the runtime for Windows"
    );
    assert_eq!(
        wim_file(&wim, "/media-runtime/drivers/001/disk.sys"),
        "MZ a driver"
    );
    assert_eq!(
        wim_file(&wim, "/Windows/System32/wpeinit.exe"),
        "System32/wpeinit.exe"
    );
    stores_start_it(&fixture);
}

/// Both stores start the WIM in memory, in the language of the WinPE.
fn stores_start_it(fixture: &Fixture) {
    for (store, program) in [
        ("image/media/boot/bcd", r"\windows\system32\boot\winload.exe"),
        (
            "image/media/efi/microsoft/boot/bcd",
            r"\windows\system32\boot\winload.efi",
        ),
    ] {
        assert!(element(fixture, store, "12000002").contains(program), "{store}");
        assert!(element(fixture, store, "12000005").contains("nl-NL"), "{store}");
        // The device is binary: a RAM disk with the WIM's path in UTF-16.
        let bytes = fs::read(fixture.path(store)).expect("the store");
        let path: Vec<u8> = r"\sources\boot.wim"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert!(bytes.windows(path.len()).any(|part| part == path), "{store}");
    }
}

#[test]
fn the_same_inputs_give_the_same_boot_image() {
    let fixture = Fixture::new();
    fixture.boot_wim("boot.wim", true);
    succeeded(&fixture.build("boot.wim", "first.tar", &[]));
    std::thread::sleep(std::time::Duration::from_millis(1100));
    succeeded(&fixture.build("boot.wim", "second.tar", &[]));
    let read = |name| fs::read(fixture.path(name)).expect("the boot image");
    assert!(read("first.tar") == read("second.tar"));
}

#[test]
fn a_disc_as_folder_and_as_iso_gives_its_own_boot_files() {
    let fixture = Fixture::new();
    fixture.disc("disc");
    let (disc, iso) = (fixture.text("disc"), fixture.text("disc.iso"));
    run(
        "genisoimage",
        &["-quiet", "-udf", "-iso-level", "3", "-o", &iso, &disc],
    );
    for (source, name) in [("disc", "folder"), ("disc.iso", "iso")] {
        let tar = format!("{name}.tar");
        let said = succeeded(&fixture.build(source, &tar, &["--index", "2"]));
        assert!(
            said.contains(SETUP) && said.contains("image 2 of its source"),
            "{said}"
        );
        fixture.unpack(&tar, name);
        let text = |path: &str| fs::read_to_string(fixture.path(&format!("{name}/{path}"))).expect(path);
        assert_eq!(text("media/bootmgr"), "bootmgr of the disc");
        assert_eq!(
            text("media/efi/microsoft/boot/fonts/wgl4_boot.ttf"),
            "a font of the disc"
        );
        let boot = fs::read(fixture.path(&format!("{name}/bios/etfsboot.com"))).expect("etfsboot.com");
        assert!(boot == [0x91; 4096]);
        assert!(
            !fixture.path(&format!("{name}/media/boot/bootfix.bin")).exists(),
            "it asks for a key"
        );
        let wim = fixture.text(&format!("{name}/media/sources/boot.wim"));
        assert!(wim_file(&wim, "/Windows/System32/winpeshl.ini").contains("media-runtime.exe, start"));
    }
    let read = |name| fs::read(fixture.path(name)).expect("the boot image");
    assert!(read("folder.tar") == read("iso.tar"));
}

#[test]
fn the_folder_of_the_adk_is_enough_with_its_deployment_tools() {
    let fixture = Fixture::new();
    let pe = "ADK/Windows Preinstallation Environment";
    fixture.boot_wim(&format!("{pe}/amd64/en-us/winpe.wim"), false);
    fixture.write(&format!("{pe}/amd64/Media/bootmgr"), b"bootmgr of the ADK");
    let said = failed(&fixture.build(pe, "winpe.tar", &[]));
    for part in [
        "lacks what a WinPE starts with",
        "Windows/Boot/DVD/PCAT/etfsboot.com",
        "efisys_noprompt.bin",
        "Deployment Tools",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!fixture.path("winpe.tar").exists());
    fixture.write("ADK/Deployment Tools/amd64/Oscdimg/etfsboot.com", &[0x92; 4096]);
    fixture.uefi_image("ADK/Deployment Tools/amd64/Oscdimg/efisys_noprompt.bin");
    for source in ["ADK", pe] {
        succeeded(&fixture.build(source, "winpe.tar", &[]));
    }
    fixture.unpack("winpe.tar", "image");
    let manager = fs::read_to_string(fixture.path("image/media/bootmgr")).expect("bootmgr");
    assert_eq!(manager, "bootmgr of the ADK");
}

#[test]
fn what_is_no_winpe_is_refused() {
    let fixture = Fixture::new();
    fixture.boot_wim("boot.wim", true);
    let said = failed(&fixture.build("boot.wim", "winpe.tar", &["--index", "3"]));
    assert!(
        said.contains("it has no image 3") && said.contains(&format!("1 ({PLAIN}), 2 ({SETUP})")),
        "{said}"
    );
    let wim = fixture.text("boot.wim");
    run(
        "wimlib-imagex",
        &[
            "info",
            &wim,
            "1",
            "--image-property",
            "WINDOWS/INSTALLATIONTYPE=Client",
        ],
    );
    let said = failed(&fixture.build("boot.wim", "winpe.tar", &[]));
    assert!(said.contains("an installed Windows (Client)"), "{said}");
    let said = failed(&fixture.build("vmd/disk.inf", "winpe.tar", &[]));
    assert!(said.contains("neither a WIM nor an ISO"), "{said}");
    fixture.write("media-runtime.exe", b"\x7fELF");
    let said = failed(&fixture.build("boot.wim", "winpe.tar", &[]));
    assert!(said.contains("no program for Windows"), "{said}");
}

fn with_project() -> Fixture {
    let fixture = Fixture::new();
    fixture.boot_wim("boot.wim", true);
    succeeded(&fixture.build("boot.wim", "winpe.tar", &[]));
    fixture.unpack("winpe.tar", "image");
    fixture.project();
    fixture
}

fn same(fixture: &Fixture, a: &str, b: &str) {
    let read = |name| fs::read(fixture.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(read(a) == read(b), "{a} and {b}");
}

/// The user's own programs, unchanged, and no partition table.
fn boot_entries_are_those_of_windows(fixture: &Fixture, iso: &str) {
    let reports = ["-report_el_torito", "plain", "-report_system_area", "plain"];
    let report = run("xorriso", &[&["-indev", iso], &reports[..]].concat());
    let entry = |number: u32| {
        let label = format!("El Torito boot img :   {number}");
        let line = report.lines().find_map(|line| line.strip_prefix(&label));
        let line = line.unwrap_or_else(|| panic!("{report}"));
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(entry(1)[..6], ["BIOS", "y", "none", "0x0000", "0x00", "8"]);
    assert_eq!(entry(2)[..6], ["UEFI", "y", "none", "0x0000", "0x00", "2880"]);
    assert!(!report.contains("GPT"), "{report}");
    let bytes = fs::read(iso).expect("the ISO");
    for (number, member) in [(1, "etfsboot.com"), (2, "efisys_noprompt.bin")] {
        let start = entry(number)[6].parse::<usize>().expect("a sector") * 2048;
        let program = fs::read(fixture.path(&format!("image/bios/{member}"))).expect(member);
        assert!(bytes[start..start + program.len()] == program, "{member}");
    }
}

#[test]
fn an_iso_is_laid_out_as_that_of_windows() {
    let fixture = with_project();
    fixture.succeed(&["check"]);
    fixture.succeed(&["build", "-o", "media.iso"]);
    fixture.succeed(&["verify", "media.iso"]);
    let iso = fixture.text("media.iso");
    boot_entries_are_those_of_windows(&fixture, &iso);
    let names = run("isoinfo", &["-i", &iso, "-f"]);
    for name in [
        "/BOOTMGR\n",
        "/BOOT/BCD\n",
        "/BOOT/BOOT.SDI\n",
        "/EFI/MICROSOFT/BOOT/BCD\n",
        "/SOURCES/BOOT.WIM\n",
    ] {
        assert!(names.contains(name), "{name}: {names}");
    }
    let all = run("7z", &["t", &iso]);
    assert!(all.contains("Everything is Ok"), "{all}");
    run("7z", &["x", "-y", &format!("-o{}", fixture.text("disc")), &iso]);
    for path in [
        "sources/boot.wim",
        "efi/boot/bootx64.efi",
        "boot/bcd",
        "bootmgr.efi",
    ] {
        same(&fixture, &format!("disc/{path}"), &format!("image/media/{path}"));
    }
    same(&fixture, &format!("disc/{WINDOWS_RUNTIME}"), "media-runtime.exe");
    let long = "packages/tool/A folder with spaces/A name that is longer than ISO 9660 has.txt";
    assert!(
        fixture.path(&format!("disc/{long}")).is_file(),
        "Windows sees the names"
    );
    assert!(!fixture.path("disc/boot/grub").exists());
    fixture.succeed(&["build", "-o", "again.iso"]);
    same(&fixture, "media.iso", "again.iso");
    let said = fixture.succeed(&["inspect", "media.iso"]);
    assert!(said.contains("boot image    winpe 10.0.26100.1"), "{said}");
}

#[test]
fn sequences_for_linux_and_media_without_long_names_are_refused() {
    let fixture = with_project();
    let sequence = fs::read_to_string(fixture.path("run.toml")).expect("the sequence");
    fixture.write("run.toml", sequence.replace("windows", "linux").as_bytes());
    let said = failed(&fixture.media_builder(&["check"]));
    assert!(said.contains("the sequence is for Linux, and a WinPE"), "{said}");
    fixture.write("run.toml", sequence.as_bytes());
    let media = fs::read_to_string(fixture.path("media.toml")).expect("the project");
    fixture.write(
        "media.toml",
        media.replace("[usb]", "[iso]\njoliet = false\n[usb]").as_bytes(),
    );
    let said = failed(&fixture.media_builder(&["build", "-o", "media.iso"]));
    assert!(said.contains("joliet = false"), "{said}");
}

fn plan_paths(media: &resolve::ResolvedMedia) -> Vec<String> {
    let options = PlanOptions {
        format: Format::Iso,
        timestamp: DEFAULT_TIMESTAMP,
    };
    let plan = plan::plan(media, options).expect("a plan");
    plan.manifest.files.into_iter().map(|file| file.path).collect()
}

/// Adds an image package of some megabytes to the project.
fn with_large_image(fixture: &Fixture) {
    for number in 0..6_u32 {
        let noise: Vec<u8> = (0..400_000_u32)
            .map(|i| ((i ^ number).wrapping_mul(2_654_435_761) >> 11) as u8)
            .collect();
        fixture.write(&format!("large/{number}"), &noise);
    }
    let (large, wim) = (fixture.text("large"), fixture.text("install.wim"));
    run(
        "wimlib-imagex",
        &["capture", &large, &wim, "--compress=none", "--quiet"],
    );
    let sequence = "name = \"Run\"\noperating-system = \"windows\"\n[[steps]]\ntype = \"apply-data-image\"\n\
        name = \"Apply\"\npackage = \"os\"\n";
    fixture.write("run.toml", sequence.as_bytes());
    let media = fs::read_to_string(fixture.path("media.toml")).expect("the project");
    let package = "[[packages]]\nid = \"os\"\nkind = \"image\"\nsource = \"install.wim\"\n";
    fixture.write("media.toml", format!("{media}{package}").as_bytes());
}

/// With a limit of a megabyte instead of four gigabytes.
#[test]
fn a_large_wim_travels_in_parts() {
    let fixture = with_project();
    with_large_image(&fixture);
    let project = Project::read(&fixture.path("")).expect("a project");
    let mut media = resolve::resolve(project, &DigestCache::default()).expect("resolved");
    assert!(split::concerns(&media, Format::Iso) && !split::concerns(&media, Format::Usb));
    assert!(plan_paths(&media).contains(&"packages/os/install.wim".to_owned()));
    let worker = out("bin/wim-worker");
    let none =
        split::split(&mut media, split::LARGEST, &worker, Path::new("/nowhere")).expect("nothing to do");
    assert!(none.is_none(), "it is small enough as it is");
    let parts = split::split(&mut media, 1_000_000, &worker, &fixture.path("")).expect("split");
    let parts = parts.expect("it is too large");
    assert!(
        parts.notes[0].contains("packages/os/install.wim is larger"),
        "{:?}",
        parts.notes
    );
    let package = media
        .packages
        .iter()
        .find(|package| package.entry.id == "os")
        .expect("the package");
    assert_eq!(package.entry.path, "packages/os");
    let paths = plan_paths(&media);
    for part in ["install.swm", "install2.swm", "install3.swm"] {
        assert!(
            paths.contains(&format!("packages/os/{part}")),
            "{part}: {paths:?}"
        );
    }
    assert!(!paths.contains(&"packages/os/install.wim".to_owned()));
    let names: Vec<String> = package
        .files()
        .map(|(_, id)| media.sources.path(id).display().to_string())
        .collect();
    let joined = fixture.text("joined.wim");
    let mut arguments = vec!["join", joined.as_str()];
    arguments.extend(names.iter().map(String::as_str));
    run("wimlib-imagex", &arguments);
    run("wimlib-imagex", &["verify", &joined]);
    // What is no WIM cannot be split.
    let said = split::problems(&media, 100).join("\n");
    assert!(
        said.contains("packages/os/install.swm") && said.contains("--format usb"),
        "{said}"
    );
    drop(parts);
    assert!(!Path::new(&names[0]).exists(), "they are gone with the work");
}
