//! The steps of a sequence that can still run, for what is looked up before they do.

use media_format::event::Environment;
use task_sequence::condition::Test;
use task_sequence::{Action, Condition, EnabledStep, Step, TaskSequence, Variables};

use crate::facts::MachineFacts;
use crate::platform::Platform;
use crate::steps::all_variables;
use crate::system_place;
use crate::variables::{set_client_cache, set_place};

/// The steps that are not disabled and that no condition, of their own or of a group around them, rules out.
pub fn steps<'a>(
    sequence: &'a TaskSequence,
    platform: &dyn Platform,
    variables: &Variables,
    here: Environment,
) -> Vec<&'a Step> {
    let enabled = sequence.enabled_steps().into_iter();
    enabled
        .filter(|enabled| is_possible(enabled, platform, variables, here))
        .map(|enabled| enabled.step)
        .collect()
}

/// The steps that are ruled out now, and not by anything that stays as it is: what the run does may still let them run.
pub fn later<'a>(
    sequence: &'a TaskSequence,
    platform: &dyn Platform,
    variables: &Variables,
    here: Environment,
) -> Vec<&'a Step> {
    let all = sequence.enabled_steps();
    let may_run = |enabled: &&EnabledStep<'_>| {
        let mut ruled_out = enabled
            .conditions
            .iter()
            .filter(|condition| is_ruled_out(condition, platform, variables, here))
            .peekable();
        ruled_out.peek().is_some() && !ruled_out.any(|condition| stays(condition, &all))
    };
    all.iter().filter(may_run).map(|enabled| enabled.step).collect()
}

/// Whether what a condition asks is the same in the whole run: the machine, and variables that no step sets.
fn stays(condition: &Condition, steps: &[EnabledStep<'_>]) -> bool {
    match condition {
        Condition::All(inner) | Condition::Any(inner) | Condition::None(inner) => {
            inner.iter().all(|condition| stays(condition, steps))
        }
        Condition::Test(Test::Variable { name, .. }) => {
            let is_it = |other: &str| other.eq_ignore_ascii_case(name);
            let sets = |enabled: &EnabledStep<'_>| sets(&enabled.step.action, &is_it);
            is_of_the_machine(name) || !Variables::is_read_only(name) && !steps.iter().any(sets)
        }
        Condition::Test(Test::Query(_) | Test::Firmware(_) | Test::Memory(_)) => true,
        Condition::Test(_) => false,
    }
}

/// Variables of the engine that tell of machine and media. The others, such as what the last step did, change in the run.
fn is_of_the_machine(name: &str) -> bool {
    const THESE: [&str; 13] = [
        "_SMSTSAssetTag",
        "_SMSTSBootImageID",
        "_SMSTSBootUEFI",
        "_SMSTSMacAddresses",
        "_SMSTSMake",
        "_SMSTSMediaType",
        "_SMSTSModel",
        "_SMSTSOrgName",
        "_SMSTSPackageID",
        "_SMSTSPackageName",
        "_SMSTSSerialNumber",
        "_SMSTSUUID",
        "_TSSecureBoot",
    ];
    THESE.iter().any(|this| this.eq_ignore_ascii_case(name))
}

/// Whether a step may set a variable that is meant; commands may set any.
pub fn sets(action: &Action, is_meant: &dyn Fn(&str) -> bool) -> bool {
    match action {
        Action::RunCommandLine(_)
        | Action::RunScript(_)
        | Action::InstallPackage(_)
        | Action::InstallApplications(_) => true,
        Action::SetVariables(options) => all_variables(options).any(|declared| is_meant(&declared.name)),
        Action::ApplyOperatingSystemImage(_) => is_meant(system_place::NAME),
        Action::FormatAndPartitionDisk(options) => {
            let mut names = options
                .partitions
                .iter()
                .filter_map(|part| part.variable.as_deref());
            names.any(is_meant)
        }
        _ => false,
    }
}

/// Whether no condition rules the step out, as far as can be said now.
pub fn is_possible(
    enabled: &EnabledStep<'_>,
    platform: &dyn Platform,
    variables: &Variables,
    here: Environment,
) -> bool {
    let never = |condition: &&Condition| is_ruled_out(condition, platform, variables, here);
    !enabled.conditions.iter().any(never)
}

/// Whether a condition does not hold, whatever the run itself changes on its way: it leads from the boot image to the installed
/// system or back, and gets its place on the disk. A group is decided where it begins, and one condition that cannot be
/// decided yet rules nothing out.
fn is_ruled_out(
    condition: &Condition,
    platform: &dyn Platform,
    variables: &Variables,
    here: Environment,
) -> bool {
    let fails = |variables: &Variables| {
        let facts = MachineFacts {
            platform,
            variables,
            here,
        };
        condition.evaluate(&facts).is_ok_and(|holds| !holds)
    };
    [Environment::Pe, Environment::Os].into_iter().all(|place| {
        let mut variables = variables.clone();
        set_place(&mut variables, place);
        let before = fails(&variables);
        set_client_cache(&mut variables, platform);
        before && fails(&variables)
    })
}
