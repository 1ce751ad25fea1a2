//! Lists of applications: what is said of them at the end, and where they go on.

use media_format::manifest::Install;
use runtime::platform::Firmware;

use crate::driver::{Report, run_to_end};
use crate::fixture::{MediaBuilder, machine};
use crate::frames::{deploys_then, lines};
use crate::world::World;

const STATUS: &str =
    "[[steps]]\ntype = \"run-command-line\"\ncommand = \"say it is %_TSAppInstallStatus%\"\n";

fn applications(ids: &str, more: &str) -> String {
    format!("[[steps]]\ntype = \"install-applications\"\napplications = [{ids}]\n{more}\n")
}

fn media(steps: &str) -> MediaBuilder {
    let mut media = deploys_then(steps);
    let missing = Install::Apt {
        repository: "updates".into(),
        packages: vec!["nothing".into()],
    };
    media.add_application("missing", missing);
    let kernel = Install::Apt {
        repository: "updates".into(),
        packages: vec!["linux-image".into()],
    };
    media.add_application("kernel", kernel);
    for (id, line) in [
        ("fine", "append /fine"),
        ("restarts", "exit 3010"),
        ("one", "append /one"),
        ("two", "append /two"),
        ("broken", "exit 1603"),
    ] {
        media.add_application(id, Install::Command(line.into()));
    }
    media
}

fn run(steps: &str) -> (World, Report) {
    run_to_end(machine(Firmware::Uefi, &media(steps)))
}

/// Whether a command line like that was run.
fn ran(world: &World, line: &str) -> bool {
    world
        .commands
        .iter()
        .any(|command| command.stdin == line.as_bytes())
}

