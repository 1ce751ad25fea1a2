//! Drivers for the WinPE itself, such as those of a disk controller: the runtime loads them when it starts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use media_format::drivers::{Architecture, DriverInf};
use windows_setup::drivers::{Listing, index_inf};

use crate::boot_image::manifest::Driver;
use crate::boot_image::{Error, Result};
use crate::resolve::walk;

/// What comes into the WIM.
#[derive(Debug, Default)]
pub(super) struct Drivers {
    /// Path beneath the folder of the drivers → file.
    pub(super) files: BTreeMap<String, PathBuf>,
    /// For the manifest.
    pub(super) facts: Vec<Driver>,
    /// What is left out, and why.
    pub(super) warnings: Vec<String>,
}

/// Reads folders with drivers. Every folder in them that has INF files becomes one folder of the WIM, with all that
/// lies beneath it: the runtime finds the INF files without searching. Those that cannot be used are left out.
pub(super) fn read(folders: &[PathBuf]) -> Result<Drivers> {
    let mut drivers = Drivers::default();
    for folder in folders {
        let before = drivers.facts.len();
        add(folder, &mut drivers)?;
        if drivers.facts.len() == before {
            let why = "there is no INF file for x64 (amd64) that can be used; give the folder of the unpacked drivers";
            return Err(bad(
                folder,
                &[&drivers.warnings[..], &[why.to_owned()]].concat().join("; "),
            ));
        }
    }
    Ok(drivers)
}

fn bad(folder: &Path, why: &str) -> Error {
    Error::Drivers {
        folder: folder.to_owned(),
        why: why.to_owned(),
    }
}

fn add(folder: &Path, drivers: &mut Drivers) -> Result<()> {
    let walked = walk::walk(folder);
    if let Some(error) = walked.errors.first() {
        return Err(bad(folder, &error.to_string()));
    }
    let is_file = |found: &walk::Found| found.identity.is_some();
    let files: BTreeMap<String, PathBuf> = walked
        .found
        .into_iter()
        .filter(is_file)
        .map(|found| (found.name, found.path))
        .collect();
    let (usable, refused) = usable(folder, &files, drivers)?;
    let homes: BTreeSet<&str> = usable.iter().map(|inf| parent(&inf.path)).collect();
    for home in homes {
        let name = format!("{:03}", folders_of(drivers) + 1);
        for (path, file) in &files {
            if let Some(inner) = beneath(path, home).filter(|_| !refused.contains(path)) {
                drivers.files.insert(format!("{name}/{inner}"), file.clone());
            }
        }
        let here = usable.iter().filter(|inf| parent(&inf.path) == home);
        drivers.facts.extend(here.map(|inf| fact(&name, inf)));
    }
    Ok(())
}

/// The INF files that can be used, and the paths of the others.
fn usable(
    folder: &Path,
    files: &BTreeMap<String, PathBuf>,
    drivers: &mut Drivers,
) -> Result<(Vec<DriverInf>, BTreeSet<String>)> {
    let label = folder.display().to_string();
    let listing = Listing::new(&label, files.keys().cloned());
    let (mut usable, mut refused) = (Vec::new(), BTreeSet::new());
    for (path, file) in files.iter().filter(|(path, _)| is_inf(path)) {
        let bytes = std::fs::read(file).map_err(Error::io("reading", file))?;
        let mut other = |path: &str| std::fs::read(files.get(path)?).ok();
        let indexed = index_inf(&listing, path, &bytes, &mut other).map_err(|refused| refused.reason);
        match indexed.and_then(for_amd64) {
            Ok(inf) => {
                let missing: Vec<&str> = inf.missing(Architecture::Amd64).collect();
                if !missing.is_empty() {
                    drivers
                        .warnings
                        .push(format!("{label}/{path}: {} is missing", missing.join(", ")));
                }
                usable.push(inf);
            }
            Err(why) => {
                drivers
                    .warnings
                    .push(format!("{label}/{path}: {why}; it is left out"));
                refused.insert(path.clone());
            }
        }
    }
    Ok((usable, refused))
}

