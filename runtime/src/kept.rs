//! Runs that have failed and still go on at the next start, since all of their work but the last is done.

use media_format::event::Environment;
use task_sequence::Action;

use crate::engine::Program;
use crate::platform::Result;
use crate::run::Run;

/// A capture that has failed so often is not tried again.
const MOST_FAILURES: u32 = 3;

const GOES_ON: &str =
    "the run is kept: remove the cause and restart the machine, and it goes on with the step that failed";
const LAST: &str = "the run is kept for one more try: remove the cause and restart the machine, and it goes on with the step that \
                    failed; if that fails too, the start after it builds from the beginning";

/// What the next start of the media does after this failure, where it does not begin anew.
pub fn why(run: &Run<'_>) -> Option<&'static str> {
    let saved = &run.journal.saved;
    let target = saved.target.as_ref()?;
    if run.here != Environment::Pe || !run.journal.is_attached() {
        return None;
    }
    if !target.ours {
        // The Windows that it prepared must not start before it is captured.
        return Some(GOES_ON);
    }
    // What a step that was cut has left, it does not go on with; and who has ended the run has done with it.
    if saved.progress.started || run.ended_by_person || !is_captured_next(run, target.prepared) {
        return None;
    }
    // A destination that is gone for good must not keep the media from building again.
    match saved.failures + 1 {
        failures if failures >= MOST_FAILURES => None,
        failures if failures + 1 == MOST_FAILURES => Some(LAST),
        _ => Some(GOES_ON),
    }
}

/// A share that was away, a full stick, or a volume that has to be checked costs the time of a capture, and not that of the build.
fn is_captured_next(run: &Run<'_>, prepared: bool) -> bool {
    let program = Program::new(run.sequence);
    let progress = &run.journal.saved.progress;
    let standing = program.steps.get(progress.position);
    standing.is_some_and(|placed| match placed.step.action {
        Action::PrepareOsForCapture(_) => progress.part > 0,
        Action::CaptureOperatingSystemImage(_) => prepared,
        _ => false,
    })
}

/// Counts the failure of a run that is kept.
///
/// # Errors
/// When the journal cannot be written.
pub fn note(run: &mut Run<'_>) -> Result<()> {
    run.journal.saved.failures += 1;
    run.keep()
}
