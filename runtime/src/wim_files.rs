//! The files of a WIM: one, or the parts of a split one in a folder.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use media_format::wim::info::ImageInfo;
use media_format::wim::protocol::{Find, Operation, Request};

use crate::platform::{Platform, Result};

/// Looking for a name needs the metadata of one image.
const METADATA_LIMIT: u64 = 1 << 30;

/// The WIM of an image package: the file itself, or in a folder the first part of a split one, or its only WIM.
///
/// # Errors
/// When the folder has none, or several.
pub fn first(platform: &dyn Platform, content: PathBuf) -> Result<PathBuf> {
    if !platform.is_folder(&content) {
        return Ok(content);
    }
    let names = platform.list(&content)?;
    let has = |name: &&String, extensions: &[&str]| {
        let extension = Path::new(name)
            .extension()
            .and_then(|extension| extension.to_str());
        extension.is_some_and(|extension| {
            extensions
                .iter()
                .any(|known| extension.eq_ignore_ascii_case(known))
        })
    };
    let whole: Vec<&String> = names.iter().filter(|name| has(name, &["wim", "esd"])).collect();
    match whole.as_slice() {
        [name] => return Ok(content.join(name)),
        [] => {}
        several => bail!(
            "the image package holds {} WIM files: name one of them as its source",
            several.len()
        ),
    }
    for name in names.iter().filter(|name| has(name, &["swm"])) {
        let path = content.join(name);
        if platform.image_info(&path)?.part == 1 {
            return Ok(path);
        }
    }
    bail!("the image package holds no WIM, ESD, or first part of a split WIM (SWM)")
}

/// The other parts of a split WIM, which lie beside the first one.
///
/// # Errors
/// When parts are missing.
pub fn parts(platform: &dyn Platform, first: &Path) -> Result<Vec<PathBuf>> {
    let info = platform.image_info(first)?;
    if info.total_parts <= 1 {
        return Ok(vec![]);
    }
    let folder = first.parent().context("the WIM lies in no folder")?;
    let mut parts = Vec::new();
    for name in platform.list(folder)? {
        let path = folder.join(&name);
        if path == first || !name.to_ascii_lowercase().ends_with(".swm") {
            continue;
        }
        let part = platform.image_info(&path)?;
        if part.guid == info.guid {
            parts.push(path);
        }
    }
    if parts.len() + 1 != usize::from(info.total_parts) {
        bail!(
            "{} is a split WIM of {} parts, and {} of them lie beside it",
            first.display(),
            info.total_parts,
            parts.len()
        );
    }
    Ok(parts)
}

/// Those of the paths, from its root, that an image has; none of its data is read.
///
/// # Errors
/// When the WIM cannot be read.
pub fn having(platform: &dyn Platform, wim: &Path, index: u32, paths: Vec<PathBuf>) -> Result<Vec<PathBuf>> {
    let request = Request {
        memory_limit: Some(METADATA_LIMIT),
        operation: Operation::Find(Find {
            wim: wim.to_owned(),
            index,
            paths,
        }),
    };
    let answer = platform
        .image_request(&request, &mut |_| {})
        .with_context(|| format!("looking for files in image {index}"))?;
    Ok(answer.found)
}

/// The images that are meant: at least one.
///
/// # Errors
/// When the WIM does not have such an image.
pub fn images(platform: &dyn Platform, wim: &Path, index: u32, all: bool) -> Result<Vec<ImageInfo>> {
    let mut images = platform.image_info(wim)?.images;
    let count = images.len();
    if !all {
        images.retain(|image| image.index == index);
    }
    match images.len() {
        0 if all => bail!("the image file has no image"),
        0 => bail!("the image file has {count} images, counted from 1, and the step asks for index {index}"),
        _ => Ok(images),
    }
}
