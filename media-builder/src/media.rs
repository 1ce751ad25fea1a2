//! Opens finished media: the image and its manifest.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use disk_image::read::{Image, Volume};
use media_format::drivers::DriverIndex;
use media_format::{Manifest, manifest, paths};

/// A manifest or index that is longer is none of ours.
const MAX_MANIFEST: u64 = 256 << 20;

/// Opens an image file or a device.
///
/// # Errors
/// When it cannot be read, is no image or is cut off.
pub fn open(path: &Path) -> Result<Image> {
    let image = Image::open(path).with_context(|| format!("opening the media {}", path.display()))?;
    let ends = image.partitions().iter().map(|part| part.offset + part.length);
    let (needed, length) = (ends.max().unwrap_or(0), image.device().length());
    ensure!(
        needed <= length,
        "{} is not complete: its partitions need {needed} bytes and it has {length}; build or copy it again",
        path.display()
    );
    Ok(image)
}

/// The manifest of opened media.
///
/// # Errors
/// When there is none or it is damaged.
pub fn manifest(image: &Image) -> Result<Manifest> {
    let boot = image
        .boot()
        .context("there is no boot volume: this is no media of media-builder")?;
    let bytes =
        read(boot, paths::MANIFEST).context("reading the manifest: is this media of media-builder?")?;
    Ok(Manifest::parse(&bytes)?)
}

/// The index of the driver packages, where the media has one.
///
/// # Errors
/// When it is damaged.
pub fn drivers(image: &Image, manifest: &Manifest) -> Result<Option<DriverIndex>> {
    let file = manifest
        .files
        .iter()
        .find(|file| file.role == manifest::Role::Drivers);
    let Some((file, boot)) = file.zip(image.boot()) else {
        return Ok(None);
    };
    let bytes = read(boot, &file.path).context("reading the driver index")?;
    Ok(Some(DriverIndex::parse(&bytes)?))
}

fn read(volume: &dyn Volume, path: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    volume.open(path)?.take(MAX_MANIFEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The volume that the manifest means.
pub fn volume(image: &Image, volume: manifest::Volume) -> Option<&dyn Volume> {
    match volume {
        manifest::Volume::Boot => image.boot(),
        manifest::Volume::Data => image.data(),
    }
}
