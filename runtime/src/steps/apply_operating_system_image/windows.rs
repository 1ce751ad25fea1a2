//! Applies a Windows: each image straight onto its NTFS volume, with security, streams, links and short names.

use task_sequence::steps::{ApplyOperatingSystemImage, VolumeSelector};

use crate::context::Context;
use crate::platform;
use crate::steps::{Check, apply_image};
use crate::windows::{answers, image, volume};

pub(super) fn check(options: &ApplyOperatingSystemImage, context: &Context<'_>) -> Check {
    let wim = apply_image::wim(context, options.package.as_str())?;
    let images = image::chosen(context, &wim, options)?;
    let system = image::system(&images)?;
    let windows = image::as_system(system)?;
    image::check_boot_files(context, &wim, system)?;
    answers::of_user(context, options, &windows)?;
    Ok(())
}

pub(super) fn apply(options: &ApplyOperatingSystemImage, context: &mut Context<'_>) -> platform::Result<()> {
    let wim = apply_image::wim(context, options.package.as_str())?;
    let mut images = image::chosen(context, &wim, options)?;
    let system = image::system(&images)?.clone();
    let windows = image::as_system(&system)?;
    // Windows first, the others onto the next volumes in the order of the file.
    images.sort_by_key(|image| image.index != system.index);
    for image in &images {
        let next = VolumeSelector::default();
        let selector = if image.index == system.index {
            &options.destination
        } else {
            &next
        };
        let number = apply_image::volume(context, selector, None)?;
        let id = context.target()?.volumes[number].id.clone();
        volume::make_anew(context, &id)?;
        apply_image::apply_to_volume(context, &wim, image, number)?;
        if let Some(target) = &mut context.journal.saved.target
            && image.index == system.index
        {
            target.system = id;
            target.windows = Some(windows.clone());
        }
    }
    let own = answers::of_user(context, options, &windows)?;
    own.map_or(Ok(()), |text| answers::put(context, &text))
}
