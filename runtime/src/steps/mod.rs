//! The steps: one file each, with what can be checked beforehand and what is done.

use std::time::Duration;

use task_sequence::Action;
use task_sequence::steps::RunTaskSequence;

use crate::context::{Context, Failure};
use crate::engine::Outcome;
use crate::run::Run;

mod applied_images;
mod apply_data_image;
mod apply_driver_package;
mod apply_image;
mod apply_network_settings;
mod apply_operating_system_image;
mod apply_os_settings;
mod auto_apply_drivers;
mod capture_operating_system_image;
mod capture_views;
mod check_readiness;
mod commands;
mod connect_to_network_folder;
mod format_and_partition_disk;
mod install;
mod install_applications;
mod install_package;
mod install_updates;
mod join_domain_or_workgroup;
mod package_tools;
mod prepare_client_for_capture;
mod prepare_os_for_capture;
mod restart_computer;
mod run_command_line;
mod run_script;
mod set_variables;
mod setup_os;
mod user_state;
mod variables_file;

pub(crate) use set_variables::all as all_variables;

/// What a step gives back.
pub type Result = std::result::Result<Outcome, Failure>;
/// What a check gives back.
pub type Check = std::result::Result<(), Failure>;

/// Runs a step whose settings are resolved.
///
/// # Errors
/// Why the step failed.
pub fn run(action: &Action, context: &mut Context<'_>) -> Result {
    match action {
        Action::RestartComputer(options) => restart_computer::run(options, context),
        Action::FormatAndPartitionDisk(options) => format_and_partition_disk::run(options, context),
        Action::ApplyOperatingSystemImage(options) => apply_operating_system_image::run(options, context),
        Action::ApplyDataImage(options) => apply_data_image::run(options, context),
        Action::ApplyOsSettings(options) => apply_os_settings::run(options, context),
        Action::ApplyNetworkSettings(options) => apply_network_settings::run(options, context),
        Action::AutoApplyDrivers(options) => auto_apply_drivers::run(options, context),
        Action::ApplyDriverPackage(options) => apply_driver_package::run(options, context),
        Action::SetupOs(options) => setup_os::run(options, context),
        Action::InstallUpdates(options) => install_updates::run(options, context),
        Action::InstallApplications(options) => install_applications::run(options, context),
        Action::InstallPackage(options) => install_package::run(options, context),
        Action::JoinDomainOrWorkgroup(options) => join_domain_or_workgroup::run(options, context),
        Action::PrepareClientForCapture(options) => prepare_client_for_capture::run(options, context),
        Action::PrepareOsForCapture(options) => prepare_os_for_capture::run(options, context),
        Action::CaptureOperatingSystemImage(options) => capture_operating_system_image::run(options, context),
        Action::RunCommandLine(options) => run_command_line::run(options, context),
        Action::RunScript(options) => run_script::run(options, context),
        Action::SetVariables(options) => set_variables::run(options, context),
        Action::ConnectToNetworkFolder(options) => connect_to_network_folder::run(options, context),
        Action::CheckReadiness(options) => check_readiness::run(options, context),
        Action::RunTaskSequence(options) => Err(not_on_media(options)),
    }
}

/// Finds what a program of the boot image cannot do, wherever the run begins.
///
/// # Errors
/// Why the step would fail.
pub fn check_tool(action: &Action, context: &Context<'_>) -> Check {
    match action {
        Action::CaptureOperatingSystemImage(options) => {
            capture_operating_system_image::check_tool(options, context)
        }
        _ => Ok(()),
    }
}

/// Finds what is wrong before anything is changed.
///
/// # Errors
/// Why the step would fail.
pub fn check(action: &Action, context: &Context<'_>) -> Check {
    match action {
        Action::FormatAndPartitionDisk(options) => format_and_partition_disk::check(options, context),
        Action::ApplyOperatingSystemImage(options) => apply_operating_system_image::check(options, context),
        Action::ApplyDataImage(options) => apply_data_image::check(options, context),
        Action::ApplyOsSettings(options) => apply_os_settings::check(options, context),
        Action::ApplyNetworkSettings(options) => apply_network_settings::check(options, context),
        Action::AutoApplyDrivers(options) => auto_apply_drivers::check(options, context),
        Action::ApplyDriverPackage(options) => apply_driver_package::check(options, context),
        Action::SetupOs(options) => setup_os::check(options, context),
        Action::InstallUpdates(options) => install_updates::check(options, context),
        Action::InstallApplications(options) => install_applications::check(options, context),
        Action::InstallPackage(options) => install_package::check(options, context),
        Action::PrepareClientForCapture(options) => prepare_client_for_capture::check(options, context),
        Action::PrepareOsForCapture(_) => prepare_os_for_capture::check(context),
        Action::CaptureOperatingSystemImage(options) => {
            capture_operating_system_image::check(options, context)
        }
        Action::ConnectToNetworkFolder(options) => connect_to_network_folder::check(options, context),
        Action::JoinDomainOrWorkgroup(options) => join_domain_or_workgroup::check(options, context),
        Action::RestartComputer(_)
        | Action::RunCommandLine(_)
        | Action::RunScript(_)
        | Action::SetVariables(_)
        | Action::CheckReadiness(_) => Ok(()),
        Action::RunTaskSequence(options) => Err(not_on_media(options)),
    }
}

/// Runs a command line of the user's when the run is over; gives its exit code.
///
/// # Errors
/// When it cannot be started or takes too long.
pub fn run_last(run: &Run<'_>, line: &str, most: Duration) -> crate::platform::Result<i64> {
    commands::run_last(run, line, most).map(|output| output.code)
}

/// The steps of a sequence that is there have taken the place of the step; see [`task_sequence::embed`].
fn not_on_media(options: &RunTaskSequence) -> Failure {
    Failure::new(format!("the media has no task sequence `{}`", options.sequence))
}
