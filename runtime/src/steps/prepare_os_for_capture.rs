//! Checks that the system can be generalized and restarts (or shuts down) into the boot image, where the capture takes from a
//! generalized view of the volume: what makes it this one machine is left out, and the disk keeps all of it, so a
//! cut at any moment costs nothing.

use std::path::Path;

use media_format::event::Environment;
use task_sequence::steps::PrepareOsForCapture;

use super::{Check, Result, commands};
use crate::context::{Context, Failure};
use crate::engine::Outcome;
use crate::existing;
use crate::in_windows::{packed, recovery, sysprep};
use crate::windows::existing as existing_windows;
use crate::winpe_boot;

mod windows;

/// A system that was there before and cannot be captured is refused before any step.
pub(super) fn check(context: &Context<'_>) -> Check {
    Ok(existing::check(context)?)
}

pub(super) fn run(options: &PrepareOsForCapture, context: &mut Context<'_>) -> Result {
    match context.here {
        Environment::Os => {
            if context.is_windows() {
                generalize_windows(options, context)?;
            } else {
                preflight(context)?;
                clean_packages(context)?;
            }
            Ok(if options.shut_down.unwrap_or(false) {
                Outcome::ShutDownThenRetry(Environment::Pe)
            } else {
                Outcome::RestartThenRetry(Environment::Pe)
            })
        }
        Environment::Pe => {
            if options.shut_down.unwrap_or(false) && context.part == 0 {
                context
                    .log
                    .info("the system does not run, so nothing is shut down before the capture");
            }
            existing::adopt(context)?;
            if context.is_windows() {
                windows::prepare(context)?;
            } else {
                check_offline(context)?;
            }
            if let Some(target) = &mut context.journal.saved.target {
                target.prepared = true;
            }
            Ok(Outcome::Done)
        }
    }
}

/// A restart that came before the record of sysprep's success has left its state.
fn generalize_windows(
    options: &PrepareOsForCapture,
    context: &Context<'_>,
) -> std::result::Result<(), Failure> {
    if sysprep::is_generalized(context.platform)? {
        context.log.info("Windows is generalized already");
        return Ok(sysprep::judge_log(context.platform, context.log)?);
    }
    windows::name_answers(context, &context.platform.root())?;
    let volumes = existing_windows::captured_volumes(context)?;
    sysprep::preflight(context.platform, context.log, &volumes)?;
    unpack(context)?;
    winpe_boot::assure_inside(context.platform, context.media, context.log)?;
    recovery::take_back(context.platform, context.log);
    context.progress("generalizing Windows", 0, 0);
    let keep = options.keep_activation.unwrap_or(false);
    let done = sysprep::generalize(context.platform, context.log, keep);
    if done.is_err() {
        // This Windows is used on.
        recovery::put_in_use(context.platform, context.log);
    }
    Ok(done?)
}

/// Before sysprep: afterwards this Windows does not run any more.
fn unpack(context: &Context<'_>) -> std::result::Result<(), Failure> {
    if packed::is_compressed(context.platform, context.log) {
        context.progress("unpacking Windows (CompactOS)", 0, 0);
        packed::unpack(context.platform, context.log, context.time_left()?)?;
    }
    Ok(())
}

/// What makes the result useless is refused while nothing has changed.
fn preflight(context: &Context<'_>) -> std::result::Result<(), Failure> {
    if let Some(name) = context.platform.domain()? {
        return Err(Failure::new(format!(
            "the system is a member of domain {name}: a captured member cannot be deployed twice; put a \
             join-domain-or-workgroup step with a workgroup before this one"
        )));
    }
    if context.platform.exists(Path::new("/var/lib/dpkg/lock-frontend")) && interrupted(context)? {
        return Err(Failure::new(
            "a package installation is half done (dpkg --audit names it): let it end before the capture",
        ));
    }
    if context.platform.exists(Path::new("/usr/bin/rpm")) {
        warn_of_doubles(context)?;
    }
    Ok(())
}

/// A cut in the middle of an installation leaves old versions in rpm's list. It is no more than a warning, because some packages
/// may be there in several versions.
fn warn_of_doubles(context: &Context<'_>) -> std::result::Result<(), Failure> {
    let output = context
        .platform
        .run(&commands::program("rpm", &["-qa", "--qf", "%{NAME}.%{ARCH}\n"]))?;
    let mut names: Vec<&str> = output.stdout.lines().collect();
    names.sort_unstable();
    let doubles = names.windows(2).filter(|pair| pair[0] == pair[1]);
    let mut doubles: Vec<&str> = doubles.map(|pair| pair[0]).collect();
    doubles.dedup();
    doubles.retain(|name| !name.starts_with("kernel") && !name.starts_with("gpg-pubkey"));
    if !doubles.is_empty() {
        context.log.warning(format!(
            "installed in several versions, as after an installation that was cut: {} (dnf remove --duplicates takes the old \
             ones away)",
            doubles.join(" ")
        ));
    }
    Ok(())
}

fn interrupted(context: &Context<'_>) -> std::result::Result<bool, Failure> {
    let output = context.run(commands::program("dpkg", &["--audit"]))?;
    Ok(!output.stdout.trim().is_empty())
}

fn clean_packages(context: &Context<'_>) -> std::result::Result<(), Failure> {
    if context.platform.exists(Path::new("/usr/bin/apt-get")) {
        context.run(commands::program("apt-get", &["clean"]))?;
    }
    Ok(())
}

/// A system that was not shut down cleanly has changes in its file system's journal only.
fn check_offline(context: &Context<'_>) -> std::result::Result<(), Failure> {
    let root = context.system_root(false)?;
    if !context.platform.exists(&root.join("etc/os-release")) {
        return Err(Failure::new(
            "the system's volume has no /etc/os-release: it is no installed Linux",
        ));
    }
    Ok(())
}
