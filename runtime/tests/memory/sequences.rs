//! Sequences that run others.

use std::cell::RefCell;
use std::collections::BTreeMap;

use media_format::event::Environment::{Os, Pe};
use media_format::manifest::MediaLayout;
use runtime::platform::{Firmware, Result};
use runtime::start::Operator;

use crate::cuts::cut_everywhere;
use crate::driver::{run_to_cut, run_to_end, run_with};
use crate::fixture::{MediaBuilder, build_and_capture_to_disk, deploy, machine};
use crate::frames::{self, said};
use crate::runs::to_disk;
use crate::world::World;

/// A sequence that runs those.
fn running(others: &[(&str, &str)]) -> String {
    let step = |(id, more): &(&str, &str)| {
        format!("[[steps]]\ntype = \"run-task-sequence\"\nname = \"Run {id}\"\nsequence = \"{id}\"\n{more}\n")
    };
    let steps: String = others.iter().map(step).collect();
    format!("name = \"Main\"\noperating-system = \"linux\"\n{steps}")
}

fn command(line: &str) -> String {
    frames::command(line, "")
}

/// A sequence that says something.
fn says(what: &str) -> String {
    format!("name = \"{what}\"\noperating-system = \"linux\"\n") + &command(&format!("say {what}"))
}

/// The machine of [`to_disk`], with a sequence that does nothing but run the one that builds and captures.
fn nested() -> World {
    let media = MediaBuilder::new(MediaLayout::Iso, &running(&[("outer", "")]))
        .hidden("outer", &running(&[("build", "")]))
        .hidden("build", &build_and_capture_to_disk("{ number = 1 }"));
    let mut world = to_disk(Firmware::Uefi, "{ number = 1 }");
    let place = world.drives.iter().position(|drive| drive.is_media).unwrap();
    world.drives[place] = media.drive();
    world
}

#[test]
fn a_whole_build_and_capture_runs_as_a_part_of_another_sequence() {
    let (world, report) = run_to_end(nested());
    report.assert_succeeded();
    let (direct, expected) = run_to_end(to_disk(Firmware::Uefi, "{ number = 1 }"));
    assert_eq!(report.trace(), expected.trace());
    assert_eq!(report.starts, [Pe, Os, Os, Pe]);
    assert_eq!(
        crate::outcome::of(&world).differences(&crate::outcome::of(&direct)),
        Vec::<String>::new()
    );
}

#[test]
fn it_survives_a_cut_at_every_operation() {
    assert_eq!(cut_everywhere(&nested()), BTreeMap::new());
}

#[test]
fn a_condition_and_an_error_are_those_of_the_whole_other_sequence() {
    let failing = says("before the failure") + &command("exit 7") + &command("say after the failure");
    let main = running(&[
        ("never", "when = { variable = \"NONE\", exists = true }"),
        ("failing", "continue-on-error = true"),
        ("last", ""),
        ("last", ""),
    ]);
    let media = MediaBuilder::new(MediaLayout::Iso, &main)
        .hidden("never", &says("never"))
        .hidden("failing", &failing)
        .hidden("last", &says("last"));
    let (world, report) = run_to_end(machine(Firmware::Uefi, &media));
    report.assert_succeeded();
    assert_eq!(said(&world), ["before the failure", "last", "last"]);
}

#[test]
fn variables_are_shared_and_the_caller_declares_before_the_called() {
    let declared = |text: &str, variables: &str| {
        text.replacen("[[steps]]", &format!("[variables]\n{variables}\n[[steps]]"), 1)
    };
    let main = declared(&running(&[("child", "")]), "Both = \"of the caller\"") + &command("say %Late%");
    let child = declared(&says("%Own% %Both%"), "Own = \"own\"\nboth = \"of the called\"")
        + "[[steps]]\ntype = \"set-variables\"\nvariables = { Late = \"set inside\" }\n";
    let media = MediaBuilder::new(MediaLayout::Iso, &main).hidden("child", &child);
    let (world, report) = run_to_end(machine(Firmware::Uefi, &media));
    report.assert_succeeded();
    assert_eq!(said(&world), ["own of the caller", "set inside"]);
}

/// Writes down what is asked.
#[derive(Default)]
struct Attendant(RefCell<Vec<String>>);

impl Operator for Attendant {
    fn ask(&self, question: &str, _: bool) -> Result<String> {
        self.0.borrow_mut().push(question.to_owned());
        Ok("1".into())
    }
}

#[test]
fn the_menu_does_not_offer_what_only_others_run() {
    let mut media =
        MediaBuilder::new(MediaLayout::Iso, &running(&[("child", "")])).hidden("child", &says("child"));
    media.options.unattended = false;
    let person = Attendant::default();
    let (world, report) = run_with(machine(Firmware::Uefi, &media), &person);
    report.assert_succeeded();
    let asked = person.0.borrow();
    assert!(
        asked[0].contains("1  main") && !asked[0].contains("child"),
        "{asked:?}"
    );
    assert_eq!(said(&world), ["child"]);
}

#[test]
fn a_run_does_not_go_on_when_a_sequence_that_it_runs_was_changed() {
    let media =
        |child: &str| MediaBuilder::new(MediaLayout::Iso, &running(&[("child", "")])).hidden("child", child);
    let mut world = machine(Firmware::Uefi, &media(&deploy()));
    let (done, _) = run_to_end(world.clone());
    world.cuts.insert(done.operations.len() / 2);
    let (mut world, _) = run_to_cut(world);
    let place = world.drives.iter().position(|drive| drive.is_media).unwrap();
    world.drives[place] = media(&(deploy() + "\n# changed\n")).drive();
    let (_, report) = run_to_end(world);
    assert!(
        report.reason().contains("the task sequence was changed"),
        "{}",
        report.reason()
    );
}
