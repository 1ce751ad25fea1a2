//! Brings out what a run captured, from wherever the machine put it, and checks it against its digests.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use disk_image::read::{Image, Kind};
use media_format::manifest::hex;
use sha2::{Digest, Sha256};

use super::storage::make_folder;

/// Ends the name of the file that carries a digest.
const DIGEST: &str = ".sha256";

/// A file that was brought out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// Where it is now.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// SHA-256.
    pub sha256: String,
}

/// Brings out all files under the given folders of the data volume of a disk image; all folders when none is
/// given.
///
/// # Errors
/// When the image cannot be read or the files cannot be written.
pub fn from_image(image: &Path, folders: &[&str], output: &Path) -> Result<Vec<Collected>> {
    let doing = || format!("reading the data volume of {}", image.display());
    let opened = Image::open(image).with_context(doing)?;
    let Some(volume) = opened.data() else {
        bail!("{}: there is no data volume any more", image.display());
    };
    let mut collected = Vec::new();
    for found in volume.walk().with_context(doing)? {
        let wanted = folders.is_empty() || folders.iter().any(|folder| is_below(&found.path, folder));
        if wanted && found.node.kind == Kind::File {
            let target = target(output, &found.path)?;
            let content = volume
                .content(&found.node)
                .with_context(|| format!("reading {}", found.path))?;
            collected.push(save(content, &target)?);
        }
    }
    Ok(collected)
}

/// Brings out all files of a folder on the host.
///
/// # Errors
/// When they cannot be read or written.
pub fn from_folder(folder: &Path, output: &Path) -> Result<Vec<Collected>> {
    let mut collected = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        for entry in fs::read_dir(&current).with_context(|| format!("reading {}", current.display()))? {
            let path = entry?.path();
            // The machine made these files: a link could point anywhere on the host.
            let kind = fs::symlink_metadata(&path)?.file_type();
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                let inside = path
                    .strip_prefix(folder)
                    .unwrap_or(&path)
                    .to_string_lossy()
                    .into_owned();
                let content = File::open(&path).with_context(|| format!("opening {}", path.display()))?;
                collected.push(save(content, &target(output, &inside)?)?);
            }
        }
    }
    Ok(collected)
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// A name from the machine never leads out of the output folder.
fn target(output: &Path, path: &str) -> Result<PathBuf> {
    let safe = path
        .split('/')
        .all(|part| !matches!(part, "" | "." | "..") && !part.contains(['\\', '\0']));
    if !safe {
        bail!("the machine left a file with the unsafe name {path:?}; it stays where it is");
    }
    Ok(output.join(path))
}

fn save(mut content: impl Read, target: &Path) -> Result<Collected> {
    let doing = || format!("writing {}", target.display());
    make_folder(target.parent().unwrap_or(target))?;
    let mut file = File::create(target).with_context(doing)?;
    let (mut digest, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 20]);
    loop {
        let count = content.read(&mut buffer).with_context(doing)?;
        if count == 0 {
            break;
        }
        digest.update(&buffer[..count]);
        file.write_all(&buffer[..count]).with_context(doing)?;
        size += count as u64;
    }
    Ok(Collected {
        path: target.to_owned(),
        size,
        sha256: hex(&digest.finalize()),
    })
}

/// Compares every file with the digest that lies beside it.
///
/// # Errors
/// When a digest is another one, or a captured image has none.
pub fn check_digests(collected: &[Collected]) -> Result<()> {
    let by_path: BTreeMap<&Path, &Collected> =
        collected.iter().map(|file| (file.path.as_path(), file)).collect();
    for file in collected {
        let beside = PathBuf::from(format!("{}{DIGEST}", file.path.display()));
        if by_path.contains_key(beside.as_path()) {
            let text =
                fs::read_to_string(&beside).with_context(|| format!("reading {}", beside.display()))?;
            let expected = text.split_whitespace().next().unwrap_or_default();
            if !expected.eq_ignore_ascii_case(&file.sha256) {
                bail!(
                    "{} is damaged: its SHA-256 is {} and was {expected}",
                    file.path.display(),
                    file.sha256
                );
            }
        } else if file.path.extension().is_some_and(|extension| extension == "wim") {
            bail!(
                "{} has no {DIGEST} file beside it: the capture was not finished",
                file.path.display()
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_out_and_a_damaged_image_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("captures")).unwrap();
        fs::write(from.join("captures/a.wim"), "image").unwrap();
        let digest = hex(&Sha256::digest("image"));
        fs::write(from.join("captures/a.wim.sha256"), format!("{digest}  a.wim\n")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", from.join("link")).unwrap();
        let collected = from_folder(&from, &to).unwrap();
        assert_eq!(collected.len(), 2);
        check_digests(&collected).unwrap();

        fs::write(from.join("captures/a.wim"), "imagE").unwrap();
        assert!(check_digests(&from_folder(&from, &to).unwrap()).is_err());
        fs::remove_file(from.join("captures/a.wim.sha256")).unwrap();
        assert!(check_digests(&from_folder(&from, &to).unwrap()).is_err());
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        for name in ["../x", "a/../../x", "/x", "a//b", "a\\b"] {
            assert!(target(Path::new("out"), name).is_err(), "{name}");
        }
        assert!(target(Path::new("out"), "captures/a.wim").is_ok());
    }
}
