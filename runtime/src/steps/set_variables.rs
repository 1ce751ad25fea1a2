//! Sets variables, by rules where the step has some.

use task_sequence::Declared;
use task_sequence::condition::like;
use task_sequence::steps::{Rule, SetVariables, VariableMap};

use super::Result;
use crate::context::{Context, Failure};
use crate::engine::Outcome;
use crate::facts::MachineFacts;

pub(super) fn run(options: &SetVariables, context: &mut Context<'_>) -> Result {
    set(context, &options.variables, 0)?;
    let mut ordinal = options.variables.0.len();
    for rule in &options.rules {
        if fits(context, rule)? {
            set(context, &rule.variables, ordinal)?;
        }
        ordinal += rule.variables.0.len();
    }
    Ok(Outcome::Done)
}

/// Everything that the step may set, in the order in which it is counted.
pub(crate) fn all(options: &SetVariables) -> impl Iterator<Item = &Declared> {
    let of_rules = options.rules.iter().flat_map(|rule| &rule.variables.0);
    options.variables.0.iter().chain(of_rules)
}

fn set(context: &mut Context<'_>, map: &VariableMap, first: usize) -> std::result::Result<(), Failure> {
    for (index, declared) in map.0.iter().enumerate() {
        if declared.secret {
            context.variables.declare_secret(&declared.name);
        }
        let Some(value) = &declared.value else { continue };
        let set = context.variables.set_expanded(&declared.name, value);
        set.map_err(|error| Failure::new(error.to_string()))?;
        let shown = if context.variables.is_secret(&declared.name) {
            context.journal.remember_secret(first + index);
            "********"
        } else {
            context.variables.get(&declared.name).unwrap_or_default()
        };
        context.log.info(format!("sets {} = {shown}", declared.name));
    }
    Ok(())
}

fn fits(context: &Context<'_>, rule: &Rule) -> std::result::Result<bool, Failure> {
    let known = |name: &str| context.variables.get(name).unwrap_or_default().to_owned();
    let pattern = |pattern: &Option<String>, value: String| pattern.as_ref().is_none_or(|p| like(&value, p));
    let computer = rule.computer.as_ref().is_none_or(|wanted| {
        [
            "_SMSTSSerialNumber",
            "_SMSTSAssetTag",
            "_SMSTSUUID",
            "_SMSTSMacAddresses",
        ]
        .iter()
        .any(|name| {
            known(name)
                .split(',')
                .any(|value| value.trim().eq_ignore_ascii_case(wanted))
        })
    });
    let condition = match &rule.when {
        None => true,
        Some(condition) => {
            let facts = MachineFacts {
                platform: context.platform,
                variables: context.variables,
                here: context.here,
            };
            condition
                .evaluate(&facts)
                .map_err(|error| Failure::new(error.to_string()))?
        }
    };
    Ok(condition
        && computer
        && pattern(&rule.make, known("_SMSTSMake"))
        && pattern(&rule.model, known("_SMSTSModel")))
}
