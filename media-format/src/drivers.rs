//! The index of the driver packages: what their INF files say, made when the media are built, so that the runtime
//! can match a machine's devices without reading a thousand INF files.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The format that this code writes; the runtime refuses any other.
pub const FORMAT: u32 = 1;

/// The whole of `media-runtime/drivers.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DriverIndex {
    /// [`FORMAT`].
    pub format: u32,
    /// The INF files that can be used.
    pub infs: Vec<DriverInf>,
    /// The INF files that cannot be used, and why.
    pub refused: Vec<RefusedInf>,
}

/// An INF file that is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RefusedInf {
    /// Id of the package.
    pub package: String,
    /// Path beneath the package.
    pub path: String,
    /// What is wrong with it, with the line where there is one.
    pub reason: String,
}

/// An INF file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DriverInf {
    /// Id of the package.
    pub package: String,
    /// Path beneath the package, with `/`.
    pub path: String,
    /// Name of the device setup class.
    pub class: String,
    /// GUID of the device setup class, in lower case and braces; empty where the INF names none.
    pub class_guid: String,
    /// Who provides the package.
    pub provider: String,
    /// Date of the package.
    pub date: DriverDate,
    /// Version of the package.
    pub version: DriverVersion,
    /// What is known of its signature.
    pub signature: Signature,
    /// Whether the system may be unable to start without it: a storage controller with a service that the boot
    /// loader starts.
    pub boot_critical: bool,
    /// Set for an extension INF: it is installed beside the driver of a device, not instead of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// Hardware ids of the software components that it creates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<String>,
    /// Paths beneath the package of the INF files that are imported with it (`CopyINF`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<String>,
    /// The files that it needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<NeededFile>,
    /// The services that it adds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<Service>,
    /// The devices that it supports.
    pub manufacturers: Vec<Manufacturer>,
    /// What is unusual about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl DriverInf {
    /// The architectures that have a device in it.
    pub fn architectures(&self) -> Vec<Architecture> {
        let models = self.manufacturers.iter().flat_map(|maker| &maker.models);
        let models = models.filter(|models| !models.devices.is_empty());
        let mut found: Vec<_> = models
            .map(|models| models.target.effective_architecture())
            .collect();
        found.sort();
        found.dedup();
        found
    }

    /// The files that it needs on an architecture and that the package lacks.
    pub fn missing(&self, architecture: Architecture) -> impl Iterator<Item = &str> {
        let missing = self
            .files
            .iter()
            .filter(move |file| !file.present && file.architectures.contains(&architecture));
        missing.map(|file| file.path.as_str())
    }
}

/// A manufacturer of an INF file. Windows selects one of its lists of devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Manufacturer {
    /// Its name.
    pub name: String,
    /// Its lists of devices; an empty list excludes what it applies to.
    pub models: Vec<Models>,
}

/// The devices of a manufacturer for certain systems.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Models {
    /// The systems.
    pub target: TargetOs,
    /// The devices.
    pub devices: Vec<Model>,
}

/// A device in an INF file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Model {
    /// Its name.
    pub description: String,
    /// Its hardware id; empty where there are compatible ids only.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hardware_id: String,
    /// Its compatible ids, the most specific one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compatible_ids: Vec<String>,
    /// `FeatureScore` of its install section; 255 where it has none.
    #[serde(default = "no_feature_score", skip_serializing_if = "is_no_feature_score")]
    pub feature_score: u8,
    /// Whether its install section is for Windows NT (`.nt…`), which ranks an unsigned driver higher.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub platform_section: bool,
}

/// The feature score of a driver that names none (Feature Score).
pub const NO_FEATURE_SCORE: u8 = 0xFF;

fn no_feature_score() -> u8 {
    NO_FEATURE_SCORE
}

fn is_no_feature_score(score: &u8) -> bool {
    *score == NO_FEATURE_SCORE
}

fn yes() -> bool {
    true
}

fn is_yes(value: &bool) -> bool {
    *value
}

