//! Data is on the disk before the work counts as done.

use std::fs::File;
use std::path::Path;

use media_format::wim::protocol::{Phase, Volume};

use crate::failure::Failure;
use crate::report::Report;

/// Waits until a file's data is on the disk.
pub(crate) fn file(path: &Path, report: &Report) -> Result<(), Failure> {
    let failed = |e| Failure::io(format!("flushing {}", path.display()), &e);
    let file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    report.progress(Phase::Flush, 0, length);
    file.sync_all().map_err(failed)?;
    report.progress(Phase::Flush, length, length);
    Ok(())
}

/// Waits until all that was written to a volume is on the disk.
pub(crate) fn volume(volume: &Volume, report: &Report) -> Result<(), Failure> {
    let folder = match volume {
        Volume::NtfsVolume(device) => return file(device, report),
        Volume::Folder(folder) => folder,
    };
    let failed = |e| Failure::io(format!("flushing the volume of {}", folder.display()), &e);
    report.progress(Phase::Flush, 0, 0);
    let opened = File::open(folder).map_err(failed)?;
    rustix::fs::syncfs(&opened).map_err(|e| failed(e.into()))
}
