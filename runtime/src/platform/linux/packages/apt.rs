//! Debian packages from a repository on the media: nothing else is asked.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{listed, tool};
use crate::platform::linux::Linux;
use crate::platform::{Files as _, Result, Runner};

const WORK: &str = "/run/media-runtime/apt";

pub(super) fn upgrade(linux: &Linux, repository: &Path, all: bool, run: Runner<'_>) -> Result<()> {
    let verb: &[&str] = if all {
        &["dist-upgrade"]
    } else {
        &["--with-new-pkgs", "upgrade"]
    };
    apt(linux, repository, verb, run)
}

pub(super) fn install(linux: &Linux, repository: &Path, packages: &[String], run: Runner<'_>) -> Result<()> {
    let mut arguments = vec!["install"];
    arguments.extend(packages.iter().map(String::as_str));
    apt(linux, repository, &arguments, run)
}

pub(super) fn install_files(files: &[PathBuf], run: Runner<'_>) -> Result<()> {
    finish_interrupted(run)?;
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let mut arguments = vec!["-i"];
    arguments.extend(names.iter().map(String::as_str));
    tool(run, "dpkg", &arguments, &[0]).map(drop)
}

/// Every installed package with its version, a line each.
pub(super) fn versions(linux: &Linux) -> Result<Vec<String>> {
    listed(linux, "dpkg-query", &["-W", "-f", "${Package}=${Version}\n"])
}

/// Runs apt-get with nothing but that repository; the system's own sources and lists stay as they are.
fn apt(linux: &Linux, repository: &Path, arguments: &[&str], run: Runner<'_>) -> Result<()> {
    finish_interrupted(run)?;
    let sources = Path::new(WORK).join("media.list");
    // The digests of the repository's files were compared with the media's manifest, which takes the place of
    // a signature by a key that an offline machine could not check against anything.
    let line = format!("deb [trusted=yes] copy:{} ./\n", repository.display());
    linux.write(&sources, line.as_bytes(), 0o644)?;
    for folder in ["lists/partial", "cache/archives/partial"] {
        std::fs::create_dir_all(Path::new(WORK).join(folder)).context("making room for apt")?;
    }
    let options = [
        format!("Dir::Etc::sourcelist={}", sources.display()),
        "Dir::Etc::sourceparts=-".to_owned(),
        format!("Dir::State::lists={WORK}/lists"),
        format!("Dir::Cache={WORK}/cache"),
        "APT::Sandbox::User=root".to_owned(),
        "Acquire::Languages=none".to_owned(),
        "Dpkg::Options::=--force-confold".to_owned(),
        "DPkg::Lock::Timeout=120".to_owned(),
    ];
    let mut common: Vec<&str> = vec!["-q", "-y"];
    common.extend(options.iter().flat_map(|option| ["-o", option.as_str()]));
    tool(run, "apt-get", &[&common[..], &["update"]].concat(), &[0])?;
    tool(run, "apt-get", &[&common[..], arguments].concat(), &[0]).map(drop)
}

/// After a power cut in the middle of an installation, apt refuses to work until dpkg has ended it.
fn finish_interrupted(run: Runner<'_>) -> Result<()> {
    tool(run, "dpkg", &["--force-confold", "--configure", "-a"], &[0])
        .map(drop)
        .context("ending an installation that was interrupted")
}
