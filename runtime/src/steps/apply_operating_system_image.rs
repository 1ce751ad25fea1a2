//! Applies the image of an operating system.

use task_sequence::steps::ApplyOperatingSystemImage;

use super::{Check, Result, apply_image};
use crate::context::{Context, Failure};
use crate::engine::Outcome;
use crate::variables;

pub(super) fn check(options: &ApplyOperatingSystemImage, context: &Context<'_>) -> Check {
    if options.answer_package.is_some() || options.answer_file.is_some() {
        return Err(Failure::new(
            "a Linux reference has no answer file: use a run-script step instead",
        ));
    }
    let wim = apply_image::wim(context, options.package.as_str())?;
    apply_image::indexes(
        context,
        &wim,
        options.index.unwrap_or(1),
        options.all_volumes.unwrap_or(false),
    )?;
    Ok(())
}

pub(super) fn run(options: &ApplyOperatingSystemImage, context: &mut Context<'_>) -> Result {
    let all = options.all_volumes.unwrap_or(false);
    let wim = apply_image::wim(context, options.package.as_str())?;
    let indexes = apply_image::indexes(context, &wim, options.index.unwrap_or(1), all)?;
    let volumes = apply_image::apply_all(context, &wim, &indexes, &options.destination, true)?;
    if let (Some(target), Some(first)) = (&mut context.journal.saved.target, volumes.first()) {
        target.system = target.volumes[*first].id.clone();
        let drive = format!("PARTUUID={}", target.system);
        variables::set(context.variables, "OSDTargetSystemDrive", drive);
    }
    Ok(Outcome::Done)
}
