//! The steps of a sequence that can still run, for what is looked up before they do.

use media_format::event::Environment;
use task_sequence::{Condition, EnabledStep, Step, TaskSequence, Variables};

use crate::facts::MachineFacts;
use crate::platform::Platform;
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
