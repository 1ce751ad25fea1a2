//! The index of the driver packages, and what is wrong with their INF files.

use std::collections::BTreeMap;

use disk_image::SourceId;
use media_format::drivers::{Architecture, DriverIndex, DriverInf, FORMAT, RefusedInf};
use media_format::manifest::PackageKind;
use windows_setup::drivers::{Listing, index_inf, is_driver_inf};

use super::packages::ResolvedPackage;
use super::sources::Sources;
use crate::problem::Problems;
use crate::project::{Package, Project};
use crate::toml_problem::TomlProblem;

/// How a user takes a package as it is.
const SKIP: &str = "skip-broken-drivers = true";

/// Reads the INF files of all driver packages. One that cannot be read is a problem, unless the project says that the package is
/// taken without it; so is a package of which nothing can be used. The rest are warnings.
pub(super) fn index(
    project: &Project,
    packages: &[ResolvedPackage],
    sources: &Sources,
    problems: &mut Problems,
) -> (Option<DriverIndex>, Vec<String>) {
    check_kinds(project, problems);
    let of_drivers = packages
        .iter()
        .filter(|package| package.entry.kind == PackageKind::Driver);
    let mut any = false;
    let mut index = DriverIndex {
        format: FORMAT,
        infs: vec![],
        refused: vec![],
    };
    let mut warnings = Vec::new();
    for package in of_drivers {
        any = true;
        let written = project.settings.packages.iter();
        let Some(written) = written
            .into_iter()
            .find(|one| *one.id.get_ref() == package.entry.id)
        else {
            continue;
        };
        let files = Files::new(package, sources);
        let (infs, refused) = files.read_all();
        let complain = |message, help| {
            problems.push_diagnostic(TomlProblem::at(project.place(&written.id), message, help));
        };
        warnings.extend(judge(written, &files, &infs, &refused, complain));
        warnings.extend(infs.iter().flat_map(about));
        index.infs.extend(infs);
        index.refused.extend(refused);
    }
    (any.then_some(index), warnings)
}

fn check_kinds(project: &Project, problems: &mut Problems) {
    let others = project.settings.packages.iter();
    for package in others.filter(|package| package.kind != PackageKind::Driver) {
        if let Some(skip) = &package.skip_broken_drivers {
            let message = "`skip-broken-drivers` is for packages of the kind `driver`".to_owned();
            problems.push_diagnostic(TomlProblem::at(project.place(skip), message, None));
        }
    }
}

/// Says what is wrong with a package as a whole; gives the warnings.
fn judge(
    package: &Package,
    files: &Files<'_>,
    infs: &[DriverInf],
    refused: &[RefusedInf],
    mut complain: impl FnMut(String, Option<String>),
) -> Vec<String> {
    let skip = package.skip_broken_drivers.as_ref();
    let skip = skip.is_some_and(|skip| *skip.get_ref());
    let mut warnings = Vec::new();
    for broken in refused {
        let what = format!("{}: {}", files.place(&broken.path), broken.reason);
        if skip || !files.read(&broken.path).is_ok_and(|bytes| is_driver_inf(&bytes)) {
            warnings.push(format!("{what}; it is left out"));
        } else {
            let help = format!("mend or remove the file, or write `{SKIP}` to take the package without it");
            complain(format!("the driver cannot be read: {what}"), Some(help));
        }
    }
    if infs.iter().any(|inf| why_unusable(inf).is_none()) {
        return warnings;
    }
    let why = why_nothing(infs, refused);
    let what = format!(
        "nothing of the driver package {} can be used: {why}",
        package.id.get_ref()
    );
    if skip {
        warnings.push(what);
    } else {
        let help = "give the folder of the unpacked drivers, with all their files";
        complain(
            what,
            Some(format!(
                "{help}, or write `{SKIP}` to build the media all the same"
            )),
        );
    }
    warnings
}

