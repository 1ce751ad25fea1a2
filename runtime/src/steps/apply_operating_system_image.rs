//! Applies the image of an operating system onto the tree of its volumes.

use std::path::Path;

use media_format::wim::info::ImageInfo;
use task_sequence::Action;
use task_sequence::steps::{ApplyOperatingSystemImage, VolumeSelector};

use super::apply_image::{self, Place};
use super::{Check, Result};
use crate::context::{Context, Failure, resolved};
use crate::engine::Outcome;
use crate::journal::Volume;
use crate::{platform, system_place, volumes, wim_files};

mod windows;

pub(super) fn check(options: &ApplyOperatingSystemImage, context: &Context<'_>) -> Check {
    if context.is_windows() {
        return windows::check(options, context);
    }
    if options.answer_package.is_some() || options.answer_file.is_some() {
        return Err(Failure::new(
            "a Linux reference has no answer file: use a run-script step instead",
        ));
    }
    let wim = apply_image::wim(context, options.package.as_str())?;
    wim_files::parts(context.platform, &wim)?;
    let all = options.all_volumes.unwrap_or(false);
    let images = apply_image::images(context, &wim, options.index.unwrap_or(1), all)?;
    if !all {
        check_only(options, &images[0], context, &wim)?;
    }
    Ok(())
}

/// One image of a WIM that holds the volumes of one system: it must be the root's, and the others must not be forgotten.
fn check_only(
    options: &ApplyOperatingSystemImage,
    image: &ImageInfo,
    context: &Context<'_>,
    wim: &Path,
) -> Check {
    match image.mount_point.as_deref() {
        None => return Ok(()),
        Some("/") => {}
        Some(point) => {
            return Err(Failure::new(format!(
                "image {} was captured from the volume {point} of a system and is no system by itself",
                image.index
            )));
        }
    }
    let info = context.platform.image_info(wim)?;
    let others = info.images.iter().filter(|other| other.index != image.index);
    let others: Vec<&str> = others.filter_map(|other| other.mount_point.as_deref()).collect();
    if others.is_empty() || package_is_applied_again(options, context) {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the image file holds further volumes of the same system ({}), which would be missing: set `all-volumes = true` \
         in place of `index`",
        others.join(", ")
    )))
}

fn package_is_applied_again(options: &ApplyOperatingSystemImage, context: &Context<'_>) -> bool {
    // Whatever its condition is: what it depends on may still change.
    let steps = context.sequence.enabled_steps().into_iter();
    let mut steps = steps.filter_map(|enabled| resolved(enabled.step, context.variables).ok());
    steps.any(|step| matches!(&step.action, Action::ApplyDataImage(data) if data.package == options.package))
}

pub(super) fn run(options: &ApplyOperatingSystemImage, context: &mut Context<'_>) -> Result {
    let before = context.target()?.clone();
    let applied = if context.is_windows() {
        windows::apply(options, context)
    } else {
        apply(options, context)
    };
    if applied.is_err() {
        // A retry begins with the same volumes.
        context.journal.saved.target = Some(before);
    }
    applied?;
    system_place::show(context)?;
    Ok(Outcome::Done)
}

fn apply(options: &ApplyOperatingSystemImage, context: &mut Context<'_>) -> platform::Result<()> {
    let all = options.all_volumes.unwrap_or(false);
    let wim = apply_image::wim(context, options.package.as_str())?;
    let mut images = apply_image::images(context, &wim, options.index.unwrap_or(1), all)?;
    let root = apply_image::volume(context, &options.destination, Some("/"))?;
    choose_root(context, root)?;
    empty_tree(context)?;
    let folder = context.system_root(true)?;
    if !all {
        let place = place(context, &folder, "/")?;
        apply_image::apply(context, &wim, &images[0], &place)?;
    } else {
        // A volume comes after the one that it lies in; images that do not say theirs keep their order.
        images.sort_by_key(|image| (image.mount_point.is_none(), image.mount_point.clone()));
        if let Some(first) = images.first_mut().filter(|first| first.mount_point.is_none()) {
            first.mount_point = Some("/".into());
        }
        for image in &images {
            apply_one_of_all(context, &wim, image, &folder)?;
        }
    }
    mark(context)
}

/// The volume with that place in the list becomes the root of the system.
fn choose_root(context: &mut Context<'_>, root: usize) -> platform::Result<()> {
    context.target()?;
    if let Some(target) = &mut context.journal.saved.target {
        target
            .volumes
            .iter_mut()
            .filter(|v| v.mount_point == "/")
            .for_each(|v| v.mount_point.clear());
        target.volumes[root].mount_point = "/".into();
        target.system = target.volumes[root].id.clone();
    }
    Ok(())
}

/// The volumes of the tree lose what they hold: a repeated apply must not mix two images. What an earlier step has put
/// onto a volume inside the tree stays.
fn empty_tree(context: &Context<'_>) -> platform::Result<()> {
    let target = context.target()?;
    apply_image::empty(context, &target.system)?;
    volumes::inside(target)
        .iter()
        .filter(|volume| !volume.applied)
        .try_for_each(|volume| apply_image::empty(context, &volume.id))
}

/// A folder of the tree with the volumes that are mounted inside it.
fn place(context: &Context<'_>, root: &Path, point: &str) -> platform::Result<Place> {
    let inside = volumes::inside(context.target()?);
    let points = inside.iter().map(|volume| volume.mount_point.as_str());
    let below = points.filter(|other| *other != point && volumes::relative(other, point).is_some());
    Ok(Place {
        inside: below.map(|other| volumes::below(root, other)).collect(),
        folder: volumes::place(context.platform, root, point)?,
    })
}

/// An image goes to where it was captured from, whether that is a volume of its own here or not; one that does not
/// say so goes to the next free volume.
fn apply_one_of_all(
    context: &mut Context<'_>,
    wim: &Path,
    image: &ImageInfo,
    root: &Path,
) -> platform::Result<()> {
    let Some(point) = &image.mount_point else {
        let free = apply_image::volume(context, &VolumeSelector::default(), None)?;
        let id = context.target()?.volumes[free].id.clone();
        apply_image::empty(context, &id)?;
        return apply_image::apply_to_volume(context, wim, image, free);
    };
    let place = place(context, root, point)?;
    apply_image::apply(context, wim, image, &place)?;
    set_applied(context, |volume| volume.mount_point == *point);
    Ok(())
}

fn set_applied(context: &mut Context<'_>, which: impl Fn(&Volume) -> bool) {
    let volumes = context
        .journal
        .saved
        .target
        .iter_mut()
        .flat_map(|target| &mut target.volumes);
    volumes
        .filter(|volume| which(volume))
        .for_each(|volume| volume.applied = true);
}

/// The root has an image, and so have the volumes inside it that got something of it; the others are still free.
fn mark(context: &mut Context<'_>) -> platform::Result<()> {
    let target = context.target()?.clone();
    let mut applied = vec![target.system.clone()];
    for volume in volumes::inside(&target) {
        let folder = context.mount(&volume.id, true)?;
        if !apply_image::content(context, &folder)?.is_empty() {
            applied.push(volume.id.clone());
        }
    }
    set_applied(context, |volume| applied.contains(&volume.id));
    Ok(())
}
