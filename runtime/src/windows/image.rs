//! The image that a sequence applies: whether it is a Windows, and one that this machine starts.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use media_format::wim::info::{ImageInfo, WindowsInfo};
use media_format::wim::protocol::{Find, Operation, Request};
use task_sequence::steps::ApplyOperatingSystemImage;
use task_sequence::{Action, Step};
use windows_setup::unattend::{Architecture, Image};

use crate::context::{Context, resolved};
use crate::journal::WindowsSystem;
use crate::platform::{Firmware, Result};
use crate::wim_files;

/// Looking for a name needs the metadata of one image.
const MEMORY_LIMIT: u64 = 1 << 30;
/// What a UEFI and what a BIOS starts, in every image that can be set up.
const BOOT_MANAGERS: (&str, &str) = ("/Windows/Boot/EFI/bootmgfw.efi", "/Windows/Boot/PCAT/bootmgr");
/// Builds from here on are called Windows 11.
const FIRST_WINDOWS_11: u32 = 22_000;

/// The image with Windows among those that a step applies.
///
/// # Errors
/// When there is none.
pub fn system(images: &[ImageInfo]) -> Result<&ImageInfo> {
    let installed = |image: &&ImageInfo| {
        let windows = image.windows.as_ref();
        windows.is_some_and(|windows| windows.installation_type.as_deref() != Some("WindowsPE"))
    };
    images.iter().find(installed).ok_or_else(|| {
        let names: Vec<_> = images
            .iter()
            .map(|image| format!("{} ({})", image.index, image.name))
            .collect();
        anyhow!(
            "the sequence is for Windows and none of these images is an installed Windows: {}",
            names.join(", ")
        )
    })
}

/// The Windows that the sequence may apply, by every step that may. Where none is known yet, the newest that there can be, as a client
/// and as a server: what no image would accept is wrong for these, too.
///
/// # Errors
/// When only one step may, and its image is missing, or no Windows that this machine starts.
pub fn candidates(context: &Context<'_>) -> Result<Vec<WindowsSystem>> {
    let steps = context.possible_steps();
    let applies = |step: &&&Step| matches!(step.action, Action::ApplyOperatingSystemImage(_));
    let known = if steps.iter().filter(applies).count() == 1 {
        let applied = applied(context)?;
        Vec::from_iter(applied.map(|(_, image)| as_system(&image)).transpose()?)
    } else {
        // What is wrong with an image of several is said by its own step.
        let images = steps.iter().filter_map(|step| of_step(context, step));
        let systems = images.filter_map(|image| as_system(&image.ok()?.1).ok());
        systems.collect()
    };
    Ok(if known.is_empty() { newest() } else { known })
}

fn newest() -> Vec<WindowsSystem> {
    let system = |server| WindowsSystem {
        architecture: Architecture::Amd64.wim(),
        version: (10, 0),
        build: u32::MAX,
        server,
        ..WindowsSystem::default()
    };
    [false, true].map(system).into()
}

/// The WIM and in it the Windows of the first step of the sequence that applies one.
///
/// # Errors
/// When its image is missing.
pub fn applied(context: &Context<'_>) -> Result<Option<(PathBuf, ImageInfo)>> {
    let steps = context.possible_steps();
    let found = steps.iter().find_map(|step| of_step(context, step));
    found.transpose()
}

/// The WIM and in it the Windows of a step; nothing where it applies none, or its settings are not known yet.
fn of_step(context: &Context<'_>, step: &Step) -> Option<Result<(PathBuf, ImageInfo)>> {
    match resolved(step, context.variables).ok()?.action {
        Action::ApplyOperatingSystemImage(options) => Some(of_options(context, &options)),
        _ => None,
    }
}

fn of_options(context: &Context<'_>, options: &ApplyOperatingSystemImage) -> Result<(PathBuf, ImageInfo)> {
    let wim = wim_files::first(context.platform, context.content(options.package.as_str())?)?;
    let images = chosen(context, &wim, options)?;
    let system = system(&images)?.clone();
    Ok((wim, system))
}

/// The images that the step applies.
///
/// # Errors
/// When the WIM cannot be read, or has no such image.
pub fn chosen(
    context: &Context<'_>,
    wim: &Path,
    options: &ApplyOperatingSystemImage,
) -> Result<Vec<ImageInfo>> {
    let all = options.all_volumes.unwrap_or(false);
    wim_files::images(context.platform, wim, options.index.unwrap_or(1), all)
}