fn why_nothing(infs: &[DriverInf], refused: &[RefusedInf]) -> String {
    /// More says the same, mostly.
    const MOST: usize = 5;
    let whys = infs
        .iter()
        .filter_map(|inf| Some(format!("{}: {}", inf.path, why_unusable(inf)?)));
    let mut whys: Vec<String> = whys.take(MOST).collect();
    if infs.len() > MOST {
        whys.push(format!("and {} more", infs.len() - MOST));
    }
    match (whys.is_empty(), refused.is_empty()) {
        (true, true) => "it has no INF file".to_owned(),
        (true, false) => "none of its INF files can be read".to_owned(),
        (false, _) => whys.join("; "),
    }
}

/// Why no machine would be given it: the images that media apply are for x64.
fn why_unusable(inf: &DriverInf) -> Option<String> {
    if !inf.architectures().contains(&Architecture::Amd64) {
        return Some("it has no device for x64 (amd64)".into());
    }
    let missing: Vec<&str> = inf.missing(Architecture::Amd64).collect();
    (!missing.is_empty()).then(|| format!("the package lacks {}", missing.join(", ")))
}

fn about(inf: &DriverInf) -> Vec<String> {
    let place = format!("{}/{}", inf.package, inf.path);
    let mut all = inf.warnings.clone();
    if !inf.signature.is_signed() {
        all.push(inf.signature.to_string());
    }
    let missing: Vec<&str> = inf
        .files
        .iter()
        .filter(|file| !file.present)
        .map(|file| file.path.as_str())
        .collect();
    if !missing.is_empty() {
        all.push(format!("the package lacks {}", missing.join(", ")));
    }
    all.into_iter()
        .map(|warning| format!("{place}: {warning}"))
        .collect()
}

/// The files of a package by their paths beneath it.
struct Files<'a> {
    listing: Listing,
    package: &'a str,
    sources: &'a Sources,
    by_path: BTreeMap<&'a str, SourceId>,
}

impl<'a> Files<'a> {
    fn new(package: &'a ResolvedPackage, sources: &'a Sources) -> Self {
        let base = &package.entry.path;
        let beneath = |path: &'a str| match path.strip_prefix(base.as_str()) {
            Some("") | None => path.rsplit('/').next().unwrap_or(path),
            Some(rest) => rest.trim_start_matches('/'),
        };
        let by_path: BTreeMap<_, _> = package.files().map(|(path, id)| (beneath(path), id)).collect();
        Self {
            listing: Listing::new(&package.entry.id, by_path.keys().map(|path| (*path).to_owned())),
            package: &package.entry.id,
            sources,
            by_path,
        }
    }

    /// `autorun.inf` is no driver's: it tells old systems what to start from a disc. Nor is what macOS puts beside a file (`._NAME`).
    fn infs(&self) -> impl Iterator<Item = &'a str> {
        let is_inf = |path: &str| {
            let path = path.to_lowercase();
            let name = path.rsplit('/').next().unwrap_or(&path);
            name.ends_with(".inf") && name != "autorun.inf" && !name.starts_with("._")
        };
        self.by_path.keys().copied().filter(move |path| is_inf(path))
    }

    fn read_all(&self) -> (Vec<DriverInf>, Vec<RefusedInf>) {
        let (mut infs, mut refused) = (Vec::new(), Vec::new());
        for path in self.infs() {
            match self.index(path) {
                Ok(inf) => infs.push(inf),
                Err(why) => refused.push(why),
            }
        }
        (infs, refused)
    }

    /// Where a file of the package lies on this machine.
    fn place(&self, path: &str) -> String {
        let id = self.by_path.get(path);
        id.map_or_else(
            || path.to_owned(),
            |id| self.sources.path(*id).display().to_string(),
        )
    }

    fn index(&self, path: &str) -> Result<DriverInf, RefusedInf> {
        let bytes = self.read(path).map_err(|error| RefusedInf {
            package: self.package.to_owned(),
            path: path.to_owned(),
            reason: format!("reading it: {error}"),
        })?;
        index_inf(&self.listing, path, &bytes, &mut |path| self.read(path).ok())
    }

    fn read(&self, path: &str) -> std::io::Result<Vec<u8>> {
        let id = self.by_path.get(path).ok_or(std::io::ErrorKind::NotFound)?;
        std::fs::read(self.sources.path(*id))
    }
}
