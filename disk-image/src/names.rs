//! Which names a volume that Windows reads may carry: the rules that FAT and exFAT share.

use std::collections::HashMap;

use crate::flat::{Item, path};

/// The most UTF-16 units that a name may have.
const MAX_UNITS: usize = 255;

/// A name that the volume cannot carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// More than 255 UTF-16 units.
    #[error("\"{path}\": the name has {units} UTF-16 units, at most 255 are possible: shorten it")]
    TooLong {
        /// The entry.
        path: String,
        /// Its length.
        units: usize,
    },
    /// A character that Windows forbids in names.
    #[error("\"{path}\": the name contains {character:?}, which Windows does not allow in names: rename it")]
    Forbidden {
        /// The entry.
        path: String,
        /// The first such character.
        character: char,
    },
    /// The name of a device.
    #[error("\"{path}\": {word} is the name of a device on Windows, with every extension: rename it")]
    Reserved {
        /// The entry.
        path: String,
        /// The device.
        word: String,
    },
    /// Windows drops a dot or space at the end.
    #[error("\"{path}\": the name ends with a dot or a space, which Windows drops: rename it")]
    Trailing {
        /// The entry.
        path: String,
    },
    /// Two names that differ only in upper and lower case.
    #[error("\"{path}\" and \"{other}\" differ only in upper and lower case: rename one")]
    Collision {
        /// The later entry.
        path: String,
        /// The earlier entry.
        other: String,
    },
}

/// Checks every name of the tree.
pub(crate) fn check(items: &[Item<'_>]) -> Result<(), NameError> {
    for folder in items.iter().filter(|item| item.is_folder()) {
        let mut seen = HashMap::with_capacity(folder.children.len());
        for &child in &folder.children {
            check_name(items[child].name, || path(items, child))?;
            if let Some(other) = seen.insert(fold(items[child].name), child) {
                return Err(NameError::Collision {
                    path: path(items, child),
                    other: path(items, other),
                });
            }
        }
    }
    Ok(())
}

fn check_name(name: &str, path: impl Fn() -> String) -> Result<(), NameError> {
    let units = name.encode_utf16().count();
    if units > MAX_UNITS {
        return Err(NameError::TooLong { path: path(), units });
    }
    if let Some(character) = name.chars().find(|&c| c < ' ' || "\"*/:<>?\\|".contains(c)) {
        return Err(NameError::Forbidden {
            path: path(),
            character,
        });
    }
    if name.is_empty() || name.ends_with(['.', ' ']) {
        return Err(NameError::Trailing { path: path() });
    }
    match device(name) {
        Some(word) => Err(NameError::Reserved { path: path(), word }),
        None => Ok(()),
    }
}

/// The device that a name stands for on Windows.
fn device(name: &str) -> Option<String> {
    let stem = name.split('.').next().unwrap_or(name).trim_end_matches(' ');
    if !(3..=5).contains(&stem.len()) {
        return None;
    }
    let stem = stem.to_uppercase();
    let numbered = || {
        let digit = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"))?;
        ["1", "2", "3", "4", "5", "6", "7", "8", "9", "¹", "²", "³"]
            .contains(&digit)
            .then_some(())
    };
    (["CON", "PRN", "AUX", "NUL"].contains(&stem.as_str()) || numbered().is_some()).then_some(stem)
}

/// The name as a volume compares it.
fn fold(name: &str) -> String {
    name.chars().map(upcase).collect()
}

/// Upper case of one character where that is one UTF-16 unit.
///
/// Letters outside ASCII never become ASCII (dotless i, long s): Windows compares them as different.
pub(crate) fn upcase(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) if c.len_utf16() == 1 && one.len_utf16() == 1 && !one.is_ascii() => one,
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(name: &str) -> Option<NameError> {
        check_name(name, || name.to_owned()).err()
    }

    #[test]
    fn refuses_devices_whatever_their_case_and_extension() {
        for name in [
            "CON",
            "con",
            "nul.txt",
            "Com1.tar.gz",
            "LPT9",
            "aux .c",
            "COM².log",
        ] {
            assert!(
                matches!(problem(name), Some(NameError::Reserved { .. })),
                "{name}"
            );
        }
        for name in ["CONSOLE", "COM0", "COM10", "LPT", "nul1", "xcon", "日本"] {
            assert_eq!(problem(name), None, "{name}");
        }
    }

    #[test]
    fn refuses_what_windows_forbids_or_drops() {
        for name in ["a:b", "a\"", "a\u{1f}", "*", "a\\b", "a|b", "what?"] {
            assert!(
                matches!(problem(name), Some(NameError::Forbidden { .. })),
                "{name}"
            );
        }
        for name in ["a.", "a ", "...", ""] {
            assert!(
                matches!(problem(name), Some(NameError::Trailing { .. })),
                "{name:?}"
            );
        }
        assert_eq!(problem(&"é".repeat(255)), None);
        assert!(matches!(
            problem(&"é".repeat(256)),
            Some(NameError::TooLong { units: 256, .. })
        ));
        assert!(matches!(
            problem(&"😀".repeat(128)),
            Some(NameError::TooLong { units: 256, .. })
        ));
    }

    #[test]
    fn folds_letters_of_one_unit_only() {
        assert_eq!(fold("straße ÿ ψ ıſ 𐐨"), "STRAßE Ÿ Ψ ıſ 𐐨");
    }
}
