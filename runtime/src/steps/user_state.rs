//! `_SMSTSUserStatePath`: the folder that stays where everything else on a volume is deleted.

use anyhow::bail;

use crate::context::Context;
use crate::platform::Result;
use crate::windows::volume::locate;
use crate::{system_place, volumes};

const NAME: &str = "_SMSTSUserStatePath";

/// The names that lead to the folder from the root of the volume with that id; none where it lies elsewhere.
///
/// # Errors
/// When it names the whole volume, leads out of it, or lies on no volume of the run: somebody expects it to stay.
pub(super) fn on_volume(context: &Context<'_>, id: &str) -> Result<Vec<String>> {
    let written = context.variables.get(NAME).unwrap_or_default();
    let written = context.variables.expand(written).replace('\\', "/");
    if written.is_empty() {
        return Ok(vec![]);
    }
    let on = |id: &str| by_volume(&written, id).or_else(|| by_system(context, &written, id));
    let Some(path) = on(id) else {
        if context
            .target()?
            .volumes
            .iter()
            .any(|volume| on(&volume.id).is_some())
        {
            return Ok(vec![]);
        }
        bail!(
            "{NAME} is \"{written}\", which lies on no volume of the run, and what is on this one is to be deleted: set it to \
             \"%VOLUME%/state\" with the variable of a partition, by a set-variables step after the partitioning, or clear it"
        );
    };
    let names: Vec<String> = path
        .split('/')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    if names.is_empty() || names.iter().any(|name| name == "." || name == "..") {
        bail!(
            "{NAME} is \"{written}\", and everything on that volume is to be deleted: name a folder of it, such as \
             \"%VOLUME%/state\" with the variable of its partition"
        );
    }
    Ok(names)
}

/// Refuses to format a volume that has the folder: unlike one that is emptied, it keeps nothing.
///
/// # Errors
/// When it has, or nobody knows where the folder lies.
pub(super) fn refuse_loss(context: &Context<'_>, id: &str) -> Result<()> {
    let written = context.variables.get(NAME).unwrap_or_default();
    let written = context.variables.expand(written);
    // A share is none of the run's volumes.
    if written.starts_with(r"\\") {
        return Ok(());
    }
    let names = on_volume(context, id)?;
    if names.is_empty() || !is_there(context, id, &names)? {
        return Ok(());
    }
    bail!(
        "{NAME} is \"{written}\", a folder on the volume that an image of Windows is to be applied to, and that is formatted for \
         it: keep the folder on another volume or on a share, or clear the variable by a set-variables step"
    )
}

fn is_there(context: &Context<'_>, id: &str, names: &[String]) -> Result<bool> {
    let root = match context.mount(id, false) {
        Ok(root) => root,
        // A cut while it was formatted leaves one like this.
        Err(error) => {
            context.log.warning(format!(
                "the volume cannot be read, so nothing of it is kept: {error:#}"
            ));
            return Ok(false);
        }
    };
    let folder = locate(context.platform, &root, &names.join("/"))?;
    Ok(context.platform.exists(&folder))
}

/// `PARTUUID=…/state`, as the variable of a partition names its volume.
fn by_volume(written: &str, id: &str) -> Option<String> {
    let path = written.strip_prefix("PARTUUID=").unwrap_or(written);
    let rest = path.get(id.len()..)?;
    path[..id.len()].eq_ignore_ascii_case(id).then(|| rest.to_owned())
}

/// A path in the system that the run has applied, on one of its volumes.
fn by_system(context: &Context<'_>, written: &str, id: &str) -> Option<String> {
    let path = written.strip_prefix(&system_place::shown(context)?)?;
    if !path.is_empty() && !path.starts_with('/') {
        return None;
    }
    let target = context.target().ok()?;
    if id == target.system {
        return Some(path.to_owned());
    }
    let mut inside = volumes::inside(target).into_iter();
    let volume = inside.find(|volume| volume.id == id)?;
    volumes::relative(path, &volume.mount_point)
}
