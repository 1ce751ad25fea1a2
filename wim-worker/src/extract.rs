//! Copies certain files of an image.

use std::sync::Arc;

use media_format::wim::protocol::{Extract, Summary};

use crate::failure::Failure;
use crate::libwim::{EXTRACT_NO_ACLS, EXTRACT_NO_ATTRIBUTES, EXTRACT_NO_FOLDERS, EXTRACT_NORPFIX};
use crate::report::Report;
use crate::{find, verify};

pub(crate) fn run(request: &Extract, report: &Arc<Report>) -> Result<Summary, Failure> {
    let info = verify::read_info(&request.wim)?;
    let mut wim = verify::open(&request.wim, &request.parts, report)?;
    let found = find::found(&mut wim, &request.wim, request.index, &request.paths)?;
    let flags = EXTRACT_NO_ACLS | EXTRACT_NO_ATTRIBUTES | EXTRACT_NO_FOLDERS | EXTRACT_NORPFIX;
    if !found.is_empty() {
        let doing = format!(
            "copying {} files of image {} of {} to {}",
            found.len(),
            request.index,
            request.wim.display(),
            request.folder.display()
        );
        wim.extract_paths(request.index, &request.folder, &found, flags)
            .map_err(|e| Failure::lib(doing, &e))?;
    }
    Ok(Summary {
        found,
        ..verify::summary(&request.wim, info)?
    })
}
