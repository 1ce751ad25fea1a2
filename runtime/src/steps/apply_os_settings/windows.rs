//! Name, administrator, time zone, languages and product key of the applied Windows: in its answer file.

use task_sequence::steps::{ApplyNetworkSettings, ApplyOsSettings};

use crate::context::Context;
use crate::engine::Outcome;
use crate::steps::{Check, Result};
use crate::windows::answers;

pub(super) fn check(options: &ApplyOsSettings, context: &Context<'_>) -> Check {
    let settings = answers::settings(context, options, &ApplyNetworkSettings::default())?;
    Ok(answers::check(context, &settings)?)
}

pub(super) fn run(options: &ApplyOsSettings, context: &Context<'_>) -> Result {
    let settings = answers::settings(context, options, &ApplyNetworkSettings::default())?;
    answers::add(context, &settings)?;
    Ok(Outcome::Done)
}
