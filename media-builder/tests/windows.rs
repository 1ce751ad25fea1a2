//! Media for Windows carry the runtime that goes into it.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use common::Fixture;
use media_format::paths::WINDOWS_RUNTIME;

fn listed(fixture: &Fixture) -> bool {
    fixture.succeed(&["build", "-o", "media.iso"]);
    let iso = fixture.path("media.iso").display().to_string();
    let said = common::judge(
        "xorriso",
        &["-indev", &iso, "-find", "/", "-name", WINDOWS_RUNTIME],
    );
    said.contains(&format!("'/{WINDOWS_RUNTIME}'"))
}

#[test]
fn only_media_for_windows_carry_its_runtime() {
    let fixture = Fixture::new();
    assert!(!listed(&fixture));
    let sequence = common::SEQUENCE.replace("\"linux\"", "\"windows\"");
    fixture.write("copy.toml", &sequence);
    assert!(listed(&fixture));
    fixture.succeed(&["verify", "media.iso"]);
}

/// Windows gives a letter to the data partition only, and somebody who captures a running Windows starts it from there.
#[test]
fn a_stick_has_it_in_the_root_of_its_data_partition() {
    let fixture = Fixture::new();
    let sequence = common::SEQUENCE.replace("\"linux\"", "\"windows\"");
    fixture.write("copy.toml", &sequence);
    fixture.succeed(&["build", "-o", "media.img", "--format", "usb"]);
    fixture.succeed(&["verify", "media.img"]);
    let said = fixture.succeed(&["inspect", "media.img", "--json"]);
    let inspected: serde_json::Value = serde_json::from_str(&said).unwrap();
    let files = inspected["manifest"]["files"].as_array().unwrap();
    let runtime = files.iter().find(|file| file["path"] == WINDOWS_RUNTIME).unwrap();
    assert_eq!(runtime["volume"], "data");
}

#[test]
fn a_boot_image_that_mounts_no_ntfs_is_refused_for_windows_only() {
    let fixture = Fixture::new();
    fixture.boot_image_with_modules(&["ext4"]);
    fixture.succeed(&["check"]);
    let sequence = common::SEQUENCE.replace("\"linux\"", "\"windows\"");
    fixture.write("copy.toml", &sequence);
    let said = fixture.fail(&["check"]);
    assert!(
        said.contains("cannot mount NTFS: make it from Debian 13"),
        "{said}"
    );
}

#[test]
fn a_boot_image_without_it_is_refused_for_windows_only() {
    let fixture = Fixture::new();
    fixture.boot_image(&["windows/media-runtime.exe"]);
    fixture.succeed(&["check"]);
    let sequence = common::SEQUENCE.replace("\"linux\"", "\"windows\"");
    fixture.write("copy.toml", &sequence);
    let said = fixture.fail(&["check"]);
    assert!(
        said.contains("windows/media-runtime.exe") && said.contains("--windows-runtime"),
        "{said}"
    );
}

/// Copies a folder of the project's own, without what lies in folders of it.
fn copy_of(fixture: &Fixture, folder: &str) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let path = format!("{folder}/{}", file.file_name().to_string_lossy());
        fixture.write(&path, &fs::read_to_string(file.path()).unwrap());
    }
}

/// They wait for files that only their users have: each is named, with what makes it or where media.toml says it, and nothing else is
/// wrong.
#[test]
fn the_projects_for_windows_lack_their_users_files_only() {
    let fixture = Fixture::new();
    for folder in [
        "templates",
        "demo/windows-deploy",
        "demo/windows-reference",
        "demo/winpe",
    ] {
        copy_of(&fixture, folder);
    }
    fs::create_dir_all(fixture.path("out/boot-image")).unwrap();
    fs::copy(
        fixture.path("pe.tar"),
        fixture.path("out/boot-image/linux-pe.tar"),
    )
    .unwrap();
    let lacks = |project: &str, files: &[&str]| {
        let said = fixture.fail(&["check", project]);
        assert!(files.iter().all(|file| said.contains(file)), "{said}");
        let problems = said
            .lines()
            .filter(|line| line.starts_with("error: ") || line.contains('×'));
        assert_eq!(problems.count(), files.len(), "{said}");
    };
    let install = "source = \"install.wim\"";
    lacks(
        "demo/windows-deploy",
        &["source = \"reference.wim\"", "source = \"drivers\""],
    );
    lacks("demo/windows-reference", &[install]);
    lacks("demo/winpe", &["media-builder boot-image build", install]);

    let tree = fixture.path("tool").display().to_string();
    for wim in [
        "demo/windows-deploy/reference.wim",
        "demo/windows-reference/install.wim",
        "demo/winpe/install.wim",
    ] {
        let wim = fixture.path(wim).display().to_string();
        common::judge("wimlib-imagex", &["capture", &tree, &wim, "Windows"]);
    }
    let drivers = "demo/windows-deploy/drivers/device";
    fixture.write(&format!("{drivers}/device.inf"), common::INF);
    for name in ["d.sys", "gone.sys"] {
        fixture.write(&format!("{drivers}/{name}"), "x");
    }
    // Whichever boot image it is, the sequence's checks are the same.
    fs::copy(fixture.path("pe.tar"), fixture.path("demo/winpe/winpe.tar")).unwrap();
    fixture.succeed(&["check", "demo/windows-deploy"]);
    fixture.succeed(&["check", "demo/windows-reference"]);
    fixture.succeed(&["check", "demo/winpe"]);
}