#[test]
fn a_failure_is_remembered_over_restarts() {
    let goes_on = "continue-with-next = true";
    let steps = applications(r#""broken", "restarts", "fine""#, goes_on) + STATUS;
    let (world, report) = run(&steps);
    report.assert_succeeded();
    assert!(ran(&world, "say it is Warning"), "{}", report.log);
    assert!(report.log.contains("not installed: broken"));
    // The next list knows nothing of it.
    let (world, report) = run(&(steps + &applications(r#""one""#, goes_on) + STATUS));
    report.assert_succeeded();
    assert!(ran(&world, "say it is Success"), "{}", report.log);
}

#[test]
fn every_failure_of_the_list_is_an_error() {
    for id in ["missing", "broken"] {
        let fails = applications(&format!("\"fine\", \"{id}\""), "continue-on-error = true");
        let (world, report) = run(&(applications(r#""one""#, "") + &fails + STATUS));
        report.assert_succeeded();
        assert!(ran(&world, "say it is Error"), "{id}: {}", report.log);
    }
}

#[test]
fn a_list_goes_on_where_it_was_cut() {
    let steps = applications(r#""one", "two""#, "");
    let mut world = machine(Firmware::Uefi, &media(&steps));
    let (done, _) = run_to_end(world.clone());
    let second = |name: &String| name == "program writes /two";
    let cut = done.operations.iter().position(second).expect("the second one") + 1;
    world.cuts.insert(cut);
    let (world, report) = run_to_end(world);
    report.assert_succeeded();
    for path in ["one", "two"] {
        let bytes = world.system_bytes(0, 1, path).map(Vec::as_slice);
        assert_eq!(bytes, Some(&b"once\n"[..]), "{path}");
    }
}

#[test]
fn a_domain_that_the_system_is_in_is_not_joined_again() {
    let join = "[[steps]]\ntype = \"join-domain-or-workgroup\"\njoin = \"domain\"\ndomain = \"corp.example\"\n\
                account = \"joiner\"\npassword = \"%OSDJoinPassword%\"\n";
    let joins = |member: Option<&str>| {
        let media = media(join).secret("OSDJoinPassword", "Canary-Join-1");
        let mut world = machine(Firmware::Uefi, &media);
        world.domain = member.map(str::to_owned);
        run_to_end(world).1
    };
    joins(Some("CORP.example")).assert_succeeded();
    assert!(joins(None).reason().contains("realm"));
}

#[test]
fn updates_and_packages_keep_the_steps_time_limit_and_are_in_the_log() {
    let steps = applications(r#""library""#, "timeout = \"1h\"")
        + "[[steps]]\ntype = \"install-updates\"\npackages = [\"updates\"]\ntimeout = \"1h\"\n";
    let (world, report) = run(&steps);
    report.assert_succeeded();
    for verb in ["install", "upgrade"] {
        let of_verb = |command: &&runtime::platform::Command| command.arguments == [verb];
        let command = world.commands.iter().find(of_verb).expect("apt-get");
        assert!(command.timeout.is_some(), "{verb}");
        assert!(
            report.log.contains(&format!("running: apt-get {verb}")),
            "{}",
            report.log
        );
    }
}

#[test]
fn updates_that_are_wanted_only_since_the_run_began_and_are_not_named_fail_their_step() {
    let wanted = |target: &str| {
        let set = format!(
            "[[steps]]\ntype = \"set-variables\"\nvariables = {{ SMSInstallUpdateTarget = \"{target}\" }}\n"
        );
        let mut media = media(&(set + "[[steps]]\ntype = \"install-updates\"\n"));
        let variables = &mut media.options.variables;
        variables.insert("SMSInstallUpdateTarget".into(), "none".into());
        run_to_end(machine(Firmware::Uefi, &media)).1
    };
    let report = wanted("required");
    for part in [
        "Install Software Updates",
        "names no package with them: give `packages`",
    ] {
        assert!(report.reason().contains(part), "{}", report.reason());
    }
    assert!(report.starts.len() > 1, "only the run knows that");
    wanted("none").assert_succeeded();
}

#[test]
fn updates_that_do_not_fit_are_named_one_by_one_and_in_the_steps_result() {
    let mut media = media("[[steps]]\ntype = \"install-updates\"\npackages = [\"updates\"]\n");
    media.put_file("updates", "Unfit", b"kb1.msu\nkb2.msu\n");
    let (_, report) = run_to_end(machine(Firmware::Uefi, &media));
    report.assert_succeeded();
    for said in [
        "update kb1.msu is not installed: it does not fit",
        "update kb2.msu is not installed: it does not fit",
        "not installed: kb1.msu kb2.msu",
    ] {
        assert!(report.log.contains(said), "{said}: {}", report.log);
    }
}

#[test]
fn what_needs_a_failed_application_is_not_installed() {
    let steps = applications(r#""suite", "fine""#, "continue-with-next = true") + STATUS;
    let mut media = media(&steps);
    media.add_application("part", Install::Command("append /part".into()));
    media.add_application("suite", Install::Command("append /suite".into()));
    for (id, needed) in [("part", "Broken"), ("suite", "part")] {
        let package = media.packages.iter_mut().find(|package| package.id == id);
        package.unwrap().depends.push(needed.into());
    }
    let (world, report) = run_to_end(machine(Firmware::Uefi, &media));
    report.assert_succeeded();
    for (path, there) in [("part", false), ("suite", false), ("fine", true)] {
        assert_eq!(
            world.system_bytes(0, 1, path).is_some(),
            there,
            "{path}: {}",
            report.log
        );
    }
    assert!(
        report
            .log
            .contains(r#""suite" needs "part", which could not be installed"#)
    );
    assert!(ran(&world, "say it is Warning"));
}

#[test]
fn a_package_of_the_system_may_ask_for_a_restart() {
    let steps = applications(r#""kernel", "fine""#, "");
    let (world, report) = run(&steps);
    report.assert_succeeded();
    let restarts = |report: &Report| report.starts.len();
    assert_eq!(
        restarts(&report),
        restarts(&run(&applications(r#""fine""#, "")).1) + 1
    );
    assert_eq!(
        world.system_bytes(0, 1, "fine").map(Vec::as_slice),
        Some(&b"once\n"[..])
    );
}

/// More than a step may ask for without getting any further.
#[test]
fn each_application_and_each_package_of_a_list_may_ask_for_a_restart() {
    let count = 10;
    let names: Vec<String> = (1..=count).map(|number| format!("\"app{number}\"")).collect();
    let list = applications(&names.join(", "), "");
    let package = "[[steps]]\ntype = \"install-package\"\nbase-variable = \"PACKAGE\"\n";
    let mut media = media(&(list + package));
    for number in 1..=count {
        let id = format!("app{number}");
        media.add_application(&id, Install::Command("exit 3010".into()));
        media.set_programs(&id, &[("again", "exit 3010")]);
        let variables = &mut media.options.variables;
        variables.insert(format!("PACKAGE{number:03}"), id);
    }
    let (world, report) = run_to_end(machine(Firmware::Uefi, &media));
    report.assert_succeeded();
    assert_eq!(report.starts.len(), 2 + 2 * count);
    let restarts = lines(&world).iter().filter(|line| *line == "exit 3010").count();
    assert_eq!(restarts, 2 * count);
}

#[test]
fn packages_that_the_image_cannot_install_are_refused_before_anything_is_erased() {
    let refused = |media: &MediaBuilder| {
        let (_, report) = run_to_end(machine(Firmware::Uefi, media));
        assert_eq!(report.starts.len(), 1, "{}", report.log);
        report.reason().to_owned()
    };
    let rpms = Install::Rpm(vec!["a.rpm".into()]);
    let by_name = Install::Dnf {
        repository: "updates".into(),
        packages: vec!["a".into()],
    };
    for (install, tool) in [
        (rpms, "/usr/bin/rpm"),
        (by_name, "/usr/bin/dnf or /usr/bin/zypper"),
    ] {
        let mut media = media(&applications("\"other\"", ""));
        media.add_application("other", install);
        let why = format!("package \"other\" is for a system with {tool}, and the image");
        assert!(refused(&media).contains(&why), "{}", refused(&media));
        media.put_into_reference(&[("usr/bin/rpm", "hello 1.0\n"), ("usr/bin/zypper", "program")]);
        let (_, report) = run_to_end(machine(Firmware::Uefi, &media));
        assert!(report.starts.len() > 1, "{}", report.log);
    }
    let mut media = media("[[steps]]\ntype = \"install-updates\"\npackages = [\"updates\"]\n");
    // What a vendor gives to all distributions: APT's index says what is meant.
    media.put_file("updates", "agent.rpm", b"");
    let (_, report) = run_to_end(machine(Firmware::Uefi, &media));
    report.assert_succeeded();
    media.remove_file("updates", "Packages");
    media.put_file("updates", "repodata/repomd.xml", b"");
    assert!(refused(&media).contains("package \"updates\" is for a system with /usr/bin/dnf"));
}
