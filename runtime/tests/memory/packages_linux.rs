//! Programs of packages, and the lists of packages and applications that variables name.

use media_format::event::Environment::{Os, Pe};
use media_format::manifest::{Install, MediaLayout};
use runtime::platform::Firmware;

use crate::driver::{Report, run_to_end};
use crate::fixture::{MediaBuilder, deploy, machine};
use crate::world::{World, file};

const LIST: &str = "[[steps]]\ntype = \"install-package\"\nbase-variable = \"PKG\"\n";
const NEXT: &str = "[[steps]]\ntype = \"run-command-line\"\ncommand = \"say next %_TSPackageInstallNext%\"\n";

/// A deployment with those variables and further steps; the package `files` has programs, as has `single`.
fn media(variables: &[(&str, &str)], steps: &str) -> MediaBuilder {
    let mut lines = "[variables]\n".to_owned();
    for (name, value) in variables {
        lines += &format!("{name} = \"{value}\"\n");
    }
    let sequence = deploy().replacen("[variables]\n", &lines, 1);
    let mut media = MediaBuilder::new(MediaLayout::Iso, &format!("{sequence}\n{steps}"));
    media.set_programs(
        "files",
        &[
            ("Set up", "append /%OSDComputerName%"),
            ("one", "append /one"),
            ("two", "append /two"),
            ("three", "append /three"),
            ("broken", "exit 1603"),
            ("late", "outlast"),
            ("restarts", "fail-times restarts 1 3010"),
            ("restarts always", "exit 3010"),
        ],
    );
    for id in ["first", "second", "third", "single"] {
        media.add_application(id, Install::Command(format!("append /{id}")));
        media.set_programs(id, &[("only", &format!("append /{id}"))]);
    }
    media
}

fn run(variables: &[(&str, &str)], steps: &str) -> (World, Report) {
    run_to_end(machine(Firmware::Uefi, &media(variables, steps)))
}

/// How often each of these has left its line in the installed system.
fn times<const N: usize>(world: &World, files: [&str; N]) -> [usize; N] {
    files.map(|file| {
        let bytes = world.system_bytes(0, 1, file);
        bytes.map_or(0, |bytes| bytes.len() / "once\n".len())
    })
}

/// The last three files that programs wrote, in this order.
fn last_written(world: &World) -> [&str; 3] {
    let files = world.operations.iter();
    let files = files.filter_map(|name| name.strip_prefix("program writes /"));
    let files: Vec<_> = files.collect();
    *files.last_chunk().expect("three files")
}

/// Whether a list has left nothing of where it was.
fn is_forgotten(world: &World) -> bool {
    let line = b"say next %_TSPackageInstallNext%";
    world.commands.iter().any(|command| command.stdin == line)
}

#[test]
fn a_program_of_a_package_runs_in_the_packages_folder() {
    let step = "[[steps]]\ntype = \"install-package\"\npackage = \"files\"\nprogram = \"SET UP\"\n";
    let (world, report) = run(&[], step);
    report.assert_succeeded();
    assert_eq!(times(&world, ["COMPUTER", "one"]), [1, 0]);
    let is_it = |command: &&runtime::platform::Command| command.stdin == b"append /COMPUTER";
    let ran = world.commands.iter().find(is_it).expect("the program");
    let folder = ran.folder.as_deref().expect("a folder");
    assert!(folder.ends_with("packages/files"), "{}", folder.display());
    let (_, report) = run(&[], &step.replace("SET UP", "nothing"));
    let why = "package \"files\" has not program \"nothing\"";
    assert!(report.reason().contains(why), "{}", report.reason());
    assert_eq!(report.starts, [Pe], "that is found before anything is erased");
}

#[test]
fn the_codes_of_a_program_are_its_packages() {
    let step = |program: &str| {
        format!("[[steps]]\ntype = \"install-package\"\npackage = \"files\"\nprogram = \"{program}\"\n")
    };
    let (_, report) = run(&[], &step("broken"));
    let why = "failed with 1603 (0x00000643): package \"files\" ended with 1603";
    assert!(report.reason().contains(why), "{}", report.reason());
    let (world, report) = run(&[], &(step("restarts always") + NEXT));
    report.assert_succeeded();
    assert_eq!(report.starts, [Pe, Os, Os]);
    assert!(is_forgotten(&world));
}

#[test]
fn a_list_of_packages_has_three_digits_and_ends_at_the_first_gap() {
    let variables = [
        ("PKG001", "files:two"),
        ("PKG002", "files:one"),
        ("PKG003", "single"),
        ("PKG005", "files:three"),
        ("PKG01", "files:three"),
        ("PKG1", "files:three"),
    ];
    let (world, report) = run(&variables, &(LIST.to_owned() + NEXT));
    report.assert_succeeded();
    assert_eq!(times(&world, ["two", "one", "single", "three"]), [1, 1, 1, 0]);
    assert_eq!(last_written(&world), ["two", "one", "single"]);
    assert!(is_forgotten(&world));
    // Which of several programs is meant is not guessed.
    let (_, report) = run(&[("PKG001", "files")], LIST);
    assert!(
        report
            .reason()
            .contains("package \"files\" has not a single program"),
        "{}",
        report.reason()
    );
}

