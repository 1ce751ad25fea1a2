//! Whether the system will have the program that installs what the media has for it: found out before anything is erased.

use media_format::manifest::{Install, Package, holds_rpms};
use task_sequence::Action;

use super::Check;
use super::applied_images::AppliedImages;
use crate::context::{Context, Failure};

const APT: &[&str] = &["/usr/bin/apt-get"];
const DPKG: &[&str] = &["/usr/bin/dpkg"];
const RPM: &[&str] = &["/usr/bin/rpm"];
/// Those that find out what else RPM packages need: one of them is enough.
const DNF: &[&str] = &["/usr/bin/dnf", "/usr/bin/zypper"];

/// Looks for what installs a package, for the step that is meant.
pub(super) fn check(context: &Context<'_>, id: &str, is_meant: impl Fn(&Action) -> bool) -> Check {
    let package = context.package(id)?;
    let tools = match &package.install {
        Some(Install::Apt { .. }) => APT,
        Some(Install::Deb(_)) => DPKG,
        Some(Install::Dnf { .. }) => DNF,
        Some(Install::Rpm(_)) => RPM,
        Some(Install::Command(_) | Install::Windows(_)) | None => return Ok(()),
    };
    check_for(context, id, tools, is_meant)
}

/// Looks for what installs the updates of a package.
pub(super) fn check_updates(context: &Context<'_>, id: &str, is_meant: impl Fn(&Action) -> bool) -> Check {
    let package = context.package(id)?;
    let tools = if is_of_rpms(context, package) { DNF } else { APT };
    check_for(context, id, tools, is_meant)
}

fn is_of_rpms(context: &Context<'_>, package: &Package) -> bool {
    let files = context.media.manifest.files_of(package);
    holds_rpms(files.filter_map(|file| file.path.strip_prefix(&package.path)?.strip_prefix('/')))
}

fn check_for(context: &Context<'_>, id: &str, tools: &[&str], is_meant: impl Fn(&Action) -> bool) -> Check {
    if context.is_windows() {
        return Ok(());
    }
    let Some(images) = AppliedImages::before(context, is_meant) else {
        return Ok(());
    };
    if images.having(context, tools)?.is_empty() {
        return Err(Failure::new(format!(
            "package \"{id}\" is for a system with {}, and the image that is applied has none: take an image of the \
             distribution that the package is for, or leave the package out",
            tools.join(" or ")
        )));
    }
    Ok(())
}
