//! In the boot image: whether Windows was generalized and shut down; then everything of the run goes out of it.

use std::path::Path;

use anyhow::{Context as _, bail};
use media_format::paths;
use windows_setup::offline_registry::{ImageState, SOFTWARE_HIVE};
use windows_setup::unattend;

use crate::context::Context;
use crate::in_windows::sysprep;
use crate::journal::Target;
use crate::windows::hives::Hive;
use crate::windows::{existing, planted, volume};
use crate::{platform, variables, volumes};

const SYSPREP_LOGS: &str = "Windows/System32/Sysprep/Panther";

pub(super) fn prepare(context: &mut Context<'_>) -> platform::Result<()> {
    open(context)?;
    let target = context.target()?.clone();
    let (_, device, _) = context.partition(&target.system)?;
    let root = context.system_root(false)?;
    check_generalized(context, &root)?;
    name_answers(context, &root)?;
    if target.has_begun_here() {
        remove_own_traces(context, &target, &root)?;
    } else {
        judge_earlier_run(context, &target, &root)?;
    }
    context
        .platform
        .unmount(&device)
        .context("writing the Windows volume")
}

fn remove_own_traces(context: &Context<'_>, target: &Target, root: &Path) -> platform::Result<()> {
    if !planted::is_there(context.platform, root)? {
        return Ok(());
    }
    let root = volumes::assemble(context.platform, target, true)?;
    let known = variables::secrets(context.variables);
    planted::remove(context.platform, context.log, &root, target, &known)
        .context("taking the run's own traces out of Windows")
}

/// A Windows that was there before is only read, but for one thing: the service of a run that did not come to its end. Its program is
/// not captured, and machines with the image would start whatever somebody put in its place, with all rights.
fn judge_earlier_run(context: &Context<'_>, target: &Target, root: &Path) -> platform::Result<()> {
    if planted::is_there(context.platform, root)? {
        context.log.warning(format!(
            "Windows has \\{}, which an earlier run has left: it stays on the machine, and is not captured",
            paths::INSTALLED_WINDOWS.replace('/', "\\")
        ));
    }
    if planted::has_service(context.platform, root)? {
        context.log.warning(format!(
            "Windows has the service {} of an earlier run: it is taken out of the machine, because machines with the image would start it",
            paths::WINDOWS_SERVICE
        ));
        let root = volumes::assemble(context.platform, target, true)?;
        planted::remove_service(context.platform, &root)?;
    }
    Ok(())
}

/// What a Windows that was there before keeps of its own set-up stays in it, and is used again where nobody gives another.
pub(super) fn name_answers(context: &Context<'_>, root: &Path) -> platform::Result<()> {
    let target = context.journal.saved.target.as_ref();
    if target.is_some_and(|target| target.ours) {
        return Ok(());
    }
    for place in std::iter::once(unattend::PLACE).chain(unattend::KEPT) {
        if context
            .platform
            .exists(&volume::locate(context.platform, root, place)?)
        {
            context.log.warning(format!(
                "Windows keeps an answer file of its own set-up (\\{}) and uses it again where the captured image is set up \
                 without another: remove it before sysprep if that is not meant",
                place.replace('/', "\\")
            ));
        }
    }
    Ok(())
}

/// A volume that Windows has left unclean is refused; what a cut leaves while the run itself writes to it is not that.
fn open(context: &mut Context<'_>) -> platform::Result<()> {
    if context.target()?.opened {
        return Ok(());
    }
    existing::refuse_unclean(context, context.target()?)?;
    if let Some(target) = &mut context.journal.saved.target {
        target.opened = true;
    }
    context.journal.write(context.platform)
}

/// Sysprep says that it succeeded by this state, not by its exit code.
fn check_generalized(context: &Context<'_>, root: &Path) -> platform::Result<()> {
    let hive = Hive::at(context.platform, root, SOFTWARE_HIVE)?;
    let state = ImageState::read(hive.value(ImageState::query())?.as_ref());
    match state {
        Some(state) if state.is_generalized() => {
            let logs = volume::locate(context.platform, root, SYSPREP_LOGS)?;
            if let Some(why) = sysprep::stopped(context.platform, &logs) {
                context.log.warning(format!(
                    "Windows has the state of a generalized one, but a sysprep has stopped before its end: {why}"
                ));
            }
            Ok(())
        }
        found => bail!(
            "Windows was not generalized (its state is {}): run sysprep /generalize /oobe /shutdown in it; what stopped \
             sysprep is in \\Windows\\System32\\Sysprep\\Panther\\setupact.log",
            found.map_or("not known".to_owned(), |state| format!("{state:?}"))
        ),
    }
}