/// Which image comes onto which volume: Windows onto the first one, the others onto the rest of those that are free, in the order of
/// both.
///
/// # Errors
/// When none is a Windows, or there are more images than volumes.
pub fn places<V: Copy + PartialEq>(
    images: &[ImageInfo],
    first: V,
    free: &[V],
) -> Result<Vec<(ImageInfo, V)>> {
    let windows = system(images)?;
    let others = images.iter().filter(|image| image.index != windows.index);
    let rest = free.iter().filter(|volume| **volume != first);
    let rest: Vec<V> = rest.copied().collect();
    if images.len() > rest.len() + 1 {
        bail!(
            "the sequence applies {} images and the disk has {} volumes for them",
            images.len(),
            rest.len() + 1
        );
    }
    let volumes = std::iter::once(first).chain(rest);
    Ok(std::iter::once(windows)
        .chain(others)
        .cloned()
        .zip(volumes)
        .collect())
}

/// What a capture calls the image of another volume than that of Windows.
pub fn volume_name(base: &str, number: u32) -> String {
    format!("{base} (volume {number})")
}

/// Whether an image has that name, and so belongs to the Windows of that name.
pub fn is_volume_of(base: &str, name: &str) -> bool {
    let number = name
        .strip_prefix(base)
        .and_then(|rest| rest.strip_prefix(" (volume "));
    let number = number.and_then(|rest| rest.strip_suffix(')'));
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// What the run has to know of it.
///
/// # Errors
/// When the image does not say it, or is for another processor.
pub fn as_system(image: &ImageInfo) -> Result<WindowsSystem> {
    let windows = image.windows.as_ref().context("the image is no Windows")?;
    let number = windows
        .arch
        .context("the image does not say for which processor it is")?;
    let architecture = Architecture::from_wim(number)
        .with_context(|| format!("the image is for a processor that is not known (number {number})"))?;
    // So is what a UEFI for x64 starts; a BIOS would start others.
    if architecture != Architecture::Amd64 {
        bail!(
            "the image \"{}\" is for {} processors, and the runtime that goes on with the run inside Windows is for amd64 (x64) \
             only: use an image for x64",
            image.name,
            architecture.as_str()
        );
    }
    let version = windows.version.clone().unwrap_or_default();
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    let (Some(major), Some(minor)) = (numbers.next(), numbers.next()) else {
        bail!(
            "the image \"{}\" does not say which version of Windows it is",
            image.name
        );
    };
    let (server, build) = (is_server(windows), numbers.next().unwrap_or(0));
    Ok(WindowsSystem {
        architecture: number,
        version: (major, minor),
        build,
        name: name((major, minor, build), server).into(),
        language: language(windows),
        server,
        encryption_prevented: false,
    })
}

fn is_server(windows: &WindowsInfo) -> bool {
    let kind = windows.installation_type.as_deref().unwrap_or_default();
    kind.to_ascii_lowercase().contains("server")
}

/// What the boot manager's menu calls it.
fn name(version: (u32, u32, u32), server: bool) -> &'static str {
    match version {
        _ if server => "Windows Server",
        (10, 0, build) if build >= FIRST_WINDOWS_11 => "Windows 11",
        (10, 0, _) => "Windows 10",
        (6, 3, _) => "Windows 8.1",
        (6, 2, _) => "Windows 8",
        (6, 1, _) => "Windows 7",
        _ => "Windows",
    }
}

fn language(windows: &WindowsInfo) -> String {
    let language = windows.default_language.as_ref().or(windows.languages.first());
    language.cloned().unwrap_or_else(|| "en-US".into())
}

impl WindowsSystem {
    /// For the answer file.
    ///
    /// # Errors
    /// When the processor is not known.
    pub fn image(&self) -> Result<Image> {
        Ok(Image {
            architecture: Architecture::from_wim(self.architecture)
                .context("the processor of the image is not known")?,
            version: self.version,
        })
    }
}

