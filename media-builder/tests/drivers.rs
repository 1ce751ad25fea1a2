//! Driver packages: indexed when media are built, and what is wrong with them is said.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Fixture, text};
use media_format::drivers::DriverIndex;

const INF: &str = "[Version]\nSignature=$Windows NT$\nClass=SCSIAdapter\n\
    ClassGuid={4D36E97B-E325-11CE-BFC1-08002BE10318}\nProvider=P\nDriverVer=01/02/2023,1.2.3.4\n\
    [Manufacturer]\nP=M,NTamd64\n[M.NTamd64]\nD=I,PCI\\VEN_8086&DEV_9A0B\n[I.NT]\nCopyFiles=@d.sys,@gone.sys\n\
    [I.NT.Services]\nAddService=d,2,S\n[S]\nServiceType=1\nStartType=0\nServiceBinary=%12%\\d.sys\n\
    [SourceDisksNames]\n1=x\n[SourceDisksFiles]\nd.sys=1\ngone.sys=1\n";

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let package = "[[packages]]\nid = \"laptops\"\nkind = \"driver\"\nsource = \"drivers\"\n[[packages]]\nid = \"tool\"";
    fixture.edit("media.toml", "[[packages]]\nid = \"tool\"", package);
    fixture.write("drivers/vmd/Vmd.INF", INF);
    fixture.write("drivers/vmd/d.sys", "x");
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
    assert_eq!(index.infs.len(), 1);
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
    let counts = "drivers: 1 INF files, 1 unsigned, 1 boot-critical; 1 with errors are left out";
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
        "laptops/broken.inf: line 11: the section name does not end with `]`",
        "laptops/vmd/Vmd.INF: unsigned: it names no catalog file",
        "laptops/vmd/Vmd.INF: the package lacks vmd/gone.sys",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("autorun"), "{said}");
}

#[test]
fn a_driver_package_without_inf_files_is_noticed() {
    let fixture = fixture();
    std::fs::remove_dir_all(fixture.path("drivers")).unwrap();
    fixture.write("drivers/setup.exe", "MZ");
    let said = text(&fixture.run(&["check"]).stderr);
    assert!(
        said.contains("the driver package laptops has no INF file"),
        "{said}"
    );
}
