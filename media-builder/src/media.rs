//! Opens finished media: the image and its manifest.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use disk_image::read::{Image, Volume};
use media_format::drivers::DriverIndex;
use media_format::{Manifest, manifest, paths};

/// A manifest or index that is longer is none of ours.
const MAX_MANIFEST: u64 = 256 << 20;

/// Opens an image file or a device.
///
/// # Errors
/// When it cannot be read or is no image.
pub fn open(path: &Path) -> Result<Image> {
    Image::open(path).with_context(|| format!("opening the media {}", path.display()))
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
