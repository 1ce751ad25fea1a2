//! The only code that writes images: one ascending pass over the extents, which hashes what it copies.
//!
//! Order: everything, then what is only known at the end (the manifest), then what makes the medium boot; a flush, and
//! all of it read back and judged by the readers; the final name. Until then the file is called `NAME.partial`.

mod batch;
mod error;
mod hasher;
mod output;
mod pipeline;
mod reader;
mod regions;

use std::collections::BTreeMap;
use std::path::Path;

use disk_image::{Content, Extent, SourceId};

pub use error::ExecuteError;

use crate::plan::{LATE_MANIFEST, MediaPlan};
use crate::resolve::{DigestCache, Sources};
use crate::verify;
use batch::Batch;
use output::Output;
use pipeline::Pipeline;
use reader::Reader;

/// What the writer reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It begins, and will write so many bytes.
    Started {
        /// Bytes in all.
        total: u64,
    },
    /// So many bytes have been written.
    Advanced {
        /// Bytes so far.
        done: u64,
    },
    /// All is written, and is read back: so many bytes of so many.
    Verifying {
        /// Bytes so far.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Bytes that were written; the rest of the image are holes.
    pub bytes: u64,
    /// Bytes of the image.
    pub size: u64,
}

/// Writes the image. An older file of that name stays until the new one is complete.
///
/// # Errors
/// When something cannot be read or written, changed meanwhile, or does not come back as it was written; the partial
/// file is removed.
pub fn execute(
    plan: &MediaPlan,
    sources: &Sources,
    path: &Path,
    cache: &mut DigestCache,
    progress: &mut dyn FnMut(Event),
) -> Result<Written, ExecuteError> {
    let total = written_bytes(&plan.layout.extents);
    let output = Output::create(path, plan.layout.size, total)?;
    progress(Event::Started { total });
    let digests = copy(plan, sources, &output, progress)?;
    check_expected(sources, &digests)?;
    write_late(plan, sources, &output, &digests)?;
    write_last(plan, &output)?;
    flush_and_verify(&output, progress)?;
    output.finish()?;
    for (id, digest) in &digests {
        cache.insert(sources.get(*id).key(), *digest);
    }
    Ok(Written {
        bytes: total,
        size: plan.layout.size,
    })
}

fn written_bytes(extents: &[Extent]) -> u64 {
    extents
        .iter()
        .filter(|extent| extent.content != Content::Zero)
        .map(|extent| extent.length)
        .sum()
}

/// The pass; returns the digests of all sources.
fn copy(
    plan: &MediaPlan,
    sources: &Sources,
    output: &Output,
    progress: &mut dyn FnMut(Event),
) -> Result<BTreeMap<SourceId, [u8; 32]>, ExecuteError> {
    let mut reader = Reader::new(sources);
    let mut digests = std::thread::scope(|scope| {
        let mut batch = Batch::new(Pipeline::start(scope, output), known(plan, sources));
        let filled = fill(plan, &mut batch, &mut reader, progress);
        batch.finish(filled, progress)
    })?;
    for id in plan.sources() {
        // A planner that tears a file apart in another order than the file's costs a second look at it.
        if let std::collections::btree_map::Entry::Vacant(place) = digests.entry(id) {
            place.insert(reader.digest(id)?);
        }
    }
    reader.close()?;
    Ok(digests)
}

fn fill(
    plan: &MediaPlan,
    batch: &mut Batch<'_>,
    reader: &mut Reader<'_>,
    progress: &mut dyn FnMut(Event),
) -> Result<(), ExecuteError> {
    for extent in plan.layout.extents.iter().filter(|extent| !extent.last) {
        match &extent.content {
            Content::Bytes(bytes) => batch.bytes(extent.offset, bytes, progress)?,
            Content::Source { source, offset } => batch.source(extent, *source, *offset, reader, progress)?,
            Content::Zero | Content::Late(_) => {}
        }
    }
    Ok(())
}

/// Reads the image back while the system still flushes the rest of it.
fn flush_and_verify(output: &Output, progress: &mut dyn FnMut(Event)) -> Result<(), ExecuteError> {
    let (flushed, report) = std::thread::scope(|scope| {
        let flushing = scope.spawn(|| output.flush());
        let report = verify::verify(output.partial(), &mut |done, total| {
            progress(Event::Verifying { done, total });
        });
        (flushing.join().map_err(|_| ExecuteError::Ended), report)
    });
    flushed??;
    let problems = match report {
        Ok(report) if report.is_good() => return Ok(()),
        Ok(report) => report.problems,
        Err(error) => vec![format!("{error:#}")],
    };
    Err(ExecuteError::Verify {
        path: output.partial().to_owned(),
        problems,
    })
}

fn known(plan: &MediaPlan, sources: &Sources) -> BTreeMap<SourceId, [u8; 32]> {
    plan.sources()
        .into_iter()
        .filter_map(|id| Some((id, sources.get(id).sha256?)))
        .collect()
}

fn check_expected(sources: &Sources, digests: &BTreeMap<SourceId, [u8; 32]>) -> Result<(), ExecuteError> {
    for (id, digest) in digests {
        let source = sources.get(*id);
        if source.expected.is_some_and(|expected| expected != *digest) {
            return Err(ExecuteError::Damaged {
                path: source.path.clone(),
                offset: source.offset,
            });
        }
    }
    Ok(())
}

fn write_late(
    plan: &MediaPlan,
    sources: &Sources,
    output: &Output,
    digests: &BTreeMap<SourceId, [u8; 32]>,
) -> Result<(), ExecuteError> {
    let mut manifest = plan.finished_manifest(digests, &regions::digests(plan, sources)?);
    // The places of the regions depend on the room for the manifest, which was planned for the longest numbers.
    let room: u64 = late(plan).map(|extent| extent.length).sum();
    manifest.resize(manifest.len().max(usize::try_from(room).unwrap_or(0)), b'\n');
    let mut rest = manifest.as_slice();
    for extent in late(plan) {
        let length = usize::try_from(extent.length)
            .unwrap_or(usize::MAX)
            .min(rest.len());
        let (part, after) = rest.split_at(length);
        output.write(part, extent.offset)?;
        rest = after;
    }
    if rest.is_empty() {
        Ok(())
    } else {
        Err(ExecuteError::ManifestLength {
            bytes: manifest.len(),
        })
    }
}

/// The place of the manifest.
fn late(plan: &MediaPlan) -> impl Iterator<Item = &Extent> {
    let is_late = |extent: &&Extent| matches!(&extent.content, Content::Late(name) if name == LATE_MANIFEST);
    plan.layout.extents.iter().filter(is_late)
}

fn write_last(plan: &MediaPlan, output: &Output) -> Result<(), ExecuteError> {
    for extent in plan.layout.extents.iter().filter(|extent| extent.last) {
        if let Content::Bytes(bytes) = &extent.content {
            output.write(bytes, extent.offset)?;
        }
    }
    Ok(())
}
