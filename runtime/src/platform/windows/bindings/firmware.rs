//! What the firmware says, and its variables.

use std::io::{Error, Result};
use std::ptr::null_mut;

use windows_sys::Win32::Foundation::ERROR_INVALID_FUNCTION;
use windows_sys::Win32::System::Power::{GetSystemPowerStatus, SYSTEM_POWER_STATUS};
use windows_sys::Win32::System::SystemInformation::GetSystemFirmwareTable;
use windows_sys::Win32::System::WindowsProgramming::{
    GetFirmwareEnvironmentVariableW, SetFirmwareEnvironmentVariableW,
};

use super::account::allow;
use super::wide;

/// EFI_GLOBAL_VARIABLE (UEFI specification, 3.3).
const GLOBAL: &str = "{8be4df61-93ca-11d2-aa0d-00e098032b8c}";
/// EFI_IMAGE_SECURITY_DATABASE_GUID (UEFI specification, 32.4.1).
const SECURITY_DATABASE: &str = "{d719b2cb-3d3a-4596-a3bc-dad00e67656f}";
/// Longest variable that is read: `dbx` has some 20 KiB.
const LONGEST: usize = 64 * 1024;

/// The SMBIOS tables as the firmware gives them (`RSMB`); empty where there are none.
pub(in super::super) fn smbios() -> Vec<u8> {
    const RSMB: u32 = u32::from_be_bytes(*b"RSMB");
    // SAFETY: the first call only asks for the length; the second one's buffer has it.
    unsafe {
        let needed = GetSystemFirmwareTable(RSMB, 0, null_mut(), 0);
        let mut table = vec![0; needed as usize];
        let used = GetSystemFirmwareTable(RSMB, 0, table.as_mut_ptr(), needed);
        table.truncate(used.min(needed) as usize);
        table
    }
}

/// Whether the firmware has an ACPI table of that name.
pub(in super::super) fn has_acpi_table(name: &[u8; 4]) -> bool {
    const ACPI: u32 = u32::from_be_bytes(*b"ACPI");
    // SAFETY: without a buffer the call only says how long the table is; 0 is none.
    unsafe { GetSystemFirmwareTable(ACPI, u32::from_le_bytes(*name), null_mut(), 0) > 0 }
}

/// Whether the machine runs on its battery.
pub(in super::super) fn on_battery() -> bool {
    const OFFLINE: u8 = 0;
    let mut status = SYSTEM_POWER_STATUS::default();
    // SAFETY: the structure is the one that the call fills in.
    let known = unsafe { GetSystemPowerStatus(&mut status) } != 0;
    known && status.ACLineStatus == OFFLINE
}

/// Whether the firmware has variables: a BIOS has none.
pub(in super::super) fn has_firmware_variables() -> bool {
    match firmware_variable("BootOrder") {
        Ok(_) => true,
        Err(error) => error.raw_os_error() != Some(ERROR_INVALID_FUNCTION.cast_signed()),
    }
}

/// A variable of the firmware.
pub(in super::super) fn firmware_variable(name: &str) -> Result<Vec<u8>> {
    variable_of(GLOBAL, name)
}

/// One of the firmware's lists for Secure Boot, `db` or `dbx`.
pub(in super::super) fn signature_list(name: &str) -> Result<Vec<u8>> {
    variable_of(SECURITY_DATABASE, name)
}

fn variable_of(owner: &str, name: &str) -> Result<Vec<u8>> {
    allow("SeSystemEnvironmentPrivilege")?;
    let mut value = vec![0; LONGEST];
    let length = u32::try_from(LONGEST).unwrap_or(0);
    // SAFETY: both names end with a zero; the buffer's length goes along.
    let used = unsafe {
        GetFirmwareEnvironmentVariableW(
            wide(name).as_ptr(),
            wide(owner).as_ptr(),
            value.as_mut_ptr().cast(),
            length,
        )
    };
    if used == 0 {
        return Err(Error::last_os_error());
    }
    value.truncate(used as usize);
    Ok(value)
}

/// Writes a variable of the firmware, with the attributes that all of them for booting have; an empty one is removed.
pub(in super::super) fn set_firmware_variable(name: &str, value: &[u8]) -> Result<()> {
    allow("SeSystemEnvironmentPrivilege")?;
    let length = u32::try_from(value.len()).unwrap_or(0);
    // SAFETY: both names end with a zero; the value's length goes along.
    let written = unsafe {
        SetFirmwareEnvironmentVariableW(
            wide(name).as_ptr(),
            wide(GLOBAL).as_ptr(),
            value.as_ptr().cast(),
            length,
        )
    };
    if written == 0 {
        return Err(Error::last_os_error());
    }
    Ok(())
}
