//! Driver packages: indexed when media are built, and what is wrong with them is said.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Fixture, INF, text};
use media_format::drivers::DriverIndex;

/// Takes a package without what is broken in it.
const SKIP: &str = "skip-broken-drivers = true\n";

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let package = format!(
        "[[packages]]\nid = \"laptops\"\nkind = \"driver\"\nsource = \"drivers\"\n{SKIP}[[packages]]\nid = \"tool\""
    );
    fixture.edit("media.toml", "[[packages]]\nid = \"tool\"", &package);
    fixture.write("drivers/vmd/Vmd.INF", INF);
    fixture.write("drivers/vmd/d.sys", "x");
    fixture.write(
        "drivers/whole/whole.inf",
        &INF.replace(",@gone.sys", "").replace("gone.sys=1\n", ""),
    );
    fixture.write("drivers/whole/d.sys", "x");
    fixture.write("drivers/broken.inf", &INF.replace("[I.NT]", "[I.NT"));
    fixture.write("drivers/autorun.inf", "[autorun]\nopen=setup.exe\n");
    let step = "[[steps]]\ntype = \"auto-apply-drivers\"\nname = \"Drivers\"\n";
    let sequence = common::SEQUENCE.replace("\"linux\"", "\"windows\"");
    fixture.write("copy.toml", &format!("{sequence}{step}"));
    fixture
}

#[test]
fn the_index_lies_on_the_media_and_inspect_counts() {
    let fixture = fixture();
    fixture.succeed(&["build", "-o", "media.iso"]);
    let iso = fixture.path("media.iso").display().to_string();
    let out = fixture.path("drivers.json").display().to_string();
    let path = "/media-runtime/drivers.json";
    common::judge(
        "xorriso",
        &["-osirrox", "on", "-indev", &iso, "-extract", path, &out],
    );
    let index = DriverIndex::parse(&std::fs::read(&out).unwrap()).unwrap();
    assert_eq!(index.infs.len(), 2);
    assert_eq!(
        (index.infs[0].package.as_str(), index.infs[0].path.as_str()),
        ("laptops", "vmd/Vmd.INF")
    );
    assert!(index.infs[0].boot_critical);
    let present: Vec<_> = index.infs[0]
        .files
        .iter()
        .map(|file| (file.path.as_str(), file.present))
        .collect();
    assert_eq!(present, [("vmd/d.sys", true), ("vmd/gone.sys", false)]);
    let said = fixture.succeed(&["inspect", "media.iso"]);
    let counts = "drivers: 2 INF files, 2 unsigned, 2 boot-critical; 1 with errors are left out";
    assert!(said.contains(counts), "{said}");
    fixture.succeed(&["verify", "media.iso"]);
}

#[test]
fn check_reports_errors_unsigned_drivers_and_missing_files() {
    let fixture = fixture();
    let output = fixture.run(&["check"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stderr);
    for part in [
        "drivers/broken.inf: line 11: the section name does not end with `]` in this line; it is left out",
        "laptops/vmd/Vmd.INF: unsigned: it names no catalog file",
        "laptops/vmd/Vmd.INF: the package lacks vmd/gone.sys",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("autorun"), "{said}");
}

#[track_caller]
fn refused(fixture: &Fixture, parts: &[&str]) {
    for verb in ["check", "build"] {
        let output = fixture.run(&[verb]);
        assert_eq!(output.status.code(), Some(1), "{verb}");
        let said = text(&output.stderr);
        for part in parts {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}

#[test]
fn a_driver_that_cannot_be_read_is_an_error_until_the_project_says_that_it_is_left_out() {
    let fixture = fixture();
    fixture.edit("media.toml", SKIP, "");
    let parts = [
        "media.toml:",
        "drivers/broken.inf: line 11: the section name does not end with `]`",
        "skip-broken-drivers = true",
    ];
    refused(&fixture, &parts);
    std::fs::remove_file(fixture.path("drivers/broken.inf")).unwrap();
    // What has the ending and is no driver's is left out: of a Mac, of a setup program, of Windows 95.
    fixture.write("drivers/._whole.inf", "Mac OS X");
    fixture.write("drivers/setup.inf", "[Startup]\nAppName=Setup\n");
    fixture.write("drivers/win95/old.inf", "[Version]\nSignature=\"$WINDOWS 95$\"\n");
    fixture.write("drivers/empty.inf", "");
    fixture.succeed(&["check"]);
}

#[test]
fn a_driver_package_of_which_nothing_can_be_used_is_an_error_until_the_project_takes_it_as_it_is() {
    let fixture = fixture();
    let taken = |part: &str| {
        let output = fixture.run(&["check"]);
        let said = text(&output.stderr);
        assert!(output.status.success() && said.contains(part), "{part}: {said}");
    };
    std::fs::remove_dir_all(fixture.path("drivers/whole")).unwrap();
    let lacks = "laptops can be used: vmd/Vmd.INF: the package lacks vmd/gone.sys";
    taken(lacks);
    fixture.edit("media.toml", SKIP, "");
    std::fs::remove_file(fixture.path("drivers/broken.inf")).unwrap();
    refused(&fixture, &[lacks, "skip-broken-drivers = true"]);
    fixture.write("drivers/vmd/Vmd.INF", &INF.replace("amd64", "x86"));
    refused(&fixture, &["vmd/Vmd.INF: it has no device for x64 (amd64)"]);
    std::fs::remove_dir_all(fixture.path("drivers/vmd")).unwrap();
    refused(
        &fixture,
        &["driver package laptops can be used: it has no INF file"],
    );
}

#[test]
fn only_a_driver_package_can_leave_out_broken_drivers() {
    let fixture = fixture();
    let tool = "[[packages]]\nid = \"tool\"\n";
    fixture.edit("media.toml", tool, &format!("{tool}{SKIP}"));
    refused(&fixture, &["is for packages of the kind `driver`"]);
}