/// A file that an INF file copies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NeededFile {
    /// Path beneath the package, with `/`.
    pub path: String,
    /// Where the first list that copies it puts it, with the folder's number: `%12%\\name.sys` is in
    /// `System32\\drivers` (Using Dirids).
    pub destination: String,
    /// The architectures that need it.
    pub architectures: Vec<Architecture>,
    /// Whether the package has it.
    pub present: bool,
}

/// A service that an INF file adds (INF AddService directive).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its program, with the folder's number: `%12%\\name.sys`.
    pub binary: String,
    /// `ServiceType`.
    pub kind: u32,
    /// `StartType`: 0 is started by the boot loader, 3 on demand.
    pub start: u32,
    /// `ErrorControl`.
    pub error_control: u32,
    /// `LoadOrderGroup`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Whether it is the driver of the device and not a filter beside it.
    pub function_driver: bool,
    /// The architectures that it is added on.
    pub architectures: Vec<Architecture>,
}

/// What is known of an INF file's signature. The certificates' trust is for Windows to judge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state", deny_unknown_fields)]
pub enum Signature {
    /// It names no catalog file.
    Unsigned,
    /// The catalog file that it names is not in the package.
    CatalogMissing {
        /// Its name.
        catalog: String,
    },
    /// The catalog file is damaged, altered or not signed.
    CatalogDamaged {
        /// Its name.
        catalog: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The catalog file is signed, but not for this INF file: the INF was changed after it was signed.
    NotListed {
        /// Its name.
        catalog: String,
        /// Common name of the signer.
        signer: String,
    },
    /// The catalog file is signed and lists the INF file's digest.
    Listed {
        /// Its name.
        catalog: String,
        /// Common name of the signer.
        signer: String,
    },
}

impl Signature {
    /// Whether the package is signed, as far as that can be told without Windows' trusted certificates.
    pub fn is_signed(&self) -> bool {
        matches!(self, Self::Listed { .. })
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned => f.write_str("unsigned: it names no catalog file"),
            Self::CatalogMissing { catalog } => {
                write!(f, "unsigned: its catalog file {catalog} is not in the package")
            }
            Self::CatalogDamaged { catalog, reason } => {
                write!(f, "unsigned: its catalog file {catalog} cannot be used: {reason}")
            }
            Self::NotListed { catalog, .. } => write!(
                f,
                "unsigned: its catalog file {catalog} is for another version of it, or it was changed"
            ),
            Self::Listed { signer, .. } => write!(f, "signed by {signer}"),
        }
    }
}

/// A processor architecture, as INF files name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// 32-bit Intel.
    X86,
    /// 64-bit Intel and AMD.
    Amd64,
    /// 32-bit ARM.
    Arm,
    /// 64-bit ARM.
    Arm64,
    /// Itanium.
    Ia64,
}

impl Architecture {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::X86, Self::Amd64, Self::Arm, Self::Arm64, Self::Ia64];

    /// Its name in INF files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X86 => "x86",
            Self::Amd64 => "amd64",
            Self::Arm => "arm",
            Self::Arm64 => "arm64",
            Self::Ia64 => "ia64",
        }
    }

    /// The architecture of that name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|architecture| architecture.as_str().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The systems that a list of devices is for: the `TargetOSVersion` decoration (INF Manufacturer section).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct TargetOs {
    /// Architecture; without it, x86.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Architecture>,
    /// Major version from which it applies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub major: Option<u32>,
    /// Minor version from which it applies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minor: Option<u32>,
    /// Build from which it applies, of exactly that version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<u32>,
    /// Kind of system: 1 workstation, 2 domain controller, 3 server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_type: Option<u32>,
    /// Product suites, all of which the system must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suite_mask: Option<u32>,
}

impl TargetOs {
    /// Since Windows Server 2003 SP1 a list without architecture is for x86 only (INF Manufacturer section).
    pub fn effective_architecture(&self) -> Architecture {
        self.architecture.unwrap_or(Architecture::X86)
    }
}

