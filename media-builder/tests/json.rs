//! What `--json` prints has the keys that `docs/reference/json.md` describes, and no others.

// What cannot go on in a test fails it.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use common::Fixture;
use media_builder::boot_image::{self, Driver, Kind, Linux, Member, WinPe};
use media_builder::inspect::{DriverSummary, Inspection};
use media_builder::try_media::{Report, collect::Collected};
use media_format::event::{Environment, Event};
use media_format::manifest::{Install, Manifest};
use serde_json::{Value, json};

const DOCUMENT: &str = include_str!("../../docs/reference/json.md");

/// The keys in a section of the document, each with its type.
fn documented(section: &str) -> BTreeMap<&'static str, &'static str> {
    let heading = |line: &&str| line.starts_with('#');
    let lines = DOCUMENT.lines();
    let lines = lines.skip_while(|line| line.trim_start_matches('#').trim() != section);
    let rows = lines.skip(1).take_while(|line| !heading(line));
    rows.filter_map(|line| {
        let (key, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
        Some((key, rest.split_once(" |")?.0))
    })
    .collect()
}

/// The keys of a value, as the document writes them. Those of a map are the user's own.
fn keys(value: &Value, prefix: &str, maps: &BTreeMap<&str, &str>, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            let dot = if prefix.is_empty() { "" } else { "." };
            for (name, inner) in object {
                let key = format!("{prefix}{dot}{name}");
                let is_map = maps.get(key.as_str()).is_some_and(|kind| kind.starts_with("map"));
                if !is_map {
                    keys(inner, &key, maps, found);
                }
                found.insert(key);
            }
        }
        Value::Array(list) => {
            let prefix = format!("{prefix}[]");
            list.iter().for_each(|inner| keys(inner, &prefix, maps, found));
        }
        _ => {}
    }
}

/// All of these together have the keys of that section.
#[track_caller]
fn compare(section: &str, values: &[Value]) {
    let documented = documented(section);
    let mut found = BTreeSet::new();
    values
        .iter()
        .for_each(|value| keys(value, "", &documented, &mut found));
    let documented: BTreeSet<String> = documented.into_keys().map(str::to_owned).collect();
    let missing: Vec<_> = found.difference(&documented).collect();
    let gone: Vec<_> = documented.difference(&found).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "{section}: not documented: {missing:?}; documented, and not printed: {gone:?}"
    );
}

fn printed(fixture: &Fixture, arguments: &[&str]) -> Value {
    let output = fixture.run(arguments);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
}

#[test]
fn check_prints_what_is_documented_in_both_cases() {
    let fixture = Fixture::new();
    let good = printed(&fixture, &["check", "--json"]);
    compare("check", &[good]);
    fixture.edit("media.toml", "source = \"tool\"", "source = \"tol\"");
    let bad = printed(&fixture, &["check", "--json"]);
    compare("check", &[bad]);
}

#[test]
fn plan_and_build_print_what_is_documented() {
    let fixture = Fixture::new();
    for format in ["iso", "usb"] {
        let plan = printed(&fixture, &["plan", "--json", "--format", format]);
        let contents = plan["extents"].as_array().unwrap().iter();
        let texts: BTreeSet<_> = contents.filter_map(|extent| extent["content"].as_str()).collect();
        assert!(texts.is_subset(&["computed", "zero"].into()), "{texts:?}");
        compare("plan", &[plan]);
        let built = printed(&fixture, &["build", "--json", "--format", format]);
        compare("build", &[built]);
    }
}

