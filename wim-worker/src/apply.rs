//! Extracts an image.

use std::path::Path;
use std::sync::Arc;

use media_format::wim::info::{ImageInfo, WimInfo};
use media_format::wim::protocol::{Apply, Summary, Volume};

use crate::failure::Failure;
use crate::libwim::{EXTRACT_NORPFIX, EXTRACT_NTFS, EXTRACT_UNIX_DATA};
use crate::report::Report;
use crate::{flush, verify};

pub(crate) fn run(request: &Apply, report: &Arc<Report>) -> Result<Summary, Failure> {
    let info = verify::read_info(&request.wim)?;
    let image = find(&info, request)?.clone();
    let (target, flags) = target(request)?;
    let doing = format!(
        "applying image {} of {} to {}",
        request.index,
        request.wim.display(),
        target.display()
    );
    let mut wim = verify::open(&request.wim, &request.parts, report)?;
    wim.extract(request.index, target, flags)
        .map_err(|e| Failure::lib(doing, &e))?;
    drop(wim);
    flush::volume(&request.target, report)?;
    for folder in &request.inside {
        flush::volume(&Volume::Folder(folder.clone()), report)?;
    }
    Ok(Summary {
        files: image.file_count,
        directories: image.dir_count,
        bytes: image.total_bytes,
        ..verify::summary(&request.wim, info)?
    })
}

fn find<'a>(info: &'a WimInfo, request: &Apply) -> Result<&'a ImageInfo, Failure> {
    info.image(request.index).ok_or_else(|| {
        let names: Vec<String> = info
            .images
            .iter()
            .map(|i| format!("{} ({})", i.index, i.name))
            .collect();
        Failure::new(format!(
            "{} has no image {}",
            request.wim.display(),
            request.index
        ))
        .hint(format!("it has these images: {}", names.join(", ")))
    })
}

/// Links keep their targets as they are: the image is of a whole volume, so there is nothing to correct.
fn target(request: &Apply) -> Result<(&Path, i32), Failure> {
    match &request.target {
        Volume::NtfsVolume(_) if request.unix_data => Err(Failure::new(
            "owners and modes of Unix cannot be restored onto an NTFS volume",
        )
        .hint("apply to a folder on a Linux file system, or without unix_data")),
        Volume::NtfsVolume(device) => Ok((device, EXTRACT_NTFS | EXTRACT_NORPFIX)),
        Volume::Folder(folder) => {
            let unix = if request.unix_data { EXTRACT_UNIX_DATA } else { 0 };
            Ok((folder, unix | EXTRACT_NORPFIX))
        }
    }
}
