//! INF files as Windows' SetupAPI understands them. The rules are those of the section "INF files" of Microsoft's
//! driver documentation; each module names the page that it follows.

mod encoding;
mod error;
mod files;
mod install;
mod models;
mod path;
mod scan;
mod strings;
mod target_os;
mod version;

pub use error::{InfError, InfProblem};
pub use files::{CopiedFile, copied_files, copied_infs};
pub use install::{Installation, components, find, services, with_needs};
pub use models::{Device, DeviceList, Maker, excluded_from_select, manufacturers};
pub use path::beneath;
pub use target_os::{applies, parse as parse_decoration, precedence};
pub use version::Version;

use scan::Sections;

/// Bytes; the largest INF files that vendors ship have about one megabyte.
pub const MAX_SIZE: usize = 8 << 20;
/// Characters of a section's name (General Syntax Rules for INF Files).
pub const MAX_SECTION_NAME: usize = 255;
/// Characters of a value with its terminating zero, before and after string substitution (the same page).
pub const MAX_FIELD: usize = 4096;
/// Devices of an INF file, counted for each list that they are in.
pub const MAX_DEVICES: usize = 200_000;
/// US English, whose strings are used where nothing else is asked for.
pub const ENGLISH: u16 = 0x0409;

/// An INF file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inf {
    sections: Sections,
}

/// A section: all entries of all sections of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its name as it was first written.
    pub name: String,
    /// Line of its first name.
    pub line: u32,
    /// Its entries in the order of the file.
    pub entries: Vec<Entry>,
}

/// An entry: `key = value, value, …` or `value, value, …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Line where it begins.
    pub line: u32,
    /// What stands before the equals sign.
    pub key: Option<String>,
    /// The values; there is at least one, which may be empty.
    pub values: Vec<String>,
}

impl Inf {
    /// Reads an INF file, with English texts where it has texts in several languages.
    ///
    /// # Errors
    /// When Windows would not accept it.
    pub fn parse(bytes: &[u8]) -> Result<Self, InfError> {
        Self::parse_for(bytes, ENGLISH)
    }

    /// Reads an INF file with the texts of a language.
    ///
    /// # Errors
    /// When Windows would not accept it.
    pub fn parse_for(bytes: &[u8], language: u16) -> Result<Self, InfError> {
        if bytes.len() > MAX_SIZE {
            return Err(InfProblem::TooLarge(bytes.len()).at(0));
        }
        let mut sections = scan::scan(&encoding::decode(bytes))?;
        strings::expand(&mut sections, language)?;
        let inf = Self { sections };
        version::check_signature(&inf)?;
        Ok(inf)
    }

    /// A section by name, in any case.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.get(&name.trim().to_lowercase())
    }
}

impl Section {
    /// The first entry with that key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.all(key).next()
    }

    /// Every entry with that key.
    pub fn all<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a Entry> {
        let key = key.to_owned();
        let has_key = move |entry: &&Entry| {
            let found = entry.key.as_deref();
            found.is_some_and(|found| found.eq_ignore_ascii_case(&key))
        };
        self.entries.iter().filter(has_key)
    }

    /// The first value of the first entry with that key; empty where there is none.
    pub fn value(&self, key: &str) -> &str {
        self.entry(key).map_or("", |entry| entry.value(0))
    }
}

impl Entry {
    /// A value; empty where there is none.
    pub fn value(&self, index: usize) -> &str {
        self.values.get(index).map_or("", String::as_str)
    }

    /// The values that are not empty.
    pub fn list(&self) -> impl Iterator<Item = &str> {
        let values = self.values.iter().map(String::as_str);
        values.filter(|value| !value.is_empty())
    }
}

/// A number as INF files write it: decimal, or hexadecimal after `0x`.
pub(crate) fn number(text: &str) -> Option<u32> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}
