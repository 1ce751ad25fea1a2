//! The packages that travel: those that the sequences refer to, and those that these need.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use disk_image::SourceId;
use media_format::manifest::{self, PackageKind};
use media_format::paths::PACKAGES;
use media_format::wim::info::WimInfo;
use task_sequence::MediaFacts;
use toml::Spanned;

use super::contents;
use super::sequences::{self, Sequence};
use super::sources::Sources;
use super::walk::walk;
use crate::platform;
use crate::problem::Problems;
use crate::project::{Install, Package, Project};
use crate::toml_problem::TomlProblem;

/// A package with everything that it consists of.
#[derive(Debug)]
pub struct ResolvedPackage {
    /// What the manifest says of it.
    pub entry: manifest::Package,
    /// Its files and empty folders.
    pub items: Vec<Item>,
    /// What is in it, where it is a WIM.
    pub wim: Option<WimInfo>,
}

/// A file or an empty folder of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Path on the data volume.
    pub path: String,
    /// The file; none for an empty folder.
    pub source: Option<SourceId>,
}

impl ResolvedPackage {
    /// The files by their path on the data volume.
    pub fn files(&self) -> impl Iterator<Item = (&str, SourceId)> {
        self.items
            .iter()
            .filter_map(|item| Some((item.path.as_str(), item.source?)))
    }
}

/// Whether a text can be an id, which is also a folder's name on every file system of the media.
pub(super) fn is_id(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    text.len() <= 100
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !text.ends_with('.')
        && text.chars().all(legal)
}

/// Looks at the sources of all packages that travel.
pub(super) fn resolve(
    project: &Project,
    sequences: &[Sequence],
    facts: &MediaFacts,
    sources: &mut Sources,
    problems: &mut Problems,
) -> Vec<ResolvedPackage> {
    let mut selection = Selection::new(project, problems);
    for id in sequences::referenced(sequences, facts) {
        // A reference without package is reported by the validation of the sequence, with its place.
        if let Some(package) = selection.by_id.get(&id.to_lowercase()).copied() {
            selection.add(package);
        }
    }
    let Selection { chosen, .. } = selection;
    let travels = |package: &&Package| chosen.contains(&package.id.get_ref().to_lowercase());
    let packages: Vec<&Package> = project.settings.packages.iter().filter(travels).collect();
    let mut resolve = |package| {
        Look {
            project,
            package,
            sources: &mut *sources,
            problems: &mut *problems,
        }
        .resolve()
    };
    let packages: Vec<_> = packages.into_iter().map(&mut resolve).collect();
    contents::check_repositories(&packages, sources, problems);
    packages
}

struct Selection<'a> {
    project: &'a Project,
    problems: &'a mut Problems,
    by_id: BTreeMap<String, &'a Package>,
    chosen: BTreeSet<String>,
    /// Packages on the way here, to notice a circle.
    open: Vec<String>,
}

impl<'a> Selection<'a> {
    fn new(project: &'a Project, problems: &'a mut Problems) -> Self {
        let mut by_id = BTreeMap::new();
        for package in &project.settings.packages {
            let id = package.id.get_ref();
            let mut complain = |message: String| {
                problems.push_diagnostic(TomlProblem::at(project.place(&package.id), message, None));
            };
            if !is_id(id) {
                complain(format!(
                    "`{id}` cannot be the id of a package: use letters, digits, `.`, `_` and `-`"
                ));
            }
            if by_id.insert(id.to_lowercase(), package).is_some() {
                complain(format!("two packages have the id `{id}`"));
            }
        }
        Self {
            project,
            problems,
            by_id,
            chosen: BTreeSet::new(),
            open: vec![],
        }
    }

    fn add(&mut self, package: &'a Package) {
        let id = package.id.get_ref().to_lowercase();
        self.open.push(id.clone());
        if self.chosen.insert(id) {
            package
                .depends
                .iter()
                .for_each(|needed| self.add_needed(needed, Some(needed)));
            if let Some(Install::Apt { repository, .. } | Install::Dnf { repository, .. }) = &package.install
            {
                self.add_needed(&Spanned::new(package.id.span(), repository.clone()), None);
            }
        }
        self.open.pop();
    }

