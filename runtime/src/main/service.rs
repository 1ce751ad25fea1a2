//! The service: Windows starts it with every start, and it ends when its part of the run does.

use std::ffi::OsString;
use std::time::Duration;

use anyhow::Context as _;
use media_format::paths;
use runtime::in_windows::installed;
use runtime::log::Log;
use runtime::platform::Result;
use runtime::platform::windows::Windows;
use windows_service::service::{
    ServiceControl, ServiceControlAccept, ServiceExitCode, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{self, ServiceControlHandlerResult, ServiceStatusHandle};
use windows_service::{define_windows_service, service_dispatcher};

define_windows_service!(entry, serve);

/// Serves Windows' service manager until the service ends.
pub(super) fn run() -> Result<()> {
    service_dispatcher::start(paths::WINDOWS_SERVICE, entry)
        .context("a service is started by Windows; to go on with a run by hand, use `continue`")
}

fn serve(_arguments: Vec<OsString>) {
    let served = service_control_handler::register(paths::WINDOWS_SERVICE, answer)
        .context("telling Windows that the service runs")
        .and_then(|status| work(&status));
    if let Err(error) = served {
        Log::open(&super::folder()).error(format!("{error:#}"));
    }
}

/// A shutdown is answered by going on: the journal takes a cut at any moment.
fn answer(control: ServiceControl) -> ServiceControlHandlerResult {
    match control {
        ServiceControl::Interrogate | ServiceControl::Shutdown => ServiceControlHandlerResult::NoError,
        _ => ServiceControlHandlerResult::NotImplemented,
    }
}

fn work(handle: &ServiceStatusHandle) -> Result<()> {
    tell(handle, ServiceState::Running)?;
    installed::wait_for_set_up(&Windows::new())?;
    let done = super::go_on();
    tell(handle, ServiceState::Stopped)?;
    done
}

fn tell(handle: &ServiceStatusHandle, state: ServiceState) -> Result<()> {
    handle
        .set_service_status(ServiceStatus {
            service_type: ServiceType::OWN_PROCESS,
            current_state: state,
            controls_accepted: ServiceControlAccept::SHUTDOWN,
            exit_code: ServiceExitCode::Win32(0),
            checkpoint: 0,
            wait_hint: Duration::ZERO,
            process_id: None,
        })
        .context("telling Windows the service's state")
}