#[test]
fn a_list_of_packages_goes_on_after_a_failure_only_where_the_step_says_so() {
    let variables = [
        ("PKG001", "files:one"),
        ("PKG002", "files:broken"),
        ("PKG003", "files:two"),
    ];
    let (world, report) = run(&variables, LIST);
    assert!(
        report.reason().contains("\"files\" ended with 1603"),
        "{}",
        report.reason()
    );
    assert_eq!(times(&world, ["one", "two"]), [1, 0]);
    let (world, report) = run(&variables, &format!("{LIST}continue-with-next = true\n{NEXT}"));
    report.assert_succeeded();
    assert_eq!(times(&world, ["one", "two"]), [1, 1]);
    assert!(
        report.log.contains(
            "\"files\" is not installed, and the list goes on: package \"files\" ended with 1603 (0x00000643)"
        ),
        "{}",
        report.log
    );
    assert!(is_forgotten(&world));
}

/// As a list of applications does.
#[test]
fn a_list_of_packages_that_goes_on_passes_over_whatever_fails() {
    for (wrong, why) in [
        ("gone:one", "package \"gone\" is not on the media"),
        ("files:nothing", "package \"files\" has not program \"nothing\""),
        ("files:late", "its time limit"),
    ] {
        let variables = [
            ("PKG001", "files:one"),
            ("PKG002", wrong),
            ("PKG003", "files:two"),
        ];
        let (world, report) = run(&variables, &format!("{LIST}continue-with-next = true\n{NEXT}"));
        report.assert_succeeded();
        assert_eq!(times(&world, ["one", "two"]), [1, 1], "{wrong}");
        assert!(report.log.contains("and the list goes on"), "{}", report.log);
        assert!(report.log.contains(why), "{}", report.log);
        assert!(is_forgotten(&world));
        let (world, report) = run(&variables, LIST);
        assert!(report.reason().contains(why), "{}", report.reason());
        assert_eq!(times(&world, ["one", "two"]), [1, 0], "{wrong}");
    }
}

/// Behind it nothing is better, and an image without half of its programs would be captured.
#[test]
fn a_list_ends_at_what_the_media_no_longer_give_as_it_was_built() {
    let variables = [("PKG001", "first"), ("PKG002", "files:one"), ("PKG003", "third")];
    let mut media = media(&variables, &format!("{LIST}continue-with-next = true\n"));
    media.add_file("tool", "what it needs");
    let mut world = machine(Firmware::Uefi, &media);
    let iso = world.drives.iter_mut().find_map(|drive| drive.whole.as_mut());
    let tree = &mut iso.expect("the ISO").tree;
    assert!(tree.contains_key("packages/files/tool"));
    tree.insert("packages/files/tool".into(), file("anything else"));
    let (world, report) = run_to_end(world);
    assert!(
        report.reason().contains("differs from what was built"),
        "{}",
        report.reason()
    );
    assert_eq!(times(&world, ["first", "one", "third"]), [1, 0, 0]);
}

#[test]
fn a_list_of_packages_goes_on_behind_the_one_that_asked_for_a_restart() {
    let variables = [
        ("PKG001", "files:one"),
        ("PKG002", "files:restarts"),
        ("PKG003", "files:two"),
    ];
    let (world, report) = run(&variables, &(LIST.to_owned() + NEXT));
    report.assert_succeeded();
    assert_eq!(report.starts, [Pe, Os, Os]);
    assert_eq!(times(&world, ["one", "two"]), [1, 1]);
    assert_eq!(world.counters["restarts"], 1);
    assert!(is_forgotten(&world));
}

#[test]
fn a_list_of_packages_goes_on_where_it_was_cut() {
    let variables = [("PKG001", "files:one"), ("PKG002", "files:two")];
    for (settings, goes_on) in [("after-cut = \"repeat\"\n", true), ("", false)] {
        let mut world = machine(Firmware::Uefi, &media(&variables, &format!("{LIST}{settings}")));
        let (done, _) = run_to_end(world.clone());
        let second = |name: &String| name == "program writes /two";
        let cut = done.operations.iter().position(second).expect("the second one") + 1;
        world.cuts.insert(cut);
        let (world, report) = run_to_end(world);
        if goes_on {
            report.assert_succeeded();
            assert_eq!(times(&world, ["one", "two"]), [1, 1]);
        } else {
            assert!(report.reason().contains("was cut"), "{}", report.reason());
        }
    }
}

#[test]
fn a_list_of_applications_has_two_digits_and_comes_after_those_of_the_step() {
    let variables = [
        ("APP01", "first"),
        ("APP02", "SECOND"),
        ("APP04", "third"),
        ("APP001", "third"),
    ];
    let step =
        "[[steps]]\ntype = \"install-applications\"\napplications = [\"single\"]\nbase-variable = \"APP\"\n";
    let (world, report) = run(&variables, step);
    report.assert_succeeded();
    assert_eq!(
        times(&world, ["single", "first", "second", "third"]),
        [1, 1, 1, 0],
        "{}",
        report.log
    );
    assert_eq!(last_written(&world), ["single", "first", "second"]);
    let (_, report) = run(&[("APP01", "unknown")], step);
    assert!(report.reason().contains("\"unknown\""), "{}", report.reason());
}