#[test]
fn installers_are_there_and_of_a_kind_that_windows_knows() {
    let fixture = Fixture::new();
    let package = |files: &str| {
        format!(
            "[[packages]]\nid = \"suite\"\nkind = \"application\"\nsource = \"suite\"\ninstall = {{ windows = {files} }}\n\
             [[packages]]\nid = \"tool\""
        )
    };
    fixture.write("suite/suite.MSI", "x");
    fixture.write("suite/setup.exe", "x");
    let step = "[[steps]]\ntype = \"install-applications\"\nname = \"Install\"\napplications = [\"suite\"]\n";
    let sequence = common::SEQUENCE.replace("\"linux\"", "\"windows\"");
    fixture.write("copy.toml", &format!("{sequence}{step}"));
    fixture.edit(
        "media.toml",
        "[[packages]]\nid = \"tool\"",
        &package("[\"suite.MSI\"]"),
    );
    fixture.succeed(&["check"]);
    fixture.edit("media.toml", "[\"suite.MSI\"]", "[\"gone.msi\", \"setup.exe\"]");
    let said = fixture.fail(&["check"]);
    for part in [
        "gone.msi, which its source does not have",
        "how setup.exe is installed",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn an_answer_file_that_cannot_be_used_is_found_before_there_is_a_machine() {
    const ANSWERS: &str = "<unattend xmlns=\"urn:schemas-microsoft-com:unattend\"><settings pass=\"specialize\">\
        <component name=\"Microsoft-Windows-Shell-Setup\" processorArchitecture=\"amd64\">\
        <ComputerName>REFERENCE</ComputerName></component></settings></unattend>";
    let fixture = Fixture::new();
    let packages = "[[packages]]\nid = \"windows\"\nkind = \"image\"\nsource = \"install.wim\"\n\
        [[packages]]\nid = \"answers\"\nkind = \"files\"\nsource = \"answers\"\n\
        [[packages]]\nid = \"tool\"";
    let step = "[[steps]]\ntype = \"apply-operating-system-image\"\nname = \"Apply\"\npackage = \"windows\"\n\
        answer-package = \"answers\"\nanswer-file = \"Unattend.xml\"\n";
    fixture.edit("media.toml", "[[packages]]\nid = \"tool\"", packages);
    let sequence = common::SEQUENCE.replace("\"linux\"", "\"windows\"");
    fixture.write("copy.toml", &format!("{sequence}{step}"));
    let (tree, wim) = (fixture.path("tool"), fixture.path("install.wim"));
    let (tree, wim) = (tree.display().to_string(), wim.display().to_string());
    common::judge("wimlib-imagex", &["capture", &tree, &wim, "Windows"]);
    fixture.write("answers/unattend.xml", ANSWERS);
    fixture.succeed(&["check"]);
    for (text, why) in [
        (ANSWERS.replace("</settings>", ""), "Unattend.xml"),
        (ANSWERS.replace("REFERENCE", "SIXTEEN-CHARS-XX"), "16 characters"),
    ] {
        fixture.write("answers/unattend.xml", &text);
        let said = fixture.fail(&["check"]);
        assert!(said.contains(why), "{said}");
    }
    // What the media says counts more than what the sequence says.
    fixture.write("answers/unattend.xml", &ANSWERS.replace("REFERENCE", "%Name%"));
    fixture.edit(
        "copy.toml",
        "[[steps]]",
        "[variables]\nName = \"SIXTEEN-CHARS-XX\"\n[[steps]]",
    );
    let said = fixture.fail(&["check"]);
    assert!(said.contains("16 characters"), "{said}");
    fixture.edit("media.toml", "[usb]", "[variables]\nNAME = \"SHORT\"\n[usb]");
    fixture.succeed(&["check"]);
    std::fs::remove_file(fixture.path("answers/unattend.xml")).unwrap();
    fixture.write("answers/other.xml", ANSWERS);
    let said = fixture.fail(&["check"]);
    assert!(said.contains("does not have it"), "{said}");
}
