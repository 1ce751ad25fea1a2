//! The files that are added to the WIM.

use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::time::{Duration, SystemTime};

use media_format::wim::info::WimInfo;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::DRIVERS;
use super::drivers::Drivers;
use crate::boot_image::{Error, Result};
use crate::resolve::walk;

/// What WinPE's shell starts, one after the other: its own initialization (Plug and Play, network), and the runtime.
/// With this file neither startnet.cmd nor, in the image of a Windows disc, Windows Setup is started.
const WINPESHL: &str = "[LaunchApps]\r\n%SYSTEMROOT%\\System32\\wpeinit.exe\r\n\
    %SYSTEMDRIVE%\\media-runtime\\media-runtime.exe, start\r\n";
const WINPESHL_PATH: &str = "Windows/System32/winpeshl.ini";
const RUNTIME_PATH: &str = "media-runtime/media-runtime.exe";
/// GUIDs of WIMs are derived within this name space.
const WIMS: Uuid = Uuid::from_u128(0x1d0e_7c5b_93a4_5f5e_8d6a_4e2f_a1c3_0b97);

/// Fills a new folder with what is added to the image.
pub(super) fn fill(stage: &Path, runtime: &Path, drivers: &Drivers) -> Result<()> {
    let place = |path: &str| -> Result<std::path::PathBuf> {
        let path = stage.join(path);
        let folder = path.parent().unwrap_or(stage);
        fs::create_dir_all(folder).map_err(Error::io("making", folder))?;
        Ok(path)
    };
    let copy = |from: &Path, path: &str| -> Result<()> {
        fs::copy(from, place(path)?).map_err(Error::io("copying", from))?;
        Ok(())
    };
    let shell = place(WINPESHL_PATH)?;
    fs::write(&shell, WINPESHL).map_err(Error::io("writing", &shell))?;
    copy(runtime, RUNTIME_PATH)?;
    for (path, file) in &drivers.files {
        copy(file, &format!("{DRIVERS}/{path}"))?;
    }
    Ok(())
}

/// Gives all of them the same time. The image has it, and that of the last access too: after this nothing reads them.
pub(super) fn settle(path: &Path, time: u32) -> Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path).map_err(Error::io("listing", path))? {
            settle(&entry.map_err(Error::io("listing", path))?.path(), time)?;
        }
    }
    let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(time.into());
    let times = FileTimes::new().set_accessed(moment).set_modified(moment);
    let file = File::open(path).map_err(Error::io("opening", path))?;
    file.set_times(times)
        .map_err(Error::io("setting the time of", path))
}

/// The GUID of the new WIM: it follows from the one that it is made from, and from all that is added.
pub(super) fn guid(wim: &Path, index: u32, stage: &Path) -> Result<Uuid> {
    let mut file = File::open(wim).map_err(Error::io("opening", wim))?;
    let info = WimInfo::read(&mut file).map_err(|error| Error::WinPeImage {
        wim: wim.to_owned(),
        why: error.to_string(),
    })?;
    let mut digest = Sha256::new();
    digest.update(info.guid.as_bytes());
    digest.update(index.to_le_bytes());
    for found in walk::walk(stage).found {
        digest.update(&found.name);
        digest.update(Sha256::digest(
            fs::read(&found.path).map_err(Error::io("reading", &found.path))?,
        ));
    }
    Ok(Uuid::new_v5(&WIMS, &digest.finalize()))
}