/// A date; an INF file without a valid one has 0000-00-00 (INF DriverVer directive).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DriverDate(
    /// Year.
    pub u16,
    /// Month.
    pub u8,
    /// Day.
    pub u8,
);

impl fmt::Display for DriverDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0, self.1, self.2)
    }
}

/// A version of four numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DriverVersion(pub [u16; 4]);

impl fmt::Display for DriverVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, build, revision] = self.0;
        write!(f, "{major}.{minor}.{build}.{revision}")
    }
}

/// Why an index is refused.
#[derive(Debug, Error)]
pub enum DriverIndexError {
    /// Not our JSON.
    #[error("the media's driver index is damaged: {0}; write the media again")]
    Damaged(#[from] serde_json::Error),
    /// Another format.
    #[error(
        "the media's driver index has format {found} and this runtime reads format {FORMAT}; build the media and the boot image with the same release"
    )]
    OtherFormat {
        /// What it says.
        found: u32,
    },
}

impl DriverIndex {
    /// Reads an index.
    ///
    /// # Errors
    /// When it is damaged or of another format.
    pub fn parse(bytes: &[u8]) -> Result<Self, DriverIndexError> {
        #[derive(Deserialize)]
        struct Header {
            format: u32,
        }
        let header: Header = serde_json::from_slice(bytes)?;
        if header.format != FORMAT {
            return Err(DriverIndexError::OtherFormat { found: header.format });
        }
        Ok(serde_json::from_slice(bytes)?)
    }

    /// The bytes of the file; not indented, since a vendor's collection has tens of thousands of ids.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> DriverIndex {
        let device = |feature_score| Model {
            description: "a".into(),
            hardware_id: "PCI\\VEN_8086".into(),
            compatible_ids: vec![],
            feature_score,
            platform_section: true,
        };
        let models = Models {
            target: TargetOs {
                architecture: Some(Architecture::Amd64),
                major: Some(10),
                ..TargetOs::default()
            },
            devices: vec![device(NO_FEATURE_SCORE), device(3)],
        };
        let excluded = Models {
            target: TargetOs::default(),
            devices: vec![],
        };
        let file = |path: &str, present| NeededFile {
            path: path.into(),
            destination: "%12%\\b.sys".into(),
            architectures: vec![Architecture::Amd64],
            present,
        };
        let inf = DriverInf {
            package: "p".into(),
            path: "a/b.inf".into(),
            class: "Net".into(),
            class_guid: String::new(),
            provider: "x".into(),
            date: DriverDate(2024, 2, 1),
            version: DriverVersion([1, 2, 3, 4]),
            signature: Signature::Unsigned,
            boot_critical: false,
            extension: None,
            components: vec![],
            copies: vec![],
            files: vec![file("a/b.sys", true), file("a/c.sys", false)],
            services: vec![],
            manufacturers: vec![Manufacturer {
                name: "m".into(),
                models: vec![models, excluded],
            }],
            warnings: vec![],
        };
        DriverIndex {
            format: FORMAT,
            infs: vec![inf],
            refused: vec![],
        }
    }

    #[test]
    fn it_comes_back_and_other_formats_are_refused() {
        let index = index();
        let bytes = index.to_bytes();
        assert_eq!(DriverIndex::parse(&bytes).unwrap(), index);
        let newer = String::from_utf8(bytes)
            .unwrap()
            .replace("\"format\":1", "\"format\":2");
        assert!(matches!(
            DriverIndex::parse(newer.as_bytes()),
            Err(DriverIndexError::OtherFormat { found: 2 })
        ));
    }

    #[test]
    fn an_empty_list_supports_nothing_and_missing_files_count_by_architecture() {
        let index = index();
        assert_eq!(index.infs[0].architectures(), [Architecture::Amd64]);
        let missing = |architecture| index.infs[0].missing(architecture).collect::<Vec<_>>();
        assert_eq!(missing(Architecture::Amd64), ["a/c.sys"]);
        assert!(missing(Architecture::X86).is_empty());
    }
}
