//! Builds media and lets foreign tools judge them.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;

use common::{Fixture, compare, judge};
use disk_image::Content;
use disk_image::read::Image;
use media_builder::execute::{self, Event};
use media_builder::plan::{self, DEFAULT_TIMESTAMP, Format, PlanOptions};
use media_builder::project::Project;
use media_builder::resolve::{self, DigestCache};
use media_format::manifest::{Manifest, MediaLayout, Volume};

fn manifest(folder: &Path) -> Manifest {
    Manifest::parse(&fs::read(folder.join("media-runtime/media.json")).unwrap()).unwrap()
}

#[test]
fn an_iso_gives_back_every_file_to_xorriso_and_7z() {
    let fixture = Fixture::new();
    fixture.succeed(&["build", "-o", "media.iso"]);
    let iso = fixture.path("media.iso").display().to_string();
    let by_xorriso = fixture.path("xorriso");
    judge(
        "xorriso",
        &[
            "-osirrox",
            "on",
            "-indev",
            &iso,
            "-extract",
            "/",
            &by_xorriso.display().to_string(),
        ],
    );
    let by_7z = fixture.path("7z");
    judge("7z", &["x", "-y", &format!("-o{}", by_7z.display()), &iso]);

    let manifest = manifest(&by_xorriso);
    assert_eq!(manifest.layout, MediaLayout::Iso);
    assert_eq!(compare(&manifest, &by_xorriso, |_| true), manifest.files.len());
    assert_eq!(
        compare(&manifest, &by_7z, |path| path.len() < 60),
        manifest.files.len() - 1
    );
    assert!(by_xorriso.join("packages/tool/deep/empty folder").is_dir());
    assert!(
        !by_xorriso.join("packages/stays-at-home").exists(),
        "no sequence refers to it"
    );
    assert_eq!(
        on_disk(&by_xorriso),
        manifest.files.len() + 1,
        "every file but the manifest is in the manifest"
    );
}

fn on_disk(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| if path.is_dir() { on_disk(&path) } else { 1 })
        .sum()
}

#[test]
fn an_iso_boots_by_its_catalog_and_by_its_partition_table() {
    let fixture = Fixture::new();
    fixture.succeed(&["build", "-o", "media.iso"]);
    let iso = fixture.path("media.iso").display().to_string();
    let description = judge("isoinfo", &["-d", "-i", &iso]);
    assert!(description.contains("Volume id: MEDIA_BOOT"), "{description}");
    assert!(
        description.contains("El Torito VD version 1 found"),
        "{description}"
    );
    assert!(
        description.contains("Joliet") && description.contains("Rock Ridge"),
        "{description}"
    );
    let catalog = judge("xorriso", &["-indev", &iso, "-report_el_torito", "plain"]);
    assert!(catalog.contains("BIOS") && catalog.contains("UEFI"), "{catalog}");
    let table = judge("sgdisk", &["-p", &iso]);
    assert!(table.contains("EF00"), "{table}");
}

#[test]
fn a_stick_satisfies_the_checkers_of_its_file_systems() {
    let fixture = Fixture::new();
    fixture.succeed(&["build", "-o", "media.img"]);
    let image = fixture.path("media.img");
    let table = judge("sgdisk", &["-v", &image.display().to_string()]);
    assert!(table.contains("No problems found"), "{table}");
    let plan: serde_json::Value =
        serde_json::from_str(&fixture.succeed(&["plan", "--format", "usb", "--json"])).unwrap();
    let boot = partition(&fixture, &plan, 1);
    let data = partition(&fixture, &plan, 2);
    judge("fsck.fat", &["-n", &boot]);
    judge("fsck.exfat", &["-n", &data]);

    let folder = fixture.path("boot");
    fs::create_dir(&folder).unwrap();
    judge(
        "mcopy",
        &["-s", "-n", "-i", &boot, "::*", &folder.display().to_string()],
    );
    let manifest = manifest(&folder);
    let on_boot = |path: &str| {
        manifest
            .files
            .iter()
            .any(|f| f.path == path && f.volume == Volume::Boot)
    };
    let compared = compare(&manifest, &folder, on_boot);
    assert_eq!(
        compared,
        on_disk(&folder) - 1,
        "every file but the manifest is in the manifest"
    );
    assert!(
        manifest
            .files
            .iter()
            .any(|file| file.path == "media-runtime/media-id" && file.volume == Volume::Data)
    );
}

/// A partition as a file of its own.
fn partition(fixture: &Fixture, plan: &serde_json::Value, number: usize) -> String {
    let volume = &plan["volumes"][number];
    let (offset, size) = (
        volume["offset"].as_u64().unwrap(),
        volume["size"].as_u64().unwrap(),
    );
    let image = fs::read(fixture.path("media.img")).unwrap();
    let path = fixture.path(&format!("partition-{number}"));
    fs::write(&path, &image[offset as usize..(offset + size) as usize]).unwrap();
    path.display().to_string()
}

