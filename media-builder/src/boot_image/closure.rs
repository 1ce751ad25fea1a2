//! The shared libraries that programs need, found by reading their dynamic sections.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::elf::{self, Dynamic};
use super::packages::{Found, Tree};
use super::{Error, Result};

/// Where the packages' loader looks, in its order.
const FOLDERS: [&str; 3] = ["usr/lib/x86_64-linux-gnu", "usr/lib64", "usr/lib"];

/// A program whose libraries are wanted.
pub(super) struct Program<'a> {
    pub(super) name: &'a str,
    pub(super) bytes: &'a [u8],
}

/// All libraries, and the loader, that the programs need: path in the image → file.
pub(super) fn libraries(tree: &Tree, programs: &[Program<'_>]) -> Result<BTreeMap<String, Found>> {
    let mut result = BTreeMap::new();
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut asked = Vec::new();
    let mut open: Vec<(String, Dynamic)> = Vec::new();
    for program in programs {
        open.push((
            program.name.to_owned(),
            elf::dynamic(program.name, program.bytes)?,
        ));
    }
    while let Some((name, dynamic)) = open.pop() {
        let loader = dynamic
            .interpreter
            .iter()
            .map(|path| path.trim_start_matches('/').to_owned());
        for wanted in loader.chain(dynamic.needed.iter().cloned()) {
            let (path, found) = locate(tree, &wanted, &name)?;
            if result.contains_key(&path) {
                continue;
            }
            let bytes = fs::read(&found.host_path).map_err(Error::io("reading", &found.host_path))?;
            let inner = elf::dynamic(&path, &bytes)?;
            let soname = path.rsplit('/').next().unwrap_or_default().to_owned();
            versions.insert(soname, inner.provides.clone());
            result.insert(path.clone(), found);
            open.push((path, inner));
        }
        asked.push((name, dynamic.requires));
    }
    check_versions(&asked, &versions)?;
    Ok(result)
}

fn locate(tree: &Tree, wanted: &str, by: &str) -> Result<(String, Found)> {
    let candidates: Vec<String> = match wanted.contains('/') {
        true => vec![wanted.to_owned()],
        false => FOLDERS
            .iter()
            .map(|folder| format!("{folder}/{wanted}"))
            .collect(),
    };
    let hit = candidates
        .into_iter()
        .find_map(|path| tree.find(&path).map(|found| (path, found)));
    let missing = || Error::FileMissing {
        wanted: wanted.to_owned(),
        by: by.to_owned(),
    };
    let (path, found) = hit.ok_or_else(missing)?;
    let path = if path.starts_with("usr/") {
        path
    } else {
        format!("usr/{path}")
    };
    Ok((path, found))
}

/// Every symbol version that is asked for must be there: else a program built on a newer release would fail only on
/// the machine.
fn check_versions(
    asked: &[(String, BTreeSet<(String, String)>)],
    versions: &BTreeMap<String, BTreeSet<String>>,
) -> Result<()> {
    for (program, requires) in asked {
        for (soname, version) in requires {
            if versions.get(soname).is_some_and(|known| !known.contains(version)) {
                return Err(Error::TooNew {
                    program: program.clone(),
                    version: format!("{soname} {version}"),
                });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_c_library_is_noticed() {
        let set = |versions: &[&str]| versions.iter().map(|v| (*v).to_owned()).collect::<BTreeSet<_>>();
        let known = BTreeMap::from([("libc.so.6".to_owned(), set(&["GLIBC_2.2.5", "GLIBC_2.38"]))]);
        let asks = |version: &str| {
            vec![(
                "wim-worker".to_owned(),
                BTreeSet::from([("libc.so.6".to_owned(), version.to_owned())]),
            )]
        };
        assert!(check_versions(&asks("GLIBC_2.38"), &known).is_ok());
        let text = check_versions(&asks("GLIBC_2.99"), &known)
            .unwrap_err()
            .to_string();
        assert!(text.contains("wim-worker needs libc.so.6 GLIBC_2.99"), "{text}");
    }
}
