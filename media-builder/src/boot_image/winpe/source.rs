//! What the user gave: a WIM, a Windows ISO or a folder.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::boot_files::find;
use crate::boot_image::{Error, Result, tool};
use crate::platform;

const WIM_MAGIC: &[u8] = b"MSWIM\0\0\0";
/// Where the first volume descriptor of ISO 9660, or the beginning of UDF's, is.
const DESCRIPTOR: u64 = 0x8001;
const DISC_MAGICS: [&[u8]; 2] = [b"CD001", b"BEA01"];
/// What is taken from a disc.
const ON_DISC: [&str; 5] = [IN_MEDIA, "bootmgr", "bootmgr.efi", "boot", "efi"];
/// Programs that read UDF, which is what Windows' own discs have, and the package of each.
const ARCHIVERS: [(&str, &str); 2] = [("7z", "p7zip-full"), ("7zz", "7zip")];

const IN_MEDIA: &str = "sources/boot.wim";
/// Places of the WIM, from a folder of [`FOLDERS`].
const WIMS: [&str; 3] = [IN_MEDIA, "en-us/winpe.wim", "boot.wim"];
/// Folders in the given one that can have the WIM and its boot files: a disc; what copype makes; the ADK.
const FOLDERS: [&str; 7] = [
    "",
    "media",
    "fwfiles",
    "amd64",
    "amd64/media",
    "Windows Preinstallation Environment/amd64",
    "Windows Preinstallation Environment/amd64/media",
];
/// Of the ADK's Deployment Tools, beside or above the given folder.
const TOOLS: &str = "Deployment Tools/amd64/Oscdimg";
/// From `…/Windows Preinstallation Environment/amd64` to the ADK's own folder.
const LEVELS: usize = 3;

/// Where the parts of a WinPE are looked for.
pub(super) struct Source {
    /// The WIM.
    pub(super) wim: PathBuf,
    /// Folders with boot files, the best one first.
    pub(super) folders: Vec<PathBuf>,
}

impl Source {
    /// Looks what `path` is; a disc's files come into `work`.
    pub(super) fn open(path: &Path, work: &Path) -> Result<Self> {
        let metadata = fs::metadata(path).map_err(Error::io("opening", path))?;
        if metadata.is_dir() {
            return Self::in_folder(path);
        }
        let file = File::open(path).map_err(Error::io("opening", path))?;
        if starts_with(&file, 0, WIM_MAGIC) {
            return Ok(Self {
                wim: path.to_owned(),
                folders: vec![],
            });
        }
        if DISC_MAGICS
            .iter()
            .any(|magic| starts_with(&file, DESCRIPTOR, magic))
        {
            let folder = work.join("disc");
            extract(path, &folder, &std::env::var_os("PATH").unwrap_or_default())?;
            return Self::in_folder(&folder).map_err(|_| no_winpe(path, "a disc without sources/boot.wim"));
        }
        Err(no_winpe(path, "neither a WIM nor an ISO"))
    }

    fn in_folder(path: &Path) -> Result<Self> {
        let inner = FOLDERS.iter().filter_map(|name| find(path, name));
        let mut folders: Vec<PathBuf> = inner.filter(|folder| folder.is_dir()).collect();
        let wim = folders
            .iter()
            .find_map(|folder| WIMS.iter().find_map(|name| find(folder, name)));
        let wim = wim.ok_or_else(|| {
            no_winpe(
                path,
                "a folder without sources/boot.wim and without en-us/winpe.wim",
            )
        })?;
        let real = fs::canonicalize(path).map_err(Error::io("reading", path))?;
        folders.extend(
            real.ancestors()
                .take(LEVELS)
                .find_map(|folder| find(folder, TOOLS)),
        );
        Ok(Self { wim, folders })
    }
}

fn no_winpe(path: &Path, what: &str) -> Error {
    Error::NoWinPe {
        path: path.to_owned(),
        what: what.to_owned(),
    }
}

fn starts_with(file: &File, offset: u64, magic: &[u8]) -> bool {
    let mut found = vec![0; magic.len()];
    platform::read_exact_at(file, &mut found, offset).is_ok() && found == magic
}

/// By 7z: no reader of UDF that can be linked is finished, and this one reads ISO 9660 just as well.
fn extract(disc: &Path, folder: &Path, search_path: &std::ffi::OsStr) -> Result<()> {
    let there = |name: &str| std::env::split_paths(search_path).any(|folder| folder.join(name).is_file());
    let (tool, package) = ARCHIVERS[0];
    let program = ARCHIVERS.iter().find(|(name, _)| there(name));
    let (program, _) = program.ok_or(Error::ToolMissing { tool, package })?;
    let mut command = Command::new(program);
    let mut target = std::ffi::OsString::from("-o");
    target.push(folder);
    command.args(["x", "-y", "-bd", "-ssc-"]).arg(target).arg("--");
    command.arg(disc).args(ON_DISC);
    tool::output(&mut command, &format!("reading the disc {}", disc.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"MSWIM\0\0\0").unwrap();
    }

    #[test]
    fn the_folders_of_the_adk_and_of_copype_and_of_a_disc_are_known() {
        let root = tempfile::tempdir().unwrap();
        let adk = root.path().join("ADK");
        let tools = adk.join("Deployment Tools/amd64/Oscdimg");
        file(&tools.join("etfsboot.com"));
        let pe = adk.join("Windows Preinstallation Environment");
        let wim = pe.join("amd64/en-us/winpe.wim");
        file(&wim);
        file(&pe.join("amd64/Media/bootmgr"));
        for given in [&adk, &pe, &pe.join("amd64")] {
            let source = Source::open(given, root.path()).unwrap();
            assert_eq!(source.wim, wim, "{}", given.display());
            let has = |folder: &PathBuf| source.folders.iter().any(|found| found == folder);
            assert!(has(&pe.join("amd64/Media")), "{:?}", source.folders);
            assert!(
                has(&fs::canonicalize(&tools).unwrap()),
                "{}: {:?}",
                given.display(),
                source.folders
            );
        }
        let copype = root.path().join("copype");
        file(&copype.join("media/Sources/BOOT.WIM"));
        file(&copype.join("fwfiles/etfsboot.com"));
        let source = Source::open(&copype, root.path()).unwrap();
        assert_eq!(source.wim, copype.join("media/Sources/BOOT.WIM"));
        assert_eq!(
            source.folders,
            [copype.clone(), copype.join("media"), copype.join("fwfiles")]
        );
        let disc = Source::open(&copype.join("media"), root.path()).unwrap();
        assert_eq!(disc.wim, source.wim);
    }

    #[test]
    fn anything_else_is_refused_with_what_can_be_given() {
        let root = tempfile::tempdir().unwrap();
        let refused = |path: &Path| Source::open(path, root.path()).err().unwrap().to_string();
        assert!(refused(root.path()).contains("a folder without sources/boot.wim"));
        let text = root.path().join("text");
        fs::write(&text, "text").unwrap();
        let said = refused(&text);
        assert!(
            said.contains("neither a WIM nor an ISO") && said.contains("copype"),
            "{said}"
        );
        assert!(refused(&root.path().join("gone")).contains("opening"));
    }

    #[test]
    fn an_archiver_that_is_missing_is_named_with_its_package() {
        let root = tempfile::tempdir().unwrap();
        let refused = extract(root.path(), root.path(), root.path().as_os_str());
        let said = refused.unwrap_err().to_string();
        assert!(said.contains("install the package p7zip-full"), "{said}");
    }
}
