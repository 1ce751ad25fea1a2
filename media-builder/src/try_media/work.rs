//! The run's folder: everything that is set up before the machine starts and looked at when it has stopped.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use disk_image::read::{Format, Image};
use media_format::paths;
use tempfile::TempDir;

use super::collect::{self, Collected};
use super::display::Display;
use super::machine::{Accelerator, Attach, Bus, Disk, Flash, Machine};
use super::preflight::QEMU;
use super::share::{self, Share};
use super::storage::{DiskSource, copy_sparse, empty, make_folder};
use super::wanted_disk::WantedDisk;
use super::{Options, accelerator};

/// A socket's path has at most 107 bytes on Linux.
const MAX_SOCKET_PATH: usize = 100;

/// Of a disk that nobody says more about.
const SECTOR_SIZE: u32 = 512;

/// The run's files and its machine.
pub(super) struct Work {
    pub(super) machine: Machine,
    /// Deleted with everything in it when the run is over, unless the user named a folder.
    _temporary: Option<TempDir>,
    stick: Option<PathBuf>,
    second_disk: Option<PathBuf>,
    share: Option<Share>,
}

impl Work {
    pub(super) fn set_up(options: &Options, flash: Option<Flash>, display: &Display) -> Result<Self> {
        let attach = attach(options)?;
        let (folder, temporary) = folder(options)?;
        let mut disks = Vec::new();
        let on_bus = options.disks.iter().map(|wanted| (wanted, options.bus));
        let on_usb = options.usb_disks.iter().map(|wanted| (wanted, Bus::Usb));
        for (number, (wanted, bus)) in on_bus.chain(on_usb).enumerate() {
            disks.push(disk(wanted, bus, number, &folder)?);
        }
        let second_disk = options
            .second_disk
            .map(|size| super::capture_disk::make(&folder, size))
            .transpose()?;
        // The media's disk stays the first one.
        let number = disks.len();
        disks.extend(second_disk.iter().map(|path| Disk {
            path: path.clone(),
            bus: Bus::Virtio,
            serial: format!("DISK{number}"),
            sector_size: SECTOR_SIZE,
        }));
        let media = media(options, attach, &folder)?;
        let share = options
            .share
            .then(|| Share::set_up(&folder, options.share_password.as_deref()))
            .transpose()?;
        let mut machine = Machine {
            firmware: options.firmware,
            flash: flash.map(|flash| own_variables(flash, &folder)).transpose()?,
            accelerator: options.accelerator.unwrap_or(Accelerator::Tcg),
            cpu: options.cpu.clone(),
            cpus: options.cpus,
            memory: options.memory.0 >> 20,
            nic: options.nic.clone(),
            share: share.as_ref().map(|share| share.command.clone()),
            media: Some((media.clone(), attach)),
            disks,
            serial: folder.join("serial.log"),
            monitor: Some(folder.join("qmp.sock")).filter(|path| path.as_os_str().len() <= MAX_SOCKET_PATH),
            display: options.display,
            media_first: !options.media_last,
        };
        if options.accelerator.is_none() {
            machine.accelerator = accelerator::choose(QEMU, &machine)?;
        }
        let stick = (attach == Attach::Usb).then_some(media);
        let work = Self {
            machine,
            _temporary: temporary,
            stick,
            second_disk,
            share,
        };
        work.announce(&folder, display);
        Ok(work)
    }

    fn announce(&self, folder: &Path, display: &Display) {
        let how = match self.machine.accelerator {
            Accelerator::Kvm => "KVM",
            Accelerator::Tcg => "translation",
        };
        display.note(&format!(
            "the machine runs by {how}; its files are in {}",
            folder.display()
        ));
        if let Some(share) = &self.share {
            let (path, user, password) = (Share::path(), share::USER, &share.password);
            display.note(&format!("the share is {path}, user {user}, password {password}"));
        }
    }

    /// Brings out what the run left.
    pub(super) fn collect(&self, output: &Path) -> Result<Vec<Collected>> {
        let mut collected = Vec::new();
        if let Some(stick) = self.stick.as_ref().filter(|stick| has_data_volume(stick)) {
            collected.extend(collect::from_image(
                stick,
                &[paths::CAPTURES, paths::LOGS],
                output,
            )?);
        }
        if let Some(disk) = &self.second_disk {
            collected.extend(collect::from_image(disk, &[], output)?);
        }
        if let Some(share) = &self.share {
            collected.extend(collect::from_folder(&share.folder, output)?);
        }
        Ok(collected)
    }

    /// Keeps the serial log where the user finds it.
    pub(super) fn save_log(&self, output: &Path) -> Result<PathBuf> {
        make_folder(output)?;
        let log = output.join("serial.log");
        if self.machine.serial.exists() {
            fs::copy(&self.machine.serial, &log).with_context(|| format!("writing {}", log.display()))?;
        }
        Ok(log)
    }
}

