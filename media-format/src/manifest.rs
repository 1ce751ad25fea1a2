//! The manifest: every file of the media with its size and digest, and everything that the runtime must know.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The format that this code writes; the runtime refuses any other.
pub const FORMAT: u32 = 1;

/// The whole of `media-runtime/media.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// UUID of the media: in the boot menu, in the volume identifiers, in the journal.
    pub media_id: String,
    /// Name of the media.
    pub name: String,
    /// Shown on the machine's console.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub organization: String,
    /// Kind of image this was built as.
    pub layout: MediaLayout,
    /// Version of media-builder.
    pub builder: String,
    /// The boot image's identity: its package versions are in the boot image itself.
    pub boot_image: String,
    /// How the run behaves.
    pub options: Options,
    /// The task sequences that can run, the first one being the default.
    pub sequences: Vec<SequenceEntry>,
    /// The packages that the sequences refer to.
    pub packages: Vec<Package>,
    /// Every file of the media except the manifest itself.
    pub files: Vec<FileEntry>,
    /// What lies in no file and must not change: boot code, tables, and the folders of an ISO.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<Region>,
}

/// Bytes of the image or medium that are in no file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Region {
    /// Bytes from the start of the medium.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// SHA-256, 64 hexadecimal digits.
    pub sha256: String,
}

/// ISO or stick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaLayout {
    /// One read-only volume.
    Iso,
    /// A boot partition and a writable data partition.
    Usb,
}

/// How the run behaves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// Starts without a question.
    pub unattended: bool,
    /// Allows a shell in the boot image, which F8 shows.
    pub shell: bool,
    /// What the machine does when the run has ended well.
    pub finish: Finish,
    /// Task sequence variables that the media sets.
    pub variables: BTreeMap<String, String>,
    /// Names of variables that are secret; their values are in the secrets file or asked for.
    pub secrets: BTreeSet<String>,
    /// Names of secret variables that are asked for at the machine.
    pub ask: BTreeSet<String>,
    /// Network of the boot image: `dhcp`, `none` or `ADDRESS/PREFIX,GATEWAY,DNS`.
    pub network: String,
}

/// What the machine does at the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finish {
    /// Power off.
    #[default]
    Shutdown,
    /// Restart, into the installed system where there is one.
    Restart,
    /// Stay, with the result on the screen.
    Wait,
}

/// One task sequence of the media.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SequenceEntry {
    /// Id, also the stem of its file name.
    pub id: String,
    /// Name as the menu shows it.
    pub name: String,
    /// Path on the boot volume.
    pub path: String,
    /// The menu does not offer it: only other sequences run it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
}

/// What a package is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PackageKind {
    /// An operating-system or data image (WIM).
    Image,
    /// Something to install with [`Package::install`].
    Application,
    /// A repository or folder of updates.
    Updates,
    /// Drivers.
    Driver,
    /// A management agent.
    Client,
    /// Files for commands and scripts.
    Files,
}

/// A package on the media.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Package {
    /// Id, as the task sequence names it.
    pub id: String,
    /// Name as the log and the screen show it.
    pub name: String,
    /// Version, free text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// What it is for.
    pub kind: PackageKind,
    /// The file or folder on the data volume; empty for a package without content of its own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Ids of packages that are installed before this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends: Vec<String>,
    /// How it is installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install: Option<Install>,
    /// Named programs of the package (`install-package`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub programs: BTreeMap<String, String>,
    /// Exit codes that mean success.
    #[serde(default = "success_codes")]
    pub success_codes: Vec<i64>,
    /// Exit codes that mean success once the machine has been restarted.
    #[serde(default = "restart_codes")]
    pub restart_codes: Vec<i64>,
}

/// Exit codes that mean success unless a package says otherwise.
pub fn success_codes() -> Vec<i64> {
    vec![0]
}

