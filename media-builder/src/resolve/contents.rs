//! Whether packages have what their own entries in `media.toml` promise: images, and repositories with packages.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use disk_image::SourceId;
use media_format::manifest;
use media_format::wim::info::WimInfo;

use super::packages::ResolvedPackage;
use super::sources::Sources;
use crate::problem::Problems;
use crate::project::{Install, Package};

/// Larger indexes than this are not looked into.
const LARGEST_INDEX: u64 = 256 << 20;

/// What in a package's entry installs nothing.
pub(super) fn installs_nothing(package: &Package) -> Option<&'static str> {
    match package.install.as_ref()? {
        Install::Command(line) => line.trim().is_empty().then_some("the command is empty"),
        Install::Apt { packages, .. } | Install::Dnf { packages, .. } => {
            packages.is_empty().then_some("`packages` is empty")
        }
        Install::Deb(files) | Install::Rpm(files) | Install::Windows(files) => {
            files.is_empty().then_some("it names no file")
        }
    }
}

/// The WIM of an image package that is a folder, found as the machine finds it.
///
/// # Errors
/// When the folder has none, or several.
pub(super) fn image(folder: &Path, names: &[&str]) -> Result<WimInfo, String> {
    let with = |kinds: &[&str]| -> Vec<PathBuf> {
        let is_one = |name: &&&str| {
            let kind = name.rsplit_once('.').map(|(_, kind)| kind.to_lowercase());
            kind.is_some_and(|kind| kinds.contains(&kind.as_str()))
        };
        names
            .iter()
            .filter(is_one)
            .map(|name| folder.join(name))
            .collect()
    };
    match with(&["wim", "esd"]).as_slice() {
        [] => {}
        [one] => return read(one),
        several => {
            return Err(format!(
                "the folder has {} WIM files: name one of them as the source",
                several.len()
            ));
        }
    }
    for part in with(&["swm"]) {
        let info = read(&part)?;
        if info.part == 1 {
            return Ok(info);
        }
    }
    Err("the folder has no WIM, ESD, or first part of a split WIM (SWM)".into())
}

/// Reads what a WIM holds.
///
/// # Errors
/// When it is none.
pub(super) fn read(path: &Path) -> Result<WimInfo, String> {
    let is_disc = path
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("iso"));
    let hint = if is_disc {
        "; of a disc the image is `sources/install.wim` or `sources/install.esd`: take that out of it, and name it here"
    } else {
        ""
    };
    let reading =
        |error: &dyn std::fmt::Display| format!("reading the image {}: {error}{hint}", path.display());
    let mut file = std::fs::File::open(path).map_err(|error| reading(&error))?;
    WimInfo::read(&mut file).map_err(|error| reading(&error))
}

/// What an RPM package begins with: four bytes, the version of the format, and whether it holds sources (rpm's LSB
/// specification, "The Lead").
const RPM_LEAD: [u8; 4] = [0xed, 0xab, 0xee, 0xdb];
const RPM_SOURCES: [u8; 2] = [0, 1];

/// Whether a file is an RPM package that can be installed.
///
/// # Errors
/// Why it is none.
pub(super) fn check_rpm(path: &Path) -> Result<(), String> {
    let mut lead = [0; 8];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut lead));
    match read {
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(format!("cannot be read: {error}")),
        Ok(()) if lead[..4] == RPM_LEAD && lead[6..] == RPM_SOURCES => {
            Err("holds the sources of an RPM package: take the package that is built from them".into())
        }
        Ok(()) if lead[..4] == RPM_LEAD => Ok(()),
        _ => Err("is no RPM package: it does not begin with ED AB EE DB".into()),
    }
}

