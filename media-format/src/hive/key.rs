//! Keys as they were read.

use serde::{Deserialize, Serialize};

use super::Value;

/// A key with what it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Its name.
    pub name: String,
    /// Its values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<NamedValue>,
    /// The keys directly below it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Key>,
}

/// A value with its name; the default value has an empty one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedValue {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub value: Value,
}

impl Key {
    /// The key at a path below this one.
    #[must_use]
    pub fn key(&self, path: &str) -> Option<&Key> {
        path.split('\\')
            .filter(|name| !name.is_empty())
            .try_fold(self, |key, name| {
                key.keys.iter().find(|below| same(&below.name, name))
            })
    }

    /// The value of this name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Value> {
        let found = self.values.iter().find(|value| same(&value.name, name));
        found.map(|found| &found.value)
    }
}

fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_without_regard_to_case() {
        let leaf = Key {
            name: "Elements".into(),
            values: vec![NamedValue {
                name: "Type".into(),
                value: Value::Dword(1),
            }],
            ..Key::default()
        };
        let root = Key {
            keys: vec![Key {
                name: "{A}".into(),
                keys: vec![leaf],
                ..Key::default()
            }],
            ..Key::default()
        };
        let found = root.key(r"{a}\ELEMENTS").unwrap();
        assert_eq!(found.value("type"), Some(&Value::Dword(1)));
        assert_eq!(root.key(""), Some(&root));
        assert_eq!(root.key(r"{a}\other"), None);
    }
}
