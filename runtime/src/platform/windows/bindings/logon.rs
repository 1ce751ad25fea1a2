//! Programs of another account.

use std::io::{Error, ErrorKind, PipeReader, PipeWriter, Result, pipe};
use std::os::windows::io::{AsRawHandle, FromRawHandle as _, OwnedHandle};
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{
    ERROR_LOGON_TYPE_NOT_GRANTED, HANDLE, HANDLE_FLAG_INHERIT, SetHandleInformation,
};
use windows_sys::Win32::Security::{
    LOGON32_LOGON, LOGON32_LOGON_BATCH, LOGON32_LOGON_INTERACTIVE, LOGON32_PROVIDER_DEFAULT, LogonUserW,
};
use windows_sys::Win32::System::Environment::{CreateEnvironmentBlock, DestroyEnvironmentBlock};
use windows_sys::Win32::System::Threading::{
    CREATE_NO_WINDOW, CREATE_UNICODE_ENVIRONMENT, CreateProcessAsUserW, PROCESS_INFORMATION,
    STARTF_USESTDHANDLES, STARTUPINFOW,
};
use windows_sys::Win32::UI::Shell::{LoadUserProfileW, PROFILEINFOW, UnloadUserProfile};

use super::wide;

/// An account that is logged on, with its profile, until it is dropped.
pub(in super::super) struct Logon {
    token: OwnedHandle,
    profile: HANDLE,
}

/// A program that was started, and the other ends of its pipes.
pub(in super::super) struct Started {
    pub(in super::super) process: OwnedHandle,
    pub(in super::super) stdin: PipeWriter,
    pub(in super::super) stdout: PipeReader,
    pub(in super::super) stderr: PipeReader,
}

impl Logon {
    /// Logs the account on: as a batch job, which has all rights of an administrator's account, or else, for those that may only
    /// sit at the machine, as somebody who does.
    pub(in super::super) fn new(domain: Option<&str>, user: &str, password: &str) -> Result<Self> {
        let token = match token(domain, user, password, LOGON32_LOGON_BATCH) {
            Err(error) if is_not_granted(&error) => {
                token(domain, user, password, LOGON32_LOGON_INTERACTIVE)?
            }
            logged => logged?,
        };
        /// `PI_NOUI`: nobody sees what is shown.
        const QUIET: u32 = 1;
        let mut name = wide(user);
        let mut profile = PROFILEINFOW {
            dwSize: u32::try_from(size_of::<PROFILEINFOW>()).unwrap_or(0),
            dwFlags: QUIET,
            lpUserName: name.as_mut_ptr(),
            ..Default::default()
        };
        // SAFETY: the token is open; the structure says its size, and it and the name outlive the call.
        if unsafe { LoadUserProfileW(token.as_raw_handle(), &mut profile) } == 0 {
            return Err(Error::last_os_error());
        }
        Ok(Self {
            token,
            profile: profile.hProfile,
        })
    }

    /// The variables of the account's environment, as a block.
    pub(in super::super) fn environment(&self) -> Result<Vec<u16>> {
        let mut block = null_mut();
        // SAFETY: the token is open. The block that Windows makes ends with two zeros, is read up to these, and is given back once.
        unsafe {
            if CreateEnvironmentBlock(&mut block, self.token.as_raw_handle(), 0) == 0 {
                return Err(Error::last_os_error());
            }
            let units = block.cast::<u16>().cast_const();
            let mut length = 0;
            while *units.add(length) != 0 || *units.add(length + 1) != 0 {
                length += 1;
            }
            let copy = std::slice::from_raw_parts(units, length + 2).to_vec();
            DestroyEnvironmentBlock(block);
            Ok(copy)
        }
    }

    /// Starts a program as the account, without a window.
    pub(in super::super) fn start(
        &self,
        line: &str,
        environment: &[u16],
        folder: Option<&str>,
    ) -> Result<Started> {
        let (child_in, stdin) = pipe()?;
        let (stdout, child_out) = pipe()?;
        let (stderr, child_err) = pipe()?;
        inherit(&child_in)?;
        inherit(&child_out)?;
        inherit(&child_err)?;
        let mut line = wide(line);
        let folder = folder.map(wide);
        // Empty: one of its own, because the account may not use the desktop of the service.
        let mut desktop = wide("");
        let startup = STARTUPINFOW {
            cb: u32::try_from(size_of::<STARTUPINFOW>()).unwrap_or(0),
            lpDesktop: desktop.as_mut_ptr(),
            dwFlags: STARTF_USESTDHANDLES,
            hStdInput: child_in.as_raw_handle(),
            hStdOutput: child_out.as_raw_handle(),
            hStdError: child_err.as_raw_handle(),
            ..Default::default()
        };
        let mut made = PROCESS_INFORMATION::default();
        // SAFETY: all texts end with a zero and the block with two; they and the structures outlive the call, the handles are open,
        // and what is not wanted is null, as the call allows. The handles that are made belong to nobody else.
        unsafe {
            let started = CreateProcessAsUserW(
                self.token.as_raw_handle(),
                null(),
                line.as_mut_ptr(),
                null(),
                null(),
                1,
                CREATE_NO_WINDOW | CREATE_UNICODE_ENVIRONMENT,
                environment.as_ptr().cast(),
                folder.as_ref().map_or(null(), |folder| folder.as_ptr()),
                &startup,
                &mut made,
            );
            if started == 0 {
                return Err(Error::last_os_error());
            }
            drop(OwnedHandle::from_raw_handle(made.hThread));
            Ok(Started {
                process: OwnedHandle::from_raw_handle(made.hProcess),
                stdin,
                stdout,
                stderr,
            })
        }
    }
}

impl Drop for Logon {
    fn drop(&mut self) {
        // SAFETY: both handles are open, and the profile was loaded with this token.
        unsafe { UnloadUserProfile(self.token.as_raw_handle(), self.profile) };
    }
}

fn is_not_granted(error: &Error) -> bool {
    error.raw_os_error().map(i32::cast_unsigned) == Some(ERROR_LOGON_TYPE_NOT_GRANTED)
}

fn token(domain: Option<&str>, user: &str, password: &str, kind: LOGON32_LOGON) -> Result<OwnedHandle> {
    let (domain, user, password) = (domain.map(wide), wide(user), wide(password));
    let mut token = null_mut();
    // SAFETY: all texts end with a zero and outlive the call; a name with its domain in it takes no domain. The handle that is made
    // belongs to nobody else.
    unsafe {
        let logged = LogonUserW(
            user.as_ptr(),
            domain.as_ref().map_or(null(), |domain| domain.as_ptr()),
            password.as_ptr(),
            kind,
            LOGON32_PROVIDER_DEFAULT,
            &mut token,
        );
        if logged == 0 {
            return Err(Error::last_os_error());
        }
        if token.is_null() {
            return Err(Error::new(ErrorKind::Unsupported, "this Windows logs nobody on"));
        }
        Ok(OwnedHandle::from_raw_handle(token))
    }
}

/// The program that is started gets this end of a pipe.
fn inherit(end: &impl AsRawHandle) -> Result<()> {
    // SAFETY: the handle is open.
    if unsafe { SetHandleInformation(end.as_raw_handle(), HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT) } == 0 {
        return Err(Error::last_os_error());
    }
    Ok(())
}
