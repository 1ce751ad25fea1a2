//! Reads a WIM and proves that it is whole.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use media_format::wim::info::WimInfo;
use media_format::wim::protocol::{Phase, Summary, Verify};

use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::libwim::{Event, Verdict, Wim};
use crate::report::Report;
use crate::streams::Blobs;

/// Opens a WIM or all parts of a split WIM.
pub(crate) fn open(wim: &Path, parts: &[PathBuf], report: &Arc<Report>) -> Result<Wim, Failure> {
    let listener = Arc::clone(report);
    let mut opened = Wim::open(wim, Box::new(move |event| tell(&listener, &event)))
        .map_err(|e| Failure::lib(format!("opening {}", wim.display()), &e))?;
    if !parts.is_empty() {
        let doing = || format!("opening the other parts of {}", wim.display());
        opened.reference(parts).map_err(|e| Failure::lib(doing(), &e))?;
    }
    Ok(opened)
}

/// Turns what libwim reports into progress. When nobody listens any more the work ends.
pub(crate) fn tell(report: &Report, event: &Event) -> Verdict {
    let heard = match *event {
        Event::Scanned { bytes } => report.progress(Phase::Scan, bytes, 0),
        Event::Write { done, total } => report.progress(Phase::Write, done, total),
        Event::Structure { done, total } => report.progress(Phase::Structure, done, total),
        Event::Extract { done, total } => report.progress(Phase::Extract, done, total),
        Event::Metadata { done, total } => report.progress(Phase::Metadata, done, total),
        Event::Verify { done, total } => report.progress(Phase::Verify, done, total),
        Event::Unsupported { .. } | Event::Test { .. } => true,
    };
    if heard { Verdict::Continue } else { Verdict::Abort }
}

pub(crate) fn run(request: &Verify, report: &Arc<Report>) -> Result<Summary, Failure> {
    let info = read_info(&request.wim)?;
    streams(&request.wim, &request.parts, report)?;
    summary(&request.wim, info)
}

/// Compares every stream with its SHA-1.
pub(crate) fn streams(wim: &Path, parts: &[PathBuf], report: &Arc<Report>) -> Result<(), Failure> {
    let doing = format!("verifying {}", wim.display());
    open(wim, parts, report)?
        .verify()
        .map_err(|e| Failure::lib(doing, &e))
}

pub(crate) fn info(wim: &Path) -> Result<Summary, Failure> {
    summary(wim, read_info(wim)?)
}

pub(crate) fn read_info(wim: &Path) -> Result<WimInfo, Failure> {
    let mut file = File::open(wim).map_err(|e| Failure::io(format!("opening {}", wim.display()), &e))?;
    WimInfo::read(&mut file).map_err(|e| {
        Failure::new(format!("reading {}: {e}", wim.display()))
            .hint("choose a complete WIM file (.wim, .esd or .swm); copy it again if it is damaged")
    })
}

/// The sums over all images, and the WIM's size.
pub(crate) fn summary(wim: &Path, info: WimInfo) -> Result<Summary, Failure> {
    let size = std::fs::metadata(wim)
        .map_err(|e| Failure::io(format!("reading the size of {}", wim.display()), &e))?;
    let sum = |number: fn(&media_format::wim::info::ImageInfo) -> u64| {
        info.images.iter().map(number).fold(0, u64::saturating_add)
    };
    Ok(Summary {
        files: sum(|image| image.file_count),
        directories: sum(|image| image.dir_count),
        bytes: sum(|image| image.total_bytes),
        wim_bytes: size.len(),
        info: Some(info),
        ..Summary::default()
    })
}

/// Proves a WIM that was just written: all its streams, and meanwhile the SHA-256 of the file.
pub(crate) fn whole(wim: &Path, report: &Arc<Report>) -> Result<String, Failure> {
    let failed = |e| Failure::io(format!("reading {}", wim.display()), &e);
    std::thread::scope(|scope| {
        let digest = scope.spawn(|| sha256(wim));
        match Blobs::open(wim).map_err(failed)? {
            Some(blobs) => blobs.verify(report)?,
            None => streams(wim, &[], report)?,
        }
        digest
            .join()
            .map_err(|_| Failure::new(format!("reading {}: interrupted", wim.display())))?
            .map_err(failed)
    })
}

fn sha256(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => digest.update(&buffer[..count]),
        }
    }
    Ok(digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}
