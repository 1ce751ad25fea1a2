//! What can be proven wrong with the order of the steps.

use super::check::place_in_words;
use super::{Placed, Problem, Severity, error};
use crate::model::OperatingSystem;
use crate::setting::Setting;
use crate::steps::{Action, Interpreter, JoinKind, Place, RestartTarget};

/// Where the machine is, as far as it is certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Where {
    Unknown,
    Pe,
    Os,
}

pub(super) fn check(system: OperatingSystem, enabled: &[Placed<'_>], problems: &mut Vec<Problem>) {
    check_places(system, enabled, problems);
    check_captures(enabled, problems);
}

/// Follows the machine from step to step. A conditional step that moves it leaves it unknown
/// where it is, so only what is certain is reported.
fn check_places(system: OperatingSystem, enabled: &[Placed<'_>], problems: &mut Vec<Problem>) {
    let mut at = Where::Unknown;
    let mut bare = false;
    for placed in enabled {
        let place = placed.step.action.kind().place;
        if let Some(why) = impossible(place, at, bare) {
            let message = format!("it runs in {}, but {why}", place_in_words(place));
            error(placed, message, problems);
        }
        if at == Where::Os && system == OperatingSystem::Windows && is_shell_script(&placed.step.action) {
            let message =
                "it runs a script of `sh`, but the machine is in Windows here: write it for PowerShell";
            error(placed, message.into(), problems);
        }
        bare = still_bare(bare, placed);
        at = after(placed, at);
    }
}

fn is_shell_script(action: &Action) -> bool {
    matches!(action, Action::RunScript(options) if options.interpreter.get() == Some(&Interpreter::Sh))
}

fn impossible(place: Place, at: Where, bare: bool) -> Option<&'static str> {
    match at {
        Where::Os if !place.starts_in_os() => {
            Some("the machine is in the installed system here: put a `restart-computer` to `pe` before it")
        }
        Where::Pe if !place.starts_in_pe() && bare => {
            Some("no step has set the new system up: put `setup-os` before it")
        }
        Where::Pe if !place.starts_in_pe() => Some(
            "the machine is in the boot image here: put `setup-os` or a `restart-computer` to `os` before it",
        ),
        _ => None,
    }
}

/// A disk that was erased has no system to start until `setup-os` ran.
fn still_bare(bare: bool, placed: &Placed<'_>) -> bool {
    match &placed.step.action {
        Action::FormatAndPartitionDisk(_) => true,
        Action::SetupOs(_) => false,
        _ => bare,
    }
}

fn after(placed: &Placed<'_>, at: Where) -> Where {
    let moved = match &placed.step.action {
        Action::RestartComputer(options) => match options.target {
            Setting::Value(RestartTarget::Pe) => Where::Pe,
            Setting::Value(RestartTarget::Os) => Where::Os,
            _ => return Where::Unknown,
        },
        action => match action.kind().place {
            Place::Pe | Place::OsToPe => Where::Pe,
            Place::Os | Place::PeToOs => Where::Os,
            // Another sequence may leave the machine anywhere.
            Place::Both if matches!(action, Action::RunTaskSequence(_)) => return Where::Unknown,
            Place::Both => return at,
        },
    };
    // A step that is skipped, or that may fail without ending the sequence, moves nothing.
    let certain = !placed.conditional && !placed.step.common.continue_on_error;
    if certain || moved == at {
        moved
    } else {
        Where::Unknown
    }
}

fn check_captures(enabled: &[Placed<'_>], problems: &mut Vec<Problem>) {
    let is_capture =
        |placed: &&Placed<'_>| matches!(placed.step.action, Action::CaptureOperatingSystemImage(_));
    let Some(last) = enabled.iter().rposition(|placed| is_capture(&placed)) else {
        return;
    };
    for placed in enabled[..last]
        .iter()
        .filter(|placed| joins_domain(&placed.step.action))
    {
        let message = "it joins a domain before the capture: an image of a member of a domain cannot be \
                       deployed; join a workgroup here, and the domain after deployment";
        error(placed, message.into(), problems);
    }
    check_prepared(enabled, last, problems);
}

/// Between the preparation and the capture nothing may start the system: it would set itself up.
fn check_prepared(enabled: &[Placed<'_>], capture: usize, problems: &mut Vec<Problem>) {
    let is_preparation = |placed: &Placed<'_>| matches!(placed.step.action, Action::PrepareOsForCapture(_));
    let Some(prepared) = enabled[..capture].iter().rposition(is_preparation) else {
        problems.push(Problem {
            severity: Severity::Warning,
            path: enabled[capture].path.clone(),
            message: "nothing prepares the system for the capture: put `prepare-os-for-capture` before it"
                .into(),
        });
        return;
    };
    for placed in &enabled[prepared + 1..capture] {
        if starts_system(&placed.step.action) {
            let message = "it starts the system between its preparation and the capture: the system would set \
                           itself up, and the image would not be general any more";
            error(placed, message.into(), problems);
        }
    }
}

fn starts_system(action: &Action) -> bool {
    match action {
        Action::RestartComputer(options) => options.target.get() == Some(&RestartTarget::Os),
        action => {
            action.kind().place.starts_in_os() && !action.kind().place.starts_in_pe()
                || action.kind().place == Place::PeToOs
        }
    }
}

fn joins_domain(action: &Action) -> bool {
    match action {
        Action::ApplyNetworkSettings(options) => {
            options.join.get() == Some(&JoinKind::Domain)
                || options.join.is_absent() && options.domain.is_some()
        }
        Action::JoinDomainOrWorkgroup(options) => {
            options.join.get() == Some(&JoinKind::Domain)
                || options.join.is_absent() && options.domain.is_some()
        }
        _ => false,
    }
}
