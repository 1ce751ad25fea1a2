//! Room for the images of a sequence, on the disk and on its volumes: what cannot hold them is refused while it is
//! untouched.

use anyhow::bail;
use media_format::wim::info::ImageInfo;
use task_sequence::Action;
use task_sequence::steps::{ApplyOperatingSystemImage, VolumeSelector};

use crate::context::{Context, resolved};
use crate::layout::{self, Planned};
use crate::platform::{NewPartition, Result, Role};
use crate::windows::image;
use crate::{system_place, volumes, wim_files};

/// Bytes that the largest operating system of the sequence needs.
pub fn needed(context: &Context<'_>) -> u64 {
    let systems = systems(context);
    let sizes = systems
        .iter()
        .map(|system| total(context.is_windows(), system.iter()));
    sizes.max().unwrap_or(0)
}

/// Images say of themselves how large they are: what they say must not become small again.
fn total<'a>(windows: bool, images: impl Iterator<Item = &'a ImageInfo>) -> u64 {
    let sizes = images.map(|image| needed_by(windows, image));
    sizes.fold(0, u64::saturating_add)
}

/// A system that is started makes its initramfs anew, keeps logs and caches, and is given updates and applications: a small Debian on
/// a disk that its files filled ended with its first package. Other volumes may be as full as those that they were captured from.
fn needed_by(windows: bool, image: &ImageInfo) -> u64 {
    let runs = match windows {
        true => image::system(std::slice::from_ref(image)).is_ok(),
        false => image.mount_point.as_deref().unwrap_or("/") == "/",
    };
    let room = if runs { image.disk_bytes() / 8 } else { 0 };
    image.disk_bytes().saturating_add(room)
}

/// Compares the images with the volumes that they come onto.
///
/// # Errors
/// When a volume is smaller than its image.
pub fn check(context: &Context<'_>, planned: &Planned) -> Result<()> {
    if context.is_windows() {
        return check_windows(context, planned);
    }
    let volumes = volumes_of(planned);
    for system in systems(context) {
        if let [image] = system.as_slice() {
            fits(
                needed_by(false, image),
                volumes.iter().map(|(_, size)| size).sum(),
                "its volumes have",
            )?;
            continue;
        }
        for (point, size) in &volumes {
            let images = system.iter().filter(|image| home(image, &volumes) == point);
            let bytes = total(false, images);
            fits(bytes, *size, &format!("the volume for {point} has"))?;
        }
    }
    Ok(())
}

/// Each image of a Windows comes onto a volume of its own.
fn check_windows(context: &Context<'_>, planned: &Planned) -> Result<()> {
    let data = planned.table.partitions.iter();
    let data: Vec<&NewPartition> = data.filter(|partition| partition.role == Role::Data).collect();
    let numbers: Vec<u32> = data.iter().map(|partition| partition.number).collect();
    for (options, images) in applied(context) {
        let named = named(&options.destination, planned);
        let Some(first) = named.or(numbers.first().copied()) else {
            bail!("the sequence applies a Windows, and the disk has no volume for it");
        };
        // Images without a Windows among them are refused by the check of their own step.
        if image::system(&images).is_err() {
            continue;
        }
        for (image, number) in image::places(&images, first, &numbers)? {
            let volume = data.iter().find(|volume| volume.number == number);
            let size = volume.map_or(0, |volume| volume.size);
            fits(needed_by(true, &image), size, &format!("volume {number} has"))?;
        }
    }
    Ok(())
}

/// The number of the partition that a step names as its destination; what names none that this layout makes was refused before.
fn named(destination: &VolumeSelector, planned: &Planned) -> Option<u32> {
    if let Some(number) = destination.partition.get() {
        return Some(*number);
    }
    let text = destination.volume.as_deref();
    let name = match (&destination.variable, text) {
        (Some(name), _) => name,
        (None, Some(text)) => text.trim_matches('%'),
        (None, None) => system_place::NAME,
    };
    let mut settings = planned.settings.iter();
    let found = settings.find(|(_, setting)| {
        let variable = setting.as_ref().and_then(|setting| setting.variable.as_deref());
        variable.is_some_and(|variable| variable.eq_ignore_ascii_case(name))
    });
    found.map(|(number, _)| *number)
}

fn fits(needed: u64, size: u64, holder: &str) -> Result<()> {
    if needed > size {
        bail!(
            "the image needs {needed} bytes (a system with room to run) and {holder} {size}; give the volume more room"
        );
    }
    Ok(())
}

