//! Accounts that are logged on for a program, as somebody in front of the machine would be.

use std::io::{Error, Result};
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::path::Path;
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{
    CloseHandle, ERROR_LOGON_TYPE_NOT_GRANTED, HANDLE, HANDLE_FLAG_INHERIT, SetHandleInformation,
};
use windows_sys::Win32::Security::{
    GetTokenInformation, LOGON32_LOGON, LOGON32_LOGON_BATCH, LOGON32_LOGON_INTERACTIVE,
    LOGON32_PROVIDER_DEFAULT, LogonUserW, TOKEN_ELEVATION_TYPE, TOKEN_INFORMATION_CLASS, TOKEN_LINKED_TOKEN,
    TokenElevationType, TokenElevationTypeLimited, TokenLinkedToken,
};
use windows_sys::Win32::System::Environment::{CreateEnvironmentBlock, DestroyEnvironmentBlock};
use windows_sys::Win32::System::Threading::{
    CREATE_NO_WINDOW, CREATE_UNICODE_ENVIRONMENT, CreateProcessAsUserW, PROCESS_INFORMATION,
    STARTF_USESTDHANDLES, STARTUPINFOW,
};
use windows_sys::Win32::UI::Shell::{LoadUserProfileW, PROFILEINFOW, UnloadUserProfile};

use super::account::allow;
use super::wide;

/// No message where the profile is broken (userenv.h).
const PI_NOUI: u32 = 1;

fn size<T>() -> u32 {
    u32::try_from(size_of::<T>()).unwrap_or(0)
}

/// An account that is logged on. Its profile is there until this is dropped.
pub(in super::super) struct Logon {
    token: OwnedHandle,
    profile: Option<HANDLE>,
}

impl Logon {
    /// Logs an account on; one that may not do so at the machine itself as the planner of tasks would.
    pub(in super::super) fn of(user: &str, domain: Option<&str>, password: &str) -> Result<Self> {
        const NOT_GRANTED: Option<i32> = Some(ERROR_LOGON_TYPE_NOT_GRANTED.cast_signed());
        let mut token = log_on(user, domain, password, LOGON32_LOGON_INTERACTIVE);
        if token
            .as_ref()
            .is_err_and(|error| error.raw_os_error() == NOT_GRANTED)
        {
            token = log_on(user, domain, password, LOGON32_LOGON_BATCH);
        }
        let token = token?;
        Ok(Self {
            token: full_rights(&token).unwrap_or(token),
            profile: None,
        })
    }

    /// Loads the account's part of the registry, and makes its folder at its first logon.
    pub(in super::super) fn load_profile(&mut self, user: &str) -> Result<()> {
        for privilege in ["SeBackupPrivilege", "SeRestorePrivilege"] {
            allow(privilege)?;
        }
        let mut user = wide(user);
        let mut profile = PROFILEINFOW {
            dwSize: size::<PROFILEINFOW>(),
            dwFlags: PI_NOUI,
            lpUserName: user.as_mut_ptr(),
            ..PROFILEINFOW::default()
        };
        // SAFETY: the structure says its own length, and its name ends with a zero and outlives the call.
        if unsafe { LoadUserProfileW(self.token.as_raw_handle(), &mut profile) } == 0 {
            return Err(Error::last_os_error());
        }
        self.profile = Some(profile.hProfile);
        Ok(())
    }

    /// The account's environment, `NAME=VALUE` each, without anything of ours.
    pub(in super::super) fn environment(&self) -> Result<Vec<String>> {
        let mut block = null_mut();
        // SAFETY: the list that Windows makes is texts with a zero each and one zero more, and is given back to it once.
        unsafe {
            if CreateEnvironmentBlock(&mut block, self.token.as_raw_handle(), 0) == 0 {
                return Err(Error::last_os_error());
            }
            let lines = read_list(block.cast());
            DestroyEnvironmentBlock(block);
            Ok(lines)
        }
    }

