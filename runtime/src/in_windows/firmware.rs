//! The firmware as Windows' registry tells of it: `GetFirmwareType` is younger than some of the systems that we run in.

use super::registry;
use crate::platform::{Firmware, Registry};

const CONTROL: &str = r"HKLM\SYSTEM\CurrentControlSet\Control";

/// UEFI or BIOS; nothing where the registry does not say.
pub fn kind(registry: &impl Registry) -> Option<Firmware> {
    match registry::number(registry, CONTROL, "PEFirmwareType").ok()? {
        Some(1) => Some(Firmware::Bios),
        Some(2) => Some(Firmware::Uefi),
        _ => None,
    }
}

/// Whether Secure Boot is on.
pub fn secure_boot(registry: &impl Registry) -> bool {
    let key = format!(r"{CONTROL}\SecureBoot\State");
    registry::number(registry, &key, "UEFISecureBootEnabled").is_ok_and(|enabled| enabled == Some(1))
}
