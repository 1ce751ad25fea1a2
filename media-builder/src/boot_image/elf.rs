//! What ELF files say of themselves: the libraries that a program needs, the dependencies of a kernel module.

use std::collections::BTreeSet;

use goblin::elf::Elf;

use super::{Error, Result};

/// What a program or library asks of the dynamic loader.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Dynamic {
    /// The loader itself; none for libraries and static programs.
    pub(super) interpreter: Option<String>,
    /// Sonames, DT_NEEDED.
    pub(super) needed: Vec<String>,
    /// Symbol versions asked of libraries: (soname, version).
    pub(super) requires: BTreeSet<(String, String)>,
    /// Symbol versions that this library has.
    pub(super) provides: BTreeSet<String>,
}

/// The relevant lines of a kernel module's `.modinfo` section.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ModInfo {
    /// Modules that must be loaded before it.
    pub(super) depends: Vec<String>,
    /// Modules that it would like to have, `softdep=` lines.
    pub(super) soft: Vec<String>,
}

fn parse<'a>(path: &str, bytes: &'a [u8]) -> Result<Elf<'a>> {
    Elf::parse(bytes).map_err(|error| Error::Elf {
        path: path.to_owned(),
        why: error.to_string(),
    })
}

/// Reads the dynamic section of a program or library.
pub(super) fn dynamic(path: &str, bytes: &[u8]) -> Result<Dynamic> {
    let elf = parse(path, bytes)?;
    let name = |offset: usize| elf.dynstrtab.get_at(offset).unwrap_or_default().to_owned();
    let mut requires = BTreeSet::new();
    for need in elf.verneed.iter().flat_map(|section| section.iter()) {
        requires.extend(
            need.iter()
                .map(|version| (name(need.vn_file), name(version.vna_name))),
        );
    }
    let definitions = elf.verdef.iter().flat_map(|section| section.iter());
    let provides = definitions
        .filter_map(|def| def.iter().next().map(|aux| name(aux.vda_name)))
        .collect();
    Ok(Dynamic {
        interpreter: elf.interpreter.map(str::to_owned),
        needed: elf.libraries.iter().map(|&name| name.to_owned()).collect(),
        requires,
        provides,
    })
}

/// Reads the `.modinfo` section of a kernel module.
pub(super) fn modinfo(path: &str, bytes: &[u8]) -> Result<ModInfo> {
    let elf = parse(path, bytes)?;
    let is_modinfo =
        |header: &&goblin::elf::SectionHeader| elf.shdr_strtab.get_at(header.sh_name) == Some(".modinfo");
    let range = elf
        .section_headers
        .iter()
        .find(is_modinfo)
        .and_then(|header| header.file_range());
    let section = range.and_then(|range| bytes.get(range));
    let why = "it has no .modinfo section".to_owned();
    let section = section.ok_or_else(|| Error::Elf {
        path: path.to_owned(),
        why,
    })?;
    Ok(parse_modinfo(&String::from_utf8_lossy(section)))
}

fn parse_modinfo(section: &str) -> ModInfo {
    let mut info = ModInfo::default();
    for line in section.split('\0') {
        if let Some(list) = line.strip_prefix("depends=") {
            info.depends
                .extend(list.split(',').filter(|name| !name.is_empty()).map(str::to_owned));
        } else if let Some(list) = line.strip_prefix("softdep=") {
            let words = list
                .split_whitespace()
                .filter(|word| !matches!(*word, "pre:" | "post:"));
            info.soft.extend(words.map(str::to_owned));
        }
    }
    info
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_program_names_its_libraries() {
        let path = std::env::current_exe().unwrap();
        let dynamic = dynamic("self", &std::fs::read(path).unwrap()).unwrap();
        assert!(
            dynamic.needed.iter().any(|name| name == "libc.so.6"),
            "{dynamic:?}"
        );
        assert!(dynamic.interpreter.unwrap().contains("ld-linux"));
        assert!(
            dynamic
                .requires
                .iter()
                .any(|(file, version)| file == "libc.so.6" && version.starts_with("GLIBC_2."))
        );
    }

    #[test]
    fn module_information_is_read() {
        let info =
            parse_modinfo("license=GPL\0depends=mii,usbnet\0softdep=pre: sha512 post: gcm \0depends=\0");
        assert_eq!(info.depends, ["mii", "usbnet"]);
        assert_eq!(info.soft, ["sha512", "gcm"]);
    }

    #[test]
    fn garbage_is_an_error() {
        assert!(dynamic("x", b"not elf").is_err());
        assert!(modinfo("x", &[0x7f, b'E', b'L', b'F', 2, 1, 1, 0]).is_err());
    }
}
