//! Writes a WIM with one image per source.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use media_format::wim::protocol::{Capture, CaptureImage, Compression, OnBadName, Summary, Volume};
use rustix::fs::MemfdFlags;

use crate::failure::Failure;
use crate::libwim::{self, Event, Verdict, Wim};
use crate::printed::text;
use crate::report::Report;
use crate::scan::{self, BadNames, Rules, SharedRules};
use crate::{flush, reparse, verify};

/// XPRESS is chosen for its speed: libwim's own level, 50, takes a tenth longer for files that are 0.7 % smaller.
const XPRESS_LEVEL: u32 = 20;

pub(crate) fn run(request: &Capture, report: &Arc<Report>) -> Result<Summary, Failure> {
    request.images.iter().try_for_each(check)?;
    if request.images.is_empty() {
        return Err(Failure::new("a capture needs at least one image"));
    }
    let mut wim = scan_all(request, report)?;
    let written = write(&mut wim, request, report);
    if written.is_err() {
        remove(&request.wim);
    }
    written
}

/// All sources are scanned before the first byte is written, so that a refusal is early.
fn scan_all(request: &Capture, report: &Arc<Report>) -> Result<Wim, Failure> {
    let rules = SharedRules::default();
    let (kind, _) = compression(request.compression);
    libwim::set_level(libwim::COMPRESSION_XPRESS, XPRESS_LEVEL)
        .map_err(|e| Failure::lib("choosing how hard to compress", &e))?;
    let mut wim = Wim::create(kind, observer(Arc::clone(report), Arc::clone(&rules)))
        .map_err(|e| Failure::lib("making a WIM", &e))?;
    let mut bad = BadNames::default();
    for (image, index) in request.images.iter().zip(1..) {
        let found = scan(&mut wim, image, &rules)?;
        bad.count += found.count;
        bad.named.extend(found.named);
        if matches!(image.source, Volume::NtfsVolume(_)) {
            reparse::judge(&mut wim, index, report)?;
        }
        set_properties(&mut wim, image, index)?;
    }
    judge_names(bad, request.on_bad_name, report)?;
    Ok(wim)
}

fn observer(report: Arc<Report>, rules: SharedRules) -> Box<dyn FnMut(Event) -> Verdict> {
    Box::new(move |event| match event {
        Event::Test { path } => scan::judge(&rules, path),
        Event::Unsupported { path } => {
            report.warn(
                Some(text(path)),
                "left out: an image cannot hold a file of this kind".into(),
            );
            Verdict::Continue
        }
        other => verify::tell(&report, &other),
    })
}

fn scan(wim: &mut Wim, image: &CaptureImage, rules: &SharedRules) -> Result<BadNames, Failure> {
    let (source, flags) = source(image);
    let failed = |e| Failure::io(format!("reading {}", source.display()), &e);
    let folder_rules = match image.source {
        Volume::Folder(_) => Some(Rules::new(source, image.one_file_system).map_err(failed)?),
        Volume::NtfsVolume(_) => None,
    };
    scan::replace(rules, folder_rules);
    let config = exclusions(image).map_err(|e| Failure::io("writing the exclusions to memory", &e))?;
    let config_path = PathBuf::from(format!("/proc/self/fd/{}", config.as_raw_fd()));
    let doing = format!("scanning {} for image {}", source.display(), image.name);
    wim.add_image(source, &image.name, &config_path, flags)
        .map_err(|e| Failure::lib(doing, &e))?;
    Ok(scan::replace(rules, None))
}

fn source(image: &CaptureImage) -> (&Path, i32) {
    let common = libwim::ADD_VERBOSE | libwim::ADD_EXCLUDE_VERBOSE | libwim::ADD_NORPFIX;
    match &image.source {
        Volume::NtfsVolume(device) => (device, common | libwim::ADD_NTFS),
        Volume::Folder(folder) => {
            let unix = if image.unix_data { libwim::ADD_UNIX_DATA } else { 0 };
            (folder, common | libwim::ADD_TEST_FILE_EXCLUSION | unix)
        }
    }
}

/// libwim reads exclusions from a file only: this one is in memory and has no name elsewhere.
fn exclusions(image: &CaptureImage) -> std::io::Result<File> {
    let mut file = File::from(rustix::fs::memfd_create("exclusions", MemfdFlags::CLOEXEC)?);
    writeln!(file, "[ExclusionList]")?;
    image
        .exclude
        .iter()
        .try_for_each(|pattern| writeln!(file, "\"{pattern}\""))?;
    writeln!(file, "[ExclusionException]")?;
    image
        .exclude_exceptions
        .iter()
        .try_for_each(|pattern| writeln!(file, "\"{pattern}\""))?;
    Ok(file)
}

