//! A sequence is read, written again, and its mistakes are shown where they are.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

use task_sequence::{Action, AfterCut, Node, TaskSequence, parse, render};

const EXAMPLE: &str = include_str!("example.toml");

fn read(text: &str) -> TaskSequence {
    parse("sequence.toml", text).unwrap_or_else(|found| panic!("{}", render(&found)))
}

/// All mistakes of a text, rendered.
fn mistakes(text: &str) -> String {
    render(&parse("sequence.toml", text).expect_err("the text has a mistake"))
}

#[test]
fn the_example_is_read() {
    let sequence = read(EXAMPLE);
    assert_eq!(sequence.all_steps().len(), 11);
    let Node::Group(build) = &sequence.steps[0] else {
        panic!("a group")
    };
    let Node::Step(apply) = &build.steps[2] else {
        panic!("a step")
    };
    assert_eq!(apply.name(), "Apply Operating System Image");
    let Action::ApplyOperatingSystemImage(options) = &apply.action else {
        panic!("an image")
    };
    assert_eq!(
        (options.package.as_str(), options.index.get()),
        ("debian", Some(&1))
    );
    let steps = sequence.all_steps();
    assert_eq!(
        steps[6]
            .retry
            .map(|retry| (retry.count, retry.delay.duration().as_secs())),
        Some((2, 10))
    );
    assert!(steps[6].common.continue_on_error);
    assert_eq!(
        (steps[9].after_cut(), steps[10].name()),
        (AfterCut::Stop, "Capture onto the stick")
    );
    let variables = sequence.initial_variables().unwrap();
    assert_eq!(
        (variables.get("room"), variables.get("TOKEN")),
        (Some("12"), Some("s3cret-canary"))
    );
}

#[test]
fn a_variable_made_of_a_secret_has_no_value_before_the_secret_has_one() {
    let text = "name = 's'\noperating-system = 'linux'\nvariables = { Header = 'Bearer %OSDJoinPassword%' }\n\
                [[steps]]\ntype = 'set-variables'\nvariables = { X = 'y' }";
    let mut known = task_sequence::Variables::new();
    let sequence = read(text);
    let unknown = sequence.initial_variables().unwrap();
    assert!(unknown.get("Header").is_none() && unknown.is_secret("Header"));
    known.set("OSDJoinPassword", "geheim").unwrap();
    sequence.set_initial(&mut known).unwrap();
    assert_eq!(known.get("Header"), Some("Bearer geheim"));
    assert!(known.is_secret("Header"));
}

#[test]
fn what_is_written_is_read_again_without_the_secrets() {
    let sequence = read(EXAMPLE);
    let written = sequence.to_toml().unwrap();
    for shown in [
        &written,
        &format!("{sequence:?}"),
        &serde_json::to_string(&sequence).unwrap(),
    ] {
        assert!(!shown.contains("canary"), "{shown}");
    }
    let again = read(&written);
    assert_eq!(again.steps, sequence.steps);
    assert_eq!(again.variables[2].value, None);
}

/// The text with one part replaced.
fn altered(from: &str, to: &str) -> String {
    assert!(EXAMPLE.contains(from), "{from}");
    EXAMPLE.replacen(from, to, 1)
}

const UNKNOWN_KEYS: &[(&str, &str, &str, &str)] = &[
    (
        "description = \"A",
        "descripton = \"A",
        "sequence.toml:2:1: unknown key `descripton`",
        "`description`",
    ),
    (
        "group = \"Build the reference machine\"",
        "group = \"x\"\ndisable = true",
        ":13:1:",
        "`disabled`",
    ),
    ("index = 1", "indx = 1", ":39:3: unknown key `indx`", "`index`"),
    (
        "label = \"root\"",
        "lable = \"root\"",
        ":32:5: unknown key `lable`",
        "`label`",
    ),
    (
        "disk = { only",
        "disk = { onyl",
        ":22:12: unknown key `onyl`",
        "`only`",
    ),
    (
        "equals = \"false\"",
        "equal = \"false\"",
        ":17:40: unknown key `equal`",
        "`equals`",
    ),
    (
        "exists = true }]",
        "exist = true }]",
        ":21:54: unknown key `exist`",
        "`exists`",
    ),
    (
        "retry = { count = 2, delay",
        "retry = { count = 2, dealy",
        ":57:24: unknown key `dealy`",
        "`delay`",
    ),
    (
        "continue-on-error",
        "continue-on-eror",
        "unknown key `continue-on-eror`",
        "`continue-on-error`",
    ),
    (
        "secret = true }\nOSD",
        "secre = true }\nOSD",
        ":8:36: unknown key `secre`",
        "`secret`",
    ),
    (
        "\"setup-os\"",
        "\"setupos\"",
        ":47:10: unknown step type `setupos`",
        "`setup-os`",
    ),
    (
        "type = \"setup-os\"",
        "typ = \"setup-os\"",
        ":47:3: this is neither a step nor a group",
        "`type`",
    ),
];

