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
        (
            "debs",
            package(
                PackageKind::Updates,
                Installation::None,
                &["Packages.xz", "a.deb"],
            ),
        ),
        (
            "repodata",
            package(
                PackageKind::Updates,
                Installation::None,
                &["repodata/repomd.xml", "a/a.rpm"],
            ),
        ),
        (
            "rpms",
            package(PackageKind::Updates, Installation::None, &["a.rpm"]),
        ),
        (
            "rpms-below",
            package(PackageKind::Updates, Installation::None, &["a/a.rpm"]),
        ),
        (
            "msus",
            package(PackageKind::Updates, Installation::None, &["optional/a.MSU"]),
        ),
    ];
    MediaFacts {
        packages: packages
            .into_iter()
            .map(|(id, facts)| (PackageId::new(id), facts))
            .collect(),
        ..MediaFacts::default()
    }
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
