//! A message on the screen of the machine, for a service, which has none.

use std::io::{Error, ErrorKind, Result};
use std::mem::transmute;
use std::ptr::null_mut;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::LibraryLoader::{
    GetProcAddress, LOAD_LIBRARY_SEARCH_SYSTEM32, LoadLibraryExW,
};
use windows_sys::Win32::System::RemoteDesktop::WTSGetActiveConsoleSessionId;
use windows_sys::Win32::UI::WindowsAndMessaging::{
    MB_ICONERROR, MB_ICONINFORMATION, MB_OK, MESSAGEBOX_RESULT, MESSAGEBOX_STYLE,
};
use windows_sys::core::{BOOL, PCWSTR};

use super::wide;

/// `WTSSendMessageW`.
type SendMessage = unsafe extern "system" fn(
    server: HANDLE,
    session: u32,
    title: PCWSTR,
    title_bytes: u32,
    text: PCWSTR,
    text_bytes: u32,
    style: MESSAGEBOX_STYLE,
    timeout: u32,
    response: *mut MESSAGEBOX_RESULT,
    wait: BOOL,
) -> BOOL;

/// What a message is about.
#[derive(Debug, Clone, Copy)]
pub(in super::super) enum Kind {
    Error,
    Information,
}

const TITLE: &str = "media-runtime";

/// Shows a message in the session of the machine's console and does not wait for an answer.
pub(in super::super) fn show_message(text: &str, kind: Kind) -> Result<()> {
    /// Nobody is attached to the console, not even the sign-in screen.
    const NO_SESSION: u32 = u32::MAX;
    // SAFETY: takes nothing and gives a number.
    let session = unsafe { WTSGetActiveConsoleSessionId() };
    if session == NO_SESSION {
        return Err(Error::new(ErrorKind::NotFound, "the console has no session"));
    }
    let send = send_message()?;
    let (title, text) = (wide(TITLE), wide(text));
    let icon = match kind {
        Kind::Error => MB_ICONERROR,
        Kind::Information => MB_ICONINFORMATION,
    };
    let mut response = 0;
    // SAFETY: both texts' lengths go along; the number outlives the call, which does not wait, so nothing is written after it; no
    // server means this machine.
    let sent = unsafe {
        send(
            null_mut(),
            session,
            title.as_ptr(),
            bytes(&title),
            text.as_ptr(),
            bytes(&text),
            MB_OK | icon,
            0,
            &mut response,
            0,
        )
    };
    if sent == 0 {
        return Err(Error::last_os_error());
    }
    Ok(())
}

/// Looked up when it is needed: the same program runs in a Windows PE, which may lack the library, and would not start there.
fn send_message() -> Result<SendMessage> {
    // SAFETY: both names end with a zero; only the system's own folder is searched, and the library stays loaded. The function
    // has had the type above since Windows XP.
    unsafe {
        let library = LoadLibraryExW(
            wide("wtsapi32.dll").as_ptr(),
            null_mut(),
            LOAD_LIBRARY_SEARCH_SYSTEM32,
        );
        if library.is_null() {
            return Err(Error::last_os_error());
        }
        let found = GetProcAddress(library, c"WTSSendMessageW".as_ptr().cast());
        let found = found.ok_or_else(Error::last_os_error)?;
        Ok(transmute::<unsafe extern "system" fn() -> isize, SendMessage>(
            found,
        ))
    }
}

/// The length in bytes without the zero at the end.
fn bytes(text: &[u16]) -> u32 {
    u32::try_from(text.len().saturating_sub(1) * size_of::<u16>()).unwrap_or(0)
}
