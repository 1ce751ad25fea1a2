//! Who runs the program, and what only administrators may use.

use std::io::{Error, Result};
use std::os::windows::io::{FromRawHandle as _, OwnedHandle};
use std::path::Path;
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{ERROR_ALREADY_EXISTS, GetLastError, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1,
};
use windows_sys::Win32::Security::{
    CheckTokenMembership, CreateWellKnownSid, SECURITY_ATTRIBUTES, SECURITY_MAX_SID_SIZE,
    WinBuiltinAdministratorsSid,
};
use windows_sys::Win32::Storage::FileSystem::CreateDirectoryW;
use windows_sys::Win32::System::Threading::CreateMutexW;

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
