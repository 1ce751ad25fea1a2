//! The examples in the documents are what the program reads.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{Fixture, judge};
use media_builder::project::Project;

const GETTING_STARTED: &str = include_str!("../../docs/getting-started.md");
const HOW_TO: &str = include_str!("../../docs/how-to.md");

/// The examples in TOML of a document, in order.
fn examples(document: &str) -> Vec<&str> {
    let blocks = document.split("```toml\n").skip(1);
    blocks.map(|rest| rest.split_once("```").unwrap().0).collect()
}

#[test]
fn the_project_of_getting_started_passes_its_check_and_is_planned() {
    let examples = examples(GETTING_STARTED);
    let [media, sequence] = examples[..] else {
        panic!("{examples:?}")
    };
    let fixture = Fixture::new();
    fixture.write("my-media/media.toml", media);
    fixture.write("my-media/build.toml", sequence);
    // What `make build` makes.
    fixture.write("tree/etc/os-release", "ID=debian\n");
    for folder in ["out/boot-image", "out/reference"] {
        fs::create_dir_all(fixture.path(folder)).unwrap();
    }
    fs::copy(
        fixture.path("pe.tar"),
        fixture.path("out/boot-image/linux-pe.tar"),
    )
    .unwrap();
    let paths = ["tree", "out/reference/reference.wim"].map(|name| fixture.path(name).display().to_string());
    judge("wimcapture", &paths.each_ref().map(String::as_str));
    let said = fixture.run(&["check", "my-media"]);
    assert!(said.status.success(), "{}", common::text(&said.stderr));
    assert_eq!(
        common::text(&said.stderr),
        "",
        "a warning about the first example"
    );
    fixture.succeed(&["plan", "my-media", "--format", "usb"]);
}

/// An example as the file that it is a part of: by how it begins.
enum Whole {
    Sequence(String),
    Media(String),
}

fn whole(example: &str) -> Whole {
    let step = |settings: &str| format!("[[steps]]\n{settings}\n{example}");
    let begins = |start: &str| example.starts_with(start);
    let steps = if begins("partitions = ") {
        step("type = \"format-and-partition-disk\"\ndisk = { only = true }")
    } else if begins("when = ") {
        step("type = \"run-command-line\"\ncommand = \"true\"")
    } else if begins("[secrets]") {
        return Whole::Media(format!("name = \"m\"\nsequences = [\"a.toml\"]\n{example}"));
    } else if begins("# media.toml") {
        return Whole::Media(format!("name = \"m\"\n{example}"));
    } else {
        example.to_owned()
    };
    Whole::Sequence(format!("name = \"s\"\noperating-system = \"linux\"\n{steps}"))
}

#[test]
fn every_example_of_how_to_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("media.toml");
    let examples = examples(HOW_TO);
    assert!(examples.len() > 5, "{examples:?}");
    for example in examples {
        match whole(example) {
            Whole::Sequence(text) => {
                let read = task_sequence::parse("example.toml", &text);
                let read = read.unwrap_or_else(|found| panic!("{}", task_sequence::render(&found)));
                assert_eq!(read.all_steps().len(), 1, "{example}");
            }
            Whole::Media(text) => {
                fs::write(&file, text).unwrap();
                Project::read(&file).unwrap_or_else(|error| panic!("{example}: {error:#}"));
            }
        }
    }
}
