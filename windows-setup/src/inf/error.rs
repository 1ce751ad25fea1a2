//! What is wrong with an INF file.

use media_format::drivers::Architecture;
use thiserror::Error;

/// A problem with the line that it is in (0 where it is in no line).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}{problem}", place(*.line))]
pub struct InfError {
    /// Line, counted from 1.
    pub line: u32,
    /// What is wrong there.
    pub problem: InfProblem,
}

fn place(line: u32) -> String {
    match line {
        0 => String::new(),
        line => format!("line {line}: "),
    }
}

/// What can be wrong with an INF file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InfProblem {
    /// No INF file is that large.
    #[error("the file has {0} bytes, and an INF file has at most {max}", max = super::MAX_SIZE)]
    TooLarge(usize),
    /// `[` without `]`.
    #[error("the section name does not end with `]` in this line")]
    SectionNameNotClosed,
    /// Longer than Windows reads.
    #[error("the section name is longer than {max} characters", max = super::MAX_SECTION_NAME)]
    SectionNameTooLong,
    /// An entry before the first section.
    #[error("an entry stands before the first section")]
    OutsideOfSections,
    /// Longer than Windows reads.
    #[error("a value is longer than {max} characters", max = super::MAX_FIELD)]
    ValueTooLong,
    /// String tokens make it explode.
    #[error("the string tokens expand to more text than a real file has")]
    ExpandsTooFar,
    /// A section that every INF file needs.
    #[error("there is no section [{0}]")]
    NoSection(&'static str),
    /// Not one of the two signatures.
    #[error("the signature `{0}` is neither $Windows NT$ nor $Chicago$")]
    Signature(String),
    /// A directive without the section that it names.
    #[error("`{directive}` names the section [{section}], which does not exist")]
    NoSuchSection {
        /// The directive.
        directive: &'static str,
        /// The section.
        section: String,
    },
    /// A decoration that Windows does not understand.
    #[error("`{0}` is no decoration of the form NT[architecture][.major[.minor[.product[.suite[.build]]]]]")]
    Decoration(String),
    /// A class GUID that is none.
    #[error("`{0}` is no GUID")]
    Guid(String),
    /// A device whose install section does not exist.
    #[error("the device `{device}` names the section [{section}], which does not exist for {architecture}")]
    NoInstallSection {
        /// The device.
        device: String,
        /// The section.
        section: String,
        /// For which architecture it was looked for.
        architecture: Architecture,
    },
    /// No INF file has so many.
    #[error("there are more than {max} devices", max = super::MAX_DEVICES)]
    TooManyDevices,
    /// A path that leads out of the package.
    #[error("the path `{0}` leads out of the package")]
    LeadsOut(String),
}

impl InfProblem {
    /// The problem at a line.
    pub(crate) fn at(self, line: u32) -> InfError {
        InfError { line, problem: self }
    }
}
