//! What can be proven wrong with the order of the steps.

use super::check::place_in_words;
use super::{EnabledStep, Given, MediaFacts, Problem, Severity, error};
use crate::model::OperatingSystem;
use crate::setting::{Setting, has_variable};
use crate::steps::{Action, Interpreter, JoinKind, Place, RestartTarget, RunScript};

/// Where the machine is, as far as it is certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Where {
    Unknown,
    Pe,
    Os,
}

pub(super) fn check(
    system: OperatingSystem,
    enabled: &[EnabledStep<'_>],
    media: &MediaFacts,
    given: &Given,
    problems: &mut Vec<Problem>,
) {
    check_places(enabled, problems);
    check_scripts(system, enabled, media, problems);
    check_accounts(enabled, problems);
    check_disks(enabled, problems);
    check_captures(enabled, given, problems);
}

/// Follows the machine from step to step: where it is before each. A conditional step that moves it leaves it unknown
/// where it is, so only what is certain is reported.
fn places(enabled: &[EnabledStep<'_>]) -> Vec<Where> {
    let mut at = Where::Unknown;
    let before = enabled.iter().map(|placed| {
        let before = at;
        at = after(placed, at);
        before
    });
    before.collect()
}

/// Whether each step certainly runs in a system that the run itself has started.
pub(super) fn in_started_system(enabled: &[EnabledStep<'_>]) -> Vec<bool> {
    let mut started = false;
    let all = enabled.iter().zip(places(enabled)).map(|(placed, at)| {
        let inside = started && at == Where::Os;
        started |= placed.conditions.is_empty() && to_system(&placed.step.action);
        inside
    });
    all.collect()
}

fn to_system(action: &Action) -> bool {
    match action {
        Action::RestartComputer(options) => options.target.get() == Some(&RestartTarget::Os),
        action => action.kind().place == Place::PeToOs,
    }
}

fn check_places(enabled: &[EnabledStep<'_>], problems: &mut Vec<Problem>) {
    let mut bare = false;
    for (placed, at) in enabled.iter().zip(places(enabled)) {
        let place = placed.step.action.kind().place;
        if let Some(why) = impossible(place, at, bare) {
            let message = format!("it runs in {}, but {why}", place_in_words(place));
            error(placed, message, problems);
        }
        bare = still_bare(bare, placed);
    }
}

/// A script needs its interpreter: Windows has no POSIX shell, and the Linux PE no PowerShell.
fn check_scripts(
    system: OperatingSystem,
    enabled: &[EnabledStep<'_>],
    media: &MediaFacts,
    problems: &mut Vec<Problem>,
) {
    for (placed, at) in enabled.iter().zip(places(enabled)) {
        let Action::RunScript(options) = &placed.step.action else {
            continue;
        };
        let in_windows = match at {
            Where::Unknown => continue,
            Where::Pe => media.winpe,
            Where::Os => system == OperatingSystem::Windows,
        };
        let message = match interpreter(options) {
            Some(Interpreter::Sh) if in_windows => {
                "it runs a script of `sh`, but the machine is in Windows here: write it for PowerShell"
            }
            Some(Interpreter::PowerShell) if at == Where::Pe && !in_windows => {
                "it runs a script of PowerShell, which the Linux PE does not have: write it for `sh`"
            }
            _ => continue,
        };
        error(placed, message.into(), problems);
    }
}

/// A boot image has one account.
fn check_accounts(enabled: &[EnabledStep<'_>], problems: &mut Vec<Problem>) {
    for (placed, at) in enabled.iter().zip(places(enabled)) {
        let has_account = match &placed.step.action {
            Action::RunCommandLine(options) => options.account.is_some(),
            Action::RunScript(options) => options.account.is_some(),
            _ => false,
        };
        if has_account && at == Where::Pe {
            let message = "`account` is not possible here: the machine is in the boot image, which has no accounts; remove it, or \
                           put the step behind `setup-os`";
            error(placed, message.into(), problems);
        }
    }
}

/// What runs the script, where that is known before the run.
fn interpreter(options: &RunScript) -> Option<Interpreter> {
    let file = options.file.as_deref().unwrap_or_default();
    match &options.interpreter {
        Setting::Value(interpreter) => Some(*interpreter),
        Setting::Absent if file.to_lowercase().ends_with(".ps1") => Some(Interpreter::PowerShell),
        Setting::Absent if !has_variable(file) => Some(Interpreter::Sh),
        Setting::Absent | Setting::Text(_) => None,
    }
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
fn still_bare(bare: bool, placed: &EnabledStep<'_>) -> bool {
    match &placed.step.action {
        Action::FormatAndPartitionDisk(_) => true,
        Action::SetupOs(_) => false,
        _ => bare,
    }
}

/// Whether a script asks for a restart, which may lead anywhere.
fn asks_for_restart(action: &Action) -> bool {
    let text = match action {
        Action::RunCommandLine(options) => Some(&options.command),
        Action::RunScript(options) => options.inline.as_ref(),
        _ => None,
    };
    text.is_some_and(|text| text.to_lowercase().contains("smstsrebootrequested"))
}

fn after(placed: &EnabledStep<'_>, at: Where) -> Where {
    if asks_for_restart(&placed.step.action) {
        return Where::Unknown;
    }
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
    let certain = placed.conditions.is_empty() && !placed.step.common.continue_on_error;
    if certain || moved == at {
        moved
    } else {
        Where::Unknown
    }
}

/// A run has one target disk: another one would take the place of what was applied, set up and written down so far.
fn check_disks(enabled: &[EnabledStep<'_>], problems: &mut Vec<Problem>) {
    let erases = |placed: &&EnabledStep<'_>| matches!(placed.step.action, Action::FormatAndPartitionDisk(_));
    let all: Vec<_> = enabled.iter().filter(erases).collect();
    for (index, placed) in all.iter().enumerate() {
        if let Some(before) = all[..index].iter().find(|before| !may_exclude(before, placed)) {
            let message = format!(
                "`{}` partitions a disk before it, and a run has one target disk: give both a `when` of which only one holds, or partition further disks by a command",
                before.step.name()
            );
            error(placed, message, problems);
        }
    }
}

/// Whether two steps may be for different machines: each has a condition that the other does not have.
fn may_exclude(one: &EnabledStep<'_>, other: &EnabledStep<'_>) -> bool {
    let differs = |one: &EnabledStep<'_>, other: &EnabledStep<'_>| {
        one.conditions
            .iter()
            .any(|condition| !other.conditions.contains(condition))
    };
    differs(one, other) && differs(other, one)
}

fn check_captures(enabled: &[EnabledStep<'_>], given: &Given, problems: &mut Vec<Problem>) {
    let is_capture =
        |placed: &&EnabledStep<'_>| matches!(placed.step.action, Action::CaptureOperatingSystemImage(_));
    let Some(last) = enabled.iter().rposition(|placed| is_capture(&placed)) else {
        return;
    };
    for placed in enabled[..last]
        .iter()
        .filter(|placed| may_join_domain(&placed.step.action, given))
    {
        let message = "it joins a domain before the capture: an image of a member of a domain cannot be \
                       deployed; join a workgroup here, and the domain after deployment";
        error(placed, message.into(), problems);
    }
    check_prepared(enabled, last, problems);
}

/// Between the preparation and the capture nothing may start the system: it would set itself up.
fn check_prepared(enabled: &[EnabledStep<'_>], capture: usize, problems: &mut Vec<Problem>) {
    let is_preparation =
        |placed: &EnabledStep<'_>| matches!(placed.step.action, Action::PrepareOsForCapture(_));
    let Some(prepared) = enabled[..capture].iter().rposition(is_preparation) else {
        let message = "nothing prepares the system for the capture: put `prepare-os-for-capture` before it";
        problems.push(Problem::of_step(Severity::Warning, &enabled[capture], message));
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
    let place = action.kind().place;
    to_system(action) || place.starts_in_os() && !place.starts_in_pe()
}

/// Whether a step joins a domain as it is written, or by variables.
fn may_join_domain(action: &Action, given: &Given) -> bool {
    let by_variables = match action {
        Action::ApplyNetworkSettings(options) => given.value(&options.join, "OSDNetworkJoinType"),
        Action::JoinDomainOrWorkgroup(options) => given.value(&options.join, "OSDJoinType"),
        _ => None,
    };
    joins_domain(action) || by_variables == Some(JoinKind::Domain)
}

pub(super) fn joins_domain(action: &Action) -> bool {
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
