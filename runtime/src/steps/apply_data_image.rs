//! Applies an image with data onto a volume.

use task_sequence::steps::ApplyDataImage;

use super::{Check, Result, apply_image, user_state};
use crate::context::Context;
use crate::engine::Outcome;
use crate::platform;
use crate::windows::volume::make_anew;

pub(super) fn check(options: &ApplyDataImage, context: &Context<'_>) -> Check {
    let wim = apply_image::wim(context, options.package.as_str())?;
    apply_image::images(
        context,
        &wim,
        options.index.unwrap_or(1),
        options.all_volumes.unwrap_or(false),
    )?;
    Ok(())
}

pub(super) fn run(options: &ApplyDataImage, context: &mut Context<'_>) -> Result {
    let before = context.target()?.clone();
    let applied = apply(options, context);
    if applied.is_err() {
        // A retry begins with the same volumes.
        context.journal.saved.target = Some(before);
    }
    applied?;
    Ok(Outcome::Done)
}

fn apply(options: &ApplyDataImage, context: &mut Context<'_>) -> platform::Result<()> {
    let wim = apply_image::wim(context, options.package.as_str())?;
    let all = options.all_volumes.unwrap_or(false);
    for image in apply_image::images(context, &wim, options.index.unwrap_or(1), all)? {
        let point = image.mount_point.as_deref().filter(|point| *point != "/");
        let volume = apply_image::volume(context, &options.destination, point)?;
        if options.wipe.unwrap_or(true) {
            let id = context.target()?.volumes[volume].id.clone();
            if context.is_windows() {
                user_state::refuse_loss(context, &id)?;
                make_anew(context, &id)?;
            } else {
                apply_image::empty(context, &id)?;
            }
        }
        apply_image::apply_to_volume(context, &wim, &image, volume)?;
    }
    Ok(())
}
