//! `TSDebugMode`: somebody says of each step whether it runs.

use std::cell::RefCell;
use std::collections::VecDeque;

use anyhow::Context as _;
use media_format::manifest::MediaLayout;
use runtime::platform::{Firmware, Result};
use runtime::start::Operator;

use crate::driver::{Report, run_to_end, run_with};
use crate::fixture::{MediaBuilder, machine};
use crate::frames::said;
use crate::world::World;

/// Answers in that order, and writes down what was asked.
struct Debugger {
    answers: RefCell<VecDeque<&'static str>>,
    asked: RefCell<Vec<String>>,
}

impl Operator for Debugger {
    fn ask(&self, question: &str, _: bool) -> Result<String> {
        self.asked.borrow_mut().push(question.to_owned());
        let answer = self.answers.borrow_mut().pop_front();
        Ok(answer.context("nobody is there any more")?.to_owned())
    }
}

const SEQUENCE: &str =
    "name = \"Three\"\noperating-system = \"linux\"\n[variables]\nTSDebugMode = \"TRUE\"\nPlain = \"seen\"\n";

fn world() -> World {
    let step = |name: &str| {
        format!("[[steps]]\ntype = \"run-command-line\"\nname = \"{name}\"\ncommand = \"say {name}\"\n")
    };
    let text = SEQUENCE.to_owned() + &step("first") + &step("second") + &step("third");
    let media = MediaBuilder::new(MediaLayout::Iso, &text).secret("Token", "Canary-Debug-1");
    machine(Firmware::Uefi, &media)
}

fn debug(answers: &[&'static str]) -> (Vec<String>, Report, Vec<String>) {
    let person = Debugger {
        answers: RefCell::new(answers.iter().copied().collect()),
        asked: RefCell::default(),
    };
    let (world, report) = run_with(world(), &person);
    (said(&world), report, person.asked.into_inner())
}

#[test]
fn each_step_waits_and_may_be_left_out() {
    let (said, report, asked) = debug(&["", "s", ""]);
    report.assert_succeeded();
    assert_eq!(said, ["first", "third"]);
    assert!(
        asked.len() == 3 && asked[1].contains("next is step \"second\""),
        "{asked:?}"
    );
    assert!(
        report.trace().contains(&"second: skipped".to_owned()),
        "{:?}",
        report.trace()
    );
}

#[test]
fn variables_are_shown_but_no_secret() {
    let (_, _, asked) = debug(&["v plain", "v Token", "v none", "what", "g"]);
    assert!(asked[1].starts_with("plain = seen"), "{asked:?}");
    assert!(
        asked[2].contains("Token = ") && !asked[2].contains("Canary"),
        "{asked:?}"
    );
    assert!(
        asked[3].contains("none has no value") && asked[4].contains("v NAME"),
        "{asked:?}"
    );
}

#[test]
fn it_goes_on_by_itself_or_ends_when_that_is_asked_for() {
    let (said, report, asked) = debug(&["g"]);
    report.assert_succeeded();
    assert_eq!((said.len(), asked.len()), (3, 1));
    let (said, report, _) = debug(&["", "q"]);
    assert_eq!(said, ["first"]);
    assert!(
        report.reason().contains("person at the machine"),
        "{}",
        report.reason()
    );
}

#[test]
fn without_somebody_all_steps_run_and_the_log_says_why() {
    let (world, report) = run_to_end(world());
    report.assert_succeeded();
    assert_eq!(said(&world).len(), 3);
    assert!(
        report.log.contains("TSDebugMode: step \"first\" runs"),
        "{}",
        report.log
    );
}
