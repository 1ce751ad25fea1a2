//! RPM packages as rpmbuild and createrepo_c make them, installed by dnf, zypper and rpm. Each test runs in a mount namespace of
//! its own, with its own list of packages: the machine's are left alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::changed;
use super::rpm::{self, Tool};
use crate::platform::linux::Linux;
use crate::platform::linux::namespace_tests::apart;
use crate::platform::{Packages as _, Processes as _, Upgraded};

/// Where the packages of these tests have their files.
const INSTALLED: &str = "/run/rpm-test";

fn run(program: &str, arguments: &[&str]) {
    let mut command = Command::new(program);
    let status = command.args(arguments).stdout(Stdio::null()).status();
    assert!(status.unwrap().success(), "{program} {arguments:?} failed");
}

/// Makes a package with one file, which holds its version.
fn package(room: &Path, folder: &str, name: &str, version: &str, more: &str) -> PathBuf {
    let text = format!(
        "Name: {name}\nVersion: {version}\nRelease: 1\nSummary: test\nLicense: none\nBuildArch: noarch\n{more}\n\
         %description\ntest\n%install\nmkdir -p %{{buildroot}}{INSTALLED}\necho {version} >%{{buildroot}}{INSTALLED}/{name}\n\
         %files\n{INSTALLED}/{name}\n"
    );
    let (spec, folder) = (room.join("package.spec"), room.join(folder));
    fs::write(&spec, text).unwrap();
    let define = |name: &str, value: String| format!("--define={name} {value}");
    let arguments = [
        "-bb".to_owned(),
        "--quiet".to_owned(),
        define("_topdir", room.join("build").display().to_string()),
        define("_rpmdir", folder.display().to_string()),
        define("_rpmfilename", "%%{NAME}-%%{VERSION}.rpm".to_owned()),
        spec.display().to_string(),
    ];
    run("rpmbuild", &arguments.each_ref().map(String::as_str));
    folder.join(format!("{name}-{version}.rpm"))
}

/// A system with three packages, and a folder with updates: one needs a new package, another one has to go for the other.
fn updates(room: &Path) -> PathBuf {
    let old = ["hello", "other", "rival"].map(|name| package(room, "old", name, "1.0", ""));
    rpm::install_files(&old, &|command| Linux::new().run(&command)).unwrap();
    package(room, "updates", "hello", "2.0", "Requires: helper");
    package(room, "updates", "helper", "1.0", "");
    package(room, "updates", "other", "2.0", "Conflicts: rival");
    package(room, "updates", "extra", "1.0", "");
    room.join("updates")
}

/// The system's own choice is dnf, since Debian has both.
fn upgraded(tool: Tool, folder: &Path, all: bool) -> Vec<String> {
    let linux = Linux::new();
    let run = |command| linux.run(&command);
    let upgraded = match tool {
        Tool::Dnf => linux.upgrade(folder, all, &run),
        Tool::Zypper => changed(
            || rpm::versions(&linux),
            || rpm::upgrade(&linux, tool, folder, all, &run),
        ),
    };
    let Upgraded { changed, unfit } = upgraded.unwrap();
    assert!(unfit.is_empty());
    changed
}

fn version_of(name: &str) -> Option<String> {
    fs::read_to_string(Path::new(INSTALLED).join(name)).ok()
}

fn upgrades(tool: Tool, folder: &Path) {
    assert_eq!(upgraded(tool, folder, false), ["hello=2.0-1", "helper=1.0-1"]);
    assert_eq!(version_of("hello").as_deref(), Some("2.0\n"));
    assert_eq!(version_of("rival").as_deref(), Some("1.0\n"));
    assert!(upgraded(tool, folder, false).is_empty());
    assert_eq!(upgraded(tool, folder, true), ["other=2.0-1"]);
    assert_eq!(version_of("rival"), None);
    assert_eq!(version_of("extra"), None, "it was never installed");
}

fn installs(tool: Tool, repository: &Path) {
    let linux = Linux::new();
    let install = |name: &str| {
        let run = |command| linux.run(&command);
        rpm::install(&linux, tool, repository, &[name.to_owned()], &run)
    };
    // The second time it is there.
    install("extra").unwrap();
    install("extra").unwrap();
    assert_eq!(version_of("extra").as_deref(), Some("1.0\n"));
    let refused = install("missing").unwrap_err().to_string();
    assert!(refused.contains("missing"), "{refused}");
}

fn from_a_repository(room: &Path, tool: Tool) {
    let folder = updates(room);
    run("createrepo_c", &["--quiet", folder.to_str().unwrap()]);
    upgrades(tool, &folder);
    installs(tool, &folder);
}

#[test]
fn dnf_upgrades_and_installs_from_a_repository() {
    apart(
        module_path!(),
        "dnf_upgrades_and_installs_from_a_repository",
        |room| {
            from_a_repository(room, Tool::Dnf);
        },
    );
}

#[test]
fn zypper_upgrades_and_installs_from_a_repository() {
    apart(
        module_path!(),
        "zypper_upgrades_and_installs_from_a_repository",
        |room| {
            from_a_repository(room, Tool::Zypper);
        },
    );
}

#[test]
fn dnf_upgrades_from_a_folder_without_an_index() {
    apart(
        module_path!(),
        "dnf_upgrades_from_a_folder_without_an_index",
        |room| {
            upgrades(Tool::Dnf, &updates(room));
            // Nothing of what is there is installed.
            let new = package(room, "new", "extra", "1.0", "");
            assert!(upgraded(Tool::Dnf, new.parent().unwrap(), false).is_empty());
        },
    );
}

#[test]
fn zypper_upgrades_from_a_folder_without_an_index() {
    apart(
        module_path!(),
        "zypper_upgrades_from_a_folder_without_an_index",
        |room| {
            upgrades(Tool::Zypper, &updates(room));
        },
    );
}

#[test]
fn files_are_installed_together_and_again() {
    apart(module_path!(), "files_are_installed_together_and_again", |room| {
        let linux = Linux::new();
        let install = |files: &[PathBuf]| linux.install_files(files, &|command| linux.run(&command));
        let tool = package(room, "files", "tool", "1.0", "Requires: library");
        let refused = install(std::slice::from_ref(&tool)).unwrap_err().to_string();
        assert!(refused.contains("library is needed by tool"), "{refused}");
        let both = [tool, package(room, "files", "library", "1.0", "")];
        install(&both).unwrap();
        install(&both).unwrap();
        assert_eq!(version_of("tool").as_deref(), Some("1.0\n"));
        assert!(!linux.restart_required());
        let kernel = package(room, "files", "core", "1.0", "Provides: kernel");
        install(&[kernel]).unwrap();
        assert!(linux.restart_required());
    });
}
