//! Media for Windows carry the runtime that goes into it.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

mod common;

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
