//! What the variables ask for when a run is over: `SMSTSPostAction`, `SMSTSErrorDialogTimeout`.

use std::time::Duration;

use task_sequence::steps::RunCommandLine;
use task_sequence::{Action, Setting, Step, TimeSpan};

use crate::run::Run;

/// A command that does not end must not keep the machine.
const MOST: TimeSpan = TimeSpan::seconds(15 * 60);

/// Runs the command of `SMSTSPostAction`, however the run has ended. It changes nothing of the result.
pub fn act(run: &mut Run<'_>) {
    let command = run.variables.get("SMSTSPostAction").unwrap_or_default();
    if command.trim().is_empty() {
        return;
    }
    let step = Step {
        own_name: Some("SMSTSPostAction".into()),
        timeout: Some(MOST),
        ..Step::new(Action::RunCommandLine(RunCommandLine {
            command: command.to_owned(),
            package: None,
            working_folder: None,
            output_variable: None,
            success_codes: Vec::new(),
            account: None,
            password: None,
            hide_command: Setting::default(),
        }))
    };
    run.log.info("the run is over: the command of SMSTSPostAction");
    if let Err(failure) = run.try_once(&step) {
        let reason = run.variables.mask(&failure.reason);
        run.log.warning(format!("SMSTSPostAction: {reason}"));
    }
}

/// How long a failure stays on the screen before the machine switches itself off: `SMSTSErrorDialogTimeout` in seconds. Without
/// it, or with 0, it stays until somebody comes.
pub fn patience(run: &Run<'_>) -> Option<Duration> {
    let text = run.variables.get("SMSTSErrorDialogTimeout")?.trim();
    let seconds = text.parse::<u64>();
    if seconds.is_err() {
        run.log.warning(format!(
            "SMSTSErrorDialogTimeout is `{text}`, and seconds are asked for: the failure stays on the screen"
        ));
    }
    seconds
        .ok()
        .filter(|seconds| *seconds > 0)
        .map(Duration::from_secs)
}
