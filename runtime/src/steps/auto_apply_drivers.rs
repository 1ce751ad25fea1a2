//! Finds the drivers for the machine's devices in the driver packages of the media, and puts them into the applied Windows.

use media_format::drivers::DriverIndex;
use task_sequence::steps::AutoApplyDrivers;
use windows_setup::drivers::ids::MachineDevice;
use windows_setup::drivers::{Choice, Plan, Reason, Request, System, plan};

use super::{Check, Result};
use crate::context::{Context, Failure};
use crate::engine::Outcome;
use crate::windows::{drivers, image};

/// A disk controller whose drivers are all unsigned is found before the disk is erased: Windows might not find its disk. For other
/// devices they are passed over with a warning, since Windows may have its own.
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
    let unsigned = any
        .choices
        .iter()
        .filter(|choice| is_all_there_is(choice, &signed));
    let (needed, others): (Vec<_>, Vec<_>) = unsigned.partition(|choice| choice.inf.boot_critical);
    if !others.is_empty() {
        let names = names(&others);
        context.log.warning(format!("unsigned, so passed over: {names}"));
    }
    if needed.is_empty() {
        return Ok(drivers::check_packed(context, &signed.choices)?);
    }
    Err(Failure::new(format!(
        "all drivers for this machine's disk controller are unsigned ({}): give signed ones, or use apply-driver-package \
         with `allow-unsigned = true`",
        names(&needed)
    )))
}

/// Whether an unsigned driver is for a device that no signed one is for. What others have says nothing of this device, and an
/// extension is no driver.
fn is_all_there_is(choice: &Choice<'_>, signed: &Plan<'_>) -> bool {
    let same_kind = |other: &&Choice<'_>| {
        other.inf.extension == choice.inf.extension && (other.inf.boot_critical || !choice.inf.boot_critical)
    };
    let has_signed = |location: &str| {
        let mut others = signed.choices.iter().filter(same_kind);
        others.any(|other| locations(other).any(|other| other == location))
    };
    !choice.inf.signature.is_signed() && locations(choice).any(|location| !has_signed(location))
}

/// The devices that it was chosen for.
fn locations<'a>(choice: &'a Choice<'_>) -> impl Iterator<Item = &'a str> {
    choice.reasons.iter().filter_map(|reason| match reason {
        Reason::Device { location, .. } => Some(location.as_str()),
        Reason::NeededBy(_) | Reason::Package => None,
    })
}

fn names(choices: &[&Choice<'_>]) -> String {
    let names = choices
        .iter()
        .map(|choice| format!("{}/{}", choice.inf.package, choice.inf.path));
    names.collect::<Vec<_>>().join(", ")
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
