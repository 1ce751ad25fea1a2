//! The index of the driver packages, and what is wrong with their INF files.

use std::collections::BTreeMap;

use disk_image::SourceId;
use media_format::drivers::{DriverIndex, DriverInf, FORMAT, RefusedInf};
use media_format::manifest::PackageKind;
use windows_setup::drivers::{Listing, index_inf};

use super::packages::ResolvedPackage;
use super::sources::Sources;

/// Reads the INF files of all driver packages. An INF file that cannot be used is left out with a warning: vendors'
/// collections have some, and a machine that needs none of them can be built.
pub(super) fn index(packages: &[ResolvedPackage], sources: &Sources) -> (Option<DriverIndex>, Vec<String>) {
    let mut index = DriverIndex {
        format: FORMAT,
        infs: vec![],
        refused: vec![],
    };
    let mut warnings = Vec::new();
    let of_drivers = |package: &&ResolvedPackage| package.entry.kind == PackageKind::Driver;
    let mut any = false;
    for package in packages.iter().filter(of_drivers) {
        any = true;
        let files = Files::new(package, sources);
        if files.infs().next().is_none() {
            let id = &package.entry.id;
            warnings.push(format!(
                "the driver package {id} has no INF file: give the folder of the unpacked drivers"
            ));
        }
        for path in files.infs() {
            match files.index(path) {
                Ok(inf) => index.infs.push(inf),
                Err(refused) => index.refused.push(refused),
            }
        }
    }
    warnings.extend(index.refused.iter().map(about_refused));
    warnings.extend(index.infs.iter().flat_map(about));
    (any.then_some(index), warnings)
}

fn about_refused(refused: &RefusedInf) -> String {
    format!(
        "{}/{}: {}; it is left out",
        refused.package, refused.path, refused.reason
    )
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

    /// `autorun.inf` is no driver's: it tells old systems what to start from a disc.
    fn infs(&self) -> impl Iterator<Item = &'a str> {
        let is_inf = |path: &str| {
            let path = path.to_lowercase();
            path.ends_with(".inf") && path.rsplit('/').next() != Some("autorun.inf")
        };
        self.by_path.keys().copied().filter(move |path| is_inf(path))
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
