//! A Windows is captured straight from its volumes, one image each.

use std::path::Path;

use media_format::hive::Key;
use media_format::hive::protocol::Query;
use media_format::wim::protocol::{CaptureImage, Volume as Source};
use task_sequence::steps::CaptureOperatingSystemImage;
use windows_setup::offline_registry::{Installation, SOFTWARE_HIVE};

use crate::context::Context;
use crate::destination::Destination;
use crate::journal::{Target, Volume};
use crate::platform;
use crate::steps::capture_views::name_skipped;
use crate::windows::existing::is_captured_kind;
use crate::windows::hives::Hive;
use crate::windows::image::volume_name;
use crate::windows::volume::NTFS;

/// What belongs to the running machine, as DISM leaves it out, and what a restart makes anew.
const NOT_CAPTURED: [&str; 12] = [
    "/$ntfs.log",
    "/hiberfil.sys",
    "/pagefile.sys",
    "/swapfile.sys",
    "/DumpStack.log",
    "/DumpStack.log.tmp",
    "/System Volume Information",
    "/RECYCLER",
    "/$Recycle.Bin",
    "/Windows/CSC",
    "/ProgramData/media-runtime",
    // What the ConfigMgr client knows the machine by.
    "/Windows/SMSCFG.ini",
];
/// The ConfigMgr client's certificates, in the hive of the software.
const CLIENT_CERTIFICATES: &str = r"Microsoft\SystemCertificates\SMS\Certificates";

/// A volume to capture.
struct Taken {
    volume: Volume,
    number: u32,
    source: Source,
}

/// The images, in the order in which they are written, and how many bytes their volumes hold.
pub(super) fn images(
    options: &CaptureOperatingSystemImage,
    context: &Context<'_>,
    target: &Target,
    destination: &Destination,
    base: &str,
) -> platform::Result<(Vec<CaptureImage>, u64)> {
    let mut volumes: Vec<Volume> = target.volumes.clone();
    volumes.sort_by_key(|volume| volume.id != target.system);
    let mut kept = Vec::new();
    for volume in volumes {
        let (_, device, _) = context.partition(&volume.id)?;
        if why_skipped(&volume, &device, destination).is_none() {
            kept.push(volume);
        }
    }
    name_skipped(context, target, &kept, destination, why_skipped)?;
    let installation = installation(context)?;
    let (mut images, mut used) = (Vec::new(), 0);
    for volume in kept {
        name_lost_attributes(context, &volume)?;
        let (taken, bytes) = take(context, volume)?;
        used += bytes;
        let of_system = (taken.volume.id == target.system).then_some(&installation);
        images.push(image(options, base, taken, of_system));
    }
    Ok((images, used))
}

fn why_skipped(volume: &Volume, device: &Path, destination: &Destination) -> Option<&'static str> {
    if !is_captured_kind(&volume.file_system) {
        return Some("it is no NTFS or FAT32 volume");
    }
    (destination.device.as_deref() == Some(device)).then_some("it is the destination of the capture")
}

fn installation(context: &Context<'_>) -> platform::Result<Installation> {
    let root = context.system_root(false)?;
    let hive = Hive::at(context.platform, &root, SOFTWARE_HIVE)?;
    let certificates = Query::Key {
        key: CLIENT_CERTIFICATES.into(),
        depth: 1,
    };
    let [installation, certificates] = hive.keys([Installation::query(), certificates])?;
    name_certificates(context, certificates.as_ref());
    Ok(Installation::read(installation.as_ref())?)
}

/// They are part of a hive, which is captured as it is.
fn name_certificates(context: &Context<'_>, certificates: Option<&Key>) {
    if certificates.is_some_and(|key| !key.keys.is_empty()) {
        context.log.warning(format!(
            "the image has certificates of a ConfigMgr client, by which the machines that get it may be taken for one: remove what \
             is below HKLM\\SOFTWARE\\{CLIENT_CERTIFICATES} before sysprep, or let prepare-client-for-capture do it in the \
             running Windows"
        ));
    }
}

/// What lies on a FAT32 volume is read through a mount, which shows neither attributes nor short names.
fn name_lost_attributes(context: &Context<'_>, volume: &Volume) -> platform::Result<()> {
    if volume.file_system == NTFS {
        return Ok(());
    }
    let (_, device, _) = context.partition(&volume.id)?;
    // The capture itself does not need to know, and says what is wrong with a damaged volume.
    let marked = match context.platform.files_losing_attributes(&device) {
        Ok(marked) => marked,
        Err(error) => {
            context.log.warning(format!("{error:#}"));
            return Ok(());
        }
    };
    let lost: Vec<_> = marked.iter().filter(|path| !is_left_out(path)).collect();
    if let Some(first) = lost.first() {
        context.log.warning(format!(
            "{} files and folders of {}, such as {first}, are read-only, hidden or of the system: the image of a FAT32 volume does not \
             keep that; set it again where the image is deployed (attrib), or convert the volume in Windows before the capture \
             (convert D: /fs:ntfs)",
            lost.len(),
            device.display()
        ));
    }
    Ok(())
}

/// Whether a file of a volume is one that no image has, or lies in such a folder.
fn is_left_out(path: &str) -> bool {
    let path = format!("/{path}").to_lowercase();
    NOT_CAPTURED.iter().any(|pattern| {
        let rest = path.strip_prefix(&pattern.to_lowercase());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// NTFS is read by libwim itself and must not be mounted meanwhile.
fn take(context: &Context<'_>, volume: Volume) -> platform::Result<(Taken, u64)> {
    let (_, device, number) = context.partition(&volume.id)?;
    let folder = context.platform.mount(&device, false)?;
    let used = context.platform.space(&folder)?.used;
    let source = if volume.file_system == NTFS {
        context.platform.unmount(&device)?;
        Source::NtfsVolume(device)
    } else {
        Source::Folder(folder)
    };
    let taken = Taken {
        volume,
        number,
        source,
    };
    Ok((taken, used))
}

fn image(
    options: &CaptureOperatingSystemImage,
    base: &str,
    taken: Taken,
    installation: Option<&Installation>,
) -> CaptureImage {
    let name = match installation {
        Some(_) => base.to_owned(),
        None => volume_name(base, taken.number),
    };
    let described = installation.map(|found| format!("{} {}", found.name(), found.version()));
    let description = options.image_description.clone().or(described);
    let exclude = NOT_CAPTURED.iter().map(|pattern| (*pattern).to_owned());
    CaptureImage {
        source: taken.source,
        display_name: installation.map(|_| name.clone()),
        display_description: installation.and(description.clone()),
        name,
        description,
        flags: installation.map(|found| found.edition.clone()),
        creator: options.image_creator.clone(),
        version: options.image_version.clone(),
        mount_point: None,
        exclude: exclude.chain(options.exclude.iter().cloned()).collect(),
        exclude_exceptions: vec![],
        unix_data: false,
        one_file_system: false,
    }
}