#[test]
fn verify_prints_what_is_documented_of_good_media_and_of_bad() {
    let fixture = Fixture::new();
    fixture.succeed(&["build", "-o", "media.iso"]);
    compare("verify", &[printed(&fixture, &["verify", "media.iso", "--json"])]);
    let mut bytes = std::fs::read(fixture.path("media.iso")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(fixture.path("media.iso"), bytes).unwrap();
    compare("verify", &[printed(&fixture, &["verify", "media.iso", "--json"])]);
}

/// The manifest with all that a manifest may have.
fn filled(manifest: &mut Manifest) {
    manifest.organization = "Example".into();
    manifest.sequences[0].hidden = true;
    let package = &mut manifest.packages[0];
    package.version = "1".into();
    package.depends = vec!["other".into()];
    package.programs = [("set up".to_owned(), "sh set-up.sh".to_owned())].into();
    let named = |name: &str| vec![name.to_owned()];
    let ways = [
        Install::Command("sh set-up.sh".into()),
        Install::Apt {
            repository: "r".into(),
            packages: named("a"),
        },
        Install::Deb(named("a.deb")),
        Install::Dnf {
            repository: "r".into(),
            packages: named("a"),
        },
        Install::Rpm(named("a.rpm")),
        Install::Windows(named("a.msi")),
    ];
    let package = package.clone();
    manifest.packages.extend(ways.map(|way| {
        let install = Some(way);
        media_format::manifest::Package {
            install,
            ..package.clone()
        }
    }));
}

#[test]
fn inspect_prints_what_is_documented() {
    let fixture = Fixture::new();
    fixture.succeed(&["build", "-o", "media.img"]);
    let real = printed(&fixture, &["inspect", "media.img", "--json"]);
    let mut manifest: Manifest = serde_json::from_value(real["manifest"].clone()).unwrap();
    filled(&mut manifest);
    let every = Inspection {
        size: 1,
        boot: vec![],
        partitions: vec![],
        volumes: vec![],
        drivers: Some(DriverSummary {
            infs: 1,
            unsigned: 1,
            boot_critical: 1,
            refused: 0,
        }),
        manifest,
    };
    compare("inspect", &[real, json!(every)]);
}

#[test]
fn boot_image_inspect_prints_what_is_documented() {
    let fixture = Fixture::new();
    let real = printed(&fixture, &["boot-image", "inspect", "pe.tar", "--json"]);
    let linux = boot_image::Manifest {
        format: 1,
        kind: Kind::LinuxPe,
        architecture: String::new(),
        linux: Some(Linux::default()),
        winpe: None,
        members: vec![Member {
            path: String::new(),
            size: 0,
            sha256: String::new(),
            package: Some("a=1".into()),
            signers: Some("A (B)".into()),
            sbat: vec!["sbat,1".into()],
        }],
    };
    let driver = Driver {
        path: String::new(),
        class: String::new(),
        provider: String::new(),
        version: String::new(),
        signed: true,
    };
    let winpe = boot_image::Manifest {
        kind: Kind::WinPe,
        linux: None,
        winpe: Some(WinPe {
            drivers: vec![driver],
            ..WinPe::default()
        }),
        ..linux.clone()
    };
    compare("boot-image inspect", &[real, json!(linux), json!(winpe)]);
}

/// Every event with all that it may have; a new one does not compile here before it has its place.
fn after(event: &Event) -> Option<Event> {
    let text = || Some("text".to_owned());
    Some(match event {
        Event::Started { .. } => Event::Step {
            number: 1,
            of: 1,
            name: String::new(),
            kind: String::new(),
        },
        Event::Step { .. } => Event::Progress {
            phase: String::new(),
            done: 0,
            total: 0,
        },
        Event::Progress { .. } => Event::Working,
        Event::Working => Event::StepEnded {
            name: String::new(),
            outcome: String::new(),
            code: 0,
            reason: text(),
        },
        Event::StepEnded { .. } => Event::Restart {
            target: Environment::Os,
        },
        Event::Restart { .. } => Event::ShutDown {
            target: Environment::Pe,
        },
        Event::ShutDown { .. } => Event::Ended {
            succeeded: true,
            reason: text(),
            captured: text(),
            log: text(),
        },
        Event::Ended { .. } => Event::LogCopied { log: String::new() },
        Event::LogCopied { .. } => return None,
    })
}

/// The name of the event in a line, and the rest of the line.
fn named(mut line: Value) -> (String, Value) {
    let event = line.as_object_mut().unwrap().remove("event").unwrap();
    (event.as_str().unwrap().to_owned(), line)
}

#[test]
fn every_event_of_try_is_documented() {
    let first = Event::Started {
        media: String::new(),
        organization: "Example".into(),
        sequence: String::new(),
        environment: Environment::Pe,
        resumed: false,
        elapsed: 0,
    };
    for event in std::iter::successors(Some(first), after) {
        let (name, line) = named(json!(event));
        compare(&name, &[line]);
        assert!(DOCUMENT.contains(&format!("\n### {name}\n")), "{name}");
    }
}

#[test]
fn the_result_of_try_is_documented_in_both_cases() {
    let report = Report {
        seconds: 1,
        collected: vec![Collected {
            path: PathBuf::from("a.wim"),
            size: 1,
            sha256: String::new(),
        }],
    };
    let (name, success) = named(serde_json::from_str(&report.to_json()).unwrap());
    assert_eq!(name, "result");
    let fixture = Fixture::new();
    let output = fixture.run(&["try", "none.iso", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let (name, failure) = named(serde_json::from_slice(&output.stdout).unwrap());
    assert_eq!(name, "result");
    compare("result", &[success, failure]);
}

#[test]
fn a_failure_prints_what_is_documented() {
    let fixture = Fixture::new();
    fixture.write("no.iso", "no media");
    fixture.edit("copy.toml", "package = \"tool\"", "package = \"tol\"");
    for arguments in [
        &["plan", "--json"][..],
        &["build", "--json"],
        &["verify", "no.iso", "--json"],
        &["inspect", "no.iso", "--json"],
        &["boot-image", "inspect", "no.iso", "--json"],
    ] {
        compare("A failure", &[printed(&fixture, arguments)]);
    }
}
