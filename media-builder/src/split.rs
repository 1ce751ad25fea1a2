//! WIMs that are too large for one file of an ISO which a WinPE reads: they travel in parts (SWM).
//!
//! ISO 9660 describes such a file as several extents. Linux reads them; that Windows does in its own boot environment is
//! proven by nothing that we can run, and discs of Windows never have them: they are UDF, or carry parts too.

use std::path::Path;

use anyhow::{Context, Result, bail};
use media_format::manifest::PackageKind;
use media_format::wim::protocol::{Operation, Split};
use tempfile::TempDir;

use crate::boot_image::{Kind, worker};
use crate::plan::Format;
use crate::platform;
use crate::resolve::{Item, ResolvedMedia, ResolvedPackage, Sources};

/// The largest file that is one extent: whole sectors below 4 GiB.
pub const LARGEST: u64 = 0xffff_f800;

/// The parts of all WIMs that were split.
#[derive(Debug)]
pub struct Parts {
    /// They are gone with it.
    _folder: TempDir,
    /// What was done, for people.
    pub notes: Vec<String>,
}

/// Whether files of this image have to be small.
pub fn concerns(media: &ResolvedMedia, format: Format) -> bool {
    format == Format::Iso && media.boot.kind == Kind::WinPe
}

/// The files that are too large and cannot be split, with what can be done.
pub fn problems(media: &ResolvedMedia, largest: u64) -> Vec<String> {
    let packages = media.packages.iter().filter(|package| !is_one_wim(package));
    let files = packages.flat_map(ResolvedPackage::files);
    let too_large = files.filter(|(_, id)| media.sources.get(*id).size > largest);
    too_large
        .map(|(path, id)| {
            format!(
                "{path} has {} bytes, and a WinPE reads files of up to 4 GiB from an ISO: build a stick \
                 (`--format usb`), or name a WIM file itself as the package's source, which is then split",
                media.sources.get(id).size
            )
        })
        .collect()
}

/// Splits every WIM that is larger than `largest`, by `wim-worker`, into a new folder in `folder`; none when all are
/// small.
///
/// # Errors
/// When a file is too large and no WIM, or the worker fails.
pub fn split(media: &mut ResolvedMedia, largest: u64, worker: &Path, folder: &Path) -> Result<Option<Parts>> {
    if let Some(problem) = problems(media, largest).first() {
        bail!("{problem}");
    }
    let sources = &mut media.sources;
    let is_large =
        |package: &&mut ResolvedPackage| package.files().any(|(_, id)| sources.get(id).size > largest);
    let packages: Vec<_> = media.packages.iter_mut().filter(is_large).collect();
    if packages.is_empty() {
        return Ok(None);
    }
    let made = tempfile::tempdir_in(folder)
        .with_context(|| format!("making a folder for split WIMs in {}", folder.display()))?;
    let mut notes = Vec::new();
    for package in packages {
        let id = &package.entry.id;
        let parts = made.path().join(id);
        std::fs::create_dir(&parts).with_context(|| format!("making {}", parts.display()))?;
        let doing = format!("splitting the image package {id}");
        let (path, source) = package.files().next().context("the package has no file")?;
        let operation = Operation::Split(Split {
            wim: sources.path(source).to_owned(),
            first: parts.join(first_name(path)),
            part_bytes: largest,
        });
        worker::wim(worker, operation, &doing, &mut |_, _| {})?;
        notes.push(format!(
            "{path} is larger than 4 GiB: on the ISO it lies in parts (SWM)"
        ));
        replace(package, &parts, sources, largest).context(doing)?;
    }
    Ok(Some(Parts { _folder: made, notes }))
}

/// Whether it is a single WIM and no folder, of which the runtime takes parts just as well.
fn is_one_wim(package: &ResolvedPackage) -> bool {
    let whole = package.wim.as_ref().is_some_and(|info| info.total_parts <= 1);
    let is_file = |item: &Item| item.path == package.entry.path;
    whole
        && package.entry.kind == PackageKind::Image
        && package.items.len() == 1
        && package.items.iter().all(is_file)
}

/// `install.wim` becomes `install.swm`, and `install2.swm` follows.
fn first_name(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    format!("{stem}.swm")
}

/// The package becomes a folder with the parts.
fn replace(package: &mut ResolvedPackage, parts: &Path, sources: &mut Sources, largest: u64) -> Result<()> {
    let base = package
        .entry
        .path
        .rsplit_once('/')
        .map(|(folder, _)| folder.to_owned())
        .context("the package has no folder")?;
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(parts)? {
        paths.push(entry?.path());
    }
    paths.sort();
    package.items.clear();
    for path in paths {
        let metadata = std::fs::metadata(&path)?;
        if metadata.len() > largest {
            bail!("a single file in it is larger than 4 GiB: build a stick (`--format usb`)");
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        package.items.push(Item {
            path: format!("{base}/{name}"),
            source: Some(sources.add(path.clone(), platform::identity(&metadata))),
        });
    }
    package.entry.path = base;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_named_after_the_wim() {
        assert_eq!(first_name("packages/os/install.wim"), "install.swm");
        assert_eq!(first_name("packages/os/a.b.esd"), "a.b.swm");
        assert_eq!(first_name("packages/os/wim"), "wim.swm");
    }
}