/// Exit codes that ask for a restart unless a package says otherwise.
pub fn restart_codes() -> Vec<i64> {
    vec![3010, 1641]
}

/// How an application is installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Install {
    /// A command line, run in the package's folder.
    Command(String),
    /// Debian packages by name, from a repository package of the media.
    Apt {
        /// Id of the package that is the repository.
        repository: String,
        /// Names of the Debian packages.
        packages: Vec<String>,
    },
    /// Package files (.deb) of the package's folder, in this order.
    Deb(Vec<String>),
    /// RPM packages by name, from a repository package of the media.
    Dnf {
        /// Id of the package that is the repository.
        repository: String,
        /// Names of the RPM packages.
        packages: Vec<String>,
    },
    /// Package files (.rpm) of the package's folder, all at once.
    Rpm(Vec<String>),
    /// Installers of Windows of the package's folder, in this order, each by its kind ([`WINDOWS_INSTALLERS`]).
    Windows(Vec<String>),
}

impl Install {
    /// The id of the package that is the repository, where it is installed from one.
    pub fn repository(&self) -> Option<&str> {
        match self {
            Self::Apt { repository, .. } | Self::Dnf { repository, .. } => Some(repository),
            Self::Command(_) | Self::Deb(_) | Self::Rpm(_) | Self::Windows(_) => None,
        }
    }
}

/// Where a repository of RPM packages has its index.
pub const RPM_INDEX: &str = "repodata/repomd.xml";

/// Whether a file of a folder, by its path inside it, is an index of APT's, also a compressed one.
pub fn is_apt_index(file: &str) -> bool {
    file == "Packages" || file.starts_with("Packages.")
}

/// Whether a file of a folder, by its path inside it, is the index of a repository of RPM packages, or one of them in a folder
/// that needs no index.
pub fn is_of_rpms(file: &str) -> bool {
    file == RPM_INDEX || !file.contains('/') && file.ends_with(".rpm")
}

/// Whether RPM packages lie in a folder with those files, with an index or without: their paths inside it. Where there is an index
/// of APT's, that is meant, whatever lies beside it.
pub fn holds_rpms<'a>(files: impl IntoIterator<Item = &'a str>) -> bool {
    let mut rpms = false;
    for file in files {
        if is_apt_index(file) {
            return false;
        }
        rpms |= is_of_rpms(file);
    }
    rpms
}

/// The kinds of files that Windows installs without being told how.
pub const WINDOWS_INSTALLERS: [&str; 9] = [
    "msi",
    "msp",
    "msu",
    "cab",
    "msix",
    "msixbundle",
    "appx",
    "appxbundle",
    "ps1",
];

/// Which volume of the media a file lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Volume {
    /// The FAT32 boot partition of a stick; the only volume of an ISO.
    Boot,
    /// The exFAT data partition of a stick; on an ISO the same as `Boot`.
    Data,
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Boot chain and boot image.
    Boot,
    /// A task sequence.
    Sequence,
    /// Secrets.
    Secrets,
    /// The index of the driver packages.
    Drivers,
    /// Content of a package.
    Package,
}

/// A file of the media.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FileEntry {
    /// Path from the root of its volume, with `/`.
    pub path: String,
    /// Which volume.
    pub volume: Volume,
    /// Bytes.
    pub size: u64,
    /// SHA-256, 64 hexadecimal digits.
    pub sha256: String,
    /// What it is for.
    pub role: Role,
}

