//! What `check` finds before a machine would, hours later.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{Fixture, text};

const HEAD: &str = "name = \"m\"\nboot-image = \"pe.tar\"\nsequences = [\"copy.toml\"]\n";

/// A project with those packages and steps.
fn project(media: &str, system: &str, steps: &str) -> Fixture {
    let fixture = Fixture::new();
    fixture.write("media.toml", &format!("{HEAD}{media}"));
    fixture.write(
        "copy.toml",
        &format!("name = \"s\"\noperating-system = \"{system}\"\n{steps}"),
    );
    fixture
}

fn package(id: &str, kind: &str, rest: &str) -> String {
    format!("[[packages]]\nid = \"{id}\"\nkind = \"{kind}\"\n{rest}\n")
}

#[test]
fn variables_and_secrets_of_the_media_are_known() {
    let steps = "[[steps]]\ntype = \"restart-computer\"\n[[steps]]\ntype = \"prepare-os-for-capture\"\n\
                 [[steps]]\ntype = \"capture-operating-system-image\"\n";
    let fixture = project("", "linux", steps);
    let said = fixture.fail(&["check"]);
    assert!(
        said.contains("`destination` is missing") && said.contains("no `target`"),
        "{said}"
    );
    let variables =
        "[variables]\nOSDCaptureDestination = \"media:a.wim\"\n[secrets]\nSMSRebootTarget = { ask = true }\n";
    project(variables, "linux", steps).succeed(&["check"]);
}

#[test]
fn a_package_that_only_the_run_knows_travels_with_all_of_its_kind() {
    let steps = "[[steps]]\ntype = \"run-command-line\"\ncommand = \"cat /etc/choice\"\noutput-variable = \"CHOICE\"\n\
                 [[steps]]\ntype = \"install-updates\"\npackages = [\"%CHOICE%\"]\n";
    let packages = package("first", "updates", "source = \"repository\"")
        + &package("second", "updates", "source = \"repository\"")
        + &package("other", "files", "source = \"nowhere\"");
    let fixture = project(&packages, "linux", steps);
    fixture.write("repository/Packages", "Package: a\n");
    let output = fixture.run(&["build", "-o", "media.iso"]);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("all packages of kind updates travel (first, second)"),
        "{said}"
    );
    let listed = fixture.succeed(&["inspect", "--json", "media.iso"]);
    assert!(
        listed.contains("\"first\"") && listed.contains("\"second\"") && !listed.contains("\"other\""),
        "{listed}"
    );
}

#[test]
fn ids_of_packages_ignore_case_everywhere() {
    let steps = "[[steps]]\ntype = \"restart-computer\"\ntarget = \"os\"\n[[steps]]\ntype = \"install-applications\"\napplications = [\"EDITOR\"]\n";
    let packages = package("Library", "application", "install = { command = \"true\" }")
        + &package(
            "editor",
            "application",
            "depends = [\"library\"]\ninstall = { command = \"true\" }",
        );
    project(&packages, "linux", steps).succeed(&["check"]);
}

#[test]
fn a_folder_with_an_image_is_looked_into() {
    let steps = "[[steps]]\ntype = \"apply-operating-system-image\"\npackage = \"os\"\nindex = 2\n";
    let image = package("os", "image", "source = \"images\"");
    let fixture = project(&image, "linux", steps);
    fixture.write("images/readme.txt", "no image");
    assert!(fixture.fail(&["check"]).contains("the folder has no WIM"));
    fs::create_dir(fixture.path("tree")).unwrap();
    let (tree, wim) = (fixture.path("tree"), fixture.path("images/one.wim"));
    common::judge(
        "wimcapture",
        &[&tree.display().to_string(), &wim.display().to_string()],
    );
    let said = fixture.fail(&["check"]);
    assert!(
        said.contains("image 2 does not exist, the file of package `os` has 1: 1 tree"),
        "{said}"
    );
    fixture.edit("copy.toml", "index = 2", "index = 1");
    fixture.succeed(&["check"]);
    fs::copy(&wim, fixture.path("images/two.wim")).unwrap();
    assert!(fixture.fail(&["check"]).contains("2 WIM files"));
}

#[test]
fn of_a_disc_its_image_is_to_be_taken() {
    let steps = "[[steps]]\ntype = \"apply-operating-system-image\"\npackage = \"os\"\n";
    let fixture = project(
        &package("os", "image", "source = \"Windows.iso\""),
        "linux",
        steps,
    );
    fixture.write("Windows.iso", &"x".repeat(4096));
    let said = fixture.fail(&["check"]);
    assert!(
        said.contains("not a WIM file") && said.contains("sources/install.wim"),
        "{said}"
    );
}

#[test]
fn applications_come_from_what_is_there() {
    let steps = "[[steps]]\ntype = \"restart-computer\"\ntarget = \"os\"\n[[steps]]\ntype = \"install-applications\"\napplications = [\"app\"]\n";
    let said = |install: &str| {
        let packages = package("app", "application", &format!("source = \"tool\"\n{install}"))
            + &package("repository", "updates", "source = \"repository\"");
        let fixture = project(&packages, "linux", steps);
        fixture.write(
            "repository/Packages",
            "Package: editor\nProvides: vi, ex (= 1)\n\nPackage: other\n",
        );
        text(&fixture.run(&["check"]).stderr)
    };
    let apt = |names: &str| {
        said(&format!(
            "install = {{ apt = {{ repository = \"Repository\", packages = [{names}] }} }}"
        ))
    };
    assert_eq!(apt("\"editor=1.0\", \"ex\", \"other:amd64\""), "");
    assert!(apt("\"editro\"").contains("whose index does not have editro"));
    assert!(apt("").contains("installs nothing"));
    let no_index = "install = { apt = { repository = \"app\", packages = [\"editor\"] } }";
    assert!(
        said(no_index).contains("which has no index"),
        "{}",
        said(no_index)
    );
    for nothing in ["deb = []", "rpm = []", "windows = []", "command = ' '"] {
        assert!(said(&format!("install = {{ {nothing} }}")).contains("installs nothing"));
    }
    assert!(said("programs = { a = \"b\" }").contains("does not say how it is installed"));
}

