//! Changes to a hive. Plans are lists of them; the worker applies a list in its order.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Value;

/// Larger data is stored in a form of its own that the worker does not write.
pub const MOST_DATA: usize = 16_344;

/// In UTF-16 units, for names of keys.
const LONGEST_KEY: usize = 255;
/// In UTF-16 units, for names of values.
const LONGEST_VALUE: usize = 16_383;
const DEEPEST: usize = 512;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Edit {
    /// Makes a key and those above it, where they are missing.
    CreateKey {
        /// Its path.
        key: String,
    },
    /// Sets a value; makes its key where that is missing.
    SetValue {
        /// The path of its key.
        key: String,
        /// Its name.
        name: String,
        /// What it shall hold.
        value: Value,
    },
    /// Removes a value, if it is there.
    DeleteValue {
        /// The path of its key.
        key: String,
        /// Its name.
        name: String,
    },
    /// Removes a key with all that is below it, if it is there.
    DeleteKey {
        /// Its path.
        key: String,
    },
}

/// Why a change cannot be made in any hive.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadEdit {
    /// A path has an empty or overlong name, a NUL, or too many levels.
    #[error(
        "the key {0:?} cannot be: names have 1 to 255 characters, none of them NUL, in at most 512 levels"
    )]
    Key(String),
    /// A value's name is overlong or has a NUL.
    #[error("the value {0:?} cannot be: names have at most 16383 characters, none of them NUL")]
    Name(String),
    /// A value is too large.
    #[error("the value {name:?} of {key:?} has {bytes} bytes: at most 16344 can be stored")]
    TooLarge {
        /// The path of its key.
        key: String,
        /// Its name.
        name: String,
        /// Its size.
        bytes: usize,
    },
    /// A text has a NUL, or a list an empty text: what is read would not be what was written.
    #[error("the value {name:?} of {key:?} cannot be: a text contains NUL, or a list an empty text")]
    Text {
        /// The path of its key.
        key: String,
        /// Its name.
        name: String,
    },
    /// The root cannot be removed.
    #[error("a hive's root key cannot be removed")]
    Root,
}

impl Edit {
    /// Makes a key.
    #[must_use]
    pub fn create(key: impl Into<String>) -> Self {
        Self::CreateKey { key: key.into() }
    }

    /// Sets a value.
    #[must_use]
    pub fn set(key: impl Into<String>, name: impl Into<String>, value: Value) -> Self {
        Self::SetValue {
            key: key.into(),
            name: name.into(),
            value,
        }
    }

    /// Says whether the change can be made at all.
    pub fn check(&self) -> Result<(), BadEdit> {
        match self {
            Self::CreateKey { key } => check_key(key),
            Self::DeleteKey { key } if key.is_empty() => Err(BadEdit::Root),
            Self::DeleteKey { key } => check_key(key),
            Self::DeleteValue { key, name } => check_key(key).and_then(|()| check_name(name)),
            Self::SetValue { key, name, value } => {
                check_key(key)?;
                check_name(name)?;
                check_value(key, name, value)
            }
        }
    }
}

fn check_key(key: &str) -> Result<(), BadEdit> {
    let good = |name: &str| {
        let length = name.encode_utf16().count();
        (1..=LONGEST_KEY).contains(&length) && !name.contains('\0')
    };
    match key.is_empty() || (key.split('\\').all(good) && key.split('\\').count() <= DEEPEST) {
        true => Ok(()),
        false => Err(BadEdit::Key(key.into())),
    }
}

fn check_name(name: &str) -> Result<(), BadEdit> {
    match name.encode_utf16().count() <= LONGEST_VALUE && !name.contains('\0') {
        true => Ok(()),
        false => Err(BadEdit::Name(name.into())),
    }
}

fn check_value(key: &str, name: &str, value: &Value) -> Result<(), BadEdit> {
    let (kind, data) = value.encode();
    let bytes = data.len();
    let (key, name) = (key.to_owned(), name.to_owned());
    if bytes > MOST_DATA {
        return Err(BadEdit::TooLarge { key, name, bytes });
    }
    match value == &Value::decode(kind, data) || matches!(value, Value::Other { .. }) {
        true => Ok(()),
        false => Err(BadEdit::Text { key, name }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_reads_as_documented() {
        let json = r#"{"set-value":{"key":"A\\B","name":"N","value":{"dword":7}}}"#;
        let edit: Edit = serde_json::from_str(json).unwrap();
        assert_eq!(edit, Edit::set(r"A\B", "N", Value::Dword(7)));
        assert_eq!(serde_json::to_string(&edit).unwrap(), json);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let set = |value| Edit::set("A", "N", value).check();
        let key = |key: &str| Edit::create(key).check();
        for bad in ["\\", "A\\\\B", "A\0", "\\A", &"x".repeat(256), &"a\\".repeat(512)] {
            assert_eq!(key(bad), Err(BadEdit::Key(bad.into())));
        }
        assert!(key(&"x".repeat(255)).is_ok() && key("").is_ok());
        assert!(set(Value::Binary(vec![0; MOST_DATA])).is_ok());
        assert!(matches!(
            set(Value::Binary(vec![0; MOST_DATA + 1])),
            Err(BadEdit::TooLarge { .. })
        ));
        assert!(matches!(set(Value::Sz("a\0b".into())), Err(BadEdit::Text { .. })));
        assert!(matches!(
            set(Value::MultiSz(vec![String::new()])),
            Err(BadEdit::Text { .. })
        ));
        assert_eq!(Edit::DeleteKey { key: String::new() }.check(), Err(BadEdit::Root));
        let name = "n\0".to_owned();
        assert_eq!(
            Edit::set("", &name, Value::Dword(1)).check(),
            Err(BadEdit::Name(name))
        );
    }

    #[test]
    fn data_of_any_type_can_be_set() {
        let odd = Value::Other {
            kind: 1,
            data: vec![1, 2, 3],
        };
        assert!(Edit::set("A", "N", odd).check().is_ok());
    }
}
