//! After a run: the media is still in the machine and may be first in the boot order, and must not begin again by itself.

use anyhow::Context as _;
use media_format::manifest::{Finish, Options};

use crate::platform::{Disk, Platform, Result};
use crate::run::Run;
use crate::start::Start;
use crate::{boot_state, own_table, target};

/// What somebody types who wants that.
const AGAIN: &str = "build again";

/// The disk on which a run of this media has come to its end.
fn disk(platform: &dyn Platform, media_id: &str) -> Result<Option<Disk>> {
    let disks = platform.disks()?.into_iter();
    let mut own = disks.filter(|disk| !disk.is_media && own_table::is_own(disk, media_id));
    Ok(own.find(|disk| boot_state::is_complete(platform, disk, media_id)))
}

/// Media that starts without a question and ends with a restart would start the next run by the end of the last.
fn leads_to_itself(options: &Options) -> bool {
    options.unattended && options.finish == Finish::Restart
}

/// Before a new run: where this one would only be the last one's consequence, somebody has to want it.
///
/// # Errors
/// When the machine is built already and nobody answers.
pub fn check(start: &Start<'_>) -> Result<()> {
    let manifest = &start.media.manifest;
    if !leads_to_itself(&manifest.options) {
        return Ok(());
    }
    let Some(disk) = disk(start.platform, &manifest.media_id)? else {
        return Ok(());
    };
    let built = format!(
        "this media has built this machine already: the system on {} is complete. Detach the media and restart the \
         machine to start it",
        target::describe(&disk)
    );
    start.log.info(&built);
    let question = format!("\n{built}.\nTo build it again, type: {AGAIN}\n> ");
    loop {
        let answer = start.operator.ask(&question, false);
        if answer.with_context(|| built.clone())?.trim() == AGAIN {
            return Ok(());
        }
    }
}

/// What the machine does at the end of a successful run: it restarts by itself only if the next start will know that
/// this run was.
///
/// # Errors
/// When the disks cannot be looked at.
pub fn finish(run: &Run<'_>) -> Result<Finish> {
    let manifest = &run.media.manifest;
    let known = || disk(run.platform, &manifest.media_id).map(|disk| disk.is_some());
    if !leads_to_itself(&manifest.options) || known()? {
        return Ok(manifest.options.finish);
    }
    run.log.warning(
        "the machine shuts down instead of restarting: this run has left nothing by which the media would know that it \
         was, and would begin it again",
    );
    Ok(Finish::Shutdown)
}
