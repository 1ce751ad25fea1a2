//! In the boot image: whether Windows was generalized and shut down; then everything of the run goes out of it.

use anyhow::{Context as _, bail};
use windows_setup::offline_registry::{ImageState, SOFTWARE_HIVE};

use crate::context::Context;
use crate::windows::hives::Hive;
use crate::windows::{existing, planted};
use crate::{platform, variables, volumes};

pub(super) fn prepare(context: &mut Context<'_>) -> platform::Result<()> {
    open(context)?;
    let target = context.target()?.clone();
    let (_, device, _) = context.partition(&target.system)?;
    let root = context.system_root(false)?;
    check_generalized(context, &root)?;
    if planted::is_there(context.platform, &root)? {
        let root = volumes::assemble(context.platform, &target, true)?;
        let known = variables::secrets(context.variables);
        planted::remove(context.platform, context.log, &root, &target, &known)
            .context("taking the run's own traces out of Windows")?;
    }
    context
        .platform
        .unmount(&device)
        .context("writing the Windows volume")
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
fn check_generalized(context: &Context<'_>, root: &std::path::Path) -> platform::Result<()> {
    let hive = Hive::at(context.platform, root, SOFTWARE_HIVE)?;
    let state = ImageState::read(hive.value(ImageState::query())?.as_ref());
    match state {
        Some(state) if state.is_generalized() => Ok(()),
        found => bail!(
            "Windows was not generalized (its state is {}): run sysprep /generalize /oobe /shutdown in it; what stopped \
             sysprep is in \\Windows\\System32\\Sysprep\\Panther\\setupact.log",
            found.map_or("not known".to_owned(), |state| format!("{state:?}"))
        ),
    }
}
