//! Opens finished media: the image and its manifest.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use disk_image::read::{Image, Volume};
use media_format::{Manifest, manifest, paths};

/// A manifest that is longer is none of ours.
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
    let file = boot
        .open(paths::MANIFEST)
        .context("reading the manifest: is this media of media-builder?")?;
    let mut bytes = Vec::new();
    file.take(MAX_MANIFEST)
        .read_to_end(&mut bytes)
        .context("reading the manifest")?;
    Ok(Manifest::parse(&bytes)?)
}

/// The volume that the manifest means.
pub fn volume(image: &Image, volume: manifest::Volume) -> Option<&dyn Volume> {
    match volume {
        manifest::Volume::Boot => image.boot(),
        manifest::Volume::Data => image.data(),
    }
}