#[test]
fn rpm_packages_come_from_what_is_there() {
    let steps = "[[steps]]\ntype = \"restart-computer\"\ntarget = \"os\"\n[[steps]]\ntype = \"install-applications\"\napplications = [\"app\"]\n";
    let said = |install: &str| {
        let packages = package(
            "app",
            "application",
            &format!("source = \"tool\"\ninstall = {{ {install} }}"),
        ) + &package("repository", "updates", "source = \"repository\"");
        let fixture = project(&packages, "linux", steps);
        fixture.write("repository/repodata/repomd.xml", "<repomd/>");
        fixture.write("tool/text.rpm", "no package");
        fixture.write("tool/short.rpm", "");
        fs::write(fixture.path("tool/good.rpm"), b"\xed\xab\xee\xdb\x03\x00\x00\x00").unwrap();
        fs::write(
            fixture.path("tool/sources.rpm"),
            b"\xed\xab\xee\xdb\x03\x00\x00\x01",
        )
        .unwrap();
        text(&fixture.run(&["check"]).stderr)
    };
    assert_eq!(said("rpm = [\"good.rpm\"]"), "");
    for (file, why) in [
        ("absent", "which its source does not have"),
        ("text", "which is no RPM package"),
        ("short", "which is no RPM package"),
        ("sources", "which holds the sources of an RPM package"),
    ] {
        let said = said(&format!("rpm = [\"good.rpm\", \"{file}.rpm\"]"));
        let why = format!("installs {file}.rpm, {why}");
        assert_eq!(said.matches("`app` installs").count(), 1, "{said}");
        assert!(said.contains(&why), "{said}");
    }
    let dnf = |repository: &str, names: &str| {
        said(&format!(
            "dnf = {{ repository = \"{repository}\", packages = [{names}] }}"
        ))
    };
    assert_eq!(dnf("Repository", "\"editor\""), "");
    assert!(dnf("repository", "").contains("installs nothing"));
    let without = dnf("app", "\"editor\"");
    assert!(
        without.contains("which has no index") && without.contains("createrepo_c"),
        "{without}"
    );
}

#[test]
fn a_secret_that_windows_needs_is_not_asked_for() {
    let steps = "[[steps]]\ntype = \"format-and-partition-disk\"\n[[steps]]\ntype = \"setup-os\"\n\
                 [[steps]]\ntype = \"join-domain-or-workgroup\"\njoin = \"domain\"\ndomain = \"d.example\"\naccount = \"a\"\n";
    let secrets = "[secrets]\nOSDJoinPassword = { ask = true }\n";
    let said = project(secrets, "windows", steps).fail(&["check"]);
    assert!(
        said.contains("Join Domain or Workgroup: it needs the secret OSDJoinPassword, which is asked for")
            && said.contains("copy.toml:8:8"),
        "{said}"
    );
    project(secrets, "linux", steps).succeed(&["check"]);
}

#[test]
fn a_sequence_that_another_one_runs_travels_with_its_packages_and_is_checked_as_a_part_of_it() {
    let steps = "[[steps]]\ntype = \"restart-computer\"\ntarget = \"os\"\n\
                 [[steps]]\ntype = \"run-task-sequence\"\nname = \"All apps\"\nsequence = \"apps\"\n";
    let packages = package("editor", "application", "install = { command = \"true\" }");
    let fixture = project(&packages, "linux", steps);
    let said = fixture.fail(&["check"]);
    assert!(said.contains("sequence `apps` is not on the media"), "{said}");

    fixture.edit("media.toml", "[\"copy.toml\"]", "[\"copy.toml\", \"apps.toml\"]");
    // Alone it would be wrong: nobody knows that it runs in the installed system.
    let apps = "name = \"Apps\"\noperating-system = \"linux\"\nhidden = true\n[[steps]]\n\
                type = \"install-applications\"\napplications = [\"editro\"]\n";
    fixture.write("apps.toml", apps);
    let said = fixture.fail(&["check"]);
    assert!(
        said.contains("apps.toml:6")
            && said.contains("All apps / ")
            && said.contains("did you mean `editor`?"),
        "{said}"
    );
    fixture.edit("apps.toml", "editro", "editor");
    fixture.succeed(&["build", "-o", "media.iso"]);
    let listed = fixture.succeed(&["inspect", "media.iso"]);
    assert!(
        listed.contains("editor")
            && listed.contains("apps: Apps (SHA-256")
            && listed.contains("not in the menu"),
        "{listed}"
    );

    fixture.edit("copy.toml", "name = \"All apps\"", "disabled = true");
    let said = text(&fixture.run(&["check"]).stderr);
    assert!(said.contains("no other one runs it"), "{said}");
    fixture.edit("copy.toml", "name = \"s\"", "name = \"s\"\nhidden = true");
    assert!(
        fixture
            .fail(&["check"])
            .contains("every task sequence is `hidden`")
    );
    fixture.write("apps.toml", &apps.replace("[[steps]]", "[[step]]"));
    let said = fixture.fail(&["check"]);
    assert!(!said.contains("not on the media"), "{said}");
}
