//! Images and hives of a Windows that does not run: only Windows PE touches them.

use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, bail};
use media_format::hive::protocol::{Answer, Operation as HiveOperation};
use media_format::wim::info::WimInfo;
use media_format::wim::properties;
use media_format::wim::protocol::{CaptureImage, Message, Operation, Request, Summary, Volume};

use super::{Windows, bindings};
use crate::in_windows::{dism, offline_hive};
use crate::platform::{Disks as _, Drivers, Hives, Images, Machine as _, Result};

impl Images for Windows {
    fn image_info(&self, wim: &Path) -> Result<WimInfo> {
        let file = File::open(wim).with_context(|| format!("opening {}", wim.display()))?;
        WimInfo::read(&mut std::io::BufReader::new(file))
            .with_context(|| format!("reading {}", wim.display()))
    }

    fn extracts(&self) -> bool {
        false
    }

    fn image_request(&self, request: &Request, progress: &mut dyn FnMut(&Message)) -> Result<Summary> {
        let Some(log) = &self.pe else {
            bail!("images are applied and captured in the boot image, not inside Windows");
        };
        match &request.operation {
            Operation::Apply(apply) => {
                let folder = letter(&apply.target)?;
                dism::apply(self, log, apply, &folder, progress)?;
                self.flush()?;
                Ok(Summary::default())
            }
            Operation::Capture(capture) => {
                let volumes = capture.images.iter().map(|image| letter(&image.source));
                let job = dism::Job {
                    capture,
                    folders: volumes.collect::<Result<_>>()?,
                    configuration: self.root().join(r"media-runtime\WimScript.ini"),
                    set_properties,
                };
                dism::capture(self, log, &job, progress)
            }
            Operation::Find(find) => Ok(Summary {
                found: dism::find(self, log, find)?,
                ..Summary::default()
            }),
            _ => bail!("DISM takes no single files out of an image; use the Linux PE as the boot image"),
        }
    }
}

fn set_properties(wim: &Path, images: &[CaptureImage]) -> Result<()> {
    let mut file = File::options().read(true).write(true).open(wim)?;
    properties::set(&mut file, images)?;
    Ok(file.sync_all()?)
}

fn letter(volume: &Volume) -> Result<String> {
    let (Volume::Folder(path) | Volume::NtfsVolume(path)) = volume;
    lettered(path)
}

/// Programs of Windows want a letter: a volume without one is given the last that is free.
pub(super) fn lettered(path: &Path) -> Result<String> {
    let root = path.display().to_string();
    if !root.starts_with(r"\\?\") {
        return Ok(root);
    }
    // A volume takes one letter only.
    if let Some(letter) = bindings::first_path(&root) {
        return Ok(letter);
    }
    let known = bindings::drive_letters();
    let free = (2..26_u8).rev().find(|bit| known & (1 << bit) == 0);
    let free = free.with_context(|| format!("{root} cannot get a drive letter: all are in use"))?;
    let letter = format!("{}:\\", char::from(b'A' + free));
    bindings::give_letter(&letter, &root).with_context(|| format!("giving {root} the letter {letter}"))?;
    Ok(letter)
}

impl Drivers for Windows {
    fn add_driver(&self, root: &Path, inf: &Path, signed: bool) -> Result<bool> {
        let Some(log) = &self.pe else {
            bail!("drivers of a system that does not run are added in the boot image, not inside Windows");
        };
        let folder = lettered(root)?;
        dism::add_driver(self, log, &folder, inf, signed)?;
        Ok(true)
    }
}

impl Hives for Windows {
    fn hive(&self, operation: &HiveOperation) -> Result<Vec<Answer>> {
        match (&self.pe, operation) {
            (Some(log), HiveOperation::Read(read)) => offline_hive::read(self, log, read),
            (Some(log), HiveOperation::Write(write)) => {
                offline_hive::write(self, log, write)?;
                Ok(Vec::new())
            }
            (None, _) => {
                bail!("hives of a system that does not run are edited in the boot image, not inside Windows")
            }
        }
    }
}