/// Refuses an image without what makes it start.
///
/// # Errors
/// When it has no boot manager.
pub fn check_boot_files(context: &Context<'_>, wim: &Path, image: &ImageInfo) -> Result<()> {
    let (manager, firmware) = match context.platform.firmware() {
        Firmware::Uefi => (BOOT_MANAGERS.0, "UEFI"),
        Firmware::Bios => (BOOT_MANAGERS.1, "a BIOS"),
    };
    let missing = || {
        format!(
            "image {} (\"{}\") has no {manager}, so no machine with {firmware} would start it",
            image.index, image.name
        )
    };
    anyhow::ensure!(has(context, wim, image, manager)?, "{}", missing());
    Ok(())
}

/// Refuses an image without that file.
///
/// # Errors
/// When it does not have it, or cannot be read.
pub fn check_has(context: &Context<'_>, wim: &Path, image: &ImageInfo, path: &str) -> Result<()> {
    let found = has(context, wim, image, &format!("/{path}"))?;
    anyhow::ensure!(found, "the image has no {path}");
    Ok(())
}

fn has(context: &Context<'_>, wim: &Path, image: &ImageInfo, path: &str) -> Result<bool> {
    let request = Request {
        memory_limit: Some(MEMORY_LIMIT),
        operation: Operation::Find(Find {
            wim: wim.to_owned(),
            index: image.index,
            paths: vec![PathBuf::from(path)],
        }),
    };
    let found = context
        .platform
        .image_request(&request, &mut |_| {})
        .with_context(|| format!("looking for boot files in image {}", image.index))?;
    Ok(!found.found.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(arch: u32, version: &str, kind: &str) -> ImageInfo {
        ImageInfo {
            index: 1,
            name: "Windows".into(),
            windows: Some(WindowsInfo {
                arch: Some(arch),
                version: Some(version.into()),
                installation_type: Some(kind.into()),
                languages: vec!["nl-NL".into()],
                ..WindowsInfo::default()
            }),
            ..ImageInfo::default()
        }
    }

    #[test]
    fn a_system_is_called_what_it_is() {
        let called = |version, kind| as_system(&image(9, version, kind)).unwrap().name;
        assert_eq!(called("10.0.26100.1", "Client"), "Windows 11");
        assert_eq!(called("10.0.19045.3803", "Client"), "Windows 10");
        assert_eq!(called("10.0.20348.1", "Server Core"), "Windows Server");
        assert_eq!(called("6.1.7601", "Client"), "Windows 7");
        assert_eq!(as_system(&image(9, "10.0", "Client")).unwrap().language, "nl-NL");
    }

    #[test]
    fn what_this_machine_does_not_start_is_refused() {
        let refused = |image: &ImageInfo| as_system(image).unwrap_err().to_string();
        assert!(refused(&image(0, "10.0.1", "Client")).contains("for x86 processors"));
        assert!(refused(&image(12, "10.0.1", "Client")).contains("for arm64 processors"));
        assert!(refused(&image(77, "10.0.1", "Client")).contains("number 77"));
        assert!(refused(&image(9, "new", "Client")).contains("which version"));
        let pe = [image(9, "10.0.1", "WindowsPE"), ImageInfo::default()];
        assert!(system(&pe).unwrap_err().to_string().contains("1 (Windows)"));
        let with = [pe[1].clone(), image(9, "10.0.1", "Client")];
        assert_eq!(system(&with).unwrap(), &with[1]);
    }

    #[test]
    fn windows_comes_onto_the_volume_that_is_named_and_the_others_follow_in_order() {
        let data = |index| ImageInfo {
            index,
            ..ImageInfo::default()
        };
        let windows = ImageInfo {
            index: 2,
            ..image(9, "10.0.1", "Client")
        };
        let images = [data(1), windows, data(3)];
        let placed = |first, free: &[u32]| -> Vec<(u32, u32)> {
            let places = places(&images, first, free).unwrap();
            places
                .into_iter()
                .map(|(image, volume)| (image.index, volume))
                .collect()
        };
        assert_eq!(placed(3, &[3, 4, 5]), [(2, 3), (1, 4), (3, 5)]);
        assert_eq!(placed(4, &[3, 4, 5]), [(2, 4), (1, 3), (3, 5)]);
        // One that has an image already can be named once more.
        assert_eq!(placed(2, &[3, 4]), [(2, 2), (1, 3), (3, 4)]);
        let why = places(&images, 3, &[3, 4]).unwrap_err().to_string();
        assert!(
            why.contains("applies 3 images and the disk has 2 volumes"),
            "{why}"
        );
    }
}
