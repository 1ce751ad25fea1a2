//! RPM packages from a repository, or a folder, on the media: nothing else is asked.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use media_format::manifest::{RPM_INDEX, holds_rpms};

use super::{listed, tool};
use crate::platform::linux::Linux;
use crate::platform::{Files as _, Result, Runner};

const WORK: &str = "/run/media-runtime/rpm";
const REPOSITORIES: &str = "/run/media-runtime/rpm/repositories";
const CACHE: &str = "/run/media-runtime/rpm/cache";

/// What finds out which packages belong together; rpm itself does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    /// The fourth and the fifth, whose options here are the same.
    Dnf,
    Zypper,
}

impl Tool {
    /// The one of the running system.
    pub(super) fn of(linux: &Linux) -> Result<Self> {
        let known = [("/usr/bin/dnf", Self::Dnf), ("/usr/bin/zypper", Self::Zypper)];
        let found = known.iter().find(|(path, _)| linux.exists(Path::new(path)));
        found.map(|(_, tool)| *tool).context(
            "the system has neither dnf nor zypper, which install RPM packages with what these need: install one of them in \
             the reference, or name the files themselves (`install = { rpm = [\"FILE.rpm\"] }`)",
        )
    }

    /// Runs it with nothing but the media; the system's own repositories and caches stay as they are.
    fn run(self, arguments: &[&str], run: Runner<'_>) -> Result<()> {
        let (reposdir, cachedir) = (
            format!("--setopt=reposdir={REPOSITORIES}"),
            format!("--setopt=cachedir={CACHE}"),
        );
        let (program, common, success): (_, &[&str], &[i64]) = match self {
            Self::Dnf => (
                "dnf",
                &["-y", &reposdir, &cachedir, "--setopt=localpkg_gpgcheck=False"],
                &[0],
            ),
            // The system's services would put repositories of their own beside ours: nothing is refreshed. Done are also the
            // codes after which the machine (102) or zypper (103) has to be started again.
            Self::Zypper => (
                "zypper",
                &[
                    "--non-interactive",
                    "--no-gpg-checks",
                    "--no-refresh",
                    "--reposd-dir",
                    REPOSITORIES,
                    "--cache-dir",
                    CACHE,
                ],
                &[0, 102, 103],
            ),
        };
        tool(run, program, &[common, arguments].concat(), success).map(drop)
    }
}

/// Whether RPM packages lie in that folder of the media.
pub(super) fn is_of_rpms(linux: &Linux, folder: &Path) -> Result<bool> {
    let names = linux.list(folder)?;
    let files = names.iter().filter(|name| !linux.is_folder(&folder.join(name)));
    let index = has_index(linux, folder).then_some(RPM_INDEX);
    Ok(holds_rpms(files.map(String::as_str).chain(index)))
}

/// Whether that is the name of an RPM package.
pub(super) fn is_file(path: &Path) -> bool {
    path.extension().is_some_and(|kind| kind == "rpm")
}

/// Upgrades what is installed; with `all`, other packages may have to go for it.
pub(super) fn upgrade(linux: &Linux, tool: Tool, folder: &Path, all: bool, run: Runner<'_>) -> Result<()> {
    prepare(linux, tool, folder)?;
    let mut arguments = match (tool, all) {
        (Tool::Dnf, false) => vec!["upgrade", "--setopt=best=False"],
        (Tool::Dnf, true) => vec!["upgrade", "--setopt=best=True", "--allowerasing"],
        (Tool::Zypper, false) => vec!["update", "--auto-agree-with-licenses"],
        (Tool::Zypper, true) => {
            vec![
                "dist-upgrade",
                "--no-allow-downgrade",
                "--auto-agree-with-licenses",
            ]
        }
    };
    let mut names = Vec::new();
    if tool == Tool::Dnf && !has_index(linux, folder) {
        names = names_of(&files(linux, folder)?);
        if !upgrades_any(linux, &names)? {
            return Ok(());
        }
        // What is not installed is offered too, since an update may need it: the fifth dnf would take that for an error.
        arguments.push("--setopt=skip_unavailable=True");
    }
    arguments.extend(names.iter().map(String::as_str));
    tool.run(&arguments, run)
}

/// Installs packages by name.
pub(super) fn install(
    linux: &Linux,
    tool: Tool,
    repository: &Path,
    packages: &[String],
    run: Runner<'_>,
) -> Result<()> {
    prepare(linux, tool, repository)?;
    let mut arguments = match tool {
        Tool::Dnf => vec!["install"],
        Tool::Zypper => vec!["install", "--auto-agree-with-licenses"],
    };
    arguments.extend(packages.iter().map(String::as_str));
    tool.run(&arguments, run)
}

