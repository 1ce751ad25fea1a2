//! What the variables ask for when a run is over: `SMSTSPostAction`, `SMSTSErrorDialogTimeout`.

use std::time::Duration;

use crate::run::Run;
use crate::steps;

/// A command that does not end must not keep the machine.
const MOST: Duration = Duration::from_secs(15 * 60);

/// Runs the command of `SMSTSPostAction`, however the run has ended. It changes nothing of the result.
pub fn act(run: &Run<'_>) {
    let command = run.variables.get("SMSTSPostAction").unwrap_or_default();
    let command = run.variables.expand(command);
    if command.trim().is_empty() {
        return;
    }
    run.log.info("the run is over: the command of SMSTSPostAction");
    match steps::run_last(run, &command, MOST) {
        Ok(code) => run.log.info(format!("SMSTSPostAction ended with {code}")),
        Err(error) => run.log.warning(format!("SMSTSPostAction: {error:#}")),
    }
}

/// How long a failure stays on the screen before the machine switches itself off: `SMSTSErrorDialogTimeout` in seconds. Without
/// it, with 0, or with media that open a shell, it stays until somebody comes.
pub fn patience(run: &Run<'_>) -> Option<Duration> {
    let text = run.variables.get("SMSTSErrorDialogTimeout")?.trim();
    let seconds = text.parse::<u64>();
    if seconds.is_err() {
        run.log.warning(format!(
            "SMSTSErrorDialogTimeout is `{text}`, and seconds are asked for: the failure stays on the screen"
        ));
    }
    let seconds = seconds.ok().filter(|seconds| *seconds > 0)?;
    (!run.media.manifest.options.shell).then(|| Duration::from_secs(seconds))
}
