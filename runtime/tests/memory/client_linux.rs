//! The management agent of a Linux: installed when the system is set up, and taken out before a capture.

use media_format::event::Environment::{Os, Pe};
use media_format::manifest::{Install, MediaLayout, PackageKind};
use runtime::platform::Firmware;

use crate::driver::{Report, run_to_end};
use crate::fixture::{MediaBuilder, deploy, machine};
use crate::frames::{command, deploys_then, lines};
use crate::outcome;
use crate::refusals::refused;
use crate::runs::existing_to_share;
use crate::world::{World, file};

/// What agents leave of the machine that they are on.
const IDENTITIES: [(&str, &str); 5] = [
    ("etc/salt/minion_id", "bench"),
    ("etc/salt/pki/minion/minion.pem", "key"),
    ("etc/puppetlabs/puppet/ssl/private_keys/bench.pem", "key"),
    ("var/lib/puppet/ssl/private_keys/bench.pem", "key"),
    ("etc/chef/client.pem", "key"),
];
const SETTINGS: (&str, &str) = ("etc/salt/minion", "master: salt");

/// A deployment of a client, with those settings of `setup-os`, those steps behind it, and those files in the reference.
fn run(settings: &str, steps: &str, install: &str, files: &[(&str, &str)]) -> (World, Report) {
    let text = deploy();
    let set_up = "type = \"setup-os\"";
    assert!(text.contains(set_up));
    let text = text.replace(set_up, &format!("{set_up}\n{settings}"));
    let mut media = MediaBuilder::new(MediaLayout::Iso, &format!("{text}\n{steps}"));
    media.options.variables.insert("SITE".into(), "ABC".into());
    media.add_application("client", Install::Command(install.into()));
    media.packages.last_mut().expect("the client").kind = PackageKind::Client;
    let programs = [("prepare", "append /prepared"), ("remove", "append /removed")];
    media.set_programs("client", &programs);
    media.put_into_reference(files);
    run_to_end(machine(Firmware::Uefi, &media))
}

const CLIENT: &str = "  client-package = \"client\"\n";

#[test]
fn the_client_is_installed_in_the_new_system_with_its_properties() {
    let properties = format!("{CLIENT}  client-properties = \"--site %SITE% --quiet\"\n");
    let last = &command("say the end", "");
    let (world, report) = run(&properties, last, "say install", &[]);
    report.assert_succeeded();
    assert_eq!(lines(&world), ["say install --site ABC --quiet", "say the end"]);
    assert_eq!(report.starts, [Pe, Os]);
    // Without one nothing is installed.
    let (world, report) = run("", last, "say install", &[]);
    report.assert_succeeded();
    assert_eq!(lines(&world), ["say the end"]);
}

#[test]
fn a_client_may_ask_for_a_restart_or_fail() {
    let (world, report) = run(CLIENT, "", "exit 3010", &[]);
    report.assert_succeeded();
    assert_eq!(report.starts, [Pe, Os, Os]);
    assert_eq!(lines(&world), ["exit 3010"]);
    let (_, report) = run(CLIENT, "", "exit 1603", &[]);
    let why = "failed with 1603 (0x00000643): installing the client package \"client\" failed";
    assert!(report.reason().contains(why), "{}", report.reason());
}

fn prepare(settings: &str) -> String {
    format!("[[steps]]\ntype = \"prepare-client-for-capture\"\nname = \"Prepare it\"\n{settings}\n")
}

#[test]
fn the_treatment_says_which_program_of_the_client_runs() {
    for (settings, prepared, removed) in [
        ("", 1, 0),
        ("treatment = \"remove-identity\"", 1, 0),
        ("treatment = \"remove-agent\"", 0, 1),
    ] {
        let (world, report) = run("", &prepare(settings), "true", &[]);
        report.assert_succeeded();
        assert!(report.trace().contains(&"Prepare it: done".to_owned()));
        let times = |line: &str| lines(&world).iter().filter(|known| *known == line).count();
        assert_eq!(times("append /prepared"), prepared, "{settings}");
        assert_eq!(times("append /removed"), removed, "{settings}");
    }
}

/// Only its package knows how an agent of a Linux is removed.
#[test]
fn an_agent_that_nothing_removes_is_refused_before_anything_is_changed() {
    let step = prepare("treatment = \"remove-agent\"");
    let why = "no client package of the media says how";
    let mut media = deploys_then(&step);
    media.add_application("client", Install::Command("true".into()));
    media.packages.last_mut().expect("the client").kind = PackageKind::Client;
    media.set_programs("client", &[("prepare", "true")]);
    refused(&machine(Firmware::Uefi, &media), &["Prepare it", why]);
    media.set_programs("client", &[("remove", "true")]);
    let (_, report) = run_to_end(machine(Firmware::Uefi, &media));
    report.assert_succeeded();
    // Without a client package, the step itself says so in a system that has an agent.
    let mut media = deploys_then(&step);
    let (_, report) = run_to_end(machine(Firmware::Uefi, &media));
    report.assert_succeeded();
    assert!(report.trace().contains(&"Prepare it: skipped".to_owned()));
    media.put_into_reference(&IDENTITIES[..1]);
    let (_, report) = run_to_end(machine(Firmware::Uefi, &media));
    assert!(
        report.starts.len() > 1 && report.reason().contains(why),
        "{}",
        report.reason()
    );
}

#[test]
fn a_program_of_the_client_that_fails_ends_the_run() {
    let mut media = deploys_then(&prepare(""));
    media.add_application("client", Install::Command("true".into()));
    media.set_programs("client", &[("prepare", "exit 7")]);
    // A program of that name means something in a client only.
    let (_, report) = run_to_end(machine(Firmware::Uefi, &media));
    report.assert_succeeded();
    assert!(report.trace().contains(&"Prepare it: skipped".to_owned()));
    media.packages.last_mut().expect("the client").kind = PackageKind::Client;
    let (_, report) = run_to_end(machine(Firmware::Uefi, &media));
    let why = "failed with 7 (0x00000007): program \"prepare\" of the client package \"client\" failed";
    assert!(report.reason().contains(why), "{}", report.reason());
}

#[test]
fn the_identities_of_agents_are_removed_from_the_running_system() {
    let files = [&IDENTITIES[..], &[SETTINGS]].concat();
    let mut media = deploys_then(&prepare(""));
    media.put_into_reference(&files);
    let (world, report) = run_to_end(machine(Firmware::Uefi, &media));
    report.assert_succeeded();
    assert!(report.trace().contains(&"Prepare it: done".to_owned()));
    for (path, _) in IDENTITIES {
        assert!(world.system_bytes(0, 1, path).is_none(), "{path}");
    }
    assert!(world.system_bytes(0, 1, SETTINGS.0).is_some());
    assert!(
        report.log.contains("removed /etc/salt/minion_id"),
        "{}",
        report.log
    );
}

#[test]
fn the_identities_of_agents_are_in_no_image_and_stay_on_the_machine() {
    let mut before = existing_to_share(MediaLayout::Iso);
    let root = &mut before.drives[0].parts[1].volume;
    for (path, text) in IDENTITIES.iter().chain([&SETTINGS]) {
        root.put(path, file(*text));
    }
    let (world, report) = run_to_end(before.clone());
    report.assert_succeeded();
    assert_eq!(world.drives, before.drives);
    let tree = outcome::captured(&world, "ref.wim").expect("an image");
    for (path, _) in IDENTITIES {
        assert!(!tree.contains_key(path), "{path} was captured");
    }
    assert!(tree.contains_key(SETTINGS.0));
}
