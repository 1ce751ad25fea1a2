//! Looks whether an image has certain files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use media_format::wim::protocol::{Find, Summary};

use crate::failure::Failure;
use crate::libwim::Wim;
use crate::report::Report;
use crate::verify;

pub(crate) fn run(request: &Find, report: &Arc<Report>) -> Result<Summary, Failure> {
    let info = verify::read_info(&request.wim)?;
    let mut wim = verify::open(&request.wim, &[], report)?;
    Ok(Summary {
        found: found(&mut wim, &request.wim, request.index, &request.paths)?,
        ..verify::summary(&request.wim, info)?
    })
}

/// Those of the paths that the image has.
pub(crate) fn found(
    wim: &mut Wim,
    file: &Path,
    index: u32,
    paths: &[PathBuf],
) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        let doing = || {
            format!(
                "looking for {} in image {index} of {}",
                path.display(),
                file.display()
            )
        };
        if wim.has(index, path).map_err(|e| Failure::lib(doing(), &e))? {
            found.push(path.clone());
        }
    }
    Ok(found)
}