#[test]
fn two_builds_are_the_same_whatever_the_times_and_the_cache() {
    let fixture = Fixture::new();
    for name in ["media.iso", "media.img"] {
        fixture.succeed(&["build", "-o", name]);
        let first = fs::read(fixture.path(name)).unwrap();
        fs::remove_dir_all(fixture.path("cache")).ok();
        let copy = fs::read(fixture.path("tool/large.bin")).unwrap();
        fs::write(fixture.path("tool/large.bin"), copy).unwrap();
        fixture.succeed(&["build", "-o", name]);
        assert!(first == fs::read(fixture.path(name)).unwrap(), "{name} differs");
    }
}

#[test]
fn an_image_that_does_not_come_back_as_planned_gets_no_name() {
    let fixture = Fixture::new();
    let project = Project::read(&fixture.path("media.toml")).unwrap();
    let media = resolve::resolve(project, &DigestCache::default()).unwrap();
    for (format, name) in [(Format::Iso, "media.iso"), (Format::Usb, "media.img")] {
        fixture.write(name, "the older file");
        let options = PlanOptions {
            format,
            timestamp: DEFAULT_TIMESTAMP,
        };
        let mut plan = plan::plan(&media, options).unwrap();
        // A writer that loses the end of the longest file.
        let longest = plan.layout.extents.iter_mut().max_by_key(|extent| {
            let is_file = matches!(extent.content, Content::Source { .. });
            if is_file { extent.length } else { 0 }
        });
        let longest = longest.unwrap();
        longest.length -= 1;
        let id = match longest.content {
            Content::Source { source, .. } => source,
            _ => unreachable!("the longest one is a file"),
        };
        let mut cache = DigestCache::default();
        let path = fixture.path(name);
        let mut verified = false;
        let error = execute::execute(&plan, &media.sources, &path, &mut cache, &mut |event| {
            verified |= matches!(event, Event::Verifying { .. });
        });
        let said = error.unwrap_err().to_string();
        let file = media.sources.path(id).file_name().unwrap();
        assert!(verified && said.contains("read back"), "{said}");
        assert!(
            said.contains(&format!("{}: its content has changed", file.display())),
            "{said}"
        );
        assert_eq!(fs::read(&path).unwrap(), b"the older file");
        assert!(!fixture.path(&format!("{name}.partial")).exists());
    }
}

fn menu(fixture: &Fixture) -> String {
    let image = Image::open(&fixture.path("media.iso")).unwrap();
    let mut menu = String::new();
    let mut file = image.boot().unwrap().open("boot/grub/grub.cfg").unwrap();
    file.read_to_string(&mut menu).unwrap();
    menu
}

/// Who may edit an entry of the menu can ask the boot image for a shell.
#[test]
fn the_boot_menu_is_locked_unless_the_media_allows_a_shell() {
    let fixture = Fixture::new();
    fixture.edit("media.toml", "name = ", "network = \"192.0.2.10/24\"\nname = ");
    fixture.succeed(&["build", "-o", "media.iso"]);
    let locked = menu(&fixture);
    assert!(locked.contains("\nset superusers=nobody\n") && !locked.contains("media.shell"));
    assert!(locked.contains(" media.ip=192.0.2.10/24\n"), "{locked}");
    let entries = || locked.lines().filter(|line| line.starts_with("menuentry "));
    assert_eq!(entries().count(), 2);
    assert!(
        entries().all(|line| line.contains(" --unrestricted ")),
        "{locked}"
    );
    fixture.edit("media.toml", "name = ", "shell = true\nname = ");
    fixture.succeed(&["build", "-o", "media.iso"]);
    let open = menu(&fixture);
    assert!(
        open.contains(" media.shell=1 ") && !open.contains("superusers"),
        "{open}"
    );
}

