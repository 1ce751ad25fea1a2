//! The stores that Windows' boot manager reads: one for BIOS, one for UEFI.

use std::path::Path;

use media_format::hive::protocol::{Source, Write};
use windows_setup::bcd::{BIOS_STORE, BootFirmware, UEFI_STORE, WinPe};

use super::{IMAGE, MEDIA};
use crate::boot_image::archive::{Content, Data};
use crate::boot_image::{Result, worker};

/// What the menu would call it; with one entry there is none.
const DESCRIPTION: &str = "media-runtime";

/// Both stores, which are the same for all media.
pub(super) fn make(hive_worker: &Path, work: &Path, locale: &str) -> Result<Vec<Content>> {
    let all = [
        (BootFirmware::Bios, BIOS_STORE, "bcd-bios"),
        (BootFirmware::Uefi, UEFI_STORE, "bcd-uefi"),
    ];
    let mut members = Vec::new();
    for (firmware, place, name) in all {
        let hive = work.join(name);
        let store = WinPe {
            firmware,
            image: format!(r"\{}", IMAGE.replace('/', r"\")),
            sdi: r"\boot\boot.sdi".into(),
            description: DESCRIPTION.into(),
            locale: locale.to_owned(),
        };
        let write = Write {
            hive: hive.clone(),
            source: Source::Nothing,
            edits: store.edits(),
        };
        worker::write_hive(hive_worker, write, "making the boot configuration of the WinPE")?;
        let path = place.trim_start_matches('\\').replace('\\', "/").to_lowercase();
        members.push(Content::new(format!("{MEDIA}{path}"), Data::File(hive)));
    }
    Ok(members)
}
