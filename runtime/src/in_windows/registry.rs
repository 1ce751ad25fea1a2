//! Names of registry keys, and values that have a fixed place.

use crate::platform::{Data, Registry, Result};

/// A hive of the running system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hive {
    /// `HKEY_LOCAL_MACHINE`.
    LocalMachine,
    /// `HKEY_CURRENT_USER`.
    CurrentUser,
    /// `HKEY_USERS`.
    Users,
}

/// Splits the name of a key, in any of the ways in which people write it, into its hive and the path in that hive.
pub fn split(key: &str) -> Option<(Hive, &str)> {
    let (hive, path) = key.trim_matches('\\').split_once('\\').unwrap_or((key, ""));
    let hive = match hive.trim_end_matches(':').to_ascii_uppercase().as_str() {
        "HKLM" | "HKEY_LOCAL_MACHINE" => Hive::LocalMachine,
        "HKCU" | "HKEY_CURRENT_USER" => Hive::CurrentUser,
        "HKU" | "HKEY_USERS" => Hive::Users,
        _ => return None,
    };
    Some((hive, path.trim_matches('\\')))
}

impl Data {
    /// The name of its type.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "REG_SZ",
            Self::Expandable(_) => "REG_EXPAND_SZ",
            Self::Texts(_) => "REG_MULTI_SZ",
            Self::Number(_) => "REG_DWORD",
            Self::Long(_) => "REG_QWORD",
            Self::Binary(_) => "REG_BINARY",
        }
    }

    /// As conditions compare it: numbers in decimal, several texts by line, bytes in hexadecimal.
    pub fn as_text(&self) -> String {
        match self {
            Self::Text(text) | Self::Expandable(text) => text.clone(),
            Self::Texts(texts) => texts.join("\n"),
            Self::Number(number) => number.to_string(),
            Self::Long(number) => number.to_string(),
            Self::Binary(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

/// A value as text.
///
/// # Errors
/// When it is there and cannot be read.
pub fn text(registry: &(impl Registry + ?Sized), key: &str, name: &str) -> Result<Option<String>> {
    Ok(registry.value(key, name)?.map(|data| data.as_text()))
}

/// A value as a number.
///
/// # Errors
/// When it is there and cannot be read.
pub fn number(registry: &(impl Registry + ?Sized), key: &str, name: &str) -> Result<Option<u64>> {
    Ok(match registry.value(key, name)? {
        Some(Data::Number(number)) => Some(number.into()),
        Some(Data::Long(number)) => Some(number),
        Some(other) => other.as_text().trim().parse().ok(),
        None => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hives_are_known_by_all_their_names() {
        let path = r"SOFTWARE\Example";
        for (name, hive) in [
            ("HKLM", Hive::LocalMachine),
            ("hklm:", Hive::LocalMachine),
            ("HKEY_LOCAL_MACHINE", Hive::LocalMachine),
            ("HKEY_CURRENT_USER", Hive::CurrentUser),
            ("HKU", Hive::Users),
        ] {
            assert_eq!(split(&format!(r"{name}\{path}\")), Some((hive, path)));
        }
        assert_eq!(split("HKLM"), Some((Hive::LocalMachine, "")));
        assert_eq!(split(r"HKCR\.txt"), None);
    }

    #[test]
    fn data_compares_as_text() {
        assert_eq!(Data::Number(7).as_text(), "7");
        assert_eq!(Data::Binary(vec![0, 255]).as_text(), "00ff");
        assert_eq!(Data::Texts(vec!["a".into(), "b".into()]).as_text(), "a\nb");
    }
}
