//! Looks whether an image has certain files.

use std::sync::Arc;

use media_format::wim::protocol::{Find, Summary};

use crate::failure::Failure;
use crate::report::Report;
use crate::verify;

pub(crate) fn run(request: &Find, report: &Arc<Report>) -> Result<Summary, Failure> {
    let info = verify::read_info(&request.wim)?;
    let mut wim = verify::open(&request.wim, &[], report)?;
    let mut found = Vec::new();
    for path in &request.paths {
        let doing = || {
            format!(
                "looking for {} in image {} of {}",
                path.display(),
                request.index,
                request.wim.display()
            )
        };
        if wim
            .has(request.index, path)
            .map_err(|e| Failure::lib(doing(), &e))?
        {
            found.push(path.clone());
        }
    }
    Ok(Summary {
        found,
        ..verify::summary(&request.wim, info)?
    })
}
