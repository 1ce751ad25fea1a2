//! What a Linux will consist of when a step comes to it, as far as its images say, before anything is erased.

use std::collections::BTreeSet;
use std::path::PathBuf;

use task_sequence::{Action, Step};

use super::apply_image;
use crate::context::{Context, resolved};
use crate::platform::Result;
use crate::{possible, volumes, wim_files};

/// The images of a system, in the order in which they are applied.
pub(super) struct AppliedImages(Vec<Applied>);

/// An image, and where it comes to lie in the system's tree.
struct Applied {
    wim: PathBuf,
    index: u32,
    mount_point: String,
}

impl AppliedImages {
    /// The images that are applied before the step that is meant; nothing where that is not known: there is none, or a command may
    /// change what came out of it.
    pub(super) fn before(context: &Context<'_>, is_meant: impl Fn(&Action) -> bool) -> Option<Self> {
        // Which of several images is applied may depend on what a step finds out.
        let applies = |step: &&Step| matches!(step.action, Action::ApplyOperatingSystemImage(_));
        let later = possible::later(
            context.sequence,
            context.platform,
            context.variables,
            context.here,
        );
        if later.iter().any(applies) {
            return None;
        }
        let mut images = Vec::new();
        for step in context.possible_steps() {
            match resolved(step, context.variables).ok()?.action {
                Action::ApplyOperatingSystemImage(options) => {
                    let all = options.all_volumes.unwrap_or(false);
                    images = of_package(context, options.package.as_str(), options.index.unwrap_or(1), all)?;
                }
                Action::ApplyDataImage(options) if !images.is_empty() => {
                    let all = options.all_volumes.unwrap_or(false);
                    let more =
                        of_package(context, options.package.as_str(), options.index.unwrap_or(1), all)?;
                    images.extend(more);
                }
                Action::RunCommandLine(_) | Action::RunScript(_) if !images.is_empty() => return None,
                action if is_meant(&action) => break,
                _ => {}
            }
        }
        (!images.is_empty()).then_some(Self(images))
    }

    /// Those of the absolute paths that the system will have. None of them may lead over a link.
    ///
    /// # Errors
    /// When an image cannot be read.
    pub(super) fn having<'a>(&self, context: &Context<'_>, paths: &[&'a str]) -> Result<BTreeSet<&'a str>> {
        let mut having = BTreeSet::new();
        for image in &self.0 {
            let inside = |path: &&'a str| Some((*path, volumes::relative(path, &image.mount_point)?));
            let wanted: Vec<_> = paths.iter().filter_map(inside).collect();
            let names = wanted.iter().map(|(_, inside)| PathBuf::from(inside)).collect();
            let found = image.having(context, names)?;
            let is_found = |inside: &String| found.iter().any(|path| path.as_os_str() == inside.as_str());
            having.extend(
                wanted
                    .iter()
                    .filter(|(_, inside)| is_found(inside))
                    .map(|(path, _)| *path),
            );
        }
        Ok(having)
    }
}

impl Applied {
    /// Which of those files it has. Many packages ask for the same, and each time its metadata would be read.
    fn having(&self, context: &Context<'_>, names: Vec<PathBuf>) -> Result<Vec<PathBuf>> {
        let asked = (self.wim.clone(), self.index, names);
        if let Some(known) = context.media.found.borrow().get(&asked) {
            return Ok(known.clone());
        }
        let found = wim_files::having(context.platform, &asked.0, asked.1, asked.2.clone())?;
        context.media.found.borrow_mut().insert(asked, found.clone());
        Ok(found)
    }
}

/// Nothing where an image cannot be looked at: the check of its own step says why.
fn of_package(context: &Context<'_>, package: &str, index: u32, all: bool) -> Option<Vec<Applied>> {
    let wim = apply_image::wim(context, package).ok()?;
    let images = apply_image::images(context, &wim, index, all).ok()?;
    let applied = images.into_iter().map(|image| Applied {
        wim: wim.clone(),
        index: image.index,
        mount_point: image.mount_point.unwrap_or_else(|| "/".into()),
    });
    Some(applied.collect())
}