/// Why a manifest is refused.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// Not our JSON.
    #[error("the media's manifest is damaged: {0}; write the media again")]
    Damaged(#[from] serde_json::Error),
    /// Another format.
    #[error(
        "the media's manifest has format {found} and this runtime reads format {FORMAT}; build the media and the boot image with the same release"
    )]
    OtherFormat {
        /// What it says.
        found: u32,
    },
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// When it is damaged or of another format.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Header {
            format: u32,
        }
        let header: Header = serde_json::from_slice(bytes)?;
        if header.format != FORMAT {
            return Err(ManifestError::OtherFormat { found: header.format });
        }
        Ok(serde_json::from_slice(bytes)?)
    }

    /// The bytes of the file: pretty JSON, whose length depends on nothing but the lengths of its texts, so that
    /// it is known before the digests are.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// A package by id.
    pub fn package(&self, id: &str) -> Option<&Package> {
        self.packages
            .iter()
            .find(|package| package.id.eq_ignore_ascii_case(id))
    }

    /// The files of a package.
    pub fn files_of<'a>(&'a self, package: &'a Package) -> impl Iterator<Item = &'a FileEntry> {
        self.files.iter().filter(move |file| {
            file.role == Role::Package
                && !package.path.is_empty()
                && file
                    .path
                    .strip_prefix(&package.path)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

/// Lower-case hexadecimal text of a digest.
pub fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let package = |id: &str, path: &str| Package {
            id: id.into(),
            name: id.into(),
            version: String::new(),
            kind: PackageKind::Files,
            path: path.into(),
            depends: vec![],
            install: None,
            programs: BTreeMap::new(),
            success_codes: success_codes(),
            restart_codes: restart_codes(),
        };
        let file = |path: &str| FileEntry {
            path: path.into(),
            volume: Volume::Data,
            size: 1,
            sha256: "0".repeat(64),
            role: Role::Package,
        };
        Manifest {
            format: FORMAT,
            media_id: "6f0e".into(),
            name: "test".into(),
            organization: String::new(),
            layout: MediaLayout::Iso,
            builder: "0".into(),
            boot_image: "x".into(),
            options: Options::default(),
            sequences: vec![],
            packages: vec![package("a", "packages/a"), package("ab", "packages/ab")],
            files: vec![file("packages/a/1"), file("packages/ab/2")],
            regions: vec![Region {
                offset: 0,
                length: 440,
                sha256: "0".repeat(64),
            }],
        }
    }

    #[test]
    fn it_comes_back_and_a_package_has_only_its_own_files() {
        let manifest = manifest();
        assert_eq!(Manifest::parse(&manifest.to_bytes()).unwrap(), manifest);
        let files: Vec<_> = manifest
            .files_of(&manifest.packages[0])
            .map(|f| f.path.as_str())
            .collect();
        assert_eq!(files, ["packages/a/1"]);
    }

    #[test]
    fn media_of_before_there_were_regions_and_room_at_the_end_are_read() {
        let older = Manifest {
            regions: vec![],
            ..manifest()
        };
        let mut bytes = older.to_bytes();
        assert!(!String::from_utf8_lossy(&bytes).contains("regions"));
        bytes.extend(b"   ");
        assert_eq!(Manifest::parse(&bytes).unwrap(), older);
    }

    #[test]
    fn another_format_and_unknown_keys_are_refused() {
        let text = String::from_utf8(manifest().to_bytes()).unwrap();
        let newer = text.replace("\"format\": 1", "\"format\": 2");
        assert!(matches!(
            Manifest::parse(newer.as_bytes()),
            Err(ManifestError::OtherFormat { found: 2 })
        ));
        let unknown = text.replacen("\"media-id\"", "\"x\": 1, \"media-id\"", 1);
        assert!(matches!(
            Manifest::parse(unknown.as_bytes()),
            Err(ManifestError::Damaged(_))
        ));
    }

    #[test]
    fn a_folder_of_rpm_packages_is_known_with_and_without_an_index() {
        assert!(holds_rpms(["repodata/repomd.xml", "Packages/a.rpm"]));
        assert!(holds_rpms(["a.rpm", "README"]));
        assert!(!holds_rpms(["below/a.rpm"]) && !holds_rpms([]));
        // What a vendor gives to all distributions.
        assert!(!holds_rpms(["Packages.gz", "agent.deb", "agent.rpm"]));
    }
}
