//! The media of these tests, and what is found wrong with a sequence on them.

use std::collections::BTreeMap;

use task_sequence::{
    Installation, MediaFacts, PackageFacts, PackageId, PackageKind, TaskSequence, parse, referenced_packages,
    render, validate,
};

fn read(system: &str, text: &str) -> TaskSequence {
    let text = format!("name = 's'\noperating-system = '{system}'\n{text}");
    parse("sequence.toml", &text).unwrap_or_else(|found| panic!("{}", render(&found)))
}

fn package(kind: PackageKind, installation: Installation, files: &[&str]) -> PackageFacts {
    PackageFacts {
        kind: Some(kind),
        installation: Some(installation),
        files: Some(files.iter().map(|file| (*file).to_owned()).collect()),
        ..PackageFacts::default()
    }
}

pub(crate) fn media() -> MediaFacts {
    let programs = [("setup", "setup.exe /q"), ("remove", "setup.exe /x")];
    let programs = programs.map(|(name, line)| (name.to_owned(), line.to_owned()));
    let packages = [
        ("debian", package(PackageKind::Image, Installation::None, &[])),
        ("windows", package(PackageKind::Image, Installation::None, &[])),
        (
            "editor",
            package(PackageKind::Application, Installation::Debian, &[]),
        ),
        (
            "viewer",
            package(PackageKind::Application, Installation::Rpm, &[]),
        ),
        (
            "reader",
            package(PackageKind::Application, Installation::Windows, &[]),
        ),
        (
            "silent",
            package(PackageKind::Application, Installation::None, &[]),
        ),
        (
            "suite",
            PackageFacts {
                depends: vec![PackageId::new("Silent")],
                ..package(PackageKind::Application, Installation::Debian, &[])
            },
        ),
        (
            "tool",
            PackageFacts {
                programs: Some(programs.into()),
                ..package(
                    PackageKind::Package,
                    Installation::None,
                    &["run.sh", "Scripts/Go.ps1"],
                )
            },
        ),
    ];
    MediaFacts {
        packages: packages
            .into_iter()
            .chain(updates())
            .map(|(id, facts)| (PackageId::new(id), facts))
            .collect(),
        ..MediaFacts::default()
    }
}

/// Packages of updates, by what lies in them.
fn updates() -> impl Iterator<Item = (&'static str, PackageFacts)> {
    let packages: [(_, &[&str]); 5] = [
        ("debs", &["Packages.xz", "a.deb"]),
        ("repodata", &["repodata/repomd.xml", "a/a.rpm"]),
        ("rpms", &["a.rpm"]),
        ("rpms-below", &["a/a.rpm"]),
        ("msus", &["optional/a.MSU"]),
    ];
    let facts = |files| package(PackageKind::Updates, Installation::None, files);
    packages.into_iter().map(move |(id, files)| (id, facts(files)))
}

pub(crate) fn with_variables(variables: &[(&str, &str)]) -> MediaFacts {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    MediaFacts {
        variables: variables.collect::<BTreeMap<_, _>>(),
        ..media()
    }
}

pub(crate) fn found(system: &str, text: &str, media: &MediaFacts) -> String {
    let problems = validate(&read(system, text), media);
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

pub(crate) fn step(type_name: &str, settings: &str) -> String {
    format!("[[steps]]\ntype = '{type_name}'\n{settings}\n")
}

pub(crate) fn ids(text: &str, media: &MediaFacts) -> Vec<String> {
    let needed = referenced_packages(&read("linux", text), media);
    needed.iter().map(ToString::to_string).collect()
}