#[test]
fn an_unknown_key_is_shown_with_its_place_and_the_nearest_known_one() {
    for (from, to, place, suggestion) in UNKNOWN_KEYS.iter().copied() {
        let shown = mistakes(&altered(from, to));
        assert!(shown.contains(place), "{place} in:\n{shown}");
        assert!(
            shown.contains(&format!("did you mean {suggestion}?")),
            "{suggestion} in:\n{shown}"
        );
    }
}

#[test]
fn the_snippet_points_at_the_mistake() {
    let shown = mistakes(&altered("index = 1", "indx = 1"));
    let wanted = "sequence.toml:39:3: unknown key `indx`\n   |\n39 |   indx = 1\n   |   ^^^^\n   = did you mean `index`?";
    assert_eq!(shown, wanted);
}

#[test]
fn wrong_values_say_what_is_possible() {
    let cases = [
        ("\"by-firmware\"", "\"gpd\"", "did you mean `gpt`?"),
        ("\"100%\"", "\"130%\"", "1% to 100%"),
        ("\"512 MB\"", "\"512\"", "no unit"),
        ("\"10s\"", "\"10 parsecs\"", "`parsecs`"),
        ("index = 1", "index = \"one\"", "not a whole number"),
        ("index = 1", "index = -1", "not a whole number"),
        ("target = \"pe\"", "target = \"pee\"", "did you mean `pe`?"),
        ("package = \"debian\"", "", "`package` is missing"),
        (
            "operating-system = \"linux\"",
            "",
            "`operating-system` is missing",
        ),
        (
            "operating-system = \"linux\"",
            "operating-system = \"linus\"",
            "did you mean `linux`?",
        ),
        (
            "\"media:captures/debian.wim\"",
            "\"C:/debian.wim\"",
            "not a destination",
        ),
        ("Room = 12", "_SMSTSRoom = 12", "read-only"),
        ("Room = 12", "OSDCOMPUTERNAME = 12", "declared twice"),
        ("variable = \"_SMSTSInWinPE\", ", "", "tests nothing"),
        (
            "variable = \"_SMSTSInWinPE\", ",
            "variable = \"a\", file = \"b\", ",
            "`variable` and `file`",
        ),
        (
            "variable = \"_SMSTSInWinPE\", ",
            "file = \"b\", ",
            "no value to compare",
        ),
        (
            "type = \"setup-os\"",
            "type = \"setup-os\"\n  group = \"x\"",
            "a group and a step at once",
        ),
        (
            "name = \"Capture onto",
            "name = \"012345678901234567890123456789012345678901234567890123456789",
            "50 are possible",
        ),
        ("[variables]", "[variables", "sequence.toml:5"),
    ];
    for (from, to, wanted) in cases {
        let shown = mistakes(&altered(from, to));
        assert!(shown.contains(wanted), "{wanted} in:\n{shown}");
    }
}

#[test]
fn several_mistakes_are_reported_at_once_in_order() {
    let text = altered("index = 1", "indx = 1\n  pakcage = 2").replace("\"setup-os\"", "\"setupos\"");
    let found = parse("sequence.toml", &text).unwrap_err();
    let lines: Vec<usize> = found.iter().map(|diagnostic| diagnostic.line).collect();
    assert_eq!(lines, [39, 40, 48]);
}

#[test]
fn enabled_steps_know_the_conditions_around_them() {
    let sequence = read(
        r#"
        name = "test"
        operating-system = "linux"
        [[steps]]
        group = "off"
        disabled = true
          [[steps.steps]]
          type = "run-command-line"
          command = "never"
        [[steps]]
        group = "outer"
        when = { variable = "A", exists = true }
          [[steps.steps]]
          group = "inner"
          when = { variable = "B", exists = true }
            [[steps.steps.steps]]
            type = "run-command-line"
            name = "three"
            command = "three"
            when = { variable = "C", exists = true }
            [[steps.steps.steps]]
            type = "run-command-line"
            command = "never"
            disabled = true
          [[steps.steps]]
          type = "run-command-line"
          name = "one"
          command = "one"
        "#,
    );
    let enabled = sequence.enabled_steps();
    let seen: Vec<_> = enabled
        .iter()
        .map(|enabled| (enabled.step.name(), enabled.conditions.len()))
        .collect();
    assert_eq!(seen, [("three", 3), ("one", 1)]);
    assert_eq!(enabled[0].path, ["outer", "inner", "three"]);
    assert_eq!(
        enabled[0].conditions[2..],
        enabled[0].step.common.when.iter().collect::<Vec<_>>()
    );
}
