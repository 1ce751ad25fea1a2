//! Calls of Windows that neither the standard library nor a crate of ours wraps. Nothing is decided here: what comes
//! back is text, numbers or bytes, and is read elsewhere.

#![allow(
    unsafe_code,
    reason = "Windows is called through its C interface; every pointer is to a buffer of this file that outlives the call"
)]

mod account;
mod console;
mod firmware;
mod logon;
mod message;
mod network;
mod process;
mod reparse;

pub(super) use account::{is_administrator, make_private, only_one};
pub(super) use console::silently;
pub(super) use firmware::{
    firmware_variable, has_acpi_table, has_firmware_variables, on_battery, set_firmware_variable,
    signature_list, smbios,
};
pub(super) use logon::Logon;
pub(super) use message::{Kind, show_message};
pub(super) use network::{Adapter, adapters, connect, disconnect, domain};
pub(super) use process::{Job, end, exit_code, process_id};
pub(super) use reparse::{is_externally_backed, reparse_tags};

use std::fs::OpenOptions;
use std::io::{Error, Result};
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::AsRawHandle as _;
use std::path::Path;
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{GENERIC_READ, INVALID_HANDLE_VALUE};
use windows_sys::Win32::Globalization::{CP_OEMCP, MultiByteToWideChar};
use windows_sys::Win32::Security::Cryptography::{BCRYPT_USE_SYSTEM_PREFERRED_RNG, BCryptGenRandom};
use windows_sys::Win32::Storage::FileSystem::{
    FindFirstVolumeW, FindNextVolumeW, FindVolumeClose, GetDiskFreeSpaceExW, GetDriveTypeW, GetLogicalDrives,
    GetVolumeInformationW, GetVolumeNameForVolumeMountPointW, GetVolumePathNamesForVolumeNameW,
    MOVEFILE_DELAY_UNTIL_REBOOT, MoveFileExW, REPLACEFILE_IGNORE_MERGE_ERRORS, ReplaceFileW,
    SetVolumeMountPointW,
};
use windows_sys::Win32::System::IO::DeviceIoControl;
use windows_sys::Win32::System::Ioctl::FSCTL_IS_VOLUME_DIRTY;
use windows_sys::Win32::System::Registry::{HKEY, RegFlushKey};
use windows_sys::Win32::System::SystemInformation::{GlobalMemoryStatusEx, MEMORYSTATUSEX};

/// Longest name that is asked for.
const LONGEST: usize = 512;

pub(super) fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

fn text(units: &[u16]) -> String {
    let end = units.iter().position(|unit| *unit == 0).unwrap_or(units.len());
    String::from_utf16_lossy(&units[..end])
}

fn length(buffer: &[u16]) -> u32 {
    u32::try_from(buffer.len()).unwrap_or(u32::MAX)
}

/// The letters of the drives, as bits.
pub(super) fn drive_letters() -> u32 {
    // SAFETY: takes nothing and gives a number.
    unsafe { GetLogicalDrives() }
}

/// The kind of a drive (`DRIVE_…`) by its root with a trailing backslash.
pub(super) fn drive_kind(root: &str) -> u32 {
    // SAFETY: the name ends with a zero and outlives the call.
    unsafe { GetDriveTypeW(wide(root).as_ptr()) }
}

/// The names of all volumes, `\\?\Volume{…}\`.
pub(super) fn volume_names() -> Vec<String> {
    let mut name = [0; LONGEST];
    let mut names = Vec::new();
    // SAFETY: the buffer's length goes along; the handle is closed once, when nothing uses it any more.
    unsafe {
        let search = FindFirstVolumeW(name.as_mut_ptr(), length(&name));
        if search == INVALID_HANDLE_VALUE {
            return names;
        }
        loop {
            names.push(text(&name));
            if FindNextVolumeW(search, name.as_mut_ptr(), length(&name)) == 0 {
                break;
            }
        }
        FindVolumeClose(search);
    }
    names
}

/// The name of the volume that is mounted at a root, `\\?\Volume{…}\`; the root itself where there is none.
pub(super) fn volume_name(root: &str) -> String {
    let mut name = [0; LONGEST];
    // SAFETY: the buffer's length goes along, and the root ends with a zero.
    let found =
        unsafe { GetVolumeNameForVolumeMountPointW(wide(root).as_ptr(), name.as_mut_ptr(), length(&name)) };
    if found == 0 { root.to_owned() } else { text(&name) }
}

/// Writes the hive of a key.
pub(super) fn flush_key(key: HKEY) {
    // SAFETY: the caller's key is open while this runs; whatever else it is, the call refuses it.
    unsafe { RegFlushKey(key) };
}

/// Whether a volume has a drive letter or a folder.
pub(super) fn is_mounted(volume: &str) -> bool {
    first_path(volume).is_some()
}

/// The first drive letter (`C:\`) or folder of a volume.
pub(super) fn first_path(volume: &str) -> Option<String> {
    let mut paths = [0; LONGEST];
    let mut used = 0;
    // SAFETY: the buffer's length goes along, and the name ends with a zero.
    let found = unsafe {
        GetVolumePathNamesForVolumeNameW(
            wide(volume).as_ptr(),
            paths.as_mut_ptr(),
            length(&paths),
            &mut used,
        )
    };
    (found != 0 && paths[0] != 0).then(|| text(&paths))
}

/// Label and file system of a volume by its root; an error where no medium is in the drive.
pub(super) fn volume_information(root: &str) -> Result<(String, String)> {
    let (mut label, mut kind) = ([0; LONGEST], [0; LONGEST]);
    // SAFETY: both buffers' lengths go along; what is not wanted is null, as the call allows.
    let found = unsafe {
        GetVolumeInformationW(
            wide(root).as_ptr(),
            label.as_mut_ptr(),
            length(&label),
            null_mut(),
            null_mut(),
            null_mut(),
            kind.as_mut_ptr(),
            length(&kind),
        )
    };
    if found == 0 {
        return Err(Error::last_os_error());
    }
    Ok((text(&label), text(&kind)))
}