/// An ISO that is attached as a stick has none.
fn has_data_volume(stick: &Path) -> bool {
    Image::open(stick).is_ok_and(|image| image.format() == Format::Disk)
}

fn attach(options: &Options) -> Result<Attach> {
    let doing = || format!("opening the media {}", options.media.display());
    let format = Image::open(&options.media).with_context(doing)?.format();
    match (options.attach, format) {
        (Some(Attach::Cdrom), Format::Disk) => {
            bail!(
                "{} is an image of a stick, not of a CD: leave --attach out",
                options.media.display()
            )
        }
        (Some(attach), _) => Ok(attach),
        (None, Format::Iso) => Ok(Attach::Cdrom),
        (None, Format::Disk) => Ok(Attach::Usb),
    }
}

fn folder(options: &Options) -> Result<(PathBuf, Option<TempDir>)> {
    match &options.work {
        Some(folder) => {
            make_folder(folder)?;
            let absolute =
                fs::canonicalize(folder).with_context(|| format!("finding {}", folder.display()))?;
            // What a former run said would be taken for this run's words.
            drop(fs::remove_file(absolute.join("serial.log")));
            Ok((absolute, None))
        }
        None => {
            let temporary = TempDir::with_prefix("media-try-").context("making a folder for the run")?;
            Ok((temporary.path().to_owned(), Some(temporary)))
        }
    }
}

fn disk(wanted: &WantedDisk, bus: Bus, number: usize, folder: &Path) -> Result<Disk> {
    let bus = wanted.bus.unwrap_or(bus);
    let sector_size = wanted.sector_size.unwrap_or(SECTOR_SIZE);
    if sector_size != SECTOR_SIZE && !bus.has_large_sectors() {
        bail!(
            "QEMU has no disks with sectors of {sector_size} bytes on SATA and USB; give this one another bus, such as bus=nvme"
        );
    }
    let path = image(&wanted.source, number, folder)?;
    let size = fs::metadata(&path)
        .with_context(|| format!("looking at {}", path.display()))?
        .len();
    if size % u64::from(sector_size) != 0 {
        bail!(
            "{} has {size} bytes, which are no whole sectors of {sector_size} bytes",
            path.display()
        );
    }
    Ok(Disk {
        path,
        bus,
        serial: wanted.serial.clone().unwrap_or_else(|| format!("DISK{number}")),
        sector_size,
    })
}

fn image(source: &DiskSource, number: usize, folder: &Path) -> Result<PathBuf> {
    match source {
        DiskSource::Image(path) => {
            fs::canonicalize(path).with_context(|| format!("finding {}", path.display()))
        }
        DiskSource::Empty(size) => {
            let path = folder.join(format!("disk{number}.img"));
            empty(&path, *size)?;
            Ok(path)
        }
    }
}

/// A stick is written to during a run: that is done on a copy. A CD is never written to.
fn media(options: &Options, attach: Attach, folder: &Path) -> Result<PathBuf> {
    match attach {
        Attach::Cdrom => {
            let doing = || format!("finding {}", options.media.display());
            fs::canonicalize(&options.media).with_context(doing)
        }
        Attach::Usb => {
            let copy = folder.join("media.img");
            copy_sparse(&options.media, &copy)?;
            Ok(copy)
        }
    }
}

/// The firmware's variables are changed by the machine: each run has its own.
fn own_variables(flash: Flash, folder: &Path) -> Result<Flash> {
    let variables = folder.join("firmware-variables.fd");
    let doing = || format!("copying the firmware's variables {}", flash.variables.display());
    fs::copy(&flash.variables, &variables).with_context(doing)?;
    Ok(Flash { variables, ..flash })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(wanted: &str, bus: Bus) -> Result<Disk> {
        let folder = tempfile::tempdir()?;
        let wanted: WantedDisk = wanted.parse().map_err(anyhow::Error::msg)?;
        disk(&wanted, bus, 3, folder.path())
    }

    #[test]
    fn a_disk_is_what_it_says_and_else_what_the_others_are() {
        let plain = made("1M", Bus::Sata).unwrap();
        assert_eq!(
            (plain.bus, plain.serial.as_str(), plain.sector_size),
            (Bus::Sata, "DISK3", 512)
        );
        let own = made("1M,bus=scsi,serial=TWIN,sectors=4096", Bus::Sata).unwrap();
        assert_eq!(
            (own.bus, own.serial.as_str(), own.sector_size),
            (Bus::Scsi, "TWIN", 4096)
        );
    }

    #[test]
    fn sectors_that_qemu_does_not_give_the_disk_are_refused() {
        for (wanted, bus) in [("1M,sectors=4096", Bus::Sata), ("1M,sectors=4096", Bus::Usb)] {
            let error = made(wanted, bus).unwrap_err().to_string();
            assert!(error.contains("give this one another bus"), "{error}");
        }
        let error = made("1536,sectors=4096", Bus::Nvme).unwrap_err().to_string();
        assert!(error.contains("no whole sectors"), "{error}");
    }
}