fn set_properties(wim: &mut Wim, image: &CaptureImage, index: u32) -> Result<(), Failure> {
    for (name, value) in image.properties() {
        let doing = format!("setting {name} of image {}", image.name);
        wim.set_property(index, name, value)
            .map_err(|e| Failure::lib(doing, &e))?;
    }
    Ok(())
}

/// What would break the XML metadata or the exclusions, or cannot be stored, is refused before anything is read.
fn check(image: &CaptureImage) -> Result<(), Failure> {
    let texts = image
        .properties()
        .map(|(_, value)| value)
        .chain([image.name.as_str()]);
    let patterns = image
        .exclude
        .iter()
        .chain(&image.exclude_exceptions)
        .map(String::as_str);
    if let Some(bad) = texts
        .chain(patterns.clone())
        .find(|text| text.contains(char::is_control))
    {
        return Err(Failure::new(format!(
            "image {:?}: {bad:?} contains a control character",
            image.name
        )));
    }
    if let Some(bad) = patterns
        .into_iter()
        .find(|text| text.is_empty() || text.contains('"'))
    {
        return Err(Failure::new(format!(
            "image {:?}: {bad:?} is no exclusion pattern",
            image.name
        )));
    }
    if image.unix_data && matches!(image.source, Volume::NtfsVolume(_)) {
        return Err(Failure::new(format!(
            "image {:?}: an NTFS volume has no Unix owners and modes",
            image.name
        ))
        .hint("capture it without unix_data"));
    }
    Ok(())
}

fn judge_names(bad: BadNames, rule: OnBadName, report: &Report) -> Result<(), Failure> {
    let count = bad.count;
    let unnamed = count.saturating_sub(bad.named.len() as u64);
    for path in bad.named {
        report.warn(
            Some(path),
            "its name, or the target of the link, is not UTF-8".into(),
        );
    }
    if unnamed > 0 {
        report.warn(None, format!("{unnamed} more names are not UTF-8"));
    }
    if count == 0 || rule == OnBadName::Skip {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{count} file names or link targets are not UTF-8, and a WIM cannot hold them"
    ))
    .hint("rename or remove the files that the warnings name, exclude them, or let the capture skip them"))
}

fn compression(compression: Compression) -> (i32, i32) {
    match compression {
        Compression::None => (libwim::COMPRESSION_NONE, 0),
        Compression::Xpress => (libwim::COMPRESSION_XPRESS, 0),
        Compression::Lzx => (libwim::COMPRESSION_LZX, 0),
        Compression::Lzms => (libwim::COMPRESSION_LZMS, libwim::WRITE_SOLID),
    }
}

fn write(wim: &mut Wim, request: &Capture, report: &Arc<Report>) -> Result<Summary, Failure> {
    let (_, flags) = compression(request.compression);
    let doing = format!("writing {}", request.wim.display());
    let file = flush::while_written(&request.wim, || {
        wim.write(&request.wim, flags, request.threads.unwrap_or(0))
            .map_err(|e| Failure::lib(doing, &e))
    })?;
    let sha256 = flush_and_verify(request, file, report)?;
    let info = verify::read_info(&request.wim)?;
    Ok(Summary {
        sha256,
        ..verify::summary(&request.wim, info)?
    })
}

/// Both at once: the disk is slow where the processor is idle. What is verified is what the disk is given, and that
/// the disk took it is what the flush says.
fn flush_and_verify(
    request: &Capture,
    file: Option<File>,
    report: &Arc<Report>,
) -> Result<Option<String>, Failure> {
    std::thread::scope(|scope| {
        let flushed = scope.spawn(|| match file {
            Some(file) => flush::opened(&file, &request.wim, report),
            None => flush::file(&request.wim, report),
        });
        let sha256 = request
            .verify
            .then(|| verify::whole(&request.wim, report))
            .transpose();
        let interrupted = |_| Failure::new(format!("flushing {}: interrupted", request.wim.display()));
        flushed.join().map_err(interrupted)??;
        sha256
    })
}

/// A broken WIM must not be taken for a good one, nor fill the destination. That it cannot be removed is no news:
/// the reason why it could not be written is.
fn remove(wim: &Path) {
    if wim.is_file() {
        let _ = std::fs::remove_file(wim);
    }
}