#[test]
fn the_boot_menu_looks_for_the_state_of_its_own_media() {
    let fixture = Fixture::new();
    fixture.succeed(&["build", "-o", "media.iso"]);
    let menu = menu(&fixture);
    let report = fixture.succeed(&["inspect", "media.iso", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let id = report["manifest"]["media-id"].as_str().unwrap();
    assert!(menu.contains(&format!("search --no-floppy --file /media-runtime/{id}.env ")));
}

#[test]
fn digests_that_are_remembered_are_right() {
    let fixture = Fixture::new();
    // Only what has rested is remembered.
    std::thread::sleep(std::time::Duration::from_millis(2200));
    fixture.succeed(&["build", "-o", "first.iso"]);
    let cache = fs::read_to_string(fixture.path("cache/media-builder/digests")).unwrap();
    assert!(cache.lines().count() > 2, "{cache}");
    fixture.succeed(&["build", "-o", "second.iso"]);
    assert!(fs::read(fixture.path("first.iso")).unwrap() == fs::read(fixture.path("second.iso")).unwrap());
}

#[test]
fn content_with_a_remembered_digest_is_not_hashed_again() {
    let fixture = Fixture::new();
    std::thread::sleep(std::time::Duration::from_millis(2200));
    fixture.succeed(&["build", "-o", "first.iso"]);
    // A wrong digest shows whether it is believed: reading the image back is what finds it then.
    let cache = "cache/media-builder/digests";
    let text = fs::read_to_string(fixture.path(cache)).unwrap();
    let large = text.lines().find(|line| line.contains(" 5000001 ")).unwrap();
    let (key, digest) = large.rsplit_once(' ').unwrap();
    let wrong: String = digest.chars().rev().collect();
    fixture.edit(cache, large, &format!("{key} {wrong}"));
    let said = fixture.fail(&["build", "-o", "second.iso"]);
    assert!(said.contains("large.bin"), "{said}");
    assert!(!fixture.path("second.iso").exists());
    fs::remove_file(fixture.path(cache)).unwrap();
    fixture.succeed(&["build", "-o", "second.iso"]);
}

/// `script` gives the program a terminal.
#[test]
fn a_build_shows_its_progress_on_a_terminal_and_nowhere_else() {
    let fixture = Fixture::new();
    let call = format!("'{}' build -o shown.img", env!("CARGO_BIN_EXE_media-builder"));
    let shown = Command::new("script")
        .args(["--quiet", "--return", "--command", &call, "/dev/null"])
        .current_dir(fixture.path("."))
        .env("XDG_CACHE_HOME", fixture.path("cache"))
        .env("TERM", "xterm")
        .output()
        .unwrap();
    let text = common::text(&shown.stdout);
    assert!(shown.status.success(), "{text}");
    assert!(text.contains(" %  "), "{text}");
    let quiet = fixture.run(&["build", "-o", "quiet.img"]);
    assert!(quiet.status.success() && !common::text(&quiet.stderr).contains('%'));
}

#[test]
fn another_time_changes_the_image_and_nothing_else_fails() {
    let fixture = Fixture::new();
    fixture.succeed(&["build", "-o", "media.iso"]);
    let first = fs::read(fixture.path("media.iso")).unwrap();
    let status = fixture
        .command(&["build", "-o", "media.iso"])
        .env("SOURCE_DATE_EPOCH", "1000000000")
        .status();
    assert!(status.unwrap().success());
    assert!(first != fs::read(fixture.path("media.iso")).unwrap());
}

#[test]
fn the_plan_names_every_byte_that_is_written() {
    let fixture = Fixture::new();
    for format in ["iso", "usb"] {
        let plan: serde_json::Value =
            serde_json::from_str(&fixture.succeed(&["plan", "--format", format, "--json"])).unwrap();
        let extents = plan["extents"].as_array().unwrap();
        let end = |extent: &serde_json::Value| {
            extent["offset"].as_u64().unwrap() + extent["length"].as_u64().unwrap()
        };
        assert!(
            extents
                .windows(2)
                .all(|pair| end(&pair[0]) <= pair[1]["offset"].as_u64().unwrap()),
            "{format}"
        );
        assert!(end(extents.last().unwrap()) <= plan["size"].as_u64().unwrap());
        assert!(
            extents
                .iter()
                .any(|extent| extent["content"]["late"] == "manifest"),
            "{format}"
        );
    }
}

#[test]
fn a_name_too_long_for_joliet_is_kept_by_rock_ridge() {
    let fixture = Fixture::new();
    let name = format!("tool/{}.deb", "n".repeat(90));
    fixture.write(&name, "long");
    let output = fixture.run(&["build", "-o", "media.iso"]);
    assert!(
        output.status.success()
            && common::text(&output.stderr).contains("warning: the ISO has no Joliet names")
    );
    let iso = fixture.path("media.iso").display().to_string();
    let folder = fixture.path("xorriso");
    judge(
        "xorriso",
        &[
            "-osirrox",
            "on",
            "-indev",
            &iso,
            "-extract",
            "/",
            &folder.display().to_string(),
        ],
    );
    assert_eq!(fs::read(folder.join("packages").join(&name)).unwrap(), b"long");
    fixture.edit("media.toml", "[usb]", "[iso]\njoliet = true\n[usb]");
    assert!(
        fixture
            .fail(&["build", "-o", "media.iso"])
            .contains("Joliet allows 64")
    );
}
