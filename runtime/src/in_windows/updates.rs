//! Updates of Windows as files: MSU by `wusa`, CAB by DISM, in an order in which each finds what it needs.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::installers;
use crate::context::code_text;
use crate::platform::{Files, Result, Runner};

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// The files that were installed.
    pub installed: Vec<String>,
    /// Those that do not fit this system, whatever else was installed.
    pub unfit: Vec<String>,
    /// Something asks for a restart.
    pub restart: bool,
}

/// How one update ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Installed,
    NeedsRestart,
    /// It is there already.
    Known,
    /// It does not fit this system, or not yet: what it builds upon may come with another one.
    DoesNotFit,
    Failed(i64),
}

/// Folder whose updates are only wanted when all are.
const OPTIONAL: &str = "optional";

/// Installs the updates of a folder; those in its folder `optional` only when `all` are wanted. An update that does not fit
/// is tried again after others were installed, until nothing changes: so prerequisites need no list.
///
/// # Errors
/// When an update fails otherwise than by not fitting.
pub fn install(files: &impl Files, folder: &Path, all: bool, run: Runner<'_>) -> Result<Done> {
    let mut left = in_order(files, folder, all)?;
    if left.is_empty() {
        bail!("{} has no update (.msu or .cab)", folder.display());
    }
    let mut done = Done::default();
    loop {
        let before = left.len();
        let mut failed = None;
        let mut again = Vec::new();
        for file in left {
            match one(run, &file)? {
                Ended::Known => {}
                Ended::Installed => done.installed.push(name(&file)),
                Ended::NeedsRestart => {
                    done.installed.push(name(&file));
                    done.restart = true;
                }
                Ended::DoesNotFit => again.push(file),
                Ended::Failed(code) => {
                    failed.get_or_insert((name(&file), code));
                    again.push(file);
                }
            }
        }
        left = again;
        match failed {
            _ if left.is_empty() => return Ok(done),
            // Another one has been installed since: it may be what was missing.
            _ if left.len() < before => {}
            // The rest goes on after the restart, with what the restart completes.
            _ if done.restart => return Ok(done),
            Some((file, code)) => bail!("update {file} ended with {}", code_text(code)),
            None => {
                done.unfit = left.iter().map(|file| name(file)).collect();
                return Ok(done);
            }
        }
    }
}

/// Servicing stack updates come first, because every other one may need them; then by name.
fn in_order(files: &impl Files, folder: &Path, all: bool) -> Result<Vec<PathBuf>> {
    let mut found = updates_in(files, folder)?;
    if all {
        found.extend(updates_in(files, &folder.join(OPTIONAL))?);
    }
    found.sort_by_key(|path| {
        let name = name(path).to_lowercase();
        (!is_servicing_stack(&name), name)
    });
    Ok(found)
}

fn updates_in(files: &impl Files, folder: &Path) -> Result<Vec<PathBuf>> {
    let names = files.list(folder)?;
    let updates = names.iter().filter(|name| {
        let name = name.to_lowercase();
        name.ends_with(".msu") || name.ends_with(".cab")
    });
    Ok(updates.map(|name| folder.join(name)).collect())
}

fn is_servicing_stack(name: &str) -> bool {
    name.starts_with("ssu") || name.contains("servicingstack") || name.contains("-ssu-")
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn one(run: Runner<'_>, file: &Path) -> Result<Ended> {
    let output = run(installers::command(file, "", &installers::Beside::default())?)
        .with_context(|| format!("installing update {}", name(file)))?;
    Ok(judge(output.code))
}

/// Exit codes of `wusa` and DISM, among them HRESULTs of Windows Update (`wuerror.h`) and of servicing.
fn judge(code: i64) -> Ended {
    match code & 0xFFFF_FFFF {
        0 => Ended::Installed,
        3010 | 0x0024_0005 => Ended::NeedsRestart,
        // WU_S_ALREADY_INSTALLED, S_FALSE.
        0x0024_0006 | 1 => Ended::Known,
        // WU_E_NOT_APPLICABLE, CBS_E_NOT_APPLICABLE, CBS_E_NEW_SERVICING_STACK_REQUIRED.
        0x8024_0017 | 0x800F_081E | 0x800F_0823 => Ended::DoesNotFit,
        _ => Ended::Failed(code),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;
    use crate::platform::{Command, Processes as _};

    fn folder(names: &[&str]) -> Fake {
        let machine = Fake::default();
        for name in names {
            machine.put_file(&format!("D:/updates/{name}"), b"x");
        }
        machine
    }

    fn order(machine: &Fake) -> Vec<String> {
        let of = |command: Command| {
            let words = command.arguments.join(" ");
            words
                .split(['\\', ' '])
                .find(|word| word.ends_with(".msu") || word.ends_with(".cab"))
                .map(str::to_owned)
        };
        machine.ran().into_iter().filter_map(of).collect()
    }

    fn done(machine: &Fake, all: bool) -> Result<Done> {
        install(machine, Path::new("D:/updates"), all, &|command| {
            machine.run(&command)
        })
    }

    #[test]
    fn the_servicing_stack_comes_first_and_optional_ones_only_when_all_are_wanted() {
        let names = ["b.cab", "a.MSU", "ssu-19041.msu", "readme.txt", "optional/c.cab"];
        let machine = folder(&names);
        let ended = done(&machine, false).unwrap();
        assert_eq!(ended.installed, ["ssu-19041.msu", "a.msu", "b.cab"]);
        let ran = machine.ran();
        assert_eq!(
            (ran[0].program.as_str(), ran[2].program.as_str()),
            ("wusa.exe", "dism.exe")
        );
        let machine = folder(&names);
        done(&machine, true).unwrap();
        assert_eq!(order(&machine), ["ssu-19041.msu", "a.msu", "b.cab", "c.cab"]);
    }

    #[test]
    fn one_that_needs_another_is_tried_again_after_it() {
        let machine = folder(&["a.msu", "b.msu"])
            .ends("wusa.exe", 0x8024_0017, "")
            .ends("wusa.exe", 3010, "")
            .ends("wusa.exe", 0, "");
        let ended = done(&machine, false).unwrap();
        assert_eq!(order(&machine), ["a.msu", "b.msu", "a.msu"]);
        assert_eq!(
            (ended.installed, ended.restart),
            (vec!["b.msu".into(), "a.msu".into()], true)
        );
    }

    #[test]
    fn what_is_there_is_no_failure_what_does_not_fit_is_told_and_what_fails_is_named() {
        let machine = folder(&["a.msu"]).ends("wusa.exe", 0x0024_0006, "");
        assert_eq!(done(&machine, false).unwrap(), Done::default());
        let machine = folder(&["a.msu", "b.cab"]).ends("wusa.exe", 0x8024_0017, "");
        let ended = done(&machine, false).unwrap();
        assert_eq!(
            (ended.installed, ended.unfit),
            (vec!["b.cab".into()], vec!["a.msu".to_owned()])
        );
        // After a restart it may fit.
        let machine = folder(&["a.msu", "b.cab"])
            .ends("wusa.exe", 0x8024_0017, "")
            .ends("dism.exe", 3010, "");
        let ended = done(&machine, false).unwrap();
        assert!(ended.restart && ended.unfit.is_empty(), "{ended:?}");
        let machine = folder(&["a.cab", "b.cab"]).ends("dism.exe", 0x8007_0002, "");
        let error = done(&machine, false).unwrap_err().to_string();
        assert!(error.contains("a.cab") && error.contains("0x80070002"), "{error}");
        assert!(done(&folder(&["readme.txt"]), false).is_err());
    }
}
