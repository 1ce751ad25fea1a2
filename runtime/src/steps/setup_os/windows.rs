//! Makes the applied Windows start, plants the runtime in it, and tells set-up what is still to be told.

use anyhow::Context as _;
use task_sequence::steps::{BootFiles as Wanted, SetupOs};
use windows_setup::secure_boot::BootFiles;

use crate::context::Context;
use crate::windows::planted::Unreadable;
use crate::windows::{answers, boot, boot_files, drivers, planted, recovery};
use crate::{boot_state, platform, variables, winpe_boot};

pub(super) fn check(options: &SetupOs, context: &Context<'_>) -> platform::Result<()> {
    boot_files::check(context, wanted(options))
}

fn wanted(options: &SetupOs) -> Option<BootFiles> {
    match options.boot_files.get()? {
        Wanted::Auto => None,
        Wanted::Pca2011 => Some(BootFiles::Pca2011),
        Wanted::Ca2023 => Some(BootFiles::Ca2023),
    }
}

pub(super) fn make_startable(options: &SetupOs, context: &mut Context<'_>) -> platform::Result<()> {
    // Also without a step for them.
    answers::complete(context)?;
    let root = context.system_root(true)?;
    let target = context.target()?.clone();
    let boot_partition = context.mount(&target.state, true)?;
    context.progress("installing the boot loader", 0, 0);
    let files = boot_files::choose(context, &root, wanted(options))?;
    // A cut before the end of this step must not lead into a Windows that knows nothing of the run.
    let here = context.here;
    winpe_boot::hold(context.platform, here)?;
    let loader = boot::install(context, &root, &boot_partition, files)?;
    winpe_boot::hold(context.platform, here)?;
    recovery::place(context, &root)?;
    planted::plant(context, &root)?;
    let (_, device, _) = context.partition(&target.system)?;
    context
        .platform
        .unmount(&device)
        .context("writing the Windows volume")?;
    boot_state::set_loader(
        context.platform,
        &boot_partition,
        &context.media.manifest.media_id,
        loader,
    )
}

/// Inside the new Windows: set-up has used its answers, so no secret stays in them, whatever becomes of the run; and drivers are kept
/// that this machine has no device for.
pub(super) fn arrive(context: &Context<'_>) {
    let known = variables::secrets(context.variables);
    let root = context.platform.root();
    if let Err(error) =
        planted::clean_answers(context.platform, context.log, &root, &known, Unreadable::Stays)
    {
        context.log.warning(format!(
            "secrets may still be in answer files, from which the end of the run removes them: {error:#}"
        ));
    }
    if let Err(error) = drivers::keep(context, &root) {
        context.log.warning(format!(
            "Windows has not taken all drivers into its driver store (see \\Windows\\INF\\setupapi.dev.log): those of devices \
             that are absent now are not there after the run: {error:#}"
        ));
    }
}