    fn add_needed(&mut self, needed: &Spanned<String>, dependency: Option<&Spanned<String>>) {
        let id = needed.get_ref().to_lowercase();
        let message = if dependency.is_some() && self.open.contains(&id) {
            format!(
                "the packages depend on each other: {} → {id}",
                self.open.join(" → ")
            )
        } else if let Some(package) = self.by_id.get(&id).copied() {
            return self.add(package);
        } else {
            format!("there is no package `{}`", needed.get_ref())
        };
        let help = nearest(&id, self.by_id.keys());
        self.problems
            .push_diagnostic(TomlProblem::at(self.project.place(needed), message, help));
    }
}

fn nearest<'a>(id: &str, known: impl Iterator<Item = &'a String>) -> Option<String> {
    let near = known
        .filter(|name| *name != id)
        .min_by_key(|name| strsim::damerau_levenshtein(id, name))?;
    (strsim::damerau_levenshtein(id, near) <= 2).then(|| format!("did you mean `{near}`?"))
}

struct Look<'a> {
    project: &'a Project,
    package: &'a Package,
    sources: &'a mut Sources,
    problems: &'a mut Problems,
}

impl Look<'_> {
    fn resolve(&mut self) -> ResolvedPackage {
        let mut resolved = ResolvedPackage {
            entry: entry(self.package),
            items: vec![],
            wim: None,
        };
        match &self.package.source {
            Some(source) => self.source(source, &mut resolved),
            None if needs_source(self.package) => {
                let id = &self.package.id;
                self.complain(id, format!("the package `{}` has no `source`", id.get_ref()));
            }
            None => {}
        }
        self.check_files(&resolved);
        resolved
    }

    fn source(&mut self, source: &Spanned<std::path::PathBuf>, resolved: &mut ResolvedPackage) {
        let path = self.project.folder.join(source.get_ref());
        let base = format!("{PACKAGES}/{}", self.package.id.get_ref());
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => {
                resolved.entry.path.clone_from(&base);
                self.folder(&path, &base, resolved);
                self.image_folder(source, &path, resolved);
            }
            Ok(metadata) if metadata.is_file() => self.file(source, &path, &base, &metadata, resolved),
            Ok(_) => self.complain(
                source,
                format!("{} is neither a file nor a folder", path.display()),
            ),
            Err(error) => self.complain(source, format!("reading {}: {error}", path.display())),
        }
    }

    fn folder(&mut self, path: &Path, base: &str, resolved: &mut ResolvedPackage) {
        let walked = walk(path);
        for found in walked.found {
            let source = found
                .identity
                .map(|identity| self.sources.add(found.path, identity));
            resolved.items.push(Item {
                path: format!("{base}/{}", found.name),
                source,
            });
        }
        if resolved.items.is_empty() {
            resolved.items.push(Item {
                path: base.to_owned(),
                source: None,
            });
        }
        for error in walked.errors {
            self.problems
                .push(format!("the package {}: {error}", self.package.id.get_ref()));
        }
    }

    fn image_folder(
        &mut self,
        source: &Spanned<std::path::PathBuf>,
        path: &Path,
        resolved: &mut ResolvedPackage,
    ) {
        if self.package.kind != PackageKind::Image {
            return;
        }
        let base = format!("{}/", resolved.entry.path);
        let names = resolved.files().filter_map(|(path, _)| path.strip_prefix(&base));
        let names: Vec<&str> = names.filter(|name| !name.contains('/')).collect();
        let found = contents::image(path, &names);
        self.wim(source, found, resolved);
    }

    fn file(
        &mut self,
        source: &Spanned<std::path::PathBuf>,
        path: &Path,
        base: &str,
        metadata: &std::fs::Metadata,
        resolved: &mut ResolvedPackage,
    ) {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return self.complain(source, format!("{} has a name that is not UTF-8", path.display()));
        };
        if let Err(error) = platform::check_readable(path) {
            return self.complain(source, format!("reading {}: {error}", path.display()));
        }
        let on_media = format!("{base}/{name}");
        let id = self.sources.add(path.to_owned(), platform::identity(metadata));
        resolved.entry.path.clone_from(&on_media);
        resolved.items.push(Item {
            path: on_media,
            source: Some(id),
        });
        if self.package.kind == PackageKind::Image {
            self.wim(source, contents::read(path), resolved);
        }
    }

    fn wim<T>(&mut self, place: &Spanned<T>, found: Result<WimInfo, String>, resolved: &mut ResolvedPackage) {
        match found {
            Ok(info) => resolved.wim = Some(info),
            Err(why) => self.complain(place, why),
        }
    }

    fn check_files(&mut self, resolved: &ResolvedPackage) {
        if let Some(why) = contents::installs_nothing(self.package) {
            let id = &self.package.id;
            self.complain(
                id,
                format!("the package `{}` installs nothing: {why}", id.get_ref()),
            );
        }
        let files = match &self.package.install {
            Some(Install::Deb(files)) => files,
            Some(Install::Rpm(files)) => {
                self.check_rpms(files, resolved);
                files
            }
            Some(Install::Windows(files)) => {
                self.check_installers(files);
                files
            }
            _ => return,
        };
        for file in files {
            let path = format!("{}/{file}", resolved.entry.path);
            if !resolved.items.iter().any(|item| item.path == path) {
                let id = &self.package.id;
                self.complain(
                    id,
                    format!(
                        "the package `{}` installs {file}, which its source does not have",
                        id.get_ref()
                    ),
                );
            }
        }
    }

    /// One that is not there is complained of with all others.
    fn check_rpms(&mut self, files: &[String], resolved: &ResolvedPackage) {
        for file in files {
            let path = format!("{}/{file}", resolved.entry.path);
            let found = resolved.files().find(|(known, _)| *known == path);
            let Some(Err(why)) = found.map(|(_, id)| contents::check_rpm(self.sources.path(id))) else {
                continue;
            };
            let id = &self.package.id;
            self.complain(
                id,
                format!("the package `{}` installs {file}, which {why}", id.get_ref()),
            );
        }
    }

    fn check_installers(&mut self, files: &[String]) {
        let known = manifest::WINDOWS_INSTALLERS;
        for file in files {
            let kind = file.rsplit_once('.').map(|(_, kind)| kind.to_lowercase());
            if kind.is_none_or(|kind| !known.contains(&kind.as_str())) {
                let message = format!(
                    "Windows does not know how {file} is installed (it knows {}): write \
                     `install = {{ command = \"…\" }}` with what makes it silent",
                    known.join(", ")
                );
                self.complain(&self.package.id, message);
            }
        }
    }

    fn complain<T>(&mut self, place: &Spanned<T>, message: String) {
        self.problems
            .push_diagnostic(TomlProblem::at(self.project.place(place), message, None));
    }
}

/// Only an application that comes from elsewhere can do without content of its own.
fn needs_source(package: &Package) -> bool {
    match package.install {
        Some(Install::Apt { .. } | Install::Dnf { .. } | Install::Command(_)) => false,
        Some(Install::Deb(_) | Install::Rpm(_) | Install::Windows(_)) => true,
        None => package.kind != PackageKind::Application || package.programs.is_empty(),
    }
}

fn entry(package: &Package) -> manifest::Package {
    manifest::Package {
        id: package.id.get_ref().clone(),
        name: package
            .name
            .clone()
            .unwrap_or_else(|| package.id.get_ref().clone()),
        version: package.version.clone(),
        kind: package.kind,
        path: String::new(),
        depends: package.depends.iter().map(|id| id.get_ref().clone()).collect(),
        install: package.install.clone().map(Into::into),
        programs: package.programs.clone(),
        success_codes: package.success_codes.clone(),
        restart_codes: package.restart_codes.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_names_of_folders_everywhere() {
        for good in ["debian-12", "a", "App_1.2"] {
            assert!(is_id(good), "{good}");
        }
        for bad in ["", ".hidden", "a/b", "a b", "ends.", "ü", "..", "-x"] {
            assert!(!is_id(bad), "{bad}");
        }
    }
}
