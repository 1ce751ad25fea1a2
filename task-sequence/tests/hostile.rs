//! Whatever the text is, reading it ends with a sequence or with diagnostics.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use task_sequence::{MediaFacts, parse, referenced_packages, render, validate};

const EXAMPLE: &str = include_str!("example.toml");

/// Everything that is done with a text before a machine is touched.
fn exercise(text: &str) {
    match parse("hostile.toml", text) {
        Ok(sequence) => {
            validate(&sequence, &MediaFacts::default());
            referenced_packages(&sequence, &MediaFacts::default());
            sequence.to_toml().expect("what was read can be written");
        }
        Err(found) => assert!(!found.is_empty() && !render(&found).is_empty()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_replaced_part_never_panics(at in 0..EXAMPLE.len(), length in 0_usize..40, with in "[\\PC\\n%\"'\\[\\]{}=.,]{0,12}") {
        let bytes = EXAMPLE.as_bytes();
        let end = (at + length).min(bytes.len());
        let mutated = [&bytes[..at], with.as_bytes(), &bytes[end..]].concat();
        exercise(&String::from_utf8_lossy(&mutated));
    }

    #[test]
    fn a_replaced_value_never_panics(line in 0_usize..80, with in "(-?[0-9]{1,25}|\"\\PC{0,20}\"|\\[\\]|\\{\\}|[0-9]{1,19} ?(GB|%|s|h|TB)|\"[0-9.]{1,30} ?(GB|%|s|h|TB)\"|1979-05-27|nan|inf|true)") {
        let replaced = EXAMPLE.lines().enumerate().map(|(number, text)| match text.split_once(" = ") {
            Some((key, _)) if number == line => format!("{key} = {with}"),
            _ => text.to_owned(),
        });
        exercise(&replaced.collect::<Vec<_>>().join("\n"));
    }
}

#[test]
fn deep_nesting_is_an_error_and_not_a_crash() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(3000), close.repeat(3000));
    let head = "name = 's'\noperating-system = 'linux'\n";
    exercise(&format!(
        "{head}steps = {}",
        deep("[{group = 'g', steps = ", "}]")
    ));
    exercise(&format!(
        "{head}[[steps]]\ntype = 'setup-os'\nwhen = {}",
        deep("{all = [", "]}")
    ));
    exercise(&format!(
        "{head}[[steps]]\ntype = 'setup-os'\nwhen = {{ query = 'select * from Win32_BIOS where {}' }}",
        deep("(", ")")
    ));
}

#[test]
fn of_endless_mistakes_the_first_ones_are_reported() {
    let keys: String = (0..5000).map(|number| format!("x{number} = 1\n")).collect();
    assert_eq!(parse("hostile.toml", &keys).unwrap_err().len(), 100);
}
