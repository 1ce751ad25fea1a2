//! A private apt root: its own sources, state and cache, nothing of the host's but keyring, mirror and proxy.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::sources::Sources;
use super::{Error, Progress, Result, tool};

const KEYRINGS: [&str; 2] = [
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
];
const FOLDERS: [&str; 6] = [
    "etc/apt/preferences.d",
    "etc/apt/apt.conf.d",
    "etc/apt/trusted.gpg.d",
    "var/lib/apt/lists/partial",
    "var/cache/apt/archives/partial",
    "var/lib/dpkg",
];

/// One downloaded package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Archive {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) file_name: String,
}

/// A private apt root for one suite.
pub(super) struct PrivateRoot {
    root: PathBuf,
    suite: String,
}

impl PrivateRoot {
    /// Makes or reuses the root under `folder`.
    pub(super) fn create(folder: &Path, suite: &str, sources: &Sources) -> Result<Self> {
        let keyring = KEYRINGS.into_iter().find(|path| Path::new(path).exists());
        let keyring = keyring.ok_or_else(|| Error::KeyringMissing(KEYRINGS[0].to_owned()))?;
        for name in FOLDERS {
            let path = folder.join(name);
            fs::create_dir_all(&path).map_err(Error::io("creating", &path))?;
        }
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).map_err(Error::io("writing", &path))
        };
        let root = fs::canonicalize(folder).map_err(Error::io("opening", folder))?;
        // An empty status: every dependency is resolved and downloaded, whatever the host has installed.
        write("var/lib/dpkg/status", "")?;
        write("etc/apt/sources.list", &sources.list(suite, keyring))?;
        write("apt.conf", &configuration(&root, &host_network_settings()?))?;
        Ok(Self {
            root,
            suite: suite.to_owned(),
        })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("APT_CONFIG", self.root.join("apt.conf"))
            .env("DEBIAN_FRONTEND", "noninteractive");
        command
    }

    /// Fetches the suite's package lists.
    pub(super) fn update(&self) -> Result<()> {
        let mut command = self.command("apt-get");
        command.args(["update", "--error-on=any"]);
        tool::output(
            &mut command,
            &format!("reading the package lists of {}", self.suite),
        )
        .map(drop)
    }

    /// All packages that the wanted ones need, with their versions.
    pub(super) fn resolve(&self, wanted: &[String]) -> Result<Vec<Archive>> {
        let names = self.choose(wanted)?;
        let mut command = self.command("apt-get");
        command.args(["install", "--simulate", "-q"]).args(&names);
        let text = tool::output(&mut command, &format!("resolving the packages of {}", self.suite))?;
        Ok(text.lines().filter_map(parse_planned).collect())
    }

    /// Takes from each `a|b` the first that exists.
    fn choose(&self, wanted: &[String]) -> Result<Vec<String>> {
        let text = tool::output(self.command("apt-cache").arg("pkgnames"), "listing package names")?;
        let known: BTreeSet<&str> = text.lines().collect();
        let choose = |entry: &String| {
            let found = entry.split('|').find(|name| known.contains(name));
            let missing = || Error::PackageMissing {
                suite: self.suite.clone(),
                package: entry.clone(),
            };
            found.map(str::to_owned).ok_or_else(missing)
        };
        wanted.iter().map(choose).collect()
    }

    /// Downloads the packages; what is there already is kept.
    pub(super) fn download(&self, archives: &[Archive], progress: Progress<'_>) -> Result<()> {
        let mut command = self.command("apt-get");
        command.args(["install", "--download-only", "-y", "-q", "-o", "APT::Status-Fd=1"]);
        command.args(
            archives
                .iter()
                .map(|archive| format!("{}={}", archive.name, archive.version)),
        );
        tool::each_line(
            &mut command,
            &format!("downloading the packages of {}", self.suite),
            |line| {
                if let Some(percent) = parse_percent(line) {
                    progress("downloading packages", percent, 100);
                }
            },
        )
    }

    /// Where a downloaded package lies.
    pub(super) fn path(&self, archive: &Archive) -> PathBuf {
        self.root.join("var/cache/apt/archives").join(&archive.file_name)
    }
}

fn configuration(root: &Path, network: &str) -> String {
    let root = root.display();
    format!(
        "Dir \"{root}\";\nDir::State::status \"{root}/var/lib/dpkg/status\";\n\
         Dir::Etc::netrc \"/etc/apt/auth.conf\";\nDir::Etc::netrcparts \"/etc/apt/auth.conf.d\";\n\
         APT::Architecture \"amd64\";\nAPT::Architectures {{ \"amd64\"; }};\n\
         APT::Install-Recommends \"false\";\nAPT::Sandbox::User \"root\";\n\
         APT::Get::AllowUnauthenticated \"false\";\nAcquire::Languages \"none\";\nAcquire::Retries \"3\";\n{network}"
    )
}

/// The host's proxies and the like: the private root must reach the mirror the same way.
fn host_network_settings() -> Result<String> {
    let text = tool::output(
        Command::new("apt-config").arg("dump"),
        "reading the host's apt configuration",
    )?;
    let kept = |line: &&str| line.starts_with("Acquire::http") && !line.ends_with(" \"\";");
    Ok(text
        .lines()
        .filter(kept)
        .map(|line| format!("{line}\n"))
        .collect())
}

/// `Inst NAME (VERSION ORIGIN [ARCHITECTURE])`, as `apt-get --simulate` says it.
fn parse_planned(line: &str) -> Option<Archive> {
    let (name, rest) = line.strip_prefix("Inst ")?.split_once(" (")?;
    let version = rest.split(' ').next()?;
    let architecture = rest.split_once('[')?.1.split_once(']')?.0;
    let name = name.split(' ').next()?;
    let file_name = format!("{name}_{}_{architecture}.deb", version.replace(':', "%3a"));
    Some(Archive {
        name: name.to_owned(),
        version: version.to_owned(),
        file_name,
    })
}

/// `dlstatus:1:42.5:Retrieving file …`
fn parse_percent(line: &str) -> Option<u64> {
    let number = line.strip_prefix("dlstatus:")?.split(':').nth(1)?;
    number.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planned_packages_are_read() {
        let archive = parse_planned("Inst libattr1 (1:2.5.2-3 Debian:13.7/stable [amd64]) []").unwrap();
        assert_eq!(archive.file_name, "libattr1_1%3a2.5.2-3_amd64.deb");
        assert_eq!(
            (archive.name.as_str(), archive.version.as_str()),
            ("libattr1", "1:2.5.2-3")
        );
        assert_eq!(
            parse_planned("Conf libattr1 (1:2.5.2-3 Debian:13.7/stable [amd64])"),
            None
        );
    }

    #[test]
    fn download_status_is_read() {
        assert_eq!(
            parse_percent("dlstatus:12:42.857:Retrieving file 3 of 7"),
            Some(42)
        );
        assert_eq!(parse_percent("Get:1 http://mirror trixie"), None);
    }
}
