//! A Linux joins a domain or a workgroup, and leaves one.

use media_format::event::Environment::{Os, Pe};
use media_format::event::Event;
use runtime::platform::{Command, Firmware};

use crate::driver::{Report, run_to_end};
use crate::fixture::{JOIN_CANARY, machine};
use crate::frames::deploys_then;
use crate::secrets::absent_in_world;
use crate::world::World;

const JOIN: &str = "[[steps]]\ntype = \"join-domain-or-workgroup\"\njoin = \"domain\"\ndomain = \"corp.example\"\n\
                    account = \"CORP\\\\joiner\"\npassword = \"%OSDJoinPassword%\"\n";
const WORKGROUP: &str =
    "[[steps]]\ntype = \"join-domain-or-workgroup\"\njoin = \"workgroup\"\nworkgroup = \"LAB\"\n";

/// A deployed system with realmd and Samba, a member of that domain.
fn run(steps: &str, member: Option<&str>, password: &str) -> (World, Report) {
    let mut media = deploys_then(steps).secret("OSDJoinPassword", password);
    media.put_into_reference(&[
        ("usr/sbin/realm", "program"),
        (
            "etc/samba/smb.conf",
            "[global]\n   workgroup = WORKGROUP\n   log level = 1\n",
        ),
    ]);
    let mut world = machine(Firmware::Uefi, &media);
    world.domain = member.map(str::to_owned);
    run_to_end(world)
}

fn realms(world: &World) -> Vec<&Command> {
    let realms = world.commands.iter().filter(|command| command.program == "realm");
    realms.collect()
}

#[test]
fn a_domain_is_joined_with_the_password_on_standard_input_and_a_restart() {
    let unit = "organizational-unit = \"OU=lab,DC=corp,DC=example\"\n";
    let (world, report) = run(&format!("{JOIN}{unit}"), None, JOIN_CANARY);
    report.assert_succeeded();
    assert_eq!(world.domain.as_deref(), Some("corp.example"));
    let [ran] = realms(&world)[..] else {
        panic!("{:?}", realms(&world))
    };
    assert_eq!(
        ran.arguments,
        [
            "join",
            "--verbose",
            "--computer-ou=OU=lab,DC=corp,DC=example",
            "--user=joiner",
            "corp.example"
        ]
    );
    assert_eq!(ran.stdin, format!("{JOIN_CANARY}\n").as_bytes());
    assert_eq!(report.starts, [Pe, Os, Os]);
    absent_in_world(&world, &report);
}

#[test]
fn the_restart_after_a_domain_can_be_left_out() {
    let (world, report) = run(&format!("{JOIN}skip-restart = true\n"), None, JOIN_CANARY);
    report.assert_succeeded();
    assert_eq!(report.starts, [Pe, Os]);
    let [ran] = realms(&world)[..] else {
        panic!("{:?}", realms(&world))
    };
    assert_eq!(
        ran.arguments,
        ["join", "--verbose", "--user=joiner", "corp.example"]
    );
}

#[test]
fn a_domain_that_refuses_the_account_ends_the_run_with_its_reason() {
    let (world, report) = run(JOIN, None, "Canary-Wrong-1");
    let why = "failed with 5 (0x00000005): realm ended with 5 (0x00000005): realm: Couldn't authenticate";
    assert!(report.reason().contains(why), "{}", report.reason());
    assert_eq!((world.domain.as_ref(), report.starts.len()), (None, 2));
    assert!(!report.log.contains("Canary-Wrong-1"));
}

#[test]
fn who_joins_a_workgroup_leaves_the_domain() {
    let (world, report) = run(WORKGROUP, Some("corp.example"), "");
    report.assert_succeeded();
    let [ran] = realms(&world)[..] else {
        panic!("{:?}", realms(&world))
    };
    assert_eq!(ran.arguments, ["leave", "corp.example"]);
    assert_eq!((world.domain.as_ref(), report.starts.len()), (None, 2));
    let samba = world.system_bytes(0, 1, "etc/samba/smb.conf").expect("Samba");
    assert_eq!(
        String::from_utf8_lossy(samba),
        "[global]\n   workgroup = LAB\n   log level = 1\n"
    );
    let (world, report) = run(WORKGROUP, None, "");
    report.assert_succeeded();
    assert!(realms(&world).is_empty());
    assert_eq!(report.trace().last().unwrap(), "Join Domain or Workgroup: done");
}

#[test]
fn a_workgroup_without_samba_is_skipped_unless_a_domain_was_left_for_it() {
    for (member, outcome) in [(None, "skipped"), (Some("corp.example"), "done")] {
        let mut media = deploys_then(WORKGROUP);
        media.put_into_reference(&[("usr/sbin/realm", "program")]);
        let mut world = machine(Firmware::Uefi, &media);
        world.domain = member.map(str::to_owned);
        let (_, report) = run_to_end(world);
        report.assert_succeeded();
        let last = report.events.iter().rev().find_map(|event| match event {
            Event::StepEnded { outcome, reason, .. } => Some((outcome.as_str(), reason.as_deref())),
            _ => None,
        });
        let reason = member
            .is_none()
            .then_some("the system has no Samba and is in no domain");
        assert_eq!(last, Some((outcome, reason)));
        assert!(report.log.contains("there is no workgroup LAB to join"));
    }
}
