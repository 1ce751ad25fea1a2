//! What the task sequences are checked against: what `media.toml` says, then what lies in the packages.

use media_format::manifest::PackageKind;
use task_sequence::{Installation, MediaFacts, PackageFacts, PackageId};

use super::packages::ResolvedPackage;
use super::sequences::Sequence;
use crate::boot_image::Kind;
use crate::project::{Install, Package, Project, Secret};

/// What is known before any package is looked at.
pub(super) fn of_project(project: &Project, sequences: &[Sequence], boot: Kind) -> MediaFacts {
    let settings = &project.settings;
    let packages = settings.packages.iter();
    let asked = settings
        .secrets
        .iter()
        .filter(|(_, source)| matches!(source, Secret::Ask(_)));
    MediaFacts {
        packages: packages
            .map(|package| (PackageId::new(package.id.get_ref().clone()), of_package(package)))
            .collect(),
        // One that could not be read is there, and something else was said of it.
        sequences: (sequences.len() == settings.sequences.len())
            .then(|| sequences.iter().map(|sequence| sequence.id.clone()).collect()),
        variables: settings.variables.clone(),
        secrets: settings.secrets.keys().cloned().collect(),
        asked: asked.map(|(name, _)| name.clone()).collect(),
        winpe: boot == Kind::WinPe,
    }
}

fn of_package(package: &Package) -> PackageFacts {
    PackageFacts {
        kind: sequence_kind(package.kind),
        images: None,
        installation: Some(match &package.install {
            None => Installation::None,
            Some(Install::Command(line)) => Installation::Command(line.clone()),
            Some(Install::Apt { .. } | Install::Deb(_)) => Installation::Debian,
            Some(Install::Dnf { .. } | Install::Rpm(_)) => Installation::Rpm,
            Some(Install::Windows(_)) => Installation::Windows,
        }),
        programs: Some(package.programs.clone()),
        depends: package
            .depends
            .iter()
            .map(|id| PackageId::new(id.get_ref().clone()))
            .collect(),
        files: None,
    }
}

/// Adds what lies in the packages that travel.
pub(super) fn look_into(packages: &[ResolvedPackage], facts: &mut MediaFacts) {
    for package in packages {
        let id = PackageId::new(package.entry.id.clone());
        let Some(facts) = facts.packages.get_mut(&id) else {
            continue;
        };
        let images = package.wim.as_ref().map(|wim| &wim.images);
        facts.images = images.map(|images| images.iter().map(|image| image.name.clone()).collect());
        if package.entry.path.is_empty() {
            // It has no source, or one that could not be read, which was said.
            continue;
        }
        let base = format!("{}/", package.entry.path);
        let files = package.files().filter_map(|(path, _)| path.strip_prefix(&base));
        facts.files = Some(files.map(str::to_owned).collect());
    }
}

/// What a sequence calls the kinds of packages.
fn sequence_kind(kind: PackageKind) -> Option<task_sequence::PackageKind> {
    Some(match kind {
        PackageKind::Image => task_sequence::PackageKind::Image,
        PackageKind::Application => task_sequence::PackageKind::Application,
        PackageKind::Updates => task_sequence::PackageKind::Updates,
        PackageKind::Driver => task_sequence::PackageKind::Drivers,
        PackageKind::Files => task_sequence::PackageKind::Package,
        // An agent comes as files or as an application: a sequence may use it as either.
        PackageKind::Client => return None,
    })
}