/// Free bytes for us, and all bytes, of the volume of a folder.
pub(super) fn free_space(folder: &Path) -> Result<(u64, u64)> {
    let (mut free, mut total) = (0, 0);
    let name = wide(&folder.display().to_string());
    // SAFETY: the name ends with a zero; the numbers outlive the call.
    if unsafe { GetDiskFreeSpaceExW(name.as_ptr(), &mut free, &mut total, null_mut()) } == 0 {
        return Err(Error::last_os_error());
    }
    Ok((free, total))
}

/// Asks a device a question that has a short answer. The device is opened without any right to its content.
pub(super) fn ask_device(device: &str, question: u32, input: &[u8]) -> Result<Vec<u8>> {
    ask(device, 0, question, input)
}

/// Whether a volume has the mark that it is to be checked; a file system without such a mark has not.
pub(super) fn is_dirty(device: &str) -> Result<bool> {
    const INVALID_FUNCTION: i32 = 1;
    const NOT_SUPPORTED: i32 = 50;
    match ask(device, GENERIC_READ, FSCTL_IS_VOLUME_DIRTY, &[]) {
        Ok(answer) => Ok(answer.first().is_some_and(|flags| flags & 1 != 0)),
        Err(error) if matches!(error.raw_os_error(), Some(INVALID_FUNCTION | NOT_SUPPORTED)) => Ok(false),
        Err(error) => Err(error),
    }
}

fn ask(device: &str, rights: u32, question: u32, input: &[u8]) -> Result<Vec<u8>> {
    const SHARED: u32 = 7;
    const LONGEST_ANSWER: u32 = 32 * 1024;
    let file = OpenOptions::new()
        .access_mode(rights)
        .share_mode(SHARED)
        .open(device)?;
    let mut answer = vec![0; LONGEST_ANSWER as usize];
    let mut used = 0;
    // SAFETY: both buffers' lengths go along; the file is open during the call, which does not go on after it.
    let answered = unsafe {
        DeviceIoControl(
            file.as_raw_handle(),
            question,
            input.as_ptr().cast(),
            u32::try_from(input.len()).unwrap_or(0),
            answer.as_mut_ptr().cast(),
            LONGEST_ANSWER,
            &mut used,
            null_mut(),
        )
    };
    if answered == 0 {
        return Err(Error::last_os_error());
    }
    answer.truncate(used as usize);
    Ok(answer)
}

/// Gives a volume a drive letter; both with a trailing backslash.
pub(super) fn give_letter(letter: &str, volume: &str) -> Result<()> {
    // SAFETY: both names end with a zero and outlive the call.
    if unsafe { SetVolumeMountPointW(wide(letter).as_ptr(), wide(volume).as_ptr()) } == 0 {
        return Err(Error::last_os_error());
    }
    Ok(())
}

/// Removes a file that is in use when the system starts next.
pub(super) fn remove_at_next_start(path: &Path) -> Result<()> {
    let name = wide(&path.display().to_string());
    // SAFETY: the name ends with a zero; no second name means removal.
    if unsafe { MoveFileExW(name.as_ptr(), null(), MOVEFILE_DELAY_UNTIL_REBOOT) } == 0 {
        return Err(Error::last_os_error());
    }
    Ok(())
}

/// Puts a file into the place of another one, which comes under a third name.
pub(super) fn replace_keeping(path: &Path, new: &Path, old: &Path) -> Result<()> {
    let [path, new, old] = [path, new, old].map(|path| wide(&path.display().to_string()));
    let flags = REPLACEFILE_IGNORE_MERGE_ERRORS;
    // SAFETY: all names end with a zero and outlive the call; nothing is excluded, and the last pointer is reserved.
    if unsafe { ReplaceFileW(path.as_ptr(), new.as_ptr(), old.as_ptr(), flags, null(), null()) } == 0 {
        return Err(Error::last_os_error());
    }
    Ok(())
}

/// Text in the code page of consoles.
pub(super) fn oem_text(bytes: &[u8]) -> String {
    let count = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
    let mut units = vec![0; bytes.len()];
    // SAFETY: no code page makes more units than bytes, and both lengths go along.
    let made = unsafe { MultiByteToWideChar(CP_OEMCP, 0, bytes.as_ptr(), count, units.as_mut_ptr(), count) };
    units.truncate(usize::try_from(made).unwrap_or(0));
    String::from_utf16_lossy(&units)
}

/// Installed memory in bytes.
pub(super) fn memory() -> u64 {
    let mut status = MEMORYSTATUSEX {
        dwLength: u32::try_from(size_of::<MEMORYSTATUSEX>()).unwrap_or(0),
        ..MEMORYSTATUSEX::default()
    };
    // SAFETY: the structure says its own length.
    if unsafe { GlobalMemoryStatusEx(&mut status) } == 0 {
        return 0;
    }
    status.ullTotalPhys
}

/// Random bytes of the system.
pub(super) fn random(bytes: &mut [u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    // SAFETY: the buffer's length goes along; without an algorithm the system's own generator answers.
    let status = unsafe {
        BCryptGenRandom(
            null_mut(),
            bytes.as_mut_ptr(),
            length,
            BCRYPT_USE_SYSTEM_PREFERRED_RNG,
        )
    };
    // Without a random source nothing secret may be made.
    assert!(status == 0, "Windows gives no random bytes: {status:#x}");
}
