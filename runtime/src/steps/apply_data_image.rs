//! Applies an image with data.

use task_sequence::steps::ApplyDataImage;

use super::{Check, Result, apply_image};
use crate::context::Context;
use crate::engine::Outcome;

pub(super) fn check(options: &ApplyDataImage, context: &Context<'_>) -> Check {
    let wim = apply_image::wim(context, options.package.as_str())?;
    apply_image::indexes(
        context,
        &wim,
        options.index.unwrap_or(1),
        options.all_volumes.unwrap_or(false),
    )?;
    Ok(())
}

pub(super) fn run(options: &ApplyDataImage, context: &mut Context<'_>) -> Result {
    let wim = apply_image::wim(context, options.package.as_str())?;
    let all = options.all_volumes.unwrap_or(false);
    let indexes = apply_image::indexes(context, &wim, options.index.unwrap_or(1), all)?;
    apply_image::apply_all(
        context,
        &wim,
        &indexes,
        &options.destination,
        options.wipe.unwrap_or(true),
    )?;
    Ok(Outcome::Done)
}
