//! Whether packages have what steps look for in them, as far as it is known what they have.

use media_format::manifest::{is_apt_index, is_of_rpms};

use super::given::{Given, Named};
use super::{EnabledStep, Installation, MediaFacts, PackageFacts, Problem, error};
use crate::model::OperatingSystem;
use crate::package::PackageId;
use crate::setting::nearest;
use crate::steps::{Action, RunScript};

pub(super) fn check(
    system: OperatingSystem,
    enabled: &[EnabledStep<'_>],
    media: &MediaFacts,
    given: &Given,
    problems: &mut Vec<Problem>,
) {
    for placed in enabled {
        let look = Look { system, media, given };
        for message in look.at(&placed.step.action) {
            error(placed, message, problems);
        }
    }
}

struct Look<'a> {
    system: OperatingSystem,
    media: &'a MediaFacts,
    given: &'a Given,
}

impl Look<'_> {
    fn at(&self, action: &Action) -> Vec<String> {
        let check: fn(&Self, &Named, &PackageFacts) -> Option<String> = match action {
            Action::InstallPackage(_) => Self::program,
            Action::InstallApplications(_) => Self::application,
            Action::SetupOs(_) => Self::installation,
            Action::InstallUpdates(_) => Self::updates,
            Action::RunScript(options) => return self.script(options),
            _ => return Vec::new(),
        };
        let named = self.given.packages(action).named;
        named
            .iter()
            .filter_map(|named| check(self, named, self.media.package(&named.id)?))
            .collect()
    }

    fn program(&self, named: &Named, facts: &PackageFacts) -> Option<String> {
        let (wanted, programs) = (named.program.as_ref()?, facts.programs.as_ref()?);
        if programs.keys().any(|name| name.eq_ignore_ascii_case(wanted)) {
            return None;
        }
        let help = did_you_mean(wanted, programs.keys());
        Some(format!("package `{}` has no program `{wanted}`{help}", named.id))
    }

    /// What an application depends on is installed too.
    fn application(&self, named: &Named, _: &PackageFacts) -> Option<String> {
        let mut seen = Vec::new();
        self.installed(&named.id, &mut seen)
    }

    fn installed(&self, id: &PackageId, seen: &mut Vec<String>) -> Option<String> {
        let facts = self.media.package(id)?;
        let name = id.as_str().to_lowercase();
        if seen.contains(&name) {
            return None;
        }
        seen.push(name);
        let needed = facts.depends.iter();
        let mut of_needed = needed.filter_map(|id| self.installed(id, seen));
        of_needed.next().or_else(|| self.way(id, facts))
    }

    fn installation(&self, named: &Named, facts: &PackageFacts) -> Option<String> {
        self.way(&named.id, facts)
    }

    fn way(&self, id: &PackageId, facts: &PackageFacts) -> Option<String> {
        match (facts.installation.as_ref()?, self.system) {
            (Installation::None, _) => Some(format!(
                "package `{id}` does not say how it is installed: give it `install` in media.toml"
            )),
            (Installation::Debian, OperatingSystem::Windows) => Some(format!(
                "package `{id}` is installed as Debian packages, but the sequence is for Windows"
            )),
            (Installation::Rpm, OperatingSystem::Windows) => Some(format!(
                "package `{id}` is installed as RPM packages, but the sequence is for Windows"
            )),
            (Installation::Windows, OperatingSystem::Linux) => Some(format!(
                "package `{id}` is installed by Windows, but the sequence is for Linux"
            )),
            _ => None,
        }
    }

    fn updates(&self, named: &Named, facts: &PackageFacts) -> Option<String> {
        let files = facts.files.as_ref()?;
        let (fits, needed): (fn(&str) -> bool, _) = match self.system {
            OperatingSystem::Linux => (
                |file| is_apt_index(file) || is_of_rpms(file),
                "index of a repository: put a file `Packages` into the folder (dpkg-scanpackages), or `repodata/repomd.xml` \
                 (createrepo_c); RPM files do without",
            ),
            OperatingSystem::Windows => (is_update, "update (.msu or .cab) in its folder"),
        };
        (!files.iter().any(|file| fits(file))).then(|| format!("package `{}` has no {needed}", named.id))
    }

    fn script(&self, options: &RunScript) -> Vec<String> {
        let (Some(package), Some(file)) = (&options.package, &options.file) else {
            return Vec::new();
        };
        let ids = self.given.texts(package.as_str()).unwrap_or_default();
        let files = self.given.texts(file).unwrap_or_default();
        let pairs = ids.iter().flat_map(|id| files.iter().map(move |file| (id, file)));
        pairs
            .filter_map(|(id, file)| self.file(&PackageId::new(id.as_str()), file))
            .collect()
    }

    fn file(&self, id: &PackageId, file: &str) -> Option<String> {
        let path = file.replace('\\', "/");
        if path.starts_with('/') || path.contains(':') || path.split('/').any(|part| part == "..") {
            return Some(format!(
                "`file`: `{file}` does not lie in the package: write its path there"
            ));
        }
        let files = self.media.package(id)?.files.as_ref()?;
        let path = path
            .split('/')
            .filter(|part| !matches!(*part, "" | "."))
            .collect::<Vec<_>>()
            .join("/");
        let ignores_case = self.system == OperatingSystem::Windows;
        let is_it = |known: &String| *known == path || ignores_case && known.eq_ignore_ascii_case(&path);
        if files.iter().any(is_it) {
            return None;
        }
        let help = did_you_mean(&path, files.iter());
        Some(format!("package `{id}` has no file `{file}`{help}"))
    }
}

fn did_you_mean<'a>(wanted: &str, known: impl Iterator<Item = &'a String>) -> String {
    nearest(wanted, known.map(String::as_str))
        .map(|near| format!(": did you mean `{near}`?"))
        .unwrap_or_default()
}

fn is_update(file: &str) -> bool {
    let file = file.to_lowercase();
    let name = file.strip_prefix("optional/").unwrap_or(&file);
    !name.contains('/') && (name.ends_with(".msu") || name.ends_with(".cab"))
}
