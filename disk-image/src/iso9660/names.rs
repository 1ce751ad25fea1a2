//! Names in the three views: ISO 9660 level 2, Joliet, and the checks that Rock Ridge needs.

use std::collections::{HashMap, HashSet};

/// Characters of an ISO name without dot and version, at level 2.
const ISO_LENGTH: usize = 30;
const ISO_EXTENSION_LENGTH: usize = 8;
const JOLIET_UNITS: usize = 64;
/// Linux (fs/isofs) ignores a Rock Ridge name from 254 bytes on.
const ROCK_RIDGE_BYTES: usize = 253;

/// Gives unique ISO names within one folder; the same sequence of names gives the same result.
#[derive(Debug, Default)]
pub(super) struct IsoNames {
    taken: HashSet<String>,
    counters: HashMap<String, u64>,
}

impl IsoNames {
    /// The directory identifier of a folder.
    pub(super) fn folder(&mut self, name: &str) -> Vec<u8> {
        self.unique(&sanitized(name, ISO_LENGTH), "").into_bytes()
    }

    /// The file identifier, with its version unless it is plain.
    pub(super) fn file(&mut self, name: &str, plain: bool) -> Vec<u8> {
        let (stem, extension) = match name.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() => (stem, sanitized(extension, ISO_EXTENSION_LENGTH)),
            _ => (name, String::new()),
        };
        let unique = self.unique(&sanitized(stem, ISO_LENGTH - extension.len()), &extension);
        if plain {
            return unique.into_bytes();
        }
        let dot = if extension.is_empty() { "." } else { "" };
        format!("{unique}{dot};1").into_bytes()
    }

    fn unique(&mut self, stem: &str, extension: &str) -> String {
        let wanted = joined(stem, extension);
        if self.taken.insert(wanted.clone()) {
            return wanted;
        }
        let counter = self.counters.entry(wanted).or_insert(0);
        loop {
            *counter += 1;
            let suffix = format!("_{counter}");
            let room = ISO_LENGTH - extension.len() - suffix.len();
            let candidate = joined(&format!("{}{suffix}", &stem[..stem.len().min(room)]), extension);
            if self.taken.insert(candidate.clone()) {
                return candidate;
            }
        }
    }
}

fn joined(stem: &str, extension: &str) -> String {
    if extension.is_empty() {
        stem.to_owned()
    } else {
        format!("{stem}.{extension}")
    }
}

/// The first characters of a name as d-characters: ASCII, so that bytes are characters.
fn sanitized(name: &str, length: usize) -> String {
    let allowed = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    name.chars().take(length).map(allowed).collect()
}

/// What is wrong with a name; the caller knows the path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Invalid,
    TooLong(usize),
    JolietTooLong(usize),
    JolietCharacter(char),
    JolietTrailing,
}

pub(super) fn check_name(name: &str) -> Result<(), Fault> {
    if name.is_empty() || name.contains(['/', '\0']) {
        return Err(Fault::Invalid);
    }
    if name.len() > ROCK_RIDGE_BYTES {
        return Err(Fault::TooLong(name.len()));
    }
    Ok(())
}

/// The Joliet identifier in big-endian UTF-16, with a version for files.
pub(super) fn joliet(name: &str, version: bool) -> Result<Vec<u8>, Fault> {
    let units = name.encode_utf16().count();
    if units > JOLIET_UNITS {
        return Err(Fault::JolietTooLong(units));
    }
    let forbidden = |c: &char| matches!(c, '*' | '/' | ':' | ';' | '?' | '\\') || *c < ' ';
    if let Some(character) = name.chars().find(forbidden) {
        return Err(Fault::JolietCharacter(character));
    }
    if name.ends_with(['.', ' ']) {
        return Err(Fault::JolietTrailing);
    }
    let version = if version { ";1" } else { "" };
    Ok(utf16_big_endian(&format!("{name}{version}")))
}

pub(super) fn utf16_big_endian(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> Vec<String> {
        let mut iso = IsoNames::default();
        names
            .iter()
            .map(|name| String::from_utf8(iso.file(name, false)).unwrap())
            .collect()
    }

    #[test]
    fn iso_names_are_unique_and_legal() {
        assert_eq!(files(&["install.wim"]), ["INSTALL.WIM;1"]);
        assert_eq!(files(&["a", "A", "ä", "é"]), ["A.;1", "A_1.;1", "_.;1", "__1.;1"]);
        assert_eq!(files(&[".profile"]), ["_PROFILE.;1"]);
        assert_eq!(files(&["x.", "x"]), ["X.;1", "X_1.;1"]);
        let long = "n".repeat(60);
        let names = files(&[&long, &format!("{long}2"), &format!("{long}.config-backup")]);
        assert_eq!(names[0], format!("{}.;1", "N".repeat(30)));
        assert_eq!(names[1], format!("{}_1.;1", "N".repeat(28)));
        assert_eq!(names[2], format!("{}.CONFIG_B;1", "N".repeat(22)));
    }

    #[test]
    fn a_numbered_name_avoids_an_existing_one() {
        assert_eq!(
            files(&["a", "a_1", "A", "A_1"]),
            ["A.;1", "A_1.;1", "A_2.;1", "A_1_1.;1"]
        );
    }

    #[test]
    fn folders_and_files_share_names() {
        let mut iso = IsoNames::default();
        assert_eq!(iso.folder("data"), b"DATA");
        assert_eq!(iso.file("DATA", false), b"DATA_1.;1");
    }

    #[test]
    fn joliet_limits() {
        assert!(joliet(&"x".repeat(64), true).is_ok());
        assert_eq!(joliet(&"x".repeat(65), true), Err(Fault::JolietTooLong(65)));
        assert_eq!(
            joliet(&"\u{1f600}".repeat(33), true),
            Err(Fault::JolietTooLong(66))
        );
        assert_eq!(joliet("a:b", false), Err(Fault::JolietCharacter(':')));
        assert_eq!(joliet("a\u{7}b", false), Err(Fault::JolietCharacter('\u{7}')));
        assert_eq!(joliet("a.", false), Err(Fault::JolietTrailing));
        assert_eq!(joliet("ab", false), Ok(vec![0, b'a', 0, b'b']));
    }

    #[test]
    fn name_limits() {
        assert_eq!(check_name(&"x".repeat(253)), Ok(()));
        assert_eq!(check_name(&"x".repeat(254)), Err(Fault::TooLong(254)));
        assert_eq!(check_name("a/b"), Err(Fault::Invalid));
    }
}
