//! A disk of the machine as the user asks for it: `20G,bus=nvme,serial=A1,sectors=4096`.

use std::path::Path;
use std::str::FromStr;

use clap::ValueEnum as _;

use super::machine::Bus;
use super::storage::DiskSource;

/// The sectors of most disks, and those of a disk that is "4K native".
const SECTOR_SIZES: [&str; 2] = ["512", "4096"];
/// NVMe takes no longer one.
const LONGEST_SERIAL: usize = 20;

/// What is on it, and what kind of disk it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedDisk {
    /// What is on it.
    pub source: DiskSource,
    /// What it hangs on; without it where the others hang.
    pub bus: Option<Bus>,
    /// Its serial number; without it one that no other disk has.
    pub serial: Option<String>,
    /// Bytes of its sectors; without it 512.
    pub sector_size: Option<u32>,
}

impl WantedDisk {
    fn plain(source: DiskSource) -> Self {
        Self {
            source,
            bus: None,
            serial: None,
            sector_size: None,
        }
    }

    fn set(&mut self, property: &str) -> Result<(), String> {
        let (key, value) = property.split_once('=').unwrap_or((property, ""));
        match key {
            "bus" => self.bus = Some(Bus::from_str(value, false)?),
            "serial" => self.serial = Some(serial(value)?),
            "sectors" => self.sector_size = Some(sector_size(value)?),
            _ => {
                return Err(format!(
                    "{property} says nothing of a disk; possible are bus=, serial= and sectors="
                ));
            }
        }
        Ok(())
    }
}

impl FromStr for WantedDisk {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The name of a file may have commas in it.
        if Path::new(text).is_file() {
            return text.parse().map(Self::plain);
        }
        let place = properties_of(text);
        let (source, properties) = text.split_at(place);
        let mut disk = Self::plain(source.parse()?);
        properties
            .split(',')
            .skip(1)
            .try_for_each(|property| disk.set(property))?;
        Ok(disk)
    }
}

/// Where the properties behind a size or the name of a file begin.
fn properties_of(text: &str) -> usize {
    let commas = text.match_indices(',').map(|(place, _)| place);
    let mut of_files = commas.filter(|place| Path::new(&text[..*place]).is_file());
    of_files
        .next_back()
        .or_else(|| text.find(','))
        .unwrap_or(text.len())
}

fn serial(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if text.is_empty() || text.len() > LONGEST_SERIAL || !text.chars().all(is_plain) {
        return Err(format!(
            "\"{text}\" is no serial number: at most {LONGEST_SERIAL} letters, digits, '-', '_' and '.'"
        ));
    }
    Ok(text.to_owned())
}

fn sector_size(text: &str) -> Result<u32, String> {
    let known = SECTOR_SIZES.contains(&text).then(|| text.parse().ok());
    known
        .flatten()
        .ok_or_else(|| format!("sectors have {} bytes, not \"{text}\"", SECTOR_SIZES.join(" or ")))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::try_media::storage::Size;

    #[test]
    fn a_disk_says_what_it_is_behind_its_size() {
        let wanted: WantedDisk = "20G,bus=nvme,serial=A-1,sectors=4096".parse().unwrap();
        let expected = WantedDisk {
            source: DiskSource::Empty(Size(20 << 30)),
            bus: Some(Bus::Nvme),
            serial: Some("A-1".into()),
            sector_size: Some(4096),
        };
        assert_eq!(wanted, expected);
        let plain: WantedDisk = "20G".parse().unwrap();
        assert_eq!((plain.bus, plain.serial, plain.sector_size), (None, None, None));
    }

    #[test]
    fn what_is_wrong_with_a_disk_is_named() {
        let long = format!("20G,serial={}", "x".repeat(LONGEST_SERIAL + 1));
        for (wrong, why) in [
            ("20G,", "says nothing of a disk"),
            ("20G,nvme", "nvme says nothing of a disk"),
            ("20G,bus=isa", "isa"),
            ("20G,serial=", "no serial number"),
            ("20G,serial=a b", "no serial number"),
            (long.as_str(), "no serial number"),
            ("20G,sectors=520", "512 or 4096 bytes"),
            ("no/such/file,bus=usb", "no/such/file is neither a size"),
        ] {
            let error = wrong.parse::<WantedDisk>().unwrap_err();
            assert!(error.contains(why), "{wrong}: {error}");
        }
    }

    #[test]
    fn the_name_of_an_image_may_have_commas() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a,bus=usb");
        fs::write(&file, "").unwrap();
        let text = file.display().to_string();
        for (text, serial) in [(text.clone(), None), (format!("{text},serial=B"), Some("B"))] {
            let wanted: WantedDisk = text.parse().unwrap();
            assert_eq!(wanted.source, DiskSource::Image(file.clone()));
            assert_eq!((wanted.bus, wanted.serial.as_deref()), (None, serial));
        }
    }
}
