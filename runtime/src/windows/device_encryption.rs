//! A reference does not encrypt its volume: Windows 11 may begin with that in its first start, and sysprep refuses a volume that is
//! encrypted, hours later. Machines that are set up from the captured image do as Windows does by itself.

use std::path::Path;

use media_format::hive::Edit;
use task_sequence::Action;
use windows_setup::offline_registry::{ControlSet, SYSTEM_HIVE};
use windows_setup::unattend;

use super::hives::Hive;
use crate::context::Context;
use crate::journal::Target;
use crate::platform::Result;

/// Whether set-up is told to prevent it. That is noted before, so that it is taken out again whatever happens.
///
/// # Errors
/// When the answer file or the registry cannot be read, or the journal not be written.
pub fn is_prevented(context: &mut Context<'_>, answers: &Path) -> Result<bool> {
    let captures = |action: &Action| matches!(action, Action::CaptureOperatingSystemImage(_));
    if !context.possible_steps().iter().any(|step| captures(&step.action)) {
        return Ok(false);
    }
    if context.windows()?.encryption_prevented {
        return Ok(true);
    }
    if is_decided(context, answers)? {
        return Ok(false);
    }
    if let Some(target) = &mut context.journal.saved.target
        && let Some(windows) = &mut target.windows
    {
        windows.encryption_prevented = true;
    }
    context.journal.write(context.platform)?;
    Ok(true)
}

/// The user's own answer file says it, or the image: then it is meant for the captured image, too.
fn is_decided(context: &Context<'_>, answers: &Path) -> Result<bool> {
    if let Some(file) = context.platform.read(answers)?
        && unattend::says(&file, unattend::PREVENT_DEVICE_ENCRYPTION)?
    {
        return Ok(true);
    }
    let root = context.system_root(true)?;
    let hive = Hive::at(context.platform, &root, SYSTEM_HIVE)?;
    let set = ControlSet::current(hive.value(ControlSet::query())?.as_ref())?;
    Ok(hive.value(set.device_encryption_query())?.is_some())
}

/// Takes out what the run has told set-up; nothing where it has not.
#[must_use]
pub fn allowed_again(set: &ControlSet, target: &Target) -> Option<Edit> {
    let windows = target.windows.as_ref()?;
    windows
        .encryption_prevented
        .then(|| set.without_device_encryption_setting())
}