    /// Starts a program as the account, with its own ends of the three pipes and on a desktop of its own: ours is not open to it.
    pub(in super::super) fn start(
        &self,
        command_line: &str,
        folder: Option<&Path>,
        environment: &[u16],
        pipes: [&OwnedHandle; 3],
    ) -> Result<OwnedHandle> {
        for pipe in pipes {
            // SAFETY: the handle is open as long as it is borrowed.
            if unsafe { SetHandleInformation(pipe.as_raw_handle(), HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT) }
                == 0
            {
                return Err(Error::last_os_error());
            }
        }
        let [input, output, errors] = pipes.map(|pipe| pipe.as_raw_handle());
        let mut command_line = wide(command_line);
        let folder = folder.map(|folder| wide(&folder.display().to_string()));
        let mut desktop = [0];
        let startup = STARTUPINFOW {
            cb: size::<STARTUPINFOW>(),
            // Empty, and not null: Windows makes one for the logon that nobody sees.
            lpDesktop: desktop.as_mut_ptr(),
            dwFlags: STARTF_USESTDHANDLES,
            hStdInput: input,
            hStdOutput: output,
            hStdError: errors,
            ..STARTUPINFOW::default()
        };
        let mut made = PROCESS_INFORMATION::default();
        // SAFETY: all texts end with a zero (the environment with two), the structure says its length, and all of them
        // outlive the call; the handles that are made belong to nobody else.
        unsafe {
            let started = CreateProcessAsUserW(
                self.token.as_raw_handle(),
                null(),
                command_line.as_mut_ptr(),
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
            CloseHandle(made.hThread);
            Ok(OwnedHandle::from_raw_handle(made.hProcess))
        }
    }
}

impl Drop for Logon {
    fn drop(&mut self) {
        if let Some(profile) = self.profile {
            // SAFETY: the profile was loaded with this token, and is given back once.
            unsafe { UnloadUserProfile(self.token.as_raw_handle(), profile) };
        }
    }
}

fn log_on(user: &str, domain: Option<&str>, password: &str, kind: LOGON32_LOGON) -> Result<OwnedHandle> {
    let (user, domain, password) = (wide(user), domain.map(wide), wide(password));
    let mut token = null_mut();
    // SAFETY: all texts end with a zero and outlive the call; the handle that is made belongs to nobody else.
    unsafe {
        let logged_on = LogonUserW(
            user.as_ptr(),
            domain.as_ref().map_or(null(), |domain| domain.as_ptr()),
            password.as_ptr(),
            kind,
            LOGON32_PROVIDER_DEFAULT,
            &mut token,
        );
        if logged_on == 0 {
            return Err(Error::last_os_error());
        }
        Ok(OwnedHandle::from_raw_handle(token))
    }
}

/// The other half of an administrator's logon, which has the rights that people are asked about: nobody is there to agree.
fn full_rights(token: &OwnedHandle) -> Option<OwnedHandle> {
    let mut kind: TOKEN_ELEVATION_TYPE = 0;
    let mut linked = TOKEN_LINKED_TOKEN::default();
    // SAFETY: either answer is of the kind that is asked for; the handle that is made belongs to nobody else.
    unsafe {
        ask(token, TokenElevationType, &mut kind)?;
        if kind != TokenElevationTypeLimited {
            return None;
        }
        ask(token, TokenLinkedToken, &mut linked)?;
        Some(OwnedHandle::from_raw_handle(linked.LinkedToken))
    }
}

/// # Safety
/// The answer must be of the type that Windows gives to that question.
unsafe fn ask<T>(token: &OwnedHandle, question: TOKEN_INFORMATION_CLASS, answer: &mut T) -> Option<()> {
    let mut used = 0;
    // SAFETY: the answer's length goes along; the caller vouches for its type.
    let answered = unsafe {
        let answer = (&raw mut *answer).cast();
        GetTokenInformation(token.as_raw_handle(), question, answer, size::<T>(), &mut used)
    };
    (answered != 0).then_some(())
}

/// # Safety
/// Each text must end with a zero, and the list with one more.
unsafe fn read_list(mut next: *const u16) -> Vec<String> {
    let mut lines = Vec::new();
    // SAFETY: the caller vouches for the zeros.
    unsafe {
        while *next != 0 {
            let length = (0..).take_while(|at| *next.add(*at) != 0).count();
            lines.push(String::from_utf16_lossy(std::slice::from_raw_parts(next, length)));
            next = next.add(length + 1);
        }
    }
    lines
}
