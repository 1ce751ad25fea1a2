//! Finds the drivers for the machine's devices in the driver packages of the media, and puts them into the applied Windows.

use task_sequence::steps::AutoApplyDrivers;
use windows_setup::drivers::{Request, plan};

use super::{Check, Result};
use crate::context::Context;
use crate::engine::Outcome;
use crate::windows::drivers;

pub(super) fn check(options: &AutoApplyDrivers, context: &Context<'_>) -> Check {
    context.media.drivers(context.platform)?;
    for package in &options.packages {
        context.package(package.as_str())?;
    }
    Ok(())
}

pub(super) fn run(options: &AutoApplyDrivers, context: &mut Context<'_>) -> Result {
    let index = context.media.drivers(context.platform)?;
    let devices = context.platform.devices();
    let request = Request {
        system: context.windows()?.system(),
        packages: options.packages.iter().map(|id| id.as_str().to_owned()).collect(),
        categories: options.categories.clone(),
        best_match: options.best_match.unwrap_or(true),
        allow_unsigned: false,
    };
    let plan = plan(&index, &devices, &request);
    drivers::log(context, &plan);
    for device in plan
        .without_driver
        .iter()
        .filter_map(|device| devices.get(*device))
    {
        if device.is_storage() {
            context.log.warning(format!(
                "the media has no driver for the disk controller at {}: Windows needs one of its own for it",
                device.location
            ));
        }
    }
    drivers::place(context, &plan.choices)?;
    Ok(Outcome::Done)
}
