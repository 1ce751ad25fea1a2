//! What a machine answers when a condition is evaluated.

use std::collections::BTreeMap;
use std::time::SystemTime;

use thiserror::Error;

use super::Firmware;
use crate::variables::Variables;

/// A fact could not be found out (not: the thing does not exist).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("evaluating the condition on {what}: {why}")]
pub struct FactError {
    /// What was looked at.
    pub what: String,
    /// Why that failed.
    pub why: String,
}

impl FactError {
    /// An error about `what`.
    pub fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: why.into(),
        }
    }
}

/// A file or folder that exists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileFact {
    /// When it was last changed.
    pub modified: Option<SystemTime>,
}

/// A key or value of the registry that exists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegistryFact {
    /// The type, such as `REG_SZ`; empty for a key.
    pub kind: String,
    /// The data as text; empty for a key.
    pub data: String,
}

/// How versions are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VersionScheme {
    /// Each part between dots counts as a number.
    #[default]
    Dotted,
    /// As dpkg does it.
    Debian,
    /// As rpm does it.
    Rpm,
}

/// A piece of installed software.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SoftwareFact {
    /// The name that users see, or the name of the package.
    pub name: String,
    /// The version.
    pub version: String,
    /// How it is ordered among others.
    pub scheme: VersionScheme,
    /// The product code of an MSI.
    pub product_code: Option<String>,
}

/// The running operating system.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OperatingSystemFact {
    /// The name, such as `Debian GNU/Linux`.
    pub name: String,
    /// The version, such as `13.1` or `10.0.26100`.
    pub version: String,
    /// The architecture, such as `x86-64`.
    pub architecture: String,
    /// The language, such as `en-US`.
    pub language: String,
}

/// One row of the answer to a hardware query: properties and their values as text. Properties are
/// found without regard to case; one that is absent is null.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row(BTreeMap<String, String>);

impl Row {
    /// The value of a property.
    pub fn get(&self, property: &str) -> Option<&str> {
        self.0.get(&property.to_lowercase()).map(String::as_str)
    }
}

impl<N: AsRef<str>, V: Into<String>> FromIterator<(N, V)> for Row {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(properties: I) -> Self {
        Self(
            properties
                .into_iter()
                .map(|(name, value)| (name.as_ref().to_lowercase(), value.into()))
                .collect(),
        )
    }
}

/// What conditions ask of a machine. `Ok(None)` says that the thing does not exist.
pub trait Facts {
    /// The variables of the sequence.
    fn variables(&self) -> &Variables;
    /// A file.
    fn file(&self, path: &str) -> Result<Option<FileFact>, FactError>;
    /// The version that a file carries, if it has one: asked only for a test of it, because the whole file is read.
    fn file_version(&self, path: &str) -> Result<Option<String>, FactError>;
    /// A folder.
    fn folder(&self, path: &str) -> Result<Option<FileFact>, FactError>;
    /// A value of the registry, or a key where `value` is absent.
    fn registry(&self, key: &str, value: Option<&str>) -> Result<Option<RegistryFact>, FactError>;
    /// Everything that is installed.
    fn software(&self) -> Result<Vec<SoftwareFact>, FactError>;
    /// The running operating system.
    fn operating_system(&self) -> Result<OperatingSystemFact, FactError>;
    /// All rows of a class of [`CLASSES`](super::CLASSES), named as there.
    fn rows(&self, class: &str) -> Result<Vec<Row>, FactError>;
    /// The kind of firmware.
    fn firmware(&self) -> Result<Firmware, FactError>;
    /// The installed memory in bytes.
    fn memory(&self) -> Result<u64, FactError>;
}
