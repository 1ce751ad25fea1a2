//! Debian packages from a repository on the media: nothing else is asked.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::Linux;
use crate::platform::{Command, Files as _, Output, Packages, Processes, Result, Runner, Upgraded};

const WORK: &str = "/run/media-runtime/apt";

impl Packages for Linux {
    fn upgrade(&self, repository: &Path, all: bool, run: Runner<'_>) -> Result<Upgraded> {
        let before = self.versions()?;
        let verb: &[&str] = if all {
            &["dist-upgrade"]
        } else {
            &["--with-new-pkgs", "upgrade"]
        };
        self.apt(repository, verb, run)?;
        let after = self.versions()?;
        let changed = after.into_iter().filter(|line| !before.contains(line));
        Ok(Upgraded {
            changed: changed.collect(),
            unfit: Vec::new(),
        })
    }

    fn install(&self, repository: &Path, packages: &[String], run: Runner<'_>) -> Result<()> {
        let mut arguments = vec!["install"];
        arguments.extend(packages.iter().map(String::as_str));
        self.apt(repository, &arguments, run)
    }

    fn install_files(&self, files: &[PathBuf], run: Runner<'_>) -> Result<()> {
        finish_interrupted(run)?;
        let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        let mut arguments = vec!["-i"];
        arguments.extend(names.iter().map(String::as_str));
        tool(run, "dpkg", &arguments).map(drop)
    }

    fn restart_required(&self) -> bool {
        self.exists(Path::new("/run/reboot-required"))
    }
}

impl Linux {
    /// Every installed package with its version, a line each.
    fn versions(&self) -> Result<Vec<String>> {
        // Quick, and too long for a log.
        let run = |command: Command| self.run(&command);
        let output = tool(&run, "dpkg-query", &["-W", "-f", "${Package}=${Version}\n"])?;
        Ok(output.stdout.lines().map(str::to_owned).collect())
    }

    /// Runs apt-get with nothing but that repository; the system's own sources and lists stay as they are.
    fn apt(&self, repository: &Path, arguments: &[&str], run: Runner<'_>) -> Result<()> {
        finish_interrupted(run)?;
        let sources = Path::new(WORK).join("media.list");
        // The digests of the repository's files were compared with the media's manifest, which takes the place of
        // a signature by a key that an offline machine could not check against anything.
        let line = format!("deb [trusted=yes] copy:{} ./\n", repository.display());
        self.write(&sources, line.as_bytes(), 0o644)?;
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
        tool(run, "apt-get", &[&common[..], &["update"]].concat())?;
        tool(run, "apt-get", &[&common[..], arguments].concat()).map(drop)
    }
}

/// After a power cut in the middle of an installation, apt refuses to work until dpkg has ended it.
fn finish_interrupted(run: Runner<'_>) -> Result<()> {
    tool(run, "dpkg", &["--force-confold", "--configure", "-a"])
        .map(drop)
        .context("ending an installation that was interrupted")
}

fn tool(run: Runner<'_>, program: &str, arguments: &[&str]) -> Result<Output> {
    let command = Command {
        program: program.into(),
        arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        environment: [("DEBIAN_FRONTEND".to_owned(), "noninteractive".to_owned())].into(),
        ..Command::default()
    };
    let output = run(command)?;
    if output.code != 0 {
        let all = format!("{}\n{}", output.stdout, output.stderr);
        let lines: Vec<&str> = all.lines().filter(|line| !line.trim().is_empty()).collect();
        let end = lines[lines.len().saturating_sub(8)..].join(" / ");
        bail!(
            "{program} {} ended with {}: {end}",
            arguments.last().unwrap_or(&""),
            output.code
        );
    }
    Ok(output)
}
