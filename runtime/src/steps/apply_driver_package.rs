//! Puts every driver of a package that the applied Windows can use into it.

use task_sequence::steps::ApplyDriverPackage;
use windows_setup::drivers::plan_package;

use super::{Check, Result};
use crate::context::{Context, Failure};
use crate::engine::Outcome;
use crate::windows::drivers;

pub(super) fn check(options: &ApplyDriverPackage, context: &Context<'_>) -> Check {
    context.media.drivers(context.platform)?;
    context.package(options.package.as_str())?;
    Ok(())
}

pub(super) fn run(options: &ApplyDriverPackage, context: &mut Context<'_>) -> Result {
    let index = context.media.drivers(context.platform)?;
    let system = context.windows()?.system();
    let package = options.package.as_str();
    let plan = plan_package(&index, package, system, options.allow_unsigned.unwrap_or(false));
    drivers::log(context, &plan);
    if plan.choices.is_empty() {
        return Err(Failure::new(format!(
            "no driver of the package \"{package}\" can be used by this Windows: the log says why"
        )));
    }
    drivers::place(context, &plan.choices)?;
    Ok(Outcome::Done)
}
