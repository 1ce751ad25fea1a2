//! Which image of the WIM becomes the boot image.

use std::fs::File;
use std::path::Path;

use media_format::wim::info::{ImageInfo, WimInfo};

use crate::boot_image::{Error, Result};

/// `PROCESSOR_ARCHITECTURE_AMD64`.
const AMD64: u32 = 9;
/// What the XML metadata calls a WinPE.
const INSTALLATION_TYPE: &str = "WindowsPE";

/// The image, which must be a WinPE for x64. Without an index the first one: of a Windows ISO's boot.wim that is the
/// plain WinPE, and the second one is the same with Windows Setup.
pub(super) fn choose(wim: &Path, index: Option<u32>) -> Result<ImageInfo> {
    let bad = |why: String| Error::WinPeImage {
        wim: wim.to_owned(),
        why,
    };
    let mut file = File::open(wim).map_err(Error::io("opening", wim))?;
    let info = WimInfo::read(&mut file).map_err(|error| bad(error.to_string()))?;
    if info.total_parts > 1 {
        return Err(bad("it is a part of a split WIM; give a whole one".into()));
    }
    let index = index.unwrap_or(1);
    let image = info
        .image(index)
        .ok_or_else(|| bad(format!("it has no image {index}; it has {}", names(&info))))?;
    check(image).map_err(|why| {
        bad(format!(
            "image {index} ({}) {why}; it has {}",
            image.name,
            names(&info)
        ))
    })?;
    Ok(image.clone())
}

fn names(info: &WimInfo) -> String {
    let names = info
        .images
        .iter()
        .map(|image| format!("{} ({})", image.index, image.name));
    names.collect::<Vec<_>>().join(", ")
}

fn check(image: &ImageInfo) -> std::result::Result<(), String> {
    let Some(windows) = &image.windows else {
        return Err("is no Windows PE".into());
    };
    match windows.installation_type.as_deref() {
        Some(kind) if kind != INSTALLATION_TYPE => {
            return Err(format!("is an installed Windows ({kind}) and no Windows PE"));
        }
        _ => {}
    }
    match windows.arch {
        Some(AMD64) => Ok(()),
        Some(other) => Err(format!(
            "is for another processor (architecture {other}); take one for x64 (amd64)"
        )),
        None => Err("does not say for which processor it is".into()),
    }
}

#[cfg(test)]
mod tests {
    use media_format::wim::info::WindowsInfo;

    use super::*;

    fn checked(arch: Option<u32>, kind: Option<&str>) -> String {
        let image = ImageInfo {
            windows: Some(WindowsInfo {
                arch,
                installation_type: kind.map(str::to_owned),
                ..WindowsInfo::default()
            }),
            ..ImageInfo::default()
        };
        check(&image).err().unwrap_or_default()
    }

    #[test]
    fn only_a_winpe_for_x64_is_taken() {
        assert_eq!(checked(Some(9), Some("WindowsPE")), "");
        // Older ones do not say what they are.
        assert_eq!(checked(Some(9), None), "");
        assert!(checked(Some(9), Some("Client")).contains("an installed Windows (Client)"));
        assert!(checked(Some(0), Some("WindowsPE")).contains("for another processor (architecture 0)"));
        assert!(checked(None, Some("WindowsPE")).contains("does not say"));
        assert_eq!(check(&ImageInfo::default()).unwrap_err(), "is no Windows PE");
    }
}
