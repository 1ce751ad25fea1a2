//! Conditions: whether a group or step runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::words;

mod compare;
mod date;
mod debian_version;
mod evaluate;
mod facts;
mod rpm_version;
mod version;
mod wql;
mod written;

pub use compare::{Comparison, Operator, compare_values, like};
pub use date::Date;
pub use facts::{
    FactError, Facts, FileFact, OperatingSystemFact, RegistryFact, Row, SoftwareFact, VersionScheme,
};
pub use wql::{CLASSES, Query};
use written::Written;

words! {
    /// The kind of firmware that started the machine.
    Firmware {
        /// UEFI.
        Uefi = "uefi",
        /// BIOS, also that of a UEFI machine in legacy mode.
        Bios = "bios",
    }
}

/// What must hold for a node to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Written", into = "Written")]
pub enum Condition {
    /// Every one of these holds.
    All(Vec<Condition>),
    /// At least one of these holds.
    Any(Vec<Condition>),
    /// None of these holds.
    None(Vec<Condition>),
    /// A test of one thing.
    Test(Test),
}

/// A test of one thing.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// A variable of the sequence.
    Variable {
        /// Its name.
        name: String,
        /// Whether it must exist (true) or not (false).
        exists: Option<bool>,
        /// What its value must be; all of them hold.
        comparisons: Vec<Comparison>,
    },
    /// A file.
    File(PathTest),
    /// A folder.
    Folder(PathTest),
    /// A key or value of the registry.
    Registry {
        /// The key, such as `HKLM\SOFTWARE\Example`.
        key: String,
        /// The value in it; without it, the key itself.
        value: Option<String>,
        /// Whether it must exist (true) or not (false).
        exists: Option<bool>,
        /// The type of the value, such as `REG_SZ`.
        kind: Option<String>,
        /// What its data must be; all of them hold.
        comparisons: Vec<Comparison>,
    },
    /// Installed software.
    Software {
        /// Its name or product code; `*` and `?` are wildcards.
        name: String,
        /// Whether it must be installed (true) or not (false).
        exists: Option<bool>,
        /// What its version must be, in the order of the system that it is installed in.
        version: Vec<Comparison>,
    },
    /// The running operating system.
    OperatingSystem {
        /// Its name; `*` and `?` are wildcards.
        name: Option<String>,
        /// What its version must be.
        version: Vec<Comparison>,
        /// Its architecture, such as `x86-64`.
        architecture: Option<String>,
        /// Its language, such as `en-US`; `*` and `?` are wildcards.
        language: Option<String>,
    },
    /// A hardware query that must return at least one row.
    Query(Query),
    /// The kind of firmware.
    Firmware(Firmware),
    /// At least this much memory.
    Memory(crate::size::Size),
}

/// A test of a file or folder.
#[derive(Debug, Clone, PartialEq)]
pub struct PathTest {
    /// The path; `%VARIABLES%` in it are expanded.
    pub path: String,
    /// Whether it must exist (true) or not (false).
    pub exists: Option<bool>,
    /// What its version must be; a folder has none.
    pub version: Vec<Comparison>,
    /// It was changed before this moment.
    pub modified_before: Option<Date>,
    /// It was changed after this moment.
    pub modified_after: Option<Date>,
}

impl Condition {
    /// Every test in it.
    pub fn tests(&self) -> Vec<&Test> {
        match self {
            Self::All(inner) | Self::Any(inner) | Self::None(inner) => {
                inner.iter().flat_map(Self::tests).collect()
            }
            Self::Test(test) => vec![test],
        }
    }
}
