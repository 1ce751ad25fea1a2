//! Sequences that run others.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use task_sequence::{
    Embedded, MediaFacts, Node, SourceFile, TaskSequence, embed, locate, parse, referenced_packages, render,
    validate,
};

fn read(text: &str) -> TaskSequence {
    parse("sequence.toml", text).unwrap_or_else(|found| panic!("{}", render(&found)))
}

fn text(name: &str, steps: &str) -> String {
    format!("name = '{name}'\noperating-system = 'linux'\n{steps}")
}

fn runs(id: &str, more: &str) -> String {
    format!("[[steps]]\ntype = 'run-task-sequence'\nname = 'Run {id}'\nsequence = '{id}'\n{more}\n")
}

const COMMAND: &str = "[[steps]]\ntype = 'run-command-line'\nname = 'Command'\ncommand = 'true'\n";

fn library(texts: &[(&str, String)]) -> BTreeMap<String, TaskSequence> {
    let read = |(id, text): &(&str, String)| ((*id).to_owned(), read(text));
    texts.iter().map(read).collect()
}

/// The first one, with the others.
fn embedded(texts: &[(&str, String)]) -> Embedded {
    let all = library(texts);
    embed(texts[0].0, &all[texts[0].0], &all)
}

fn messages(texts: &[(&str, String)]) -> Vec<String> {
    let problems = embedded(texts).problems;
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn the_steps_of_the_other_sequence_take_the_place_of_the_step() {
    let condition = "when = { variable = 'X', exists = true }\ncontinue-on-error = true";
    let found = embedded(&[
        (
            "a",
            text("A", &(COMMAND.to_owned() + &runs("b", condition) + COMMAND)),
        ),
        ("b", text("B", &(runs("c", "") + COMMAND))),
        ("c", text("C", COMMAND)),
    ]);
    assert_eq!(found.problems, []);
    assert_eq!(Vec::from_iter(&found.runs), ["b", "c"]);
    let enabled = found.sequence.enabled_steps();
    let paths: Vec<_> = enabled.iter().map(|step| step.path.join("/")).collect();
    assert_eq!(
        paths,
        ["Command", "Run b/Run c/Command", "Run b/Command", "Command"]
    );
    assert_eq!(enabled[1].conditions.len(), 1);
    let Node::Group(group) = &found.sequence.steps[1] else {
        panic!("a group")
    };
    assert!(group.common.continue_on_error && group.common.when.is_some());
    assert_eq!(found.sequence.name, "A");
}

#[test]
fn a_disabled_step_runs_nothing_and_may_name_anything() {
    let found = embedded(&[(
        "a",
        text(
            "A",
            &(runs("a", "disabled = true") + &runs("none", "disabled = true") + COMMAND),
        ),
    )]);
    assert_eq!(found.problems, []);
    assert!(found.runs.is_empty());
    assert_eq!(validate(&found.sequence, &MediaFacts::default()), []);
}

#[test]
fn what_would_not_end_is_refused() {
    let circle = messages(&[
        ("a", text("A", &runs("b", ""))),
        ("b", text("B", &(COMMAND.to_owned() + &runs("a", "")))),
    ]);
    assert_eq!(
        circle,
        ["error: Run b / Run a: `a`, which runs `b`, which runs `a`: that would never end"]
    );
    assert!(messages(&[("a", text("A", &runs("a", "")))])[0].contains("`a`, which runs `a`"));
    // No circle, but each runs the next one twice: a million steps.
    let names: Vec<String> = (0..20).map(|number| format!("s{number}")).collect();
    let mut texts: Vec<_> = names
        .windows(2)
        .map(|pair| (&*pair[0], text("S", &(runs(&pair[1], "") + &runs(&pair[1], "")))))
        .collect();
    texts.push((&names[19], text("S", COMMAND)));
    let many = messages(&texts);
    assert!(
        many.len() == 1 && many[0].contains("more than 2000 steps"),
        "{many:?}"
    );
}

#[test]
fn what_cannot_be_is_said_where_it_stands() {
    let windows = text("B", COMMAND).replace("linux", "windows");
    let found = messages(&[("a", text("A", &runs("b", ""))), ("b", windows)]);
    assert_eq!(
        found,
        ["error: Run b: sequence `b` is for windows, and the one that runs it for linux"]
    );
    for setting in ["retry = { count = 2 }", "timeout = '5 min'", "after-cut = 'stop'"] {
        let found = messages(&[("a", text("A", &runs("b", setting))), ("b", text("B", COMMAND))]);
        let name = setting.split(' ').next().unwrap();
        assert!(found[0].contains(&format!("`{name}` has no effect")), "{found:?}");
    }
}

#[test]
fn a_sequence_that_is_not_there_is_left_to_validation() {
    let found = embedded(&[("a", text("A", &runs("b", "")))]);
    assert_eq!(found.problems, []);
    let facts = MediaFacts {
        sequences: Some(["bb".to_owned()].into()),
        ..MediaFacts::default()
    };
    let problems = validate(&found.sequence, &facts);
    assert!(problems[0].message.contains("did you mean `bb`?"), "{problems:?}");
}

#[test]
fn variables_of_the_other_are_declared_unless_the_first_declares_them() {
    let declares =
        |name: &str, variables: &str, steps: &str| text(name, &format!("[variables]\n{variables}\n{steps}"));
    let found = embedded(&[
        ("a", declares("A", "One = 'a'", &runs("b", ""))),
        (
            "b",
            declares("B", "ONE = 'b'\nTwo = 'b'\nKey = { secret = true }", COMMAND),
        ),
    ]);
    let known: Vec<_> = found
        .sequence
        .variables
        .iter()
        .map(|declared| (&*declared.name, declared.value.as_deref(), declared.secret))
        .collect();
    assert_eq!(
        known,
        [
            ("One", Some("a"), false),
            ("Two", Some("b"), false),
            ("Key", None, true)
        ]
    );
}

#[test]
fn what_is_wrong_inside_the_other_points_into_its_file() {
    let (outer, inner) = (
        text("A", &(COMMAND.to_owned() + &runs("b", ""))),
        text(
            "B",
            "[[steps]]\ngroup = 'G'\n[[steps.steps]]\ntype = 'install-package'\nname = 'Tool'\npackage = 'tool'\nprogram = 'p'\n",
        ),
    );
    let found = embedded(&[("a", outer.clone()), ("b", inner.clone())]);
    let names: Vec<_> = referenced_packages(&found.sequence, &MediaFacts::default())
        .into_iter()
        .collect();
    assert_eq!(names[0].as_str(), "tool");
    let problems = validate(&found.sequence, &MediaFacts::default());
    let sources = BTreeMap::from([
        (
            "a",
            SourceFile {
                name: "a.toml",
                text: &outer,
            },
        ),
        (
            "b",
            SourceFile {
                name: "b.toml",
                text: &inner,
            },
        ),
    ]);
    let placed = locate(&sources, "a", &problems[0]);
    assert!(
        placed.message.starts_with("Run b / G / Tool: package `tool`"),
        "{}",
        placed.message
    );
    assert_eq!((placed.line, &inner[placed.span.clone()]), (8, "'tool'"));
    assert_eq!(placed.file, "b.toml");
}
