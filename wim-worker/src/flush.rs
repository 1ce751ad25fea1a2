//! Data is on the disk before the work counts as done.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use media_format::wim::protocol::{Phase, Volume};

use crate::failure::Failure;
use crate::report::Report;

/// As much is worth a wait for the disk.
const PORTION: u64 = 32 << 20;
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Sends a file to its disk while it is written: the disk would be idle as long as the processor compresses, and all would be left
/// for the end. Gives the file to be flushed with [`opened`], which is told of every failure meanwhile.
pub(crate) fn while_written(
    path: &Path,
    write: impl FnOnce() -> Result<(), Failure>,
) -> Result<Option<File>, Failure> {
    let written = AtomicBool::new(false);
    thread::scope(|scope| {
        let sender = scope.spawn(|| send(path, &written));
        let result = write();
        written.store(true, Ordering::Relaxed);
        sender.thread().unpark();
        let file = sender.join().unwrap_or_default();
        result.map(|()| file)
    })
}

/// A failure here ends nothing: a share may be back in a moment. What the disk did not take is told once to each open file, so it is
/// told to the second one, too.
fn send(path: &Path, written: &AtomicBool) -> Option<File> {
    let (mut files, mut sent) = (None, 0);
    while !written.load(Ordering::Relaxed) {
        thread::park_timeout(LOOK_AGAIN);
        files = files.or_else(|| Some((File::open(path).ok()?, File::open(path).ok()?)));
        let Some((file, _)) = &files else { continue };
        let length = file.metadata().map_or(sent, |metadata| metadata.len());
        if length.abs_diff(sent) >= PORTION {
            sent = length;
            let _ = file.sync_data();
        }
    }
    files.map(|(_, second)| second)
}

/// Waits until a file's data is on the disk.
pub(crate) fn file(path: &Path, report: &Report) -> Result<(), Failure> {
    let file = File::open(path).map_err(|e| failed(path, &e))?;
    opened(&file, path, report)
}

/// The same for a file that is open.
pub(crate) fn opened(file: &File, path: &Path, report: &Report) -> Result<(), Failure> {
    let length = file.metadata().map_err(|e| failed(path, &e))?.len();
    report.progress(Phase::Flush, 0, length);
    file.sync_all().map_err(|e| failed(path, &e))?;
    report.progress(Phase::Flush, length, length);
    Ok(())
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::io(format!("flushing {}", path.display()), error)
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_file_is_sent_while_it_grows_and_a_failed_write_is_what_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("growing.wim");
        let grow = || {
            let mut file = File::create(&path).unwrap();
            for _ in 0..3 {
                file.write_all(&vec![1; PORTION as usize]).unwrap();
                thread::sleep(LOOK_AGAIN * 2);
            }
            Ok(())
        };
        let file = while_written(&path, grow).unwrap().unwrap();
        assert_eq!(file.metadata().unwrap().len(), 3 * PORTION);
        let failed = while_written(&path, || Err(Failure::new("the disk is full")));
        assert_eq!(failed.unwrap_err(), Failure::new("the disk is full"));
        let nowhere = folder.path().join("never written");
        assert!(while_written(&nowhere, || Ok(())).unwrap().is_none());
    }
}
