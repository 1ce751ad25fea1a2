//! Finds the drivers for the machine's devices in the driver packages of the media, and puts them into the applied Windows.

use task_sequence::steps::AutoApplyDrivers;
use windows_setup::drivers::{Request, System, plan};

use super::{Check, Result};
use crate::context::{Context, Failure};
use crate::engine::Outcome;
use crate::windows::{drivers, image};

/// Drivers for this machine that are all unsigned are found before the disk is erased: nobody expects them to be passed over.
pub(super) fn check(options: &AutoApplyDrivers, context: &Context<'_>) -> Check {
    let index = context.media.drivers(context.platform)?;
    for package in &options.packages {
        context.package(package.as_str())?;
    }
    let Some(system) = image::of_sequence(context)? else {
        return Ok(());
    };
    let devices = context.platform.devices();
    let signed = request(options, system.system());
    let any = Request {
        allow_unsigned: true,
        ..signed.clone()
    };
    let (signed, any) = (plan(&index, &devices, &signed), plan(&index, &devices, &any));
    if signed.choices.is_empty() && !any.choices.is_empty() {
        return Err(Failure::new(format!(
            "all drivers for this machine are unsigned ({}): give signed ones, or use apply-driver-package with \
             `allow-unsigned = true`",
            drivers::why_nothing(&signed)
        )));
    }
    Ok(())
}

fn request(options: &AutoApplyDrivers, system: System) -> Request {
    Request {
        system,
        packages: options.packages.iter().map(|id| id.as_str().to_owned()).collect(),
        categories: options.categories.clone(),
        best_match: options.best_match.unwrap_or(true),
        allow_unsigned: false,
    }
}

pub(super) fn run(options: &AutoApplyDrivers, context: &mut Context<'_>) -> Result {
    let index = context.media.drivers(context.platform)?;
    let devices = context.platform.devices();
    let request = request(options, context.windows()?.system());
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