fn for_amd64(inf: DriverInf) -> std::result::Result<DriverInf, String> {
    match inf.architectures().contains(&Architecture::Amd64) {
        true => Ok(inf),
        false => Err("it has no device for x64 (amd64)".into()),
    }
}

/// `autorun.inf` is no driver's: it tells old systems what to start from a disc.
fn is_inf(path: &str) -> bool {
    let path = path.to_lowercase();
    path.ends_with(".inf") && path.rsplit('/').next() != Some("autorun.inf")
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn beneath<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    match folder {
        "" => Some(path),
        folder => path.strip_prefix(folder)?.strip_prefix('/'),
    }
}

fn folders_of(drivers: &Drivers) -> usize {
    let names: BTreeSet<_> = drivers
        .files
        .keys()
        .filter_map(|path| path.split('/').next())
        .collect();
    names.len()
}

fn fact(folder: &str, inf: &DriverInf) -> Driver {
    let name = inf.path.rsplit('/').next().unwrap_or(&inf.path);
    Driver {
        path: format!("{folder}/{name}"),
        class: inf.class.clone(),
        provider: inf.provider.clone(),
        version: inf.version.to_string(),
        signed: inf.signature.is_signed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INF: &str = "[Version]\nSignature=\"$WINDOWS NT$\"\nClass=SCSIAdapter\n\
        ClassGuid={4d36e97b-e325-11ce-bfc1-08002be10318}\nProvider=\"Maker\"\nDriverVer=01/02/2024,1.2.3.4\n\
        [Manufacturer]\n\"Maker\"=Models,NTamd64\n[Models.NTamd64]\n\"Controller\"=Install,PCI\\VEN_8086&DEV_467F\n\
        [Install]\nCopyFiles=Files\n[Files]\ndisk.sys\n[SourceDisksNames]\n1=disk\n[SourceDisksFiles]\ndisk.sys=1\n\
        [DestinationDirs]\nFiles=12\n";

    fn file(path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn every_folder_with_inf_files_becomes_one_of_the_wim() {
        let root = tempfile::tempdir().unwrap();
        let (vmd, more) = (root.path().join("vmd"), root.path().join("more"));
        file(&vmd.join("f6/disk.inf"), INF);
        file(&vmd.join("f6/disk.sys"), "sys");
        file(&vmd.join("f6/x86/old.inf"), &INF.replace("amd64", "x86"));
        file(&vmd.join("readme.txt"), "not a driver");
        file(&more.join("net.inf"), INF);
        file(&more.join("autorun.inf"), "[autorun]");
        let drivers = read(&[vmd.clone(), more.clone()]).unwrap();
        let files: Vec<&str> = drivers.files.keys().map(String::as_str).collect();
        assert_eq!(
            files,
            ["001/disk.inf", "001/disk.sys", "002/autorun.inf", "002/net.inf"]
        );
        assert_eq!(drivers.facts[0].path, "001/disk.inf");
        assert_eq!(
            (
                drivers.facts[1].provider.as_str(),
                drivers.facts[1].version.as_str()
            ),
            ("Maker", "1.2.3.4")
        );
        let said = drivers.warnings.join("\n");
        assert!(
            said.contains("f6/x86/old.inf: it has no device for x64"),
            "{said}"
        );
        assert!(said.contains("net.inf: disk.sys is missing"), "{said}");
    }

    #[test]
    fn a_folder_without_a_usable_driver_is_refused() {
        let root = tempfile::tempdir().unwrap();
        file(&root.path().join("broken.inf"), "[Version]\nSignature=no");
        let said = read(&[root.path().to_owned()]).unwrap_err().to_string();
        assert!(
            said.contains("broken.inf") && said.contains("give the folder of the unpacked drivers"),
            "{said}"
        );
        assert!(read(&[root.path().join("gone")]).is_err());
    }
}
