//! Values of the registry, and how they are stored.

use serde::{Deserialize, Serialize};

const SZ: u32 = 1;
const EXPAND_SZ: u32 = 2;
const BINARY: u32 = 3;
const DWORD: u32 = 4;
const MULTI_SZ: u32 = 7;
const QWORD: u32 = 11;

/// A value and its type; the names are those of Windows without `REG_`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// Text.
    Sz(String),
    /// Text with environment variables such as `%SystemRoot%`.
    ExpandSz(String),
    /// Bytes.
    Binary(#[serde(with = "hex")] Vec<u8>),
    /// A number of 32 bits.
    Dword(u32),
    /// A list of texts, none of them empty.
    MultiSz(Vec<String>),
    /// A number of 64 bits.
    Qword(u64),
    /// Another type, or data that does not have the form of its type, such as text without its end.
    Other {
        /// The number of the type.
        kind: u32,
        /// The data as it is stored.
        #[serde(with = "hex")]
        data: Vec<u8>,
    },
}

impl Value {
    /// The number of the type, and the data as it is stored.
    #[must_use]
    pub fn encode(&self) -> (u32, Vec<u8>) {
        match self {
            Self::Sz(text) => (SZ, utf16(text)),
            Self::ExpandSz(text) => (EXPAND_SZ, utf16(text)),
            Self::Binary(data) => (BINARY, data.clone()),
            Self::Dword(number) => (DWORD, number.to_le_bytes().to_vec()),
            Self::MultiSz(list) => {
                let mut data: Vec<u8> = list.iter().flat_map(|text| utf16(text)).collect();
                data.extend([0, 0]);
                (MULTI_SZ, data)
            }
            Self::Qword(number) => (QWORD, number.to_le_bytes().to_vec()),
            Self::Other { kind, data } => (*kind, data.clone()),
        }
    }

    /// Reads what is stored. Nothing is lost: what [`Value::encode`] would not give back exactly is [`Value::Other`].
    #[must_use]
    pub fn decode(kind: u32, data: Vec<u8>) -> Self {
        let value = match kind {
            SZ => Self::Sz(text(&data)),
            EXPAND_SZ => Self::ExpandSz(text(&data)),
            BINARY => return Self::Binary(data),
            DWORD => Self::Dword(data.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))),
            MULTI_SZ => Self::MultiSz(texts(&data)),
            QWORD => Self::Qword(data.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))),
            _ => return Self::Other { kind, data },
        };
        if value.encode() == (kind, data.clone()) {
            value
        } else {
            Self::Other { kind, data }
        }
    }

    /// The text, also of a value whose end is missing or that has something behind its end, as real hives have.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Sz(text) | Self::ExpandSz(text) => Some(text.clone()),
            Self::Other {
                kind: SZ | EXPAND_SZ,
                data,
            } => Some(text(data)),
            _ => None,
        }
    }

    /// The number of a [`Value::Dword`] or [`Value::Qword`].
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Dword(number) => Some(u64::from(*number)),
            Self::Qword(number) => Some(*number),
            _ => None,
        }
    }
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16()
        .chain([0])
        .flat_map(u16::to_le_bytes)
        .collect()
}

fn units(data: &[u8]) -> impl Iterator<Item = u16> {
    data.chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
}

fn text(data: &[u8]) -> String {
    let units: Vec<u16> = units(data).take_while(|unit| *unit != 0).collect();
    String::from_utf16_lossy(&units)
}

fn texts(data: &[u8]) -> Vec<String> {
    let units: Vec<u16> = units(data).collect();
    units
        .split(|unit| *unit == 0)
        .filter(|text| !text.is_empty())
        .map(String::from_utf16_lossy)
        .collect()
}

mod hex {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(data: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&crate::manifest::hex(data))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digit = |digit: u8| {
            char::from(digit)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        let byte = |pair: &[u8]| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        };
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
        bytes.ok_or_else(|| D::Error::custom("bytes must be pairs of hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_stored_as_windows_stores_them() {
        assert_eq!(Value::Sz("ab".into()).encode(), (1, b"a\0b\0\0\0".to_vec()));
        assert_eq!(Value::Dword(0x0102_0304).encode(), (4, vec![4, 3, 2, 1]));
        let list = Value::MultiSz(vec!["a".into(), "b".into()]);
        assert_eq!(list.encode(), (7, b"a\0\0\0b\0\0\0\0\0".to_vec()));
        assert_eq!(Value::MultiSz(Vec::new()).encode(), (7, vec![0, 0]));
    }

    #[test]
    fn data_of_an_odd_form_is_kept_and_its_text_is_found() {
        let two_ends = Value::decode(1, b"a\0\0\0\0\0".to_vec());
        assert!(matches!(two_ends, Value::Other { kind: 1, .. }));
        assert_eq!(two_ends.text().as_deref(), Some("a"));
        assert_eq!(Value::decode(1, b"a\0b".to_vec()).text().as_deref(), Some("a"));
        assert!(matches!(
            Value::decode(4, vec![1, 2]),
            Value::Other { kind: 4, .. }
        ));
        assert_eq!(Value::decode(4, vec![1, 2]).number(), None);
    }

    #[test]
    fn bytes_travel_as_hexadecimal() {
        let value = Value::Binary(vec![0, 0xab, 16]);
        let json = serde_json::to_string(&value).unwrap();
        assert_eq!(json, r#"{"binary":"00ab10"}"#);
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), value);
        for bad in ["0", "0g", "\u{e9}", "0x10"] {
            assert!(serde_json::from_str::<Value>(&format!(r#"{{"binary":"{bad}"}}"#)).is_err());
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost(kind in 0u32..13, data in proptest::collection::vec(0u8..4, 0..24)) {
            prop_assert_eq!(Value::decode(kind, data.clone()).encode(), (kind, data));
        }
    }
}
