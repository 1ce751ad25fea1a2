//! Adapters, workgroup and domain of the applied Windows: in its answer file.

use task_sequence::steps::{ApplyNetworkSettings, ApplyOsSettings};

use crate::context::Context;
use crate::engine::Outcome;
use crate::steps::{Check, Result};
use crate::windows::answers;

pub(super) fn check(options: &ApplyNetworkSettings, context: &Context<'_>) -> Check {
    let settings = answers::settings(context, &ApplyOsSettings::default(), options)?;
    Ok(answers::check(context, &settings)?)
}

pub(super) fn run(options: &ApplyNetworkSettings, context: &Context<'_>) -> Result {
    let settings = answers::settings(context, &ApplyOsSettings::default(), options)?;
    answers::add(context, &settings)?;
    Ok(Outcome::Done)
}
