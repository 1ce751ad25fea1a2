//! Files of an NTFS volume whose content Windows has put elsewhere, behind a reparse point.

use media_format::wim::reparse::{DEDUP, WOF};

use crate::failure::Failure;
use crate::libwim::{ReparsePoint, Wim};
use crate::report::Report;

/// Judges what was scanned of an NTFS volume, before anything of it is written.
pub(crate) fn judge(wim: &mut Wim, image: u32, report: &Report) -> Result<(), Failure> {
    let points = wim
        .reparse_points(image)
        .map_err(|e| Failure::lib("looking for files that Windows has packed", &e))?;
    let of = |tag: u32| points.iter().filter(move |point| point.tag == tag);
    if let Some(first) = of(DEDUP).next() {
        return Err(deduplicated(first, of(DEDUP).count()));
    }
    if let Some(first) = of(WOF).next() {
        report.warn(Some(first.path.clone()), packed(of(WOF).count()));
    }
    Ok(())
}

fn deduplicated(first: &ReparsePoint, count: usize) -> Failure {
    let error = format!(
        "{count} files of the volume are deduplicated, such as {}: their content lies in a store that an image does not hold",
        first.path
    );
    let hint = "In Windows, undo it: Start-DedupJob -Volume C: -Type Unoptimization".into();
    Failure {
        hint: Some(hint),
        ..Failure::new(error)
    }
}

fn packed(count: usize) -> String {
    format!(
        "this and others, {count} in all, are compressed by Windows (CompactOS) and stay so in the image: the Linux PE applies \
         them as they are, other tools may not be able to; to have them unpacked, run `compact /compactos:never` in Windows \
         before the capture"
    )
}
