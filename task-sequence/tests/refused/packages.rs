//! Which packages travel, and what steps look for in them.

use crate::media::{found, ids, media, step, with_variables};

#[test]
fn packages_behind_variables_travel() {
    let apply = step("apply-operating-system-image", "package = '%IMAGE%'");
    let media = with_variables(&[("Image", "debian")]);
    assert_eq!(ids(&apply, &media), ["debian"]);
    assert_eq!(found("linux", &apply, &media), "");
    let choose = step("set-variables", "variables = { IMAGE = 'windows' }") + &apply;
    assert_eq!(ids(&choose, &media), ["debian", "windows"]);
    let wrong = step("set-variables", "variables = { IMAGE = 'widnows' }") + &apply;
    assert!(found("linux", &wrong, &media).contains("did you mean `windows`?"));
    let list = step("install-applications", "base-variable = 'APP'");
    let media = with_variables(&[("APP01", "editor"), ("APP02", "")]);
    let rule = "rules = [{ make = 'Dell*', variables = { APP03 = 'suite' } }]";
    assert_eq!(
        ids(&(step("set-variables", rule) + &list), &media),
        ["editor", "suite"]
    );
}

#[test]
fn what_only_the_run_knows_takes_all_of_the_kind_along() {
    let asks = step("run-command-line", "command = 'x'\noutput-variable = 'IMAGE'");
    let apply = asks + &step("apply-operating-system-image", "package = '%IMAGE%'");
    assert_eq!(ids(&apply, &media()), ["debian", "windows"]);
    let said = found("linux", &apply, &media());
    assert!(
        said.starts_with("warning: ") && said.contains("all packages of kind image travel (debian, windows)"),
        "{said}"
    );
    let list = step(
        "run-script",
        "interpreter = 'sh'\ninline = 'x'\noutput-variable = 'APP02'",
    ) + &step("install-applications", "base-variable = 'APP'");
    let media = with_variables(&[("APP01", "editor")]);
    assert_eq!(
        ids(&list, &media),
        ["editor", "reader", "silent", "suite", "viewer"]
    );
    assert!(found("linux", &list, &media).contains("which package `%APP02%` is"));
    let drivers = step("apply-driver-package", "package = '%_SMSTSModel%'");
    assert!(found("windows", &drivers, &media).contains("the media has none of kind drivers"));
    let empty = step("install-applications", "base-variable = 'NONE'");
    assert!(found("linux", &empty, &media).contains("nothing gives `NONE01` a value"));
}

/// System, type of step, settings, and what is wrong with them.
const LOOKS: &[(&str, &str, &str, &str)] = &[
    (
        "linux",
        "install-package",
        "package = 'tool'\nprogram = 'stup'",
        "has no program `stup`: did you mean `setup`?",
    ),
    (
        "linux",
        "run-script",
        "package = 'tool'\nfile = 'rnu.sh'",
        "has no file `rnu.sh`: did you mean `run.sh`?",
    ),
    (
        "linux",
        "run-script",
        "package = 'tool'\nfile = 'scripts/go.ps1'",
        "has no file",
    ),
    (
        "linux",
        "run-script",
        "package = 'tool'\nfile = 'a/../../run.sh'",
        "does not lie in the package",
    ),
    (
        "linux",
        "run-script",
        "package = 'tool'\nfile = '/bin/run.sh'",
        "does not lie in the package",
    ),
    (
        "linux",
        "install-applications",
        "applications = ['silent']",
        "does not say how",
    ),
    (
        "linux",
        "install-applications",
        "applications = ['suite']",
        "package `Silent` does not say how",
    ),
    (
        "linux",
        "install-applications",
        "applications = ['reader']",
        "installed by Windows",
    ),
    (
        "windows",
        "install-applications",
        "applications = ['editor']",
        "as Debian packages",
    ),
    (
        "windows",
        "install-applications",
        "applications = ['viewer']",
        "as RPM packages",
    ),
    (
        "linux",
        "install-updates",
        "packages = ['rpms-below']",
        "has no index",
    ),
    ("linux", "install-updates", "packages = ['msus']", "has no index"),
    (
        "windows",
        "install-updates",
        "packages = ['debs']",
        "has no update",
    ),
];

#[test]
fn steps_find_in_packages_what_they_look_for() {
    for (system, type_name, settings, wanted) in LOOKS {
        let said = found(system, &step(type_name, settings), &media());
        assert!(
            said.contains("error: ") && said.contains(wanted),
            "{wanted}: {said}"
        );
    }
    for (system, type_name, settings) in [
        ("linux", "install-package", "package = 'tool'\nprogram = 'SETUP'"),
        ("linux", "run-script", "package = 'tool'\nfile = './run.sh'"),
        (
            "windows",
            "run-script",
            "package = 'tool'\nfile = 'scripts\\go.ps1'",
        ),
        ("linux", "install-applications", "applications = ['Editor']"),
        ("linux", "install-updates", "packages = ['debs']"),
        ("linux", "install-updates", "packages = ['repodata']"),
        ("linux", "install-updates", "packages = ['rpms']"),
        ("linux", "install-applications", "applications = ['viewer']"),
        ("windows", "install-updates", "packages = ['msus']"),
    ] {
        assert_eq!(
            found(system, &step(type_name, settings), &media()),
            "",
            "{settings}"
        );
    }
}
