//! What conditions ask of this machine.

use media_format::event::Environment;
use task_sequence::Variables;
use task_sequence::condition::{
    FactError, Facts, FileFact, Firmware, OperatingSystemFact, RegistryFact, Row, SoftwareFact,
};

use crate::in_windows;
use crate::platform::{self, Platform, System};

mod software;

/// Where a Linux has its language: as systemd has it (locale.conf(5)), and as Debian had it before.
const LOCALES: [&str; 2] = ["/etc/locale.conf", "/etc/default/locale"];

/// The machine as conditions see it.
pub struct MachineFacts<'a> {
    /// The machine.
    pub platform: &'a dyn Platform,
    /// The variables.
    pub variables: &'a Variables,
    /// Boot image or installed system.
    pub here: Environment,
}

impl MachineFacts<'_> {
    fn at(&self, path: &str, folder: bool) -> Option<FileFact> {
        let path = std::path::Path::new(path);
        let found = self.platform.exists(path) && self.platform.is_folder(path) == folder;
        found.then(|| FileFact {
            modified: self.platform.modified(path),
        })
    }

    fn os_release(&self, key: &str) -> String {
        self.value_in("/etc/os-release", key).unwrap_or_default()
    }

    /// Of the system, not of this program: a service is started without a language.
    fn language(&self) -> String {
        let locale = LOCALES.iter().find_map(|file| self.value_in(file, "LANG"));
        let locale = locale.unwrap_or_default();
        let end = locale.find(['.', '@']).unwrap_or(locale.len());
        locale[..end].replace('_', "-")
    }

    fn value_in(&self, file: &str, key: &str) -> Option<String> {
        let bytes = self.platform.read(std::path::Path::new(file)).ok().flatten()?;
        value_of(&String::from_utf8_lossy(&bytes), key)
    }
}

/// A value of an `os-release` file (freedesktop.org, os-release(5)).
pub fn value_of(text: &str, key: &str) -> Option<String> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
    Some(line.trim().trim_matches(['"', '\'']).to_owned())
}

/// Bytes of its modules: what the firmware keeps for itself is missing in what the system has. Some firmware names no modules.
pub fn installed_memory(platform: &dyn Platform) -> u64 {
    let modules = platform.hardware("Win32_PhysicalMemory");
    let sizes = modules
        .iter()
        .filter_map(|module| module.get("Capacity")?.parse::<u64>().ok());
    sizes.sum::<u64>().max(platform.memory())
}

impl Facts for MachineFacts<'_> {
    fn variables(&self) -> &Variables {
        self.variables
    }

    fn file(&self, path: &str) -> Result<Option<FileFact>, FactError> {
        Ok(self.at(path, false))
    }

    fn file_version(&self, path: &str) -> Result<Option<String>, FactError> {
        let bytes = self.platform.read(std::path::Path::new(path));
        let bytes = bytes.map_err(|error| FactError::new(path, format!("{error:#}")))?;
        let version = windows_setup::file_version(&bytes.unwrap_or_default());
        if version.is_none() && self.platform.system() == System::Linux {
            let why = "the file carries no version: only programs and libraries of Windows do; test the version of \
                       the software instead";
            return Err(FactError::new(path, why));
        }
        Ok(version)
    }

    fn folder(&self, path: &str) -> Result<Option<FileFact>, FactError> {
        Ok(self.at(path, true))
    }

    fn registry(&self, key: &str, value: Option<&str>) -> Result<Option<RegistryFact>, FactError> {
        in_windows::facts::registry(self.platform, key, value)
            .map_err(|error| FactError::new(key, format!("{error:#}")))
    }

    fn software(&self) -> Result<Vec<SoftwareFact>, FactError> {
        if self.here == Environment::Pe {
            return Ok(Vec::new());
        }
        let all = if self.platform.system() == System::Windows {
            in_windows::facts::software(self.platform)
        } else {
            software::all(self.platform)
        };
        all.map_err(|error| FactError::new("installed software", format!("{error:#}")))
    }

    fn operating_system(&self) -> Result<OperatingSystemFact, FactError> {
        if self.platform.system() == System::Windows {
            return in_windows::facts::operating_system(self.platform)
                .map_err(|error| FactError::new("the operating system", format!("{error:#}")));
        }
        Ok(OperatingSystemFact {
            name: self.os_release("NAME"),
            version: self.os_release("VERSION_ID"),
            architecture: "x86-64".into(),
            language: self.language(),
        })
    }

    fn rows(&self, class: &str) -> Result<Vec<Row>, FactError> {
        Ok(self
            .platform
            .hardware(class)
            .into_iter()
            .map(|row| row.into_iter().collect())
            .collect())
    }

    fn firmware(&self) -> Result<Firmware, FactError> {
        Ok(match self.platform.firmware() {
            platform::Firmware::Uefi => Firmware::Uefi,
            platform::Firmware::Bios => Firmware::Bios,
        })
    }

    fn memory(&self) -> Result<u64, FactError> {
        Ok(installed_memory(self.platform))
    }
}
