//! Where a result may be written: into a file, and never over what it is made from.

use std::fs::{self, canonicalize};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::platform::{IDENTITY_LASTS, folder_of, identity};
use crate::resolve::ResolvedMedia;

/// # Errors
/// When something else than a file is there, or there is no folder for it.
pub(super) fn check_file(path: &Path) -> Result<()> {
    let name = path.display();
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => {}
        Ok(found) if found.is_dir() => bail!("{name} is a folder: give the name of a file in it"),
        Ok(found) if found.is_symlink() => {
            bail!("{name} is a symbolic link: give the name of the file that it leads to, or remove it")
        }
        Ok(_) => bail!(
            "{name} is a device: build into a file, and write that onto the device, such as with \
             `dd if=FILE of={name} bs=4M oflag=direct status=progress`"
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("looking at {name}")),
    }
    let folder = folder_of(path);
    ensure!(
        folder.is_dir(),
        "there is no folder {} for {name}: make it first",
        folder.display()
    );
    Ok(())
}

/// The same, and that the image takes no part in what it is made from.
///
/// # Errors
/// When it does.
pub(super) fn check(path: &Path, media: &ResolvedMedia) -> Result<()> {
    check_file(path)?;
    if is_input(path, media) {
        bail!(
            "{} is one of the files that the image is made from: give another name with --output",
            path.display()
        );
    }
    let folder = folder_of(path);
    let place = canonicalize(folder).with_context(|| format!("finding {}", folder.display()))?;
    for package in &media.project.settings.packages {
        let source = package.source.as_ref().map(|source| source.get_ref());
        let source = source.and_then(|source| canonicalize(media.project.folder.join(source)).ok());
        if source.is_some_and(|source| place.starts_with(source)) {
            bail!(
                "{} lies in the source of the package `{}` and would become a part of it: choose a place outside with \
                 --output",
                path.display(),
                package.id.get_ref()
            );
        }
    }
    Ok(())
}

fn is_input(path: &Path, media: &ResolvedMedia) -> bool {
    let Some(found) = fs::metadata(path).ok().filter(|_| IDENTITY_LASTS) else {
        return false;
    };
    let found = identity(&found);
    let is_it = |device, inode| (device, inode) == (found.device, found.inode);
    let texts = texts(media);
    let mut texts = texts
        .iter()
        .filter_map(|path| Some(identity(&fs::metadata(path).ok()?)));
    texts.any(|known| is_it(known.device, known.inode))
        || media
            .sources
            .iter()
            .any(|(_, source)| is_it(source.identity.device, source.identity.inode))
}

/// The project's own files, which are read as a whole.
fn texts(media: &ResolvedMedia) -> Vec<PathBuf> {
    let project = &media.project;
    let sequences = project.settings.sequences.iter();
    let mut texts: Vec<_> = sequences
        .map(|path| project.folder.join(path.get_ref()))
        .collect();
    texts.push(project.path.clone());
    texts
}