/// What a new file system of that size has left for files. It keeps at least as much for itself in volumes of 300 MB
/// to 20 GB (measured with the programs of Debian 12 and 13); what it keeps in larger ones matters less.
fn usable(kind: &str, size: u64) -> u64 {
    const MIB: u64 = 1 << 20;
    let kept = match kind {
        // Five of a hundred are reserved for root, one and a half are inodes.
        "ext4" => size / 14 + 26 * MIB,
        "xfs" => size / 200 + 78 * MIB,
        "btrfs" => size / 100 + 76 * MIB,
        _ => 0,
    };
    size.saturating_sub(kept)
}

/// The volumes of the system's tree: mount point and bytes for files.
fn volumes_of(planned: &Planned) -> Vec<(String, u64)> {
    let points = layout::mount_points(planned);
    let volumes = planned.table.partitions.iter().zip(points);
    volumes
        .filter(|(partition, (_, point))| {
            let kind = partition.file_system.as_deref().unwrap_or_default();
            !point.is_empty() && volumes::KINDS.contains(&kind)
        })
        .map(|(partition, (_, point))| {
            let kind = partition.file_system.as_deref().unwrap_or_default();
            (point, usable(kind, partition.size))
        })
        .collect()
}

/// The mount point of the volume that an image comes onto.
fn home<'a>(image: &ImageInfo, volumes: &'a [(String, u64)]) -> &'a str {
    let path = image.mount_point.as_deref().unwrap_or("/");
    let holding = volumes
        .iter()
        .map(|(point, _)| point.as_str())
        .filter(|point| *point == path || volumes::relative(path, point).is_some());
    holding.max_by_key(|point| point.len()).unwrap_or("/")
}

/// The images of each operating system that the sequence applies.
fn systems(context: &Context<'_>) -> Vec<Vec<ImageInfo>> {
    applied(context).into_iter().map(|(_, images)| images).collect()
}

/// The steps that apply an operating system, each with its images.
fn applied(context: &Context<'_>) -> Vec<(ApplyOperatingSystemImage, Vec<ImageInfo>)> {
    let steps = context.possible_steps().into_iter();
    steps
        .filter_map(|step| resolved(step, context.variables).ok())
        .filter_map(|step| match step.action {
            Action::ApplyOperatingSystemImage(options) => {
                let images = images(context, &options)?;
                Some((options, images))
            }
            _ => None,
        })
        .collect()
}

/// An image that is missing or damaged is refused by the check of its own step, with that step's name.
fn images(context: &Context<'_>, options: &ApplyOperatingSystemImage) -> Option<Vec<ImageInfo>> {
    let content = context.content(options.package.as_str()).ok()?;
    let wim = wim_files::first(context.platform, content).ok()?;
    let mut images = context.platform.image_info(&wim).ok()?.images;
    if !options.all_volumes.unwrap_or(false) {
        let index = options.index.unwrap_or(1);
        images.retain(|image| image.index == index);
    }
    Some(images)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_that_say_they_are_huge_do_not_become_small_together() {
        let image = ImageInfo {
            total_bytes: 1 << 63,
            ..ImageInfo::default()
        };
        assert_eq!(total(false, [&image, &image].into_iter()), u64::MAX);
    }

    #[test]
    fn only_a_system_needs_room_to_run() {
        let of = |mount_point: Option<&str>, windows| ImageInfo {
            total_bytes: 800,
            mount_point: mount_point.map(str::to_owned),
            windows,
            ..ImageInfo::default()
        };
        let known = Some(media_format::wim::info::WindowsInfo::default());
        assert_eq!(needed_by(false, &of(Some("/"), None)), 900);
        assert_eq!(needed_by(false, &of(None, None)), 900);
        assert_eq!(needed_by(false, &of(Some("/home"), None)), 800);
        assert_eq!(needed_by(true, &of(None, known)), 900);
        assert_eq!(needed_by(true, &of(None, None)), 800);
    }

    /// A volume as its own program makes it, seen by `statfs`, has no more room than we say, and not much less.
    #[test]
    fn a_new_file_system_keeps_what_we_think() {
        let mib = |bytes: u64| bytes >> 20;
        for (kind, size, free) in [
            ("ext4", 300, 252),
            ("ext4", 800, 713),
            ("ext4", 20_000, 18_497),
            ("xfs", 300, 219),
            ("xfs", 20_000, 19_764),
            ("btrfs", 300, 219),
            ("btrfs", 20_000, 19_471),
        ] {
            let usable = mib(usable(kind, size << 20));
            assert!(usable >= free, "{kind} of {size}: {usable} < {free}");
            assert!(
                usable <= free + free / 40 + 16,
                "{kind} of {size}: {usable} is much more than {free}"
            );
        }
        assert_eq!(usable("ext4", 1 << 20), 0);
    }
}
