//! Finds the drivers for the machine's devices in the driver packages of the media, and puts them into the applied Windows.

use media_format::drivers::DriverIndex;
use task_sequence::steps::AutoApplyDrivers;
use windows_setup::drivers::ids::MachineDevice;
use windows_setup::drivers::{Choice, Request, System, plan};

use super::{Check, Result};
use crate::context::{Context, Failure};
use crate::engine::Outcome;
use crate::windows::{drivers, image};

/// A disk controller whose drivers are all unsigned is found before the disk is erased: Windows might not find its disk. Others are
/// passed over with a warning, since Windows may have its own.
pub(super) fn check(options: &AutoApplyDrivers, context: &Context<'_>) -> Check {
    let index = context.media.drivers(context.platform)?;
    for package in &options.packages {
        context.package(package.as_str())?;
    }
    let devices = context.platform.devices();
    let checked = image::candidates(context)?.into_iter().map(|system| {
        let signed = request(options, system.system());
        refuse_unsigned(context, &index, &devices, &signed)
    });
    // They may be for one of them only.
    checked.reduce(Check::or).unwrap_or(Ok(()))
}

fn refuse_unsigned(
    context: &Context<'_>,
    index: &DriverIndex,
    devices: &[MachineDevice],
    signed: &Request,
) -> Check {
    let any = Request {
        allow_unsigned: true,
        ..signed.clone()
    };
    let (signed, any) = (plan(index, devices, signed), plan(index, devices, &any));
    let unsigned = any.choices.iter().filter(|_| signed.choices.is_empty());
    let names = |choices: &[&Choice<'_>]| {
        let names = choices
            .iter()
            .map(|choice| format!("{}/{}", choice.inf.package, choice.inf.path));
        names.collect::<Vec<_>>().join(", ")
    };
    let (needed, others): (Vec<_>, Vec<_>) = unsigned.partition(|choice| choice.inf.boot_critical);
    if !others.is_empty() {
        context
            .log
            .warning(format!("unsigned, so passed over: {}", names(&others)));
    }
    if needed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "all drivers for this machine's disk controller are unsigned ({}): give signed ones, or use apply-driver-package \
         with `allow-unsigned = true`",
        names(&needed)
    )))
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
