//! Makes the applied Windows start, plants the runtime in it, and tells set-up what is still to be told.

use anyhow::Context as _;
use task_sequence::steps::{ApplyNetworkSettings, ApplyOsSettings};

use crate::context::Context;
use crate::windows::{answers, boot, planted};
use crate::{boot_state, platform};

pub(super) fn make_startable(context: &mut Context<'_>) -> platform::Result<()> {
    let nothing = answers::settings(
        context,
        &ApplyOsSettings::default(),
        &ApplyNetworkSettings::default(),
    )?;
    // Also without a step for them: nobody sits there to answer the pages of the first start.
    answers::add(context, &nothing)?;
    let root = context.system_root(true)?;
    let target = context.target()?.clone();
    let esp = context.mount(&target.state, true)?;
    context.progress("installing the boot loader", 0, 0);
    boot::install(context, &root, &esp)?;
    planted::plant(context, &root)?;
    let (_, device, _) = context.partition(&target.system)?;
    context
        .platform
        .unmount(&device)
        .context("writing the Windows volume")?;
    boot_state::set_loader(
        context.platform,
        &esp,
        &context.media.manifest.media_id,
        boot::LOADER,
    )
}
