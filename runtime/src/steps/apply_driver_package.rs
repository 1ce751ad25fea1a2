//! Puts every driver of a package that the applied Windows can use into it.

use task_sequence::steps::ApplyDriverPackage;
use windows_setup::drivers::{Plan, plan_package};

use super::{Check, Result};
use crate::context::{Context, Failure};
use crate::engine::Outcome;
use crate::windows::{drivers, image};

/// A package of which no Windows that the sequence may apply can use anything is found before the disk is erased.
pub(super) fn check(options: &ApplyDriverPackage, context: &Context<'_>) -> Check {
    let index = context.media.drivers(context.platform)?;
    context.package(options.package.as_str())?;
    let unsigned = options.allow_unsigned.unwrap_or(false);
    let checked = image::candidates(context)?.into_iter().map(|system| {
        let plan = plan_package(&index, options.package.as_str(), system.system(), unsigned);
        refuse_nothing(options, &plan)?;
        Ok(drivers::check_packed(context, &plan.choices)?)
    });
    // It may be for one of them only.
    checked.reduce(Check::or).unwrap_or(Ok(()))
}

fn refuse_nothing(options: &ApplyDriverPackage, plan: &Plan<'_>) -> Check {
    if !plan.choices.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "no driver of the package \"{}\" can be used by this Windows: {}",
        options.package.as_str(),
        drivers::why_nothing(plan)
    )))
}

pub(super) fn run(options: &ApplyDriverPackage, context: &mut Context<'_>) -> Result {
    let index = context.media.drivers(context.platform)?;
    let system = context.windows()?.system();
    let unsigned = options.allow_unsigned.unwrap_or(false);
    let plan = plan_package(&index, options.package.as_str(), system, unsigned);
    drivers::log(context, &plan);
    refuse_nothing(options, &plan)?;
    drivers::place(context, &plan.choices)?;
    Ok(Outcome::Done)
}