/// Installs these files in one go; repeated after a cut, also those that are there already.
pub(super) fn install_files(files: &[PathBuf], run: Runner<'_>) -> Result<()> {
    let names = names_of(files);
    let mut arguments = vec!["--upgrade", "--replacepkgs", "--nosignature"];
    arguments.extend(names.iter().map(String::as_str));
    tool(run, "rpm", &arguments, &[0]).map(drop)
}

/// Every installed package with its version, a line each.
pub(super) fn versions(linux: &Linux) -> Result<Vec<String>> {
    let mut versions = listed(linux, "rpm", &["-qa", "--qf", "%{NAME}=%{EVR}\n"])?;
    versions.sort();
    // One that is there for several architectures is one.
    versions.dedup();
    Ok(versions)
}

/// What a running system goes on using until its next start, by what packages provide: those that needs-restarting(1) knows, and
/// those that say so themselves to zypper.
const USED_UNTIL_RESTART: [&str; 9] = [
    "kernel",
    "linux-firmware",
    "microcode_ctl",
    "glibc",
    "systemd",
    "udev",
    "dbus",
    "dbus-broker",
    "installhint(reboot-needed)",
];

/// Whether one of these was installed after the system was started.
pub(super) fn is_restart_required(linux: &Linux) -> bool {
    if !linux.exists(Path::new("/usr/bin/rpm")) {
        return false;
    }
    let query = ["-q", "--qf", "%{INSTALLTIME}\n", "--whatprovides"];
    let run = |command| crate::platform::Processes::run(linux, &command);
    // Its code counts the names that no package provides.
    let any: Vec<i64> = (0..=i64::try_from(USED_UNTIL_RESTART.len()).unwrap_or_default()).collect();
    let said = tool(&run, "rpm", &[&query[..], &USED_UNTIL_RESTART].concat(), &any);
    let (Ok(said), Some(start)) = (said, started()) else {
        return false;
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    any_between(&said.stdout, start, now.as_secs())
}

/// Whether a package's time lies after the start. One after now does not count: the machine's clock is behind, and the package came
/// with the image.
fn any_between(times: &str, start: u64, now: u64) -> bool {
    let mut times = times.lines().filter_map(|line| line.parse().ok());
    times.any(|time: u64| time > start && time <= now)
}

/// When the system was started, in seconds since 1970 (proc_stat(5)).
fn started() -> Option<u64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

fn has_index(linux: &Linux, folder: &Path) -> bool {
    linux.exists(&folder.join(RPM_INDEX))
}

/// The packages in a folder.
fn files(linux: &Linux, folder: &Path) -> Result<Vec<PathBuf>> {
    let paths = linux.list(folder)?.into_iter().map(|name| folder.join(name));
    Ok(paths.filter(|path| is_file(path)).collect())
}

fn names_of(files: &[PathBuf]) -> Vec<String> {
    files.iter().map(|file| file.display().to_string()).collect()
}

/// Whether one of those files is of a package that is installed: without one, dnf takes a request for updates for a mistake.
fn upgrades_any(linux: &Linux, files: &[String]) -> Result<bool> {
    let mut query = vec!["-qp", "--nosignature", "--qf", "%{NAME}\n"];
    query.extend(files.iter().map(String::as_str));
    let offered = listed(linux, "rpm", &query)?;
    let installed = listed(linux, "rpm", &["-qa", "--qf", "%{NAME}\n"])?;
    Ok(offered.iter().any(|name| installed.contains(name)))
}

/// Makes the folder the only repository that is known. What an earlier one has left would be taken for its content.
fn prepare(linux: &Linux, tool: Tool, folder: &Path) -> Result<()> {
    match fs::remove_dir_all(WORK) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error).context("making room"),
        _ => fs::create_dir_all(REPOSITORIES).context("making room for repositories")?,
    }
    let kind = match (has_index(linux, folder), tool) {
        (true, _) => "rpm-md",
        (false, Tool::Zypper) => "plaindir",
        // It is told the files instead.
        (false, Tool::Dnf) => return Ok(()),
    };
    // The digests of the repository's files were compared with the media's manifest, which takes the place of
    // a signature by a key that an offline machine could not check against anything.
    let text = format!(
        "[media]\nname=media\nbaseurl=file://{}\ntype={kind}\nenabled=1\ngpgcheck=0\nrepo_gpgcheck=0\n",
        folder.display()
    );
    linux.write(
        &Path::new(REPOSITORIES).join("media.repo"),
        text.as_bytes(),
        0o644,
    )
}

#[cfg(test)]
mod tests {
    use super::any_between;

    #[test]
    fn a_restart_is_needed_by_what_was_installed_since_the_start() {
        let (start, now) = (1000, 2000);
        for (times, needed) in [
            ("500\n900\n", false),
            ("500\n1500\nno package provides udev\n", true),
            ("2000\n", true),
            // A clock that is behind: the image's packages come from the future.
            ("90000\n90001\n", false),
            ("90000\n1001\n", true),
            ("", false),
        ] {
            assert_eq!(any_between(times, start, now), needed, "{times}");
        }
    }
}
