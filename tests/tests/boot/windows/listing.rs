//! All that an image has, as `wimlib-imagex dir --detailed` shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// What of a file must not change between two images.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// `Attributes`, `Security Descriptor`, `Short Name`, `Reparse Tag`, `Last Write Time` … by their names.
    pub(crate) properties: BTreeMap<String, String>,
    /// SHA-1 of each stream; the unnamed one has no name.
    pub(crate) streams: BTreeMap<String, String>,
}

/// The files of an image by their paths.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) entries: BTreeMap<String, Entry>,
    /// The hard links of each file that has several.
    pub(crate) links: BTreeSet<BTreeSet<String>>,
}

/// Properties that say where something lies in the WIM, or that count when it was looked at.
const COMPARED: [&str; 6] = [
    "Attributes",
    "Security Descriptor",
    "Short Name",
    "Reparse Tag",
    "Creation Time",
    "Last Write Time",
];

impl Listing {
    pub(crate) fn of(wim: &Path, image: u32) -> Self {
        let output = Command::new("wimlib-imagex")
            .args(["dir".as_ref(), wim.as_os_str()])
            .args([&image.to_string(), "--detailed"])
            .output()
            .expect("wimlib-imagex");
        assert!(output.status.success(), "{}: {output:?}", wim.display());
        Self::parse(&String::from_utf8_lossy(&output.stdout))
    }

    fn parse(text: &str) -> Self {
        let mut entries = BTreeMap::new();
        let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for block in text.split("Full Path           = ").skip(1) {
            let (path, rest) = block.split_once('\n').expect("a path ends");
            let path = path.trim().trim_matches('"').to_owned();
            let (entry, group) = parse_entry(rest);
            if let Some(group) = group {
                groups.entry(group).or_default().insert(path.clone());
            }
            entries.insert(path, entry);
        }
        let links = groups.into_values().filter(|paths| paths.len() > 1).collect();
        Self { entries, links }
    }
}

/// The entry and its link group, when it is in one.
fn parse_entry(text: &str) -> (Entry, Option<String>) {
    let mut entry = Entry::default();
    let mut group = None;
    let mut stream = String::new();
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("Named data stream ") {
            stream = rest.trim_end_matches(':').trim_matches('"').to_owned();
        } else if line.starts_with("Unnamed data stream") {
            stream.clear();
        } else if line.starts_with("Reparse point stream") {
            stream = "(reparse point)".to_owned();
        } else if let Some((name, value)) = line.split_once('=') {
            let (name, value) = (name.trim(), value.trim().to_owned());
            match name {
                "Hash" => drop(entry.streams.insert(stream.clone(), value)),
                "Link Group ID" if value.trim_start_matches("0x").contains(|c| c != '0') => {
                    group = Some(value)
                }
                _ if COMPARED.contains(&name) => drop(entry.properties.insert(name.to_owned(), value)),
                _ => {}
            }
        }
    }
    (entry, group)
}
