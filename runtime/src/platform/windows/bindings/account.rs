//! Who runs the program, and what only administrators may use.

use std::io::{Error, Result};
use std::os::windows::io::{FromRawHandle as _, OwnedHandle};
use std::path::Path;
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{
    CloseHandle, ERROR_ALREADY_EXISTS, ERROR_NOT_ALL_ASSIGNED, GetLastError, HANDLE, LocalFree,
};
use windows_sys::Win32::Security::Authorization::{
    ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1,
};
use windows_sys::Win32::Security::{
    AdjustTokenPrivileges, CheckTokenMembership, CreateWellKnownSid, LookupPrivilegeValueW,
    SE_PRIVILEGE_ENABLED, SECURITY_ATTRIBUTES, SECURITY_MAX_SID_SIZE, TOKEN_ADJUST_PRIVILEGES,
    TOKEN_PRIVILEGES, TOKEN_QUERY, WinBuiltinAdministratorsSid,
};
use windows_sys::Win32::Storage::FileSystem::CreateDirectoryW;
use windows_sys::Win32::System::Threading::{CreateMutexW, GetCurrentProcess, OpenProcessToken};

use super::wide;

/// Nothing inherited; the system and administrators may do everything here and below.
const PRIVATE: &str = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";

/// Whether the program has the rights of an administrator: in an elevated console, not in an ordinary one.
pub(in super::super) fn is_administrator() -> Result<bool> {
    let mut group = [0u32; SECURITY_MAX_SID_SIZE as usize / 4];
    let (mut length, mut member) = (SECURITY_MAX_SID_SIZE, 0);
    // SAFETY: the buffer has the length that goes along, and what is not wanted is null, as the calls allow.
    unsafe {
        let group = group.as_mut_ptr().cast();
        if CreateWellKnownSid(WinBuiltinAdministratorsSid, null_mut(), group, &mut length) == 0
            || CheckTokenMembership(null_mut(), group, &mut member) == 0
        {
            return Err(Error::last_os_error());
        }
    }
    Ok(member != 0)
}

/// Makes a folder with those rights in one go; it must not be there.
pub(in super::super) fn make_private(folder: &Path) -> Result<()> {
    let mut descriptor = null_mut();
    let (rights, name) = (wide(PRIVATE), wide(&folder.display().to_string()));
    // SAFETY: both texts end with a zero; the descriptor that Windows makes is given back to it once, after its last use.
    unsafe {
        if ConvertStringSecurityDescriptorToSecurityDescriptorW(
            rights.as_ptr(),
            SDDL_REVISION_1,
            &mut descriptor,
            null_mut(),
        ) == 0
        {
            return Err(Error::last_os_error());
        }
        let attributes = SECURITY_ATTRIBUTES {
            nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).unwrap_or(0),
            lpSecurityDescriptor: descriptor,
            bInheritHandle: 0,
        };
        let made = CreateDirectoryW(name.as_ptr(), &attributes);
        let error = Error::last_os_error();
        LocalFree(descriptor);
        if made == 0 { Err(error) } else { Ok(()) }
    }
}

/// The system's account and administrators have privileges, and have to switch them on; gives an error where they have not.
pub(super) fn allow(privilege: &str) -> Result<()> {
    let mut wanted = TOKEN_PRIVILEGES::default();
    wanted.PrivilegeCount = 1;
    wanted.Privileges[0].Attributes = SE_PRIVILEGE_ENABLED;
    let mut token: HANDLE = null_mut();
    // SAFETY: the token is closed when nothing uses it any more; what is not wanted is null, as the calls allow.
    unsafe {
        if OpenProcessToken(
            GetCurrentProcess(),
            TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY,
            &mut token,
        ) == 0
        {
            return Err(Error::last_os_error());
        }
        let known = LookupPrivilegeValueW(null(), wide(privilege).as_ptr(), &mut wanted.Privileges[0].Luid);
        let allowed = known != 0 && AdjustTokenPrivileges(token, 0, &wanted, 0, null_mut(), null_mut()) != 0;
        let error = Error::last_os_error();
        CloseHandle(token);
        // It also succeeds where the account has no such privilege, and tells so only by the error.
        let missing = error.raw_os_error() == Some(ERROR_NOT_ALL_ASSIGNED.cast_signed());
        if allowed && !missing { Ok(()) } else { Err(error) }
    }
}

/// A name of the whole machine, held until it is dropped; nothing where another program holds it.
pub(in super::super) fn only_one(name: &str) -> Result<Option<OwnedHandle>> {
    // SAFETY: the name ends with a zero; the handle that is made belongs to nobody else.
    unsafe {
        let handle = CreateMutexW(null(), 0, wide(name).as_ptr());
        let known = GetLastError() == ERROR_ALREADY_EXISTS;
        if handle.is_null() {
            return Err(Error::last_os_error());
        }
        let held = OwnedHandle::from_raw_handle(handle);
        Ok((!known).then_some(held))
    }
}
