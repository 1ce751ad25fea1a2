//! Applies a Windows: each image straight onto its NTFS volume, with security, streams, links and short names.

use std::path::Path;

use task_sequence::steps::ApplyOperatingSystemImage;

use super::package_is_applied_again;
use crate::context::{Context, Failure};
use crate::steps::{Check, apply_image, user_state};
use crate::windows::{answers, image, volume};
use crate::{platform, wim_files};

pub(super) fn check(options: &ApplyOperatingSystemImage, context: &Context<'_>) -> Check {
    let wim = apply_image::wim(context, options.package.as_str())?;
    wim_files::parts(context.platform, &wim)?;
    let images = image::chosen(context, &wim, options)?;
    let system = image::system(&images)?;
    let windows = image::as_system(system)?;
    image::check_boot_files(context, &wim, system)?;
    answers::of_user(context, options, &windows)?;
    // Written out, `false` means what it says.
    if !options.all_volumes.is_absent() {
        return Ok(());
    }
    refuse_to_forget(options, &system.name, context, &wim)
}

/// The other volumes of a captured Windows must not be left out by mistake. The other editions of an installation's WIM may be.
fn refuse_to_forget(
    options: &ApplyOperatingSystemImage,
    name: &str,
    context: &Context<'_>,
    wim: &Path,
) -> Check {
    let info = context.platform.image_info(wim)?;
    let names = info.images.iter().map(|image| image.name.as_str());
    let others: Vec<&str> = names.filter(|other| image::is_volume_of(name, other)).collect();
    if others.is_empty() || package_is_applied_again(options, context) {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the image file holds further volumes of the same Windows ({}), which would be missing: set `all-volumes = true` in \
         place of `index`, and give the disk a volume for each, or leave them out with `all-volumes = false`",
        others.join(", ")
    )))
}

pub(super) fn apply(options: &ApplyOperatingSystemImage, context: &mut Context<'_>) -> platform::Result<()> {
    let wim = apply_image::wim(context, options.package.as_str())?;
    let images = image::chosen(context, &wim, options)?;
    let windows = image::as_system(image::system(&images)?)?;
    let first = apply_image::volume(context, &options.destination, None)?;
    let free = context.target()?.volumes.iter().enumerate();
    let free: Vec<usize> = free
        .filter(|(_, volume)| !volume.applied)
        .map(|(number, _)| number)
        .collect();
    let places = image::places(&images, first, &free)?;
    for (_, number) in &places {
        user_state::refuse_loss(context, &context.target()?.volumes[*number].id)?;
    }
    for (image, number) in places {
        let id = context.target()?.volumes[number].id.clone();
        volume::make_anew(context, &id)?;
        apply_image::apply_to_volume(context, &wim, &image, number)?;
        if let Some(target) = &mut context.journal.saved.target
            && number == first
        {
            target.system = id;
            target.windows = Some(windows.clone());
        }
    }
    let own = answers::of_user(context, options, &windows)?;
    own.map_or(Ok(()), |text| answers::put(context, &text))
}
