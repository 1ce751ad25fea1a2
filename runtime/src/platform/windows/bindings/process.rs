//! Programs that have been started, by their handles.

use std::io::{Error, Result};
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::ptr::null;
use std::time::Duration;

use windows_sys::Win32::Foundation::{WAIT_OBJECT_0, WAIT_TIMEOUT};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, TerminateJobObject,
};
use windows_sys::Win32::System::Threading::{
    GetExitCodeProcess, GetProcessId, INFINITE, TerminateProcess, WaitForSingleObject,
};

/// The exit code of a program that ends within that time, or whenever it does; nothing where it goes on.
pub(in super::super) fn exit_code(process: &OwnedHandle, within: Option<Duration>) -> Result<Option<u32>> {
    let time = within.map_or(INFINITE, |time| {
        u32::try_from(time.as_millis()).unwrap_or(INFINITE)
    });
    let mut code = 0;
    // SAFETY: the handle is open as long as it is borrowed, and the number outlives the call.
    unsafe {
        match WaitForSingleObject(process.as_raw_handle(), time) {
            WAIT_TIMEOUT => Ok(None),
            WAIT_OBJECT_0 if GetExitCodeProcess(process.as_raw_handle(), &mut code) != 0 => Ok(Some(code)),
            _ => Err(Error::last_os_error()),
        }
    }
}

/// Ends a program at once, if it has not ended by itself.
pub(in super::super) fn end(process: &OwnedHandle) {
    // SAFETY: the handle is open as long as it is borrowed.
    unsafe { TerminateProcess(process.as_raw_handle(), 1) };
}

/// By which the system's own tools name it.
pub(in super::super) fn process_id(process: &OwnedHandle) -> u32 {
    // SAFETY: the handle is open as long as it is borrowed.
    unsafe { GetProcessId(process.as_raw_handle()) }
}

/// A program with everything that it starts.
pub(in super::super) struct Job(OwnedHandle);

impl Job {
    /// Puts a program that has just been started into a job of its own.
    pub(in super::super) fn of(process: &OwnedHandle) -> Result<Self> {
        // SAFETY: the handle that is made belongs to nobody else; the program's is open as long as it is borrowed.
        unsafe {
            let handle = CreateJobObjectW(null(), null());
            if handle.is_null() {
                return Err(Error::last_os_error());
            }
            let job = Self(OwnedHandle::from_raw_handle(handle));
            if AssignProcessToJobObject(handle, process.as_raw_handle()) == 0 {
                return Err(Error::last_os_error());
            }
            Ok(job)
        }
    }

    /// Ends all of it.
    pub(in super::super) fn end(&self) -> Result<()> {
        // SAFETY: the handle is open as long as the job is there.
        if unsafe { TerminateJobObject(self.0.as_raw_handle(), 1) } == 0 {
            return Err(Error::last_os_error());
        }
        Ok(())
    }
}