/// Every package that is installed from a repository is in it.
pub(super) fn check_repositories(packages: &[ResolvedPackage], sources: &Sources, problems: &mut Problems) {
    for package in packages {
        let Some(install) = &package.entry.install else {
            continue;
        };
        let Some(repository) = install.repository() else {
            continue;
        };
        // One that does not exist is reported where the packages are chosen.
        let mut all = packages.iter();
        let Some(found) = all.find(|other| other.entry.id.eq_ignore_ascii_case(repository)) else {
            continue;
        };
        if let Err(why) = check_repository(found, install, sources) {
            let id = &package.entry.id;
            problems.push(format!(
                "the package {id} is installed from the package {repository}, {why}"
            ));
        }
    }
}

fn check_repository(
    repository: &ResolvedPackage,
    install: &manifest::Install,
    sources: &Sources,
) -> Result<(), String> {
    if repository.entry.path.is_empty() {
        // Its source could not be read, which was said.
        return Ok(());
    }
    match install {
        manifest::Install::Apt { packages, .. } => check_apt_index(repository, packages, sources),
        _ => check_rpm_index(repository),
    }
}

/// Its lists of packages are compressed: they are for the machine to read.
fn check_rpm_index(repository: &ResolvedPackage) -> Result<(), String> {
    let index = format!("{}/{}", repository.entry.path, manifest::RPM_INDEX);
    if repository.files().any(|(path, _)| path == index) {
        return Ok(());
    }
    Err("which has no index: make one in its folder (createrepo_c)".into())
}

fn check_apt_index(repository: &ResolvedPackage, wanted: &[String], sources: &Sources) -> Result<(), String> {
    let folder = format!("{}/", repository.entry.path);
    let is_index = |path: &str| path.strip_prefix(&folder).is_some_and(manifest::is_apt_index);
    if !repository.files().any(|(path, _)| is_index(path)) {
        return Err("which has no index: put a file `Packages` into its folder (dpkg-scanpackages)".into());
    }
    // One that is only there compressed is for the machine to read.
    let mut files = repository.files();
    let index = files.find(|(path, _)| *path == format!("{folder}Packages"));
    let Some(known) = index.and_then(|(_, id)| names(id, sources)) else {
        return Ok(());
    };
    match wanted.iter().find(|wanted| !known.contains(name(wanted))) {
        Some(missing) => Err(format!("whose index does not have {missing}")),
        None => Ok(()),
    }
}

/// The names in an index, also those that packages provide.
fn names(index: SourceId, sources: &Sources) -> Option<BTreeSet<String>> {
    let path = sources.path(index);
    if std::fs::metadata(path).ok()?.len() > LARGEST_INDEX {
        return None;
    }
    let text = std::fs::read_to_string(path).ok()?;
    let lists = text.lines().filter_map(|line| {
        let (field, value) = line.split_once(':')?;
        matches!(field, "Package" | "Provides").then_some(value)
    });
    let names = lists.flat_map(|list| list.split(','));
    Some(
        names
            .filter_map(|name| Some(name.split_whitespace().next()?.to_owned()))
            .collect(),
    )
}

/// The name without what chooses a version, a release or an architecture.
fn name(wanted: &str) -> &str {
    wanted.split(['=', '/', ':']).next().unwrap_or(wanted).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_of_a_folder_is_found_as_on_the_machine() {
        let folder = Path::new("/nowhere");
        let said = |names: &[&str]| image(folder, names).unwrap_err();
        assert!(
            said(&["readme.txt"]).contains("no WIM"),
            "{}",
            said(&["readme.txt"])
        );
        assert!(said(&["a.wim", "b.ESD"]).contains("2 WIM files"));
        assert!(said(&["a.wim", "b.swm"]).contains("reading the image /nowhere/a.wim"));
        assert!(said(&["a.SWM"]).contains("reading the image /nowhere/a.SWM"));
    }

    #[test]
    fn what_apt_is_asked_for_may_choose_a_version() {
        for wanted in ["editor", "editor=1.0", "editor:amd64", "editor/stable"] {
            assert_eq!(name(wanted), "editor");
        }
    }
}
